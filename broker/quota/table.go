package quota

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Table are the clients that have used something and are connected, or were a moment ago. Any goroutine.
//
//	len(list) == len(clients) <= connections + maxIdle
type Table struct {
	SendWaits, PullWaits atomic.Int64 // times a connection's sends, or a pull, had to wait; counted by whoever has them wait

	logger *slog.Logger

	mu      sync.Mutex
	clients map[string]*Client
	list    []*Client
	idle    int           // of them without a connection
	last    time.Duration // when Tick last looked
	over    Counts        // how many were above a limit then, by kind
}

const (
	// maxIdle is how many clients without a connection are remembered, so that what they owe is not forgotten by coming again.
	maxIdle = 4096
	// idleTime is for how long.
	idleTime = maxDebt + time.Second
)

// NewTable makes an empty table. What is said of clients goes to the logger.
func NewTable(logger *slog.Logger) *Table {
	return &Table{logger: logger, clients: map[string]*Client{}}
}

// Join finds the client of a name for one more connection, until Leave. A client that nobody knew has saved nothing yet, so that nothing is
// won by being another one. was is who the connection's client was called before, nil for nobody: one that nobody knew owes what that
// one owes.
func (t *Table) Join(name string, now time.Duration, was *Client) *Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.clients[name]
	switch {
	case c == nil:
		c = &Client{name: strings.Clone(name), at: len(t.list)}
		for k := range c.paid {
			paid := int64(now)
			if was != nil {
				paid = max(paid, was.paid[k].Load())
			}
			c.paid[k].Store(paid)
		}
		t.clients[c.name] = c
		t.list = append(t.list, c)
	case c.conns == 0:
		t.idle--
	}
	c.conns++
	return c
}

// Leave is the end of a connection of the client's.
func (t *Table) Leave(c *Client, now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.conns--; c.conns > 0 {
		return
	}
	if t.idle >= maxIdle {
		t.forget(c)
		return
	}
	c.left = now
	t.idle++
}

// forget takes a client without a connection out. Under mu.
func (t *Table) forget(c *Client) {
	last := len(t.list) - 1
	t.list[c.at] = t.list[last]
	t.list[c.at].at = c.at
	t.list[last] = nil
	t.list = t.list[:last]
	delete(t.clients, c.name)
}

// Tick looks what clients used since the last one, and says who is above a limit and who no longer. About once a second.
func (t *Table) Tick(now time.Duration, l *Limits) {
	var tell news
	t.mu.Lock()
	if elapsed := now - t.last; elapsed > 0 {
		t.last, t.over = now, Counts{}
		for i := 0; i < len(t.list); {
			c := t.list[i]
			c.tick(now, elapsed, l, &tell)
			if c.conns == 0 && now-c.left >= idleTime && !c.owing(now) {
				t.idle--
				t.forget(c) // another one takes its place
				continue
			}
			for k := range c.over {
				if c.over[k].is {
					t.over[k]++
				}
			}
			i++
		}
	}
	t.mu.Unlock()
	tell.say(t.logger)
}

// Over is how many clients are above each limit, as of the last tick.
func (t *Table) Over() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}

// Each calls fn with every client: its name, the bytes it moves a second, and what it has used since it was first seen. fn must be short.
func (t *Table) Each(fn func(name string, bytesPerSecond int64, used *Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.list {
		var used Counts
		for k := range used {
			used[k] = c.used[k].Load()
		}
		fn(c.name, c.rate, &used)
	}
}

// Len is how many clients are known.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.list)
}
