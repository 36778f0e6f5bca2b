package member

import (
	"sync"
	"time"

	"ringmq/netpoll/remoting"
)

// LockFor is how long a queue stays locked without being locked again.
const LockFor = 60 * time.Second

// Locks says which client of an ordered consumer group holds which queue. Any goroutine.
type Locks struct {
	clock  func() time.Time // its monotonic reading counts
	mu     sync.Mutex
	groups map[string]map[remoting.MessageQueue]*queueLock
	count  int // of all locks
}

// maxLocks bounds the locks of all groups; beyond them no queue is given that nobody had.
const maxLocks = 1 << 20

type queueLock struct {
	client string
	since  time.Time
}

// NewLocks makes an empty table.
func NewLocks(clock func() time.Time) *Locks {
	return &Locks{clock: clock, groups: map[string]map[remoting.MessageQueue]*queueLock{}}
}

// Lock takes or renews queues for a client and returns those it holds afterwards, in the order asked for.
func (l *Locks) Lock(group, client string, queues []remoting.MessageQueue) []remoting.MessageQueue {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	held := l.groups[group]
	if held == nil {
		held = map[remoting.MessageQueue]*queueLock{}
		l.groups[group] = held
	}
	ok := make([]remoting.MessageQueue, 0, len(queues))
	for _, q := range queues {
		e := held[q]
		switch {
		case e == nil && l.count >= maxLocks:
			continue
		case e == nil:
			l.count++
			held[q] = &queueLock{client: client, since: now}
		case e.client == client || now.Sub(e.since) > LockFor:
			e.client, e.since = client, now
		default:
			continue
		}
		ok = append(ok, q)
	}
	return ok
}

// Unlock gives up the queues that the client holds.
func (l *Locks) Unlock(group, client string, queues []remoting.MessageQueue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.groups[group]
	for _, q := range queues {
		if e := held[q]; e != nil && e.client == client {
			delete(held, q)
			l.count--
		}
	}
	if len(held) == 0 {
		delete(l.groups, group)
	}
}

// Holder returns who holds a queue; "" when nobody does.
func (l *Locks) Holder(group string, q remoting.MessageQueue) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.groups[group][q]; e != nil && l.clock().Sub(e.since) <= LockFor {
		return e.client
	}
	return ""
}

// Held says whether any member of a group holds a queue, which makes it an ordered group.
func (l *Locks) Held(group string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	for _, e := range l.groups[group] {
		if now.Sub(e.since) <= LockFor {
			return true
		}
	}
	return false
}

// Expire forgets locks that have run out, and says how many.
func (l *Locks) Expire() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	for group, held := range l.groups {
		for q, e := range held {
			if now.Sub(e.since) > LockFor {
				delete(held, q)
				l.count--
				n++
			}
		}
		if len(held) == 0 {
			delete(l.groups, group)
		}
	}
	return n
}
