package remoting_test

import (
	"testing"

	"ringmq/netpoll/remoting"
)

// TestAnswersOutsideThePackage: what other packages build stays off the heap too. Inside, the compiler knows more.
func TestAnswersOutsideThePackage(t *testing.T) {
	var out []byte
	id, body := []byte("7F00000100002A9F000000000002FB7D"), make([]byte, 100)
	for _, enc := range []remoting.Encoding{remoting.JSON, remoting.Binary} {
		answer := func() {
			b := remoting.BeginReply(out[:0], enc, 7, remoting.RespSuccess)
			b.Remark("FOUND")
			b.Bytes("msgId", id)
			b.Str("MSG_REGION", "DefaultRegion")
			b.Int("queueOffset", 12345)
			b.Bool("TRACE_ON", true)
			b.Body(body)
			out = b.End()
			out = remoting.AppendReply(out, enc, 8, remoting.RespSystemBusy, "[OVERLOAD]system busy, start flow control for a while")
		}
		answer()
		if n := testing.AllocsPerRun(100, answer); n != 0 && !remoting.RaceEnabled {
			t.Errorf("encoding %d: %v allocations per answer", enc, n)
		}
	}
}
