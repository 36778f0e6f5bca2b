package netpoll

import (
	"io"
	"net"
	"sync"
	"testing"

	"ringmq/netpoll/remoting"
)

// pipeline writes the same bytes and reads the same number of bytes again and again, without allocating.
type pipeline struct {
	conn     net.Conn
	requests []byte
	replies  []byte
}

func newPipeline(t testing.TB, addr string, enc remoting.Encoding, n int) *pipeline {
	t.Helper()
	req := remoting.NewRequest(remoting.CodeSendMessageV2)
	req.Encoding, req.Opaque = enc, 7
	req.Set("a", "producers")
	req.Set("b", "TopicTest")
	req.Set("e", "3")
	req.Body = make([]byte, 512)
	p := &pipeline{conn: rawDial(t, addr)}
	for range n {
		p.requests = append(p.requests, remoting.AppendCommand(nil, req)...)
	}
	b := replyTo(nil, req)
	p.replies = make([]byte, n*len(b))
	return p
}

func replyTo(dst []byte, req *remoting.Command) []byte {
	b := remoting.BeginReply(dst, req.Encoding, req.Opaque, remoting.RespSuccess)
	b.Str("msgId", "C0A8000100002A9F0000000000000000")
	b.Int("queueId", 3)
	b.Int("queueOffset", 123456)
	return b.End()
}

func (p *pipeline) round() error {
	if _, err := p.conn.Write(p.requests); err != nil {
		return err
	}
	_, err := io.ReadFull(p.conn, p.replies)
	return err
}

// parking answers from Woken what Serve left parked, as a store does that commits.
type parking struct {
	testHandler
	mu     sync.Mutex
	parked []parkedReply
	spare  []parkedReply
	commit chan int
}

type parkedReply struct {
	c        *Conn
	opaque   int32
	encoding remoting.Encoding
}

func (p *parking) Serve(c *Conn, req *remoting.Command) Verdict {
	p.mu.Lock()
	p.parked = append(p.parked, parkedReply{c, req.Opaque, req.Encoding})
	p.mu.Unlock()
	select {
	case p.commit <- c.Loop():
	default:
	}
	return Done
}

func (p *parking) Woken(int) {
	p.mu.Lock()
	p.parked, p.spare = p.spare[:0], p.parked
	p.mu.Unlock()
	for _, r := range p.spare {
		r.c.PutOut(replyTo(r.c.Out(), &remoting.Command{Encoding: r.encoding, Opaque: r.opaque}))
	}
}

// TestReplyPathDoesNotAllocate: neither a request that is answered inline, nor one that is answered after a commit. A wake-up
// itself costs a few objects of gnet's; it serves any number of requests.
func TestReplyPathDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	inline := &testHandler{}
	inline.serve = func(c *Conn, req *remoting.Command) Verdict {
		c.PutOut(replyTo(c.Out(), req))
		return Done
	}
	p := &parking{commit: make(chan int, 1)}
	s, parkAddr := serve(t, Options{Loops: 1}, p)
	committer := make(chan struct{})
	go func() {
		defer close(committer)
		for loop := range p.commit {
			s.Wake(loop)
		}
	}()
	defer func() { close(p.commit); <-committer }()
	_, inlineAddr := serve(t, Options{Loops: 1}, inline)
	const n, wakes = 100, 10 // requests a round; wake-ups it may take, times what one costs
	for _, enc := range []remoting.Encoding{remoting.JSON, remoting.Binary} {
		for _, how := range []struct {
			name, addr string
			most       float64
		}{{"inline", inlineAddr, 0}, {"parked", parkAddr, wakes * 4}} {
			line := newPipeline(t, how.addr, enc, n)
			var failed error
			for range 20 {
				failed = line.round()
			}
			allocs := testing.AllocsPerRun(200, func() {
				if err := line.round(); err != nil {
					failed = err
				}
			})
			if failed != nil {
				t.Fatal(failed)
			}
			if allocs > how.most {
				t.Errorf("%s, encoding %d: %v objects for %d requests", how.name, enc, allocs, n)
			}
		}
	}
}

func BenchmarkInline(b *testing.B) {
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		c.PutOut(replyTo(c.Out(), req))
		return Done
	}
	_, addr := serve(b, Options{Loops: 1}, h)
	const n = 64
	line := newPipeline(b, addr, remoting.JSON, n)
	b.ReportAllocs()
	for range b.N/n + 1 {
		if err := line.round(); err != nil {
			b.Fatal(err)
		}
	}
}
