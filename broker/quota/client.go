package quota

import (
	"sync/atomic"
	"time"
)

// MaxDebt bounds what one answer or a change of limits can cost: nobody waits longer than this for what was used before. Whoever has waited so
// long for what others of his client use meanwhile is to be let through.
const MaxDebt = 10 * time.Second

const (
	// burst is how much time's worth a client may save up.
	burst = time.Second
	// shortest and longest bound one wait. Shorter ones would cost more than they are worth; after a longer one others of the connection
	// would be missed, its heartbeats for one.
	shortest = 10 * time.Millisecond
	longest  = time.Second
)

// Client is one client, whatever connections it has. Methods may be called by any goroutine and allocate nothing.
type Client struct {
	name   string
	used   [Kinds]atomic.Int64 // since it was first seen
	paid   [Kinds]atomic.Int64 // when what it used is paid for, in nanoseconds of the clock; from then on it saves
	slowed [Kinds]atomic.Bool  // it had to wait since the last tick

	// under Table.mu
	at    int           // in Table.list
	conns int           // that it has
	left  time.Duration // when the last of them went

	// under Table.looks
	seen Counts // used, as of the last tick
	rate int64  // bytes a second, smoothed
	over [Kinds]standing
}

// standing is how a client stands to a limit; under Table.looks.
type standing struct {
	is    bool          // above it, and that was said
	since time.Duration // of the clock
	most  int64         // a second, since then
	quiet int           // ticks in a row that it was not above
}

// Name is what the client is called.
func (c *Client) Name() string { return c.name }

// Add counts what was used.
func (c *Client) Add(n *Counts) {
	for k, v := range n {
		if v != 0 {
			c.used[k].Add(v)
		}
	}
}

// Charge has the client pay for what it used, as far as that is limited. now is a time of the broker's clock.
func (c *Client) Charge(n *Counts, l *Limits, now time.Duration) {
	for k, v := range n {
		if v > 0 && l.PerSecond[k] > 0 {
			c.pay(&c.paid[k], v, l.PerSecond[k], now)
		}
	}
}

func (c *Client) pay(paid *atomic.Int64, n, perSecond int64, now time.Duration) {
	cost := int64(MaxDebt)
	if n < 1<<32 { // no overflow
		cost = min(cost, n*int64(time.Second)/perSecond)
	}
	for {
		was := paid.Load()
		next := min(max(was, int64(now-burst))+cost, int64(now+MaxDebt))
		if paid.CompareAndSwap(was, next) {
			return
		}
	}
}

// SendWait is how long the client's next send has to wait, 0 for not at all. Whoever has waited asks again.
func (c *Client) SendWait(l *Limits, now time.Duration) time.Duration {
	return wait(max(c.owes(SendMessages, l, now), c.owes(SendBytes, l, now)))
}

// PullWait is how long its next pull has to wait.
func (c *Client) PullWait(l *Limits, now time.Duration) time.Duration {
	return wait(c.owes(PullBytes, l, now))
}

func (c *Client) owes(k Kind, l *Limits, now time.Duration) time.Duration {
	if !l.Enforced || l.PerSecond[k] <= 0 {
		return 0
	}
	d := time.Duration(c.paid[k].Load()) - now
	if d > 0 {
		c.slowed[k].Store(true)
	}
	return d
}

// wait is the time that a debt is waited for at once.
func wait(debt time.Duration) time.Duration {
	if debt <= 0 {
		return 0
	}
	return min(max(debt, shortest), longest)
}

// tick looks what was used in the second before, and tells who has come above a limit or is below it again. Under Table.looks.
func (c *Client) tick(now, elapsed time.Duration, l *Limits, tell *news) {
	ms, bytes := max(elapsed.Milliseconds(), 1), int64(0)
	for k := range Kinds {
		used := c.used[k].Load()
		rate := (used - c.seen[k]) * 1000 / ms
		c.seen[k] = used
		if k != SendMessages {
			bytes += rate
		}
		waited := c.slowed[k].Load() && c.slowed[k].Swap(false)
		limit, s := l.PerSecond[k], &c.over[k]
		switch {
		case limit > 0 && (l.Enforced && waited || !l.Enforced && rate > limit):
			if !s.is {
				*s = standing{is: true, since: now}
				tell.add(event{client: c.name, kind: k, begins: true, perSecond: rate, limit: limit, slowed: l.Enforced})
			}
			s.most, s.quiet = max(s.most, rate), 0
		case s.is:
			if s.quiet++; limit <= 0 || s.quiet >= quietTicks {
				tell.add(event{client: c.name, kind: k, perSecond: s.most, limit: limit, lasted: now - s.since})
				*s = standing{}
			}
		}
	}
	c.rate = (3*c.rate + bytes) / 4
}

// quietTicks is how many ticks in a row a client is below a limit before that is said: who goes up and down around it is above it.
const quietTicks = 5

// owing says that the client has something that must not be forgotten: a debt, or a beginning that was told without its end. Under
// Table.looks.
func (c *Client) owing(now time.Duration) bool {
	for k := range c.over {
		if c.over[k].is || c.paid[k].Load() > int64(now) {
			return true
		}
	}
	return false
}
