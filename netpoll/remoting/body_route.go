package remoting

import (
	"encoding/json"
	"sort"
	"strconv"
)

// BrokerData is one broker group in a route or in ClusterInfo.
type BrokerData struct {
	BrokerAddrs        map[int64]string `json:"brokerAddrs"`
	BrokerName         string           `json:"brokerName"`
	Cluster            string           `json:"cluster"`
	EnableActingMaster bool             `json:"enableActingMaster"`
	ZoneName           string           `json:"zoneName,omitempty"`
}

// QueueData is one broker's share of a topic.
type QueueData struct {
	BrokerName     string `json:"brokerName"`
	Perm           int32  `json:"perm"`
	ReadQueueNums  int32  `json:"readQueueNums"`
	TopicSysFlag   int32  `json:"topicSysFlag"`
	WriteQueueNums int32  `json:"writeQueueNums"`
}

// TopicRouteData is the body of 105 and of 217.
type TopicRouteData struct {
	BrokerDatas       []BrokerData        `json:"brokerDatas"`
	FilterServerTable map[string][]string `json:"filterServerTable"`
	OrderTopicConf    string              `json:"orderTopicConf,omitempty"`
	QueueDatas        []QueueData         `json:"queueDatas"`
	TopicQueueMapping json.RawMessage     `json:"topicQueueMappingByBroker,omitempty"`
}

// AppendJSON appends the route as standard JSON, with quoted broker ids.
func (r *TopicRouteData) AppendJSON(dst []byte) []byte { return r.append(dst, true) }

// AppendLegacyJSON appends the route with bare broker ids, as clients before 4.9.4 are answered.
func (r *TopicRouteData) AppendLegacyJSON(dst []byte) []byte { return r.append(dst, false) }

func (r *TopicRouteData) append(dst []byte, quoted bool) []byte {
	dst = append(dst, `{"brokerDatas":[`...)
	for i := range r.BrokerDatas {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.BrokerDatas[i].append(dst, quoted)
	}
	dst = append(dst, `],"filterServerTable":`...)
	if r.FilterServerTable == nil {
		dst = append(dst, '{', '}')
	} else {
		dst = appendJSON(dst, r.FilterServerTable)
	}
	if r.OrderTopicConf != "" {
		dst = append(dst, `,"orderTopicConf":`...)
		dst = appendQuoted(dst, r.OrderTopicConf)
	}
	dst = append(dst, `,"queueDatas":`...)
	if r.QueueDatas == nil {
		dst = append(dst, '[', ']')
	} else {
		dst = appendJSON(dst, r.QueueDatas)
	}
	if len(r.TopicQueueMapping) > 0 {
		dst = append(dst, `,"topicQueueMappingByBroker":`...)
		dst = append(dst, r.TopicQueueMapping...)
	}
	return append(dst, '}')
}

func (b *BrokerData) append(dst []byte, quoted bool) []byte {
	dst = append(dst, `{"brokerAddrs":{`...)
	ids := make([]int64, 0, len(b.BrokerAddrs))
	for id := range b.BrokerAddrs {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		if quoted {
			dst = append(dst, '"')
		}
		dst = strconv.AppendInt(dst, id, 10)
		if quoted {
			dst = append(dst, '"')
		}
		dst = appendQuoted(append(dst, ':'), b.BrokerAddrs[id])
	}
	dst = append(dst, `},"brokerName":`...)
	dst = appendQuoted(dst, b.BrokerName)
	dst = append(dst, `,"cluster":`...)
	dst = appendQuoted(dst, b.Cluster)
	dst = append(dst, `,"enableActingMaster":`...)
	dst = strconv.AppendBool(dst, b.EnableActingMaster)
	if b.ZoneName != "" {
		dst = append(dst, `,"zoneName":`...)
		dst = appendQuoted(dst, b.ZoneName)
	}
	return append(dst, '}')
}

// ClusterInfo is the body of 106.
type ClusterInfo struct {
	BrokerAddrTable  map[string]*BrokerData `json:"brokerAddrTable"`
	ClusterAddrTable map[string][]string    `json:"clusterAddrTable"`
}

// AppendLegacyJSON appends the body with bare broker ids, as stock always answers 106.
func (c *ClusterInfo) AppendLegacyJSON(dst []byte) []byte {
	dst = append(dst, `{"brokerAddrTable":{`...)
	names := make([]string, 0, len(c.BrokerAddrTable))
	for n, b := range c.BrokerAddrTable {
		if b != nil {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	for i, n := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, n), ':')
		dst = c.BrokerAddrTable[n].append(dst, false)
	}
	dst = append(dst, `},"clusterAddrTable":`...)
	return append(appendJSON(dst, c.ClusterAddrTable), '}')
}
