package broker

import (
	"strings"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// BenchmarkSend is 1 KiB messages with JSON headers, 64 in flight on one connection, client included.
func BenchmarkSend(b *testing.B) {
	for _, flush := range []string{"ASYNC_FLUSH", "SYNC_FLUSH"} {
		b.Run(flush, func(b *testing.B) {
			r := newRig(b, "flushDiskType="+flush, "diskEngine=auto", "tailCacheBytes=25165824")
			want(b, r.dial().call(sendTo("Bench", 0, "", "first")), remoting.RespSuccess, "")
			w := r.wire()
			frames := encoded(64, sendTo("Bench", 0, "UNIQ_KEY\x017F0000010001000000000000000000AA\x02WAIT\x01true\x02", strings.Repeat("b", 1024)))
			b.ReportAllocs()
			for n := 0; n < b.N; n += 64 {
				w.exchange(frames, 64)
			}
		})
	}
}

// BenchmarkHotPull is pulls of 32 messages of 1 KiB, 4 in flight on one connection, client included.
func BenchmarkHotPull(b *testing.B) {
	r := newRig(b)
	c := r.dial()
	for range 64 {
		want(b, c.call(sendTo("Hot", 0, "TAGS\x01A\x02", strings.Repeat("b", 1024))), remoting.RespSuccess, "")
	}
	r.visibleMax("Hot", 0, 64)
	w := r.wire()
	frames := encoded(4, pullOf("CG", "Hot", 0, 7, "*", 15*time.Second))
	b.ReportAllocs()
	for n := 0; n < b.N; n += 4 {
		w.exchange(frames, 4)
	}
}
