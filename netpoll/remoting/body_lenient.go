package remoting

import (
	"encoding/json"
	"strconv"
)

// What other clients and older releases write is read as stock reads it: members that are absent keep stock's defaults,
// numbers may be quoted, and an enumeration may be given by its ordinal.

// UnmarshalJSON keeps stock's defaults for members that are absent: documents of older releases have fewer.
func (t *TopicConfig) UnmarshalJSON(b []byte) error {
	type plain TopicConfig
	const queues = 16
	p := plain(NewTopicConfig("", queues, PermRead|PermWrite))
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	if p.Attributes == nil {
		p.Attributes = map[string]string{}
	}
	*t = TopicConfig(p)
	return nil
}

// UnmarshalJSON keeps stock's defaults for members that are absent: documents of older releases have fewer.
func (g *SubscriptionGroupConfig) UnmarshalJSON(b []byte) error {
	type plain SubscriptionGroupConfig
	p := plain(NewSubscriptionGroupConfig(""))
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	if p.Attributes == nil {
		p.Attributes = map[string]string{}
	}
	*g = SubscriptionGroupConfig(p)
	return nil
}

// UnmarshalJSON also reads a version in quotes and takes TAG for an absent expression type, for C++ and Python clients.
func (s *SubscriptionData) UnmarshalJSON(b []byte) error {
	type plain SubscriptionData
	p := plain{ExpressionType: "TAG"}
	v := struct {
		*plain
		SubVersion looseInt `json:"subVersion"`
	}{plain: &p}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	p.SubVersion = int64(v.SubVersion)
	*s = SubscriptionData(p)
	return nil
}

var (
	consumeFromNames = []string{"CONSUME_FROM_LAST_OFFSET", "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST", "CONSUME_FROM_MIN_OFFSET",
		"CONSUME_FROM_MAX_OFFSET", "CONSUME_FROM_FIRST_OFFSET", "CONSUME_FROM_TIMESTAMP"}
	consumeTypeNames  = []string{"CONSUME_ACTIVELY", "CONSUME_PASSIVELY", "CONSUME_POP"}
	messageModelNames = []string{"BROADCASTING", "CLUSTERING"}
)

// UnmarshalJSON also reads the three enumerations by their ordinals.
func (d *ConsumerData) UnmarshalJSON(b []byte) error {
	type plain ConsumerData
	var p plain
	v := struct {
		*plain
		From  looseName `json:"consumeFromWhere"`
		Type  looseName `json:"consumeType"`
		Model looseName `json:"messageModel"`
	}{plain: &p}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	p.ConsumeFromWhere, p.ConsumeType, p.MessageModel = v.From.of(consumeFromNames), v.Type.of(consumeTypeNames), v.Model.of(messageModelNames)
	*d = ConsumerData(p)
	return nil
}

// looseInt is a number that may stand in quotes.
type looseInt int64

func (n *looseInt) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var text looseName
	if err := text.UnmarshalJSON(b); err != nil {
		return err
	}
	v, err := strconv.ParseInt(string(text), 10, 64)
	*n = looseInt(v)
	return err
}

// looseName is a text that may be a bare number.
type looseName string

func (s *looseName) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '"' {
		*s = looseName(b)
		return nil
	}
	return json.Unmarshal(b, (*string)(s))
}

// of returns the name itself, or the one it is the ordinal of.
func (s looseName) of(names []string) string {
	if n, err := strconv.Atoi(string(s)); err == nil && n >= 0 && n < len(names) {
		return names[n]
	}
	if s == "null" {
		return ""
	}
	return string(s)
}
