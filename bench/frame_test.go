package bench

import (
	"fmt"
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

var encodings = []string{"json", "binary"}

// plain is a workload with defaults.
func plain(change func(*Workload)) *Workload {
	w := Workload{}
	if change != nil {
		change(&w)
	}
	w = w.withDefaults()
	return &w
}

func TestStencil(t *testing.T) {
	for _, enc := range encodings {
		for _, queue := range []int{0, 7, 10, 4321} {
			t.Run(fmt.Sprint(enc, queue), func(t *testing.T) {
				w := plain(func(w *Workload) { w.Encoding, w.Keys, w.Tag = enc, true, "red" })
				s := newStencil(w, "T", len(fmt.Sprint(queue)))
				body := []byte("hello")
				frame := append(s.append(nil, &request{opaque: 5, queue: queue, bornMs: 1700000000123, serial: 0xAB, run: 0xCD}, w.encoding(), len(body)), body...)
				var c remoting.Command
				if err := c.Decode(frame); err != nil {
					t.Fatal(err)
				}
				var h remoting.SendHeader
				if err := h.Decode(&c); err != nil {
					t.Fatal(err)
				}
				if c.Opaque != firstOpaque+5 || string(h.Topic) != "T" || h.QueueID != int32(queue) || h.BornTimestamp != 1700000000123 || string(c.Body) != "hello" {
					t.Errorf("opaque %d, header %+v, body %q", c.Opaque, h, c.Body)
				}
				want := "UNIQ_KEY\x0100000000000000CD00000000000000AB\x02WAIT\x01true\x02TAGS\x01red\x02KEYS\x01k00000000000000AB\x02"
				if string(h.Properties) != want {
					t.Errorf("properties %q, want %q", h.Properties, want)
				}
			})
		}
	}
}

func TestBatchItems(t *testing.T) {
	w := plain(func(w *Workload) { w.Batch, w.Property = 3, 4 })
	s := newItemStencil(w)
	var b []byte
	for i := range 3 {
		b = s.append(b, []byte(strings.Repeat("x", i+1)), 1, uint64(i))
	}
	it, item := record.BatchItems{Rest: b}, record.BatchItem{}
	for i := range 3 {
		want := fmt.Sprintf("UNIQ_KEY\x01%016X%016X\x02WAIT\x01true\x02filler\x01pppp\x02", 1, i)
		if !it.Next(&item) || len(item.Body) != i+1 || string(item.Properties) != want {
			t.Fatalf("item %d: %q %q %v", i, item.Body, item.Properties, it.Err)
		}
	}
	if it.Next(&item) || it.Err != nil {
		t.Errorf("one more, or %v", it.Err)
	}
}

func TestPullStencil(t *testing.T) {
	for _, enc := range encodings {
		for _, hold := range []bool{false, true} {
			for _, at := range []struct {
				queue  int
				offset int64
			}{{0, 0}, {7, 12}, {99999, 1<<63 - 1}} {
				w := plain(func(w *Workload) { w.Encoding = enc })
				req := remoting.NewRequest(remoting.CodePullMessage)
				req.Encoding, req.Opaque = w.encoding(), firstOpaque+3
				flag, wait := "4", "0"
				if hold {
					flag, wait = "6", "20000"
				}
				for _, f := range [][2]string{
					{"consumerGroup", "ringmq-bench"}, {"topic", "T97531"}, {"queueId", fmt.Sprint(at.queue)}, {"queueOffset", fmt.Sprint(at.offset)}, {"maxMsgNums", "32"},
					{"sysFlag", flag}, {"commitOffset", "0"}, {"suspendTimeoutMillis", wait}, {"subscription", "*"}, {"subVersion", "0"}, {"expressionType", "TAG"},
				} {
					req.Set(f[0], f[1])
				}
				want := remoting.AppendCommand([]byte("before"), req)
				if got := newPullStencil(w, w.Group, "T97531", hold).append([]byte("before"), 3, at.queue, at.offset); string(got) != string(want) {
					t.Errorf("%s, hold %v, %+v:\n%q\n%q", enc, hold, at, got, want)
				}
			}
		}
	}
}

// TestAllocations: what happens for every message allocates nothing.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, enc := range encodings {
		w := plain(func(w *Workload) { w.Encoding = enc })
		send, pull, item := newStencil(w, "T", 1), newPullStencil(w, w.Group, "T", true), newItemStencil(w)
		buf := make([]byte, 0, 4096)
		reply := remoting.AppendReply(nil, w.encoding(), firstOpaque+9, 0, "")
		p := &puller{w: w, g: newMeter(w, nil).gauge(), queues: []pullQueue{{}}}
		rec := record.Record{Topic: []byte("T"), Body: make([]byte, 100)}
		for range 32 {
			p.cmd.Body = record.Append(p.cmd.Body, &rec, false)
		}
		p.queues[0].held = true
		body := make([]byte, 64)
		l := newLedger(w, 1, make([]span, 8))
		l.pages[0].data = make([]byte, 0, 1<<16)
		for name, fn := range map[string]func(){
			"send":    func() { _ = send.append(buf, &request{queue: 3, serial: 4}, w.encoding(), 100) },
			"pull":    func() { _ = pull.append(buf, 1, 2, 3) },
			"item":    func() { _ = item.append(buf, body, 1, 2) },
			"peek":    func() { _, _, _ = peek(reply) },
			"records": func() { p.found(0) },
			"number":  func() { putNumber(body, 1, number{1, 2, 3}); _, _, _ = readNumber(body, 1) },
			"enter":   func() { l.enter(0, 0, 1, 2) },
		} {
			if n := testing.AllocsPerRun(100, fn); n != 0 {
				t.Errorf("%s: %s allocates %v times", enc, name, n)
			}
		}
		if p.g.sum.messages == 0 || p.g.sum.messages%32 != 0 {
			t.Errorf("%d messages counted", p.g.sum.messages)
		}
	}
}
