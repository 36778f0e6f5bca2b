package broker

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// reportCPU adds what the whole process, client included, used of the processors: less at the mercy of others than wall time.
func reportCPU(b *testing.B, fn func()) {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	fn()
	b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op")
}

// BenchmarkSend is 1 KiB messages with JSON headers, 64 in flight on one connection, client included.
func BenchmarkSend(b *testing.B) {
	for _, flush := range []string{"ASYNC_FLUSH", "SYNC_FLUSH"} {
		b.Run(flush, func(b *testing.B) {
			r := newRig(b, "flushDiskType="+flush, "diskEngine=auto", "tailCacheBytes=25165824")
			want(b, r.dial().call(sendTo("Bench", 0, "", "first")), remoting.RespSuccess, "")
			w := r.wire()
			frames := encoded(64, sendTo("Bench", 0, "UNIQ_KEY\x017F0000010001000000000000000000AA\x02WAIT\x01true\x02", strings.Repeat("b", 1024)))
			b.ReportAllocs()
			reportCPU(b, func() {
				for n := 0; n < b.N; n += 64 {
					w.exchange(frames, 64)
				}
			})
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
	reportCPU(b, func() {
		for n := 0; n < b.N; n += 4 {
			w.exchange(frames, 4)
		}
	})
}

// BenchmarkServe is the broker's part alone: sends served on their loop, 64 a turn, from the frame to the parked answer; pulls of 32
// messages of 1 KiB, 4 a turn, from the frame to the answer in the output buffer.
func BenchmarkServe(b *testing.B) {
	sends := map[string]int32{"10": remoting.CodeSendMessage, "310": remoting.CodeSendMessageV2, "310 limited": remoting.CodeSendMessageV2}
	for name, code := range sends {
		b.Run(name, func(b *testing.B) {
			keys := []string{"flushDiskType=ASYNC_FLUSH", "tailCacheBytes=67108864"}
			if name == "310 limited" { // by a quota that nobody reaches
				keys = append(keys, "clientQuotaAction=limit", "clientSendMaxMessagesPerSecond=1000000000000", "clientSendMaxBytesPerSecond=1000000000000")
			}
			r := newRig(b, keys...)
			r.broker.topics.Put(remoting.NewTopicConfig("Bench", 4, remoting.PermRead|remoting.PermWrite))
			cmd := sendTo("Bench", 0, "UNIQ_KEY\x017F0000010001000000000000000000AA\x02WAIT\x01true\x02", strings.Repeat("b", 100))
			if cmd.Code = code; code == remoting.CodeSendMessage {
				for i, long := range []string{"producerGroup", "topic", "defaultTopic", "defaultTopicQueueNums", "queueId", "sysFlag", "bornTimestamp", "flag", "properties", "reconsumeTimes", "unitMode", "maxReconsumeTimes", "batch"} {
					cmd.Ext[i].Key = []byte(long)
				}
			}
			r.serve(b, encodedAs(7, cmd), 64)
		})
	}
	b.Run("11", func(b *testing.B) {
		r := newRig(b)
		c := r.dial()
		for range 64 {
			want(b, c.call(sendTo("Hot", 0, "TAGS\x01A\x02", strings.Repeat("b", 1024))), remoting.RespSuccess, "")
		}
		r.visibleMax("Hot", 0, 64)
		c.Close()
		r.serve(b, encodedAs(7, pullOf("CG", "Hot", 0, 7, "*", 15*time.Second)), 4)
	})
}

// serve has a frame served on a connection's loop, so many times a turn, and reports the best turn: others of the machine cannot make
// one faster.
func (r *rig) serve(b *testing.B, frame []byte, perTurn int) {
	w := r.wire()
	w.exchange(frame, 1)
	var conn *netpoll.Conn
	r.broker.mu.Lock()
	for _, c := range r.broker.conns {
		if conn == nil || c.ID() > conn.ID() {
			conn = c
		}
	}
	r.broker.mu.Unlock()
	side := &handlerSide{r.broker}
	best, n := time.Hour, 0
	turn := func() {
		var req remoting.Command
		began := time.Now()
		for range perTurn {
			if err := req.DecodeRequest(frame); err != nil {
				b.Error(err)
			}
			if side.Serve(conn, &req) != netpoll.Done {
				return // the log is full
			}
			n++
		}
		best = min(best, time.Since(began))
	}
	for n < b.N {
		before := n
		done := make(chan struct{})
		if err := conn.Do(func() { turn(); close(done) }); err != nil {
			b.Fatal(err)
		}
		<-done
		w.exchange(nil, n-before)
	}
	b.ReportMetric(float64(best.Nanoseconds())/float64(perTurn), "best-ns/op")
}
