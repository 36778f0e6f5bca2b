package broker

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// wire is a bare connection that allocates nothing while it writes prepared frames and reads as many answers.
type wire struct {
	t    testing.TB
	conn net.Conn
	in   []byte
	last []byte // the last answer, whole
}

func (r *rig) wire() *wire {
	r.t.Helper()
	c, err := net.Dial("tcp", r.broker.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return &wire{t: r.t, conn: c, in: make([]byte, 1<<20)}
}

// exchange writes frames and reads n answers, whose code must be 0.
func (w *wire) exchange(frames []byte, n int) {
	w.t.Helper()
	if _, err := w.conn.Write(frames); err != nil {
		w.t.Fatal(err)
	}
	for range n {
		if _, err := io.ReadFull(w.conn, w.in[:4]); err != nil {
			w.t.Fatal(err)
		}
		size := int(binary.BigEndian.Uint32(w.in))
		if size > len(w.in)-4 {
			w.t.Fatal("answer of", size, "bytes")
		}
		if _, err := io.ReadFull(w.conn, w.in[4:4+size]); err != nil {
			w.t.Fatal(err)
		}
		w.last = w.in[:4+size]
	}
}

func (w *wire) answer() *remoting.Command {
	w.t.Helper()
	var c remoting.Command
	if err := c.Decode(w.last); err != nil {
		w.t.Fatal(err)
	}
	return c.Clone()
}

// mallocs counts what the whole process allocates per exchange, its best run of several: others of the process allocate too.
func mallocs(rounds, perRound int, fn func()) float64 {
	best := 1e9
	for range 5 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range rounds {
			fn()
		}
		runtime.ReadMemStats(&after)
		best = min(best, float64(after.Mallocs-before.Mallocs)/float64(rounds*perRound))
	}
	return best
}

var none = 0.1 // of an allocation per message: what a turn of a loop and the timers around cost

func encoded(n int, cmd *remoting.Command) []byte {
	var frames []byte
	for i := range n {
		cmd.Opaque = int32(i)
		frames = remoting.AppendCommand(frames, cmd)
	}
	return frames
}

func TestSendAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, flush := range []string{"ASYNC_FLUSH", "SYNC_FLUSH"} {
		for _, e := range []remoting.Encoding{remoting.JSON, remoting.Binary} {
			r := newRig(t, "flushDiskType="+flush)
			want(t, r.dial().call(sendTo("Allocs", 0, "TAGS\x01A\x02", "first")), remoting.RespSuccess, "")
			for _, kind := range []string{"plain", "without key", "delayed"} {
				if flush == "SYNC_FLUSH" && kind != "plain" {
					continue
				}
				properties := map[string]string{"plain": "TAGS\x01A\x02KEYS\x01k\x02UNIQ_KEY\x017F0000010001000000000000000000AA\x02WAIT\x01true\x02", "without key": "TAGS\x01A\x02", "delayed": "TAGS\x01A\x02DELAY\x0118\x02"}[kind]
				cmd := sendTo("Allocs", 1, properties, string(bytes.Repeat([]byte("b"), 1024)))
				cmd.Encoding = e
				frames := encoded(64, cmd)
				w := r.wire()
				for range 50 {
					w.exchange(frames, 64)
				}
				limit := none
				if kind == "delayed" {
					limit++ // the name of the topic in which it waits
				}
				if n := mallocs(30, 64, func() { w.exchange(frames, 64) }); n > limit {
					t.Errorf("%s, encoding %d, %s: %.3f allocations per message", flush, e, kind, n)
				}
				if a := w.answer(); a.Code != 0 || a.Text("msgId") == "" {
					t.Fatal(a.Code, string(a.Remark))
				}
			}
			r.stopBroker()
		}
	}
}

func TestHotPullAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	r := newRig(t)
	c := r.dial()
	for range 64 {
		want(t, c.call(sendTo("Hot", 0, "TAGS\x01A\x02", string(bytes.Repeat([]byte("b"), 1024)))), remoting.RespSuccess, "")
	}
	until(t, "queue", func() bool { return r.broker.store.MaxOffset([]byte("Hot"), 0) == 64 })
	for _, expression := range []string{"*", "A || B"} {
		for _, e := range []remoting.Encoding{remoting.JSON, remoting.Binary} {
			cmd := pullOf("CG", "Hot", 0, 7, expression, 15*time.Second)
			cmd.Encoding = e
			frames := encoded(4, cmd)
			w := r.wire()
			for range 100 {
				w.exchange(frames, 4)
			}
			if n := mallocs(200, 4, func() { w.exchange(frames, 4) }); n > none {
				t.Errorf("%s, encoding %d: %.3f allocations per pull", expression, e, n)
			}
			if a := w.answer(); a.Code != 0 || a.Text("nextBeginOffset") != "39" {
				t.Fatal(a.Code, string(a.Remark), a.Text("nextBeginOffset"))
			}
		}
	}
}
