package remoting

import (
	"encoding/json"
	"fmt"
)

// TopicOffset is one queue's figures in TopicStats.
type TopicOffset struct {
	LastUpdateTimestamp int64 `json:"lastUpdateTimestamp"`
	MaxOffset           int64 `json:"maxOffset"`
	MinOffset           int64 `json:"minOffset"`
}

// TopicStats is the body of 202.
type TopicStats struct {
	OffsetTable QueueTable[TopicOffset] `json:"offsetTable"`
	TopicPutTps float64                 `json:"topicPutTps"`
}

// AppendJSON appends the body.
func (s *TopicStats) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"offsetTable":`...)
	dst = AppendQueueTable(dst, s.OffsetTable)
	dst = append(dst, `,"topicPutTps":`...)
	return append(appendDouble(dst, s.TopicPutTps), '}')
}

// ConsumeOffset is one queue's figures in ConsumeStats.
type ConsumeOffset struct {
	BrokerOffset   int64 `json:"brokerOffset"`
	ConsumerOffset int64 `json:"consumerOffset"`
	LastTimestamp  int64 `json:"lastTimestamp"`
	PullOffset     int64 `json:"pullOffset"`
}

// ConsumeStats is the body of 208 and a part of 317's.
type ConsumeStats struct {
	ConsumeTps  float64                   `json:"consumeTps"`
	OffsetTable QueueTable[ConsumeOffset] `json:"offsetTable"`
}

// AppendJSON appends the body.
func (s *ConsumeStats) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"consumeTps":`...)
	dst = appendDouble(dst, s.ConsumeTps)
	dst = append(dst, `,"offsetTable":`...)
	return append(AppendQueueTable(dst, s.OffsetTable), '}')
}

// GroupStats is one group in BrokerConsumeStats.
type GroupStats struct {
	Group string
	Stats []ConsumeStats
}

// UnmarshalJSON reads {"group":[...]}.
func (g *GroupStats) UnmarshalJSON(b []byte) error {
	var one map[string][]ConsumeStats
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	if len(one) != 1 {
		return fmt.Errorf("%d groups in one entry of a broker's consume stats", len(one))
	}
	for g.Group, g.Stats = range one {
	}
	return nil
}

// BrokerConsumeStats is the body of 317.
type BrokerConsumeStats struct {
	BrokerAddr   string       `json:"brokerAddr"`
	Groups       []GroupStats `json:"consumeStatsList"`
	TotalDiff    int64        `json:"totalDiff"`
	InflightDiff int64        `json:"totalInflightDiff"`
}

// AppendJSON appends the body.
func (s *BrokerConsumeStats) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"brokerAddr":`...)
	dst = appendQuoted(dst, s.BrokerAddr)
	dst = append(dst, `,"consumeStatsList":[`...)
	for i, g := range s.Groups {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(append(dst, '{'), g.Group), ':', '[')
		for j := range g.Stats {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = g.Stats[j].AppendJSON(dst)
		}
		dst = append(dst, ']', '}')
	}
	dst = append(dst, `],"totalDiff":`...)
	dst = appendJSON(dst, s.TotalDiff)
	dst = append(dst, `,"totalInflightDiff":`...)
	return append(appendJSON(dst, s.InflightDiff), '}')
}

// ResetOffsets is the answer body of 222 and the request body of 220.
type ResetOffsets struct {
	OffsetTable QueueTable[int64] `json:"offsetTable"`
}

// AppendJSON appends the body.
func (r *ResetOffsets) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"offsetTable":`...)
	return append(AppendQueueTable(dst, r.OffsetTable), '}')
}

// appendDouble writes a number as Java prints a double: always with a fraction.
func appendDouble(dst []byte, v float64) []byte {
	at := len(dst)
	dst = appendJSON(dst, v)
	for _, ch := range dst[at:] {
		if ch == '.' || ch == 'e' {
			return dst
		}
	}
	return append(dst, '.', '0')
}

// StatsSnapshot is one window in BrokerStatsData.
type StatsSnapshot struct {
	Avgpt Double `json:"avgpt"`
	Sum   int64  `json:"sum"`
	Tps   Double `json:"tps"`
}

// BrokerStatsData is the body of 315.
type BrokerStatsData struct {
	StatsDay    StatsSnapshot `json:"statsDay"`
	StatsHour   StatsSnapshot `json:"statsHour"`
	StatsMinute StatsSnapshot `json:"statsMinute"`
}

// Double is a number that JSON shows as Java does, 0.0 for zero.
type Double float64

// MarshalJSON writes the number with a fraction.
func (d Double) MarshalJSON() ([]byte, error) { return appendDouble(nil, float64(d)), nil }

// QueueUnitData is one queue entry in the body of 321.
type QueueUnitData struct {
	Eval         bool   `json:"eval"`
	Msg          string `json:"msg,omitempty"`
	PhysicOffset int64  `json:"physicOffset"`
	PhysicSize   int32  `json:"physicSize"`
	TagsCode     int64  `json:"tagsCode"`
}

// QueueUnits is the body of 321.
type QueueUnits struct {
	FilterData       string            `json:"filterData,omitempty"`
	MaxQueueIndex    int64             `json:"maxQueueIndex"`
	MinQueueIndex    int64             `json:"minQueueIndex"`
	QueueData        []QueueUnitData   `json:"queueData"`
	SubscriptionData *SubscriptionData `json:"subscriptionData,omitempty"`
}
