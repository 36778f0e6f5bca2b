package bench

import (
	"io"
	"net"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// thriftyBroker answers sends and pulls of one connection without allocating, so that what is counted beside it is the generator's.
// Every pull finds the same records, and is told to go on behind them.
type thriftyBroker struct {
	records []byte
	in, out []byte
	req     remoting.Command
}

const thriftyRecords = 32

func startThrifty(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &thriftyBroker{in: make([]byte, 4<<20), out: make([]byte, 0, 4<<20)}
	rec := record.Record{Topic: []byte("T"), Body: make([]byte, 100)}
	for range thriftyRecords {
		b.records = record.Append(b.records, &rec, false)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		b.serve(conn)
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-ended
	})
	return ln.Addr().String()
}

// serve ends when the connection does.
func (b *thriftyBroker) serve(conn net.Conn) {
	for have := 0; ; {
		n, err := conn.Read(b.in[have:])
		if err != nil {
			return
		}
		have += n
		b.out = b.out[:0]
		at := 0
		for {
			total, _, err := remoting.FrameLength(b.in[at:have])
			if err != nil || have-at < 4 || have-at < total {
				break
			}
			if b.answer(b.in[at:at+total]) != nil {
				return
			}
			at += total
		}
		have = copy(b.in, b.in[at:have])
		if _, err := conn.Write(b.out); err != nil {
			return
		}
	}
}

func (b *thriftyBroker) answer(frame []byte) error {
	if err := b.req.Decode(frame); err != nil {
		return err
	}
	r := remoting.BeginReply(b.out, b.req.Encoding, b.req.Opaque, remoting.RespSuccess)
	if b.req.Code == remoting.CodePullMessage {
		offset, ok, err := b.req.Int64("queueOffset")
		if !ok || err != nil {
			return io.ErrUnexpectedEOF
		}
		r.Int("nextBeginOffset", offset+thriftyRecords)
		r.Int("maxOffset", 1<<40)
		r.Body(b.records)
	}
	b.out = r.End()
	return nil
}

// TestTurnAllocates: a whole turn of a generator, in which requests leave, answers are read, counted and answered with the next requests,
// allocates nothing, however the requests look.
func TestTurnAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, enc := range encodings {
		for name, change := range map[string]func(*Workload){
			"sends": nil, "batches": func(w *Workload) { w.Batch = 16 }, "sends with keys": func(w *Workload) { w.Keys, w.Tag, w.Property = true, "t", 50 },
		} {
			w := plain(func(w *Workload) {
				if w.Addr, w.Encoding, w.Conns, w.Window = startThrifty(t), enc, 1, 16; change != nil {
					change(w)
				}
			})
			g := newMeter(w, nil).gauge()
			p, err := newProducer(t.Context(), w, g)
			if err != nil {
				t.Fatal(err)
			}
			p.fill(p.lines[0], p.ls.Now())
			noAllocations(t, enc+" "+name, g, p.poll)
			p.ls.Close()
		}
		w := plain(func(w *Workload) { w.Addr, w.Encoding, w.Conns, w.Groups = startThrifty(t), enc, 1, 3 })
		g := newMeter(w, nil).gauge()
		p, err := newPuller(t.Context(), w, g, follow, make([]span, w.Queues))
		if err != nil {
			t.Fatal(err)
		}
		for q := range p.queues {
			p.queues[q].atEnd = false
			p.pull(q)
		}
		noAllocations(t, enc+" pulls", g, p.poll)
		p.ls.Close()
	}
}

// noAllocations has a generator take turns, some first in which its buffers grow, and counts what it allocates in those in which it had
// something to do.
func noAllocations(t *testing.T, name string, g *gauge, poll func(time.Duration) error) {
	t.Helper()
	turn := func() {
		for before, tries := g.sum.requests, 0; g.sum.requests == before; tries++ {
			if err := poll(idleWait); err != nil || tries == 1000 {
				t.Fatalf("%s: %v, nothing was answered", name, err)
			}
		}
	}
	for range 200 {
		turn()
	}
	if n := testing.AllocsPerRun(200, turn); n != 0 {
		t.Errorf("%s: a turn allocates %v times", name, n)
	}
	if len(g.errors) > 0 {
		t.Errorf("%s: %v", name, g.errors)
	}
}
