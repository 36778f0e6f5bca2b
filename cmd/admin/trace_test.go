package admin

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestTraceOf: the sample is what the client of stock's mqadmin 5.3.3 wrote of such a message.
func TestTraceOf(t *testing.T) {
	t.Parallel()
	r := &sent{Status: "SEND_OK", MsgID: "FD0000000000000000000000000000024E145FFD2B278AC22F600000", OffsetMsgID: "7F000001000070EE0000000000000000", addr: "127.0.0.1:28910",
		region: "DefaultRegion", at: 1795819181921, took: 64*time.Millisecond + 900*time.Microsecond}
	r.Queue.Topic = "Tr"
	stock := strings.ReplaceAll("Pub|1795819181921|DefaultRegion|1795819175560|Tr|FD0000000000000000000000000000024E145FFD2B278AC22F600000|blue|k1 k2|127.0.0.1:28910|5|64|0|"+
		"7F000001000070EE0000000000000000|true", "|", "\x01") + "\x02"
	want := strings.Replace(stock, "1795819175560", senderGroup, 1) // stock names its group by the time
	if got := traceOf(r, "blue", "k1 k2", 5); got != want {
		t.Errorf("%q\nnot\n%q", got, want)
	}
	r.Status = "FLUSH_DISK_TIMEOUT"
	if got := traceOf(r, "", "", 0); !strings.HasSuffix(got, "\x01false\x02") || !strings.Contains(got, "\x01\x01\x01127.0.0.1:28910\x010\x01") {
		t.Errorf("%q", got)
	}
}

// TestSendWithTrace: the trace of a message that was sent is found by its id and by its keys, and only if it was asked for.
func TestSendWithTrace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var answer struct{ Sent []struct{ MsgID string } }
	send := func(words string) string {
		t.Helper()
		out, err := r.run("sendMessage -t TBW102 -p hello -c blue --output json " + words)
		if err == nil {
			err = json.Unmarshal([]byte(out), &answer)
		}
		if err != nil || len(answer.Sent) != 1 {
			t.Fatal(words, err, out)
		}
		return answer.Sent[0].MsgID
	}
	id := send("-k k1 -m true")
	var out string
	r.until("the trace in the index", func() (found bool) {
		var err error
		out, err = r.run("queryMsgTraceById --output json -i " + id)
		return err == nil
	})
	var traces struct {
		Traces []struct {
			Type, Group, Status string
			CostMs              int64
		}
	}
	if err := json.Unmarshal([]byte(out), &traces); err != nil || len(traces.Traces) != 1 {
		t.Fatal(err, out)
	}
	if one := traces.Traces[0]; one.Type != "Pub" || one.Group != senderGroup || one.Status != "success" || one.CostMs < 0 {
		t.Errorf("%+v", one)
	}
	if out, err := r.run("queryMsgByKey -t " + traceTopic + " -k k1"); err != nil {
		t.Errorf("by its key: %v %s", err, out)
	}
	for _, words := range []string{"-k k2", "-k k2 -m false"} {
		send(words)
	}
	send("-k k3 -m true")
	r.until("a later trace in the index", func() bool {
		_, err := r.run("queryMsgByKey -t " + traceTopic + " -k k3")
		return err == nil
	})
	if out, err := r.run("queryMsgByKey -t " + traceTopic + " -k k2"); err == nil {
		t.Errorf("a trace that was not asked for: %s", out)
	}
}

// TestTraceThatFails: the message is said to be sent, and its trace not to be.
func TestTraceThatFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, "autoCreateTopicEnable=false")
	if out, err := r.run("updateTopic -b {broker} -t T"); err != nil {
		t.Fatal(err, out)
	}
	r.until("the topic's route", func() bool { _, err := r.run("topicRoute -t T"); return err == nil })
	out, err := r.run("sendMessage -t T -p hello -m true")
	if err == nil || !strings.HasPrefix(err.Error(), "the message was sent, its trace was not: ") || !strings.Contains(out, "SEND_OK") {
		t.Errorf("%v\n%s", err, out)
	}
}
