package quota

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Table are the clients that have used something and are connected, or were a moment ago. Any goroutine.
//
//	len(list) == len(clients) <= connections + maxIdle
type Table struct {
	logger *slog.Logger

	looks sync.Mutex    // one look at all of them at a time; taken before mu
	last  time.Duration // when Tick last looked; under looks
	seen  []*Client     // of the look that is on; under looks

	mu      sync.Mutex // never held for the length of the list's clients, but for copying it: connections open and close under it
	clients map[string]*Client
	list    []*Client
	idle    int    // of them without a connection
	over    Counts // how many were above a limit then, by kind
}

const (
	// maxIdle is how many clients without a connection are remembered, so that what they owe is not forgotten by coming again.
	maxIdle = 4096
	// idleTime is for how long.
	idleTime = MaxDebt + time.Second
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

// look copies the list, for a look at all clients that holds nobody up. Under looks; the next look takes the memory again.
func (t *Table) look() []*Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.seen) // of clients that are gone
	t.seen = append(t.seen[:0], t.list...)
	return t.seen
}

// Tick looks what clients used since the last one, and says who is above a limit and who no longer. About once a second.
func (t *Table) Tick(now time.Duration, l *Limits) {
	var tell news
	t.looks.Lock()
	if elapsed := now - t.last; elapsed > 0 {
		t.last = now
		var over Counts
		all := t.look()
		for _, c := range all {
			c.tick(now, elapsed, l, &tell)
			for k := range c.over {
				if c.over[k].is {
					over[k]++
				}
			}
		}
		for at := 0; at < len(all); at += atOnce {
			t.forgetIdle(all[at:min(at+atOnce, len(all))], now)
		}
		t.mu.Lock()
		t.over = over
		t.mu.Unlock()
	}
	t.looks.Unlock()
	tell.say(t.logger)
}

// atOnce is how many clients are asked whether they can be forgotten while others wait.
const atOnce = 256

// forgetIdle forgets those clients that have been without a connection for long enough. Under looks.
func (t *Table) forgetIdle(some []*Client, now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range some {
		// One that went meanwhile may be forgotten already.
		if t.idle > 0 && c.conns == 0 && t.clients[c.name] == c && now-c.left >= idleTime && !c.owing(now) {
			t.idle--
			t.forget(c)
		}
	}
}

// Over is how many clients are above each limit, as of the last tick.
func (t *Table) Over() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}

// Each calls fn with every client: its name, the bytes it moves a second, and what it has used since it was first seen. fn may not look at all
// clients itself.
func (t *Table) Each(fn func(name string, bytesPerSecond int64, used *Counts)) {
	t.looks.Lock()
	defer t.looks.Unlock()
	for _, c := range t.look() {
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
