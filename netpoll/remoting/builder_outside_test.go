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

// TestOpening: an answer with an opening is the answer without, behind whatever the buffer holds.
func TestOpening(t *testing.T) {
	opening := remoting.NewOpening(remoting.RespSuccess, "MSG_REGION", `a "region"`, "TRACE_ON", "true")
	id, body := []byte("7F00000100002A9F000000000002FB7D"), []byte("body")
	var out []byte
	for _, enc := range []remoting.Encoding{remoting.JSON, remoting.Binary} {
		for _, opaque := range []int32{0, 7, -1, 1 << 30} {
			b := remoting.BeginReply([]byte("before"), enc, opaque, remoting.RespSuccess)
			b.Str("MSG_REGION", `a "region"`)
			b.Bool("TRACE_ON", true)
			b.Bytes("msgId", id)
			b.Body(body)
			want := string(b.End())
			answer := func() {
				o := opening.Begin(append(out[:0], "before"...), enc, opaque)
				o.Plain("msgId", id)
				o.Body(body)
				out = o.End()
			}
			answer()
			if string(out) != want {
				t.Errorf("%q\n%q", out, want)
			}
			o := opening.Begin([]byte("before"), enc, opaque)
			o.Plain("msgId", id)
			if head := o.EndHead(len(body)); string(append(head, body...)) != want {
				t.Errorf("%q\n%q", head, want)
			}
			if n := testing.AllocsPerRun(100, answer); n != 0 && !remoting.RaceEnabled {
				t.Errorf("encoding %d: %v allocations per answer", enc, n)
			}
		}
	}
}
