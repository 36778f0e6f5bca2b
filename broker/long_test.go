package broker

import (
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestLongTextsOfRequests: what a request has of its own in the answer is bounded. Each of these bytes takes six in a JSON header.
func TestLongTextsOfRequests(t *testing.T) {
	t.Parallel()
	r, _ := newLedRig(t, "brokerRole=SYNC_MASTER", "slaveTimeout=1")
	c := r.dial()
	long := strings.Repeat("\x03", 2_500_000)
	batch := func(properties string) *remoting.Command {
		cmd := sendTo("Parts", 0, properties, batchBody(1))
		cmd.Code = remoting.CodeSendBatchMessage
		cmd.Ext[len(cmd.Ext)-1].Value = []byte("true")
		return c.call(cmd)
	}
	if resp := batch("UNIQ_KEY\x01" + long + "\x02"); resp.Code != remoting.RespMessageIllegal {
		t.Error("stored with", resp.Code)
	}
	a := batch("UNIQ_KEY\x01" + long[:32_000] + "\x02")
	want(t, a, remoting.RespFlushSlaveTimeout, "") // an answer that was made again
	if got := len(a.Text("transactionId")); got != 32_000 {
		t.Error("the key in the answer has", got)
	}
	for _, cmd := range []*remoting.Command{pullOf(long, "Parts", 0, 0, "*", 0), request(remoting.CodeUpdateConsumerOffset, "consumerGroup", long, "topic", "Parts", "queueId", "0", "commitOffset", "1")} {
		if resp := c.call(cmd); resp.Code == remoting.RespSuccess || len(resp.Remark) > maxRemarkBytes+3 || len(resp.Remark) < maxRemarkBytes {
			t.Errorf("code %d: answered with %d and a remark of %d bytes", cmd.Code, resp.Code, len(resp.Remark))
		}
	}
}

func TestCutRemark(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"":                                    "",
		strings.Repeat("a", maxRemarkBytes):   strings.Repeat("a", maxRemarkBytes),
		strings.Repeat("a", maxRemarkBytes+1): strings.Repeat("a", maxRemarkBytes) + "...",
		"x" + strings.Repeat("ä", maxRemarkBytes): "x" + strings.Repeat("ä", maxRemarkBytes/2-1) + "...",
	} {
		if got := cutRemark(given); got != want {
			t.Errorf("%d bytes become %d, want %d", len(given), len(got), len(want))
		}
	}
}
