package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// reader is a consumer of all queues of the topic. It does what clients do: it asks the broker that the last answer named, if the route
// has it, and any other otherwise.
type reader struct {
	history *history
	ns      string
	ours    map[int64]bool // by broker id: it must never move a reader

	mu     sync.Mutex
	route  map[int64]string // address by broker id
	queues []*readQueue
	wrong  []string // what no broker may do
	served map[int64]int64
	moved  int // times that a stock broker sent the reader back
}

// readQueue is how far one queue was read. Guarded by the reader's lock.
type readQueue struct {
	pos     int64
	seen    []int64 // number of the message at each offset
	checked int     // of seen, against the log
	ask     int64   // broker id that was named last
	last    string  // what the last pull brought
	by      int64   // broker that served the newest message
	at      time.Time
}

func newReader(h *history, ns string, ours map[int64]bool) *reader {
	r := &reader{history: h, ns: ns, ours: ours, route: map[int64]string{}, served: map[int64]int64{}}
	for range h.lanes {
		r.queues = append(r.queues, &readQueue{})
	}
	return r
}

// run reads until the context ends.
func (r *reader) run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { r.follow(ctx) })
	for q := range r.queues {
		all.Go(func() { r.read(ctx, q) })
	}
	all.Wait()
}

// follow asks the name server for the route once a second.
func (r *reader) follow(ctx context.Context) {
	var c *netpoll.Client
	for ctx.Err() == nil {
		route, err := r.poll(ctx, &c)
		if err == nil && len(route) > 0 {
			r.mu.Lock()
			r.route = route
			r.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	if c != nil {
		c.Close()
	}
}

func (r *reader) poll(ctx context.Context, c **netpoll.Client) (map[int64]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if *c == nil {
		fresh, err := rig.Dial(ctx, r.ns)
		if err != nil {
			return nil, err
		}
		*c = fresh
	}
	resp, err := rig.Expect(rig.Call(ctx, *c, remoting.CodeGetRouteinfoByTopic, map[string]string{"topic": topic, "acceptStandardJsonOnly": "true"}))
	if err != nil {
		if _, answered := rig.Refused(err); !answered {
			(*c).Close()
			*c = nil
		}
		return nil, err
	}
	var route remoting.TopicRouteData
	if err := json.Unmarshal(resp.Body, &route); err != nil || len(route.BrokerDatas) != 1 {
		return nil, fmt.Errorf("route %.100q: %w", resp.Body, err)
	}
	return route.BrokerDatas[0].BrokerAddrs, nil
}

// target is the broker to ask for a queue.
func (r *reader) target(q int) (id int64, addr string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id = r.queues[q].ask
	if addr, ok := r.route[id]; ok {
		return id, addr
	}
	for id, addr := range r.route {
		return id, addr
	}
	return 0, ""
}

func (r *reader) read(ctx context.Context, q int) {
	var c *netpoll.Client
	at := ""
	for ctx.Err() == nil {
		id, addr := r.target(q)
		if c != nil && addr != at {
			c.Close()
			c = nil
		}
		err := r.pull(ctx, q, id, addr, &c)
		if at = addr; err == nil || ctx.Err() != nil {
			continue
		}
		if _, answered := rig.Refused(err); !answered && c != nil {
			c.Close()
			c = nil
		}
		r.mu.Lock()
		r.queues[q].ask, r.queues[q].last = 0, err.Error()
		r.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	if c != nil {
		c.Close()
	}
}

func (r *reader) pull(ctx context.Context, q int, id int64, addr string, c **netpoll.Client) error {
	const hold = 500 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if addr == "" {
		return fmt.Errorf("no route")
	}
	if *c == nil {
		fresh, err := rig.Dial(ctx, addr)
		if err != nil {
			return err
		}
		*c = fresh
	}
	r.mu.Lock()
	from := r.queues[q].pos
	r.mu.Unlock()
	p, err := rig.Pull(ctx, *c, rig.PullRequest{Group: readerGroup, Topic: topic, Queue: q, From: from, Hold: hold})
	if err != nil {
		return err
	}
	r.take(q, id, from, p)
	if p.Code == remoting.RespPullRetryImmediately || p.Code == remoting.RespPullOffsetMoved || p.Code == remoting.RespSuccess && len(p.Messages) == 0 {
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// take goes on with what an answer brought.
func (r *reader) take(q int, id, from int64, p rig.Pulled) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.queues[q]
	k.ask, k.last = p.Suggest, fmt.Sprintf("code %d, %d messages, next %d, ask %d", p.Code, len(p.Messages), p.Next, p.Suggest)
	if k.pos != from {
		return
	}
	for _, m := range p.Messages {
		if m.Offset != k.pos {
			r.blame("broker %d answered a pull of queue %d at %d with offset %d", id, q, k.pos, m.Offset)
			return
		}
		seq, err := r.history.number(q, m.Body)
		if err != nil {
			r.blame("broker %d, queue %d, offset %d: %v", id, q, m.Offset, err)
			return
		}
		if k.pos == int64(len(k.seen)) {
			k.seen = append(k.seen, seq)
		} else if k.seen[k.pos] != seq {
			r.blame("broker %d, queue %d, offset %d: message %d, which was message %d before", id, q, k.pos, seq, k.seen[k.pos])
			return
		}
		k.pos, k.by, k.at = k.pos+1, id, time.Now()
	}
	if p.Code == remoting.RespPullOffsetMoved && p.Next < k.pos && !r.ours[id] {
		// A stock master does that for a moment after its start, while its queues lag behind its log. Clients read those messages again.
		k.pos, r.moved = max(p.Next, 0), r.moved+1
	}
	if p.Code == remoting.RespPullOffsetMoved && p.Next != k.pos {
		r.blame("broker %d moved the reader of queue %d from %d to %d, %s after broker %d had served that", id, q, k.pos, p.Next,
			time.Since(k.at).Round(time.Millisecond), k.by)
		return
	}
	if n := int64(len(p.Messages)); n > 0 {
		r.served[id] += n
	}
}

// blame notes a broker's fault; the lock is held. One that repeats itself is noted once.
func (r *reader) blame(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if n := len(r.wrong); n < 20 && (n == 0 || r.wrong[n-1] != text) {
		r.wrong = append(r.wrong, text)
	}
}

// servedBy is how many messages a broker has served.
func (r *reader) servedBy(id int64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.served[id]
}

// behind tells of a queue that has not been read to the given end; "" when all are.
func (r *reader) behind(ends map[int]int64) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for q, k := range r.queues {
		if k.pos < ends[q] {
			return fmt.Sprintf("queue %d was read to %d of %d, broker %d is to be asked, the route is %v, the last pull brought: %s", q, k.pos, ends[q], k.ask, r.route, k.last)
		}
	}
	return ""
}
