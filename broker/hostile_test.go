package broker

import (
	"fmt"
	"testing"

	"ringmq/netpoll/remoting"
)

// fieldNames are the names by which requests name anything.
var fieldNames = []string{
	"topic", "queueId", "consumerGroup", "group", "groupName", "producerGroup", "offset", "commitOffset", "queueOffset", "maxMsgNums", "sysFlag",
	"suspendTimeoutMillis", "subVersion", "subscription", "expressionType", "timestamp", "boundaryType", "key", "maxNum", "beginTimestamp", "endTimestamp",
	"delayLevel", "maxReconsumeTimes", "originMsgId", "clientID", "clientId", "msgId", "readQueueNums", "writeQueueNums", "perm", "topicFilterType", "topicSysFlag",
	"order", "attributes", "defaultTopic", "defaultTopicQueueNums", "bornTimestamp", "flag", "reconsumeTimes", "unitMode", "batch", "properties", "index", "count",
	"statsName", "statsKey", "isOrder", "isForce", "cleanOffset", "topicList", "jstackEnable", "setZeroIfNotFound",
	"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
}

// TestNoRequestEndsTheBroker sends every request with nothing, nonsense and extremes in it: each is answered, and the broker lives.
func TestNoRequestEndsTheBroker(t *testing.T) {
	r := newRig(t)
	want(t, r.dial().call(sendTo("T", 0, "TAGS\x01A\x02", "x")), 0, "")
	want(t, r.dial().call(beat("c", "G", "T", "*", 1)), 0, "")
	values := []string{"", "x", "T", "G", "-1", "0", "2147483647", "-2147483648", "9223372036854775807", "-9223372036854775808", "99999999999999999999", "%RETRY%G", "true", "\x00\x01\x02"}
	bodies := []string{"", "{", "null", "[]", "7", `""`, `{}`, `{"consumerDataSet":null,"producerDataSet":[null]}`, `{"consumerDataSet":[{}]}`, `{"mqSet":[null,{}],"clientId":null}`,
		`{"groupConfigList":[null]}`, `{"topicConfigList":[{}]}`, `{"groupName":null}`, `{"subscriptionData":null}`, "brokerName", "listenPort=x", "\x00\x00\x00\x18", string(make([]byte, 64))}
	var codes []int32
	for code := range int32(maxCode) {
		if r.broker.handlerOf(code) != nil {
			codes = append(codes, code)
		}
	}
	for _, code := range codes {
		if code == remoting.CodeUpdateBrokerConfig {
			continue // takes what is offered
		}
		c := r.dial()
		for i, value := range values {
			cmd := remoting.NewRequest(code)
			for _, name := range fieldNames {
				cmd.Set(name, value)
			}
			cmd.Body = []byte(bodies[i%len(bodies)])
			c.call(cmd)
		}
		for _, body := range bodies {
			cmd := request(code, "topic", "T", "queueId", 0, "consumerGroup", "G", "group", "G", "groupName", "N", "offset", 0, "b", "T", "c", "TBW102", "d", 4, "e", 0, "f", 0, "g", 0, "h", 0, "m", true)
			cmd.Body = []byte(body)
			c.call(cmd)
		}
		c.call(remoting.NewRequest(code))
	}
	a := r.dial().call(request(remoting.CodeGetMaxOffset, "topic", "T", "queueId", 0))
	if a.Code != 0 {
		t.Fatal(fmt.Sprint(a.Code, string(a.Remark)))
	}
}
