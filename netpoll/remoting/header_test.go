package remoting

import (
	"errors"
	"strconv"
	"testing"
)

// TestGoldenSendsAndPulls: the typed headers say what the fields of every recorded request say.
func TestGoldenSendsAndPulls(t *testing.T) {
	sends, pulls := 0, 0
	var c Command
	for _, e := range exchanges(t) {
		if e.Code == nil || e.RequestHeader == nil || e.From == "server" || c.Decode(e.Request) != nil {
			continue
		}
		refused := false // before or while its header was read
		if e.ResponseHeader != nil {
			code := e.ResponseHeader.Code
			refused = code == RespSystemError || code == RespSystemBusy || code == RespRequestCodeNotSupported
		}
		var err error
		var got, want []string
		num := func(v int64) string { return strconv.FormatInt(v, 10) }
		switch c.Code {
		case CodeSendMessage, CodeSendMessageV2, CodeSendBatchMessage:
			var h SendHeader
			if err = h.Decode(&c); err != nil {
				break
			}
			sends++
			names := []string{"b", "d", "e", "g", "h", "i", "f"}
			if c.Code == CodeSendMessage {
				names = []string{"topic", "defaultTopicQueueNums", "queueId", "bornTimestamp", "flag", "properties", "sysFlag"}
			}
			got = []string{string(h.Topic), num(int64(h.DefaultTopicQueueNums)), num(int64(h.QueueID)), num(h.BornTimestamp), num(int64(h.Flag)), string(h.Properties), num(int64(h.SysFlag))}
			for _, n := range names {
				want = append(want, c.Text(n))
			}
		case CodePullMessage, CodeLitePullMessage:
			var h PullHeader
			if err = h.Decode(&c); err != nil {
				break
			}
			pulls++
			got = []string{string(h.ConsumerGroup), string(h.Topic), num(int64(h.QueueID)), num(h.QueueOffset), num(int64(h.MaxMsgNums)), num(h.SuspendTimeoutMillis), string(h.Subscription)}
			for _, n := range []string{"consumerGroup", "topic", "queueId", "queueOffset", "maxMsgNums", "suspendTimeoutMillis", "subscription"} {
				want = append(want, c.Text(n))
			}
		}
		if err != nil && !refused {
			t.Errorf("%s %d, %s: %v, but stock took it", e.Scenario, e.N, e.Name, err)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s %d, %s: %q, want %q", e.Scenario, e.N, e.Name, got, want)
				break
			}
		}
	}
	if sends < 500 || pulls < 200 {
		t.Errorf("%d sends, %d pulls", sends, pulls)
	}
}

func TestIncompleteHeaders(t *testing.T) {
	long := map[string]string{"topic": "T", "queueId": "0", "sysFlag": "0", "bornTimestamp": "1", "flag": "0"}
	pull := map[string]string{"consumerGroup": "g", "topic": "T", "queueId": "0", "queueOffset": "0", "maxMsgNums": "32", "sysFlag": "1", "commitOffset": "0"}
	tests := []struct {
		code   int32
		fields map[string]string
		decode func(c *Command) error
	}{
		{CodeSendMessage, long, func(c *Command) error { return new(SendHeader).Decode(c) }},
		{CodePullMessage, pull, func(c *Command) error { return new(PullHeader).Decode(c) }},
	}
	for _, tt := range tests {
		for _, enc := range []Encoding{JSON, Binary} {
			for without := range tt.fields {
				whole, cut := &Command{Code: tt.code, Encoding: enc}, &Command{Code: tt.code, Encoding: enc}
				for k, v := range tt.fields {
					whole.Set(k, v)
					if k != without {
						cut.Set(k, v)
					}
				}
				if err := tt.decode(whole); err != nil {
					t.Errorf("code %d: %v", tt.code, err)
				}
				var missing *MissingError
				if err := tt.decode(cut); !errors.As(err, &missing) || err.Error() != "the custom field <"+without+"> is null" {
					t.Errorf("code %d without %s: %v", tt.code, without, err)
				}
				if enc == Binary { // there the empty text is none
					whole.Set(without, "")
					if err := tt.decode(whole); !errors.As(err, &missing) {
						t.Errorf("code %d, %s empty: %v", tt.code, without, err)
					}
				}
				whole.Set("queueId", "x")
				var number *NumberError
				if err := tt.decode(whole); !errors.As(err, &number) || number.Key != "queueId" {
					t.Errorf("code %d: %v", tt.code, err)
				}
			}
		}
	}
	pull["sysFlag"] = "4"
	delete(pull, "commitOffset") // mandatory with its flag only
	var h PullHeader
	c := NewRequest(CodePullMessage)
	for k, v := range pull {
		c.Set(k, v)
	}
	if err := h.Decode(c); err != nil || h.RequestSource != -1 || h.ExpressionType != nil || h.Subscription != nil {
		t.Errorf("%+v %v", h, err)
	}
}
