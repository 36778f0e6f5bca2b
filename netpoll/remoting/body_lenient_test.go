package remoting

import (
	"reflect"
	"strings"
	"testing"
)

func TestDefaultsOfAbsentMembers(t *testing.T) {
	var groups GroupTable
	doc := `{"dataVersion":{"counter":1},"subscriptionGroupTable":{"old":{"groupName":"old","retryMaxTimes":3,"attributes":null},"policy":{"groupName":"policy","groupRetryPolicy":{"type":"EXPONENTIAL"}},"gone":null}}`
	if err := Unmarshal([]byte(doc), &groups); err != nil {
		t.Fatal(err)
	}
	want := NewSubscriptionGroupConfig("old")
	want.RetryMaxTimes = 3
	if got := groups.SubscriptionGroupTable["old"]; !reflect.DeepEqual(*got, want) {
		t.Errorf("%+v", got)
	}
	if got := groups.SubscriptionGroupTable["policy"].GroupRetryPolicy["type"]; got != "EXPONENTIAL" {
		t.Error(got)
	}
	if c, ok := groups.SubscriptionGroupTable["gone"]; !ok || c != nil {
		t.Error(c, ok)
	}
	var topics TopicConfigList
	if err := Unmarshal([]byte(`{"topicConfigList":[{"topicName":"T"},{"topicName":"U","perm":0,"readQueueNums":0}]}`), &topics); err != nil {
		t.Fatal(err)
	}
	first, second := NewTopicConfig("T", 16, 6), NewTopicConfig("U", 16, 0)
	second.ReadQueueNums = 0
	if !reflect.DeepEqual(topics.TopicConfigList, []TopicConfig{first, second}) {
		t.Errorf("%+v", topics)
	}
}

func TestHeartbeatsOfOtherClients(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"version and hashes in quotes, no expression type", `{"clientID":"c","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"g","messageModel":"CLUSTERING","subscriptionDataSet":[{"codeSet":["-3"],"subString":"a","subVersion":"1795331232065","tagsSet":["a"],"topic":"T"}]}]}`,
			`{"clientID":"c","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"g","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[-3],"expressionType":"TAG","subString":"a","subVersion":1795331232065,"tagsSet":["a"],"topic":"T"}],"unitMode":false}],"heartbeatFingerprint":0,"producerDataSet":null,"withoutSub":false}`},
		{"ordinals", `{"consumerDataSet":[{"consumeFromWhere":4,"consumeType":0,"groupName":"g","messageModel":0,"subscriptionDataSet":null,"unitMode":true}]}`,
			`{"clientID":"","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","consumeType":"CONSUME_ACTIVELY","groupName":"g","messageModel":"BROADCASTING","subscriptionDataSet":null,"unitMode":true}],"heartbeatFingerprint":0,"producerDataSet":null,"withoutSub":false}`},
		{"nulls", `{"consumerDataSet":[{"consumeFromWhere":null,"consumeType":null,"groupName":null,"messageModel":null,"subscriptionDataSet":[{"subVersion":null}]}]}`,
			`{"clientID":"","consumerDataSet":[{"consumeFromWhere":"","consumeType":"","groupName":"","messageModel":"","subscriptionDataSet":[{"classFilterMode":false,"codeSet":null,"expressionType":"TAG","subString":"","subVersion":0,"tagsSet":null,"topic":""}],"unitMode":false}],"heartbeatFingerprint":0,"producerDataSet":null,"withoutSub":false}`},
	}
	for _, tt := range tests {
		var h HeartbeatData
		if err := Unmarshal([]byte(tt.body), &h); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if got := string(appendJSON(nil, h)); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
	for _, body := range []string{`{"consumerDataSet":[{"subscriptionDataSet":[{"subVersion":"x"}]}]}`, `{"consumerDataSet":{}}`, `{"consumerDataSet":[1]}`} {
		if Unmarshal([]byte(body), new(HeartbeatData)) == nil {
			t.Error("taken:", body)
		}
	}
}

func TestStandardJSON(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{"a":1}`, `{"a":1}`},
		{`{0:"x",18:1}`, `{"0":"x","18":1}`},
		{` { 0 : [ {1:2} , null ] } `, `{"0":[{"1":2},null]}`},
		{`{{"brokerName":"b\"","queueId":0}:9,{"a":1}:{2:3}}`, `{"{\"brokerName\":\"b\\\"\",\"queueId\":0}":9,"{\"a\":1}":{"2":3}}`},
		{`{"a":{"$ref":"$.b"},-1:true}`, `{"a":{"$ref":"$.b"},"-1":true}`},
	}
	for _, tt := range tests {
		if got, err := StandardJSON([]byte(tt.in)); err != nil || string(got) != tt.want {
			t.Errorf("%s: %s %v", tt.in, got, err)
		}
	}
	// The third is the one that would double with every level.
	for _, in := range []string{``, `{0}`, strings.Repeat("{", 30) + `"a":1}` + strings.Repeat(":1}", 29), strings.Repeat(`{1:`, 100) + "1" + strings.Repeat("}", 100), `{0:1}}`, `{0:"`, `[1,,2]`, `{'a':1}`} {
		if got, err := StandardJSON([]byte(in)); err == nil {
			t.Errorf("%.40s became %.60s", in, got)
		}
	}
}

func TestQueueTable(t *testing.T) {
	var r ResetOffsets
	body := `{"offsetTable":{{"brokerName":"b","queueId":3,"topic":"T"}:0,{"topic":"T","queueId":1,"brokerName":"b"}:9}}`
	if err := Unmarshal([]byte(body), &r); err != nil {
		t.Fatal(err)
	}
	want := QueueTable[int64]{{MessageQueue{"b", 3, "T"}, 0}, {MessageQueue{"b", 1, "T"}, 9}}
	if !reflect.DeepEqual(r.OffsetTable, want) {
		t.Errorf("%+v", r)
	}
	for text, good := range map[string]bool{`{}`: true, `null`: true, `[]`: false, `{"x":1}`: false, `{"{}":"x"}`: false, `1`: false} {
		if err := Unmarshal([]byte(`{"offsetTable":`+text+`}`), &r); (err == nil) != good || good && r.OffsetTable != nil {
			t.Errorf("%s: %v %v", text, r, err)
		}
	}
}

func TestCountJSON(t *testing.T) {
	for text, want := range map[string][2]int{
		"": {0, 0}, "7": {0, 0}, `"{[,"`: {0, 0}, `"\"{,"`: {0, 0}, `"\\",`: {0, 1}, "{}": {1, 1}, "[]": {0, 1}, `{"a":1,"b":[1,2,3]}`: {1, 5}, "[{},{},{}]": {3, 6},
		`[{"a":"}{"},"]["]`: {1, 3}, `{{"a":1}:2,{"b":2}:3}`: {3, 4}, `"without end{`: {0, 0}, `"\`: {0, 0}, "}{": {1, 1},
	} {
		if objects, values := CountJSON([]byte(text)); objects != want[0] || values != want[1] {
			t.Errorf("%s: %d objects, %d values, want %v", text, objects, values, want)
		}
	}
}
