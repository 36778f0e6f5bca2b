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
	bytes  int // of all locks, about
	most   int // of them
}

const (
	// maxLocksBytes bounds the locks of all groups, about a million; beyond it no queue is given that would take more.
	maxLocksBytes = 256 << 20
	// lockBytes is about what a lock takes without its texts.
	lockBytes = 160
)

type queueLock struct {
	client string
	since  time.Time
}

// bytesOf is about what a lock takes. The name of the group counts with each: it may be its only one.
func bytesOf(group, client string, q *remoting.MessageQueue) int {
	return lockBytes + len(group) + len(client) + len(q.BrokerName) + len(q.Topic)
}

// NewLocks makes an empty table.
func NewLocks(clock func() time.Time) *Locks {
	return &Locks{clock: clock, groups: map[string]map[remoting.MessageQueue]*queueLock{}, most: maxLocksBytes}
}

// Lock takes or renews queues for a client and returns those it holds afterwards, in the order asked for.
func (l *Locks) Lock(group, client string, queues []remoting.MessageQueue) []remoting.MessageQueue {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	held := l.groups[group]
	if held == nil {
		held = map[remoting.MessageQueue]*queueLock{}
	}
	ok := make([]remoting.MessageQueue, 0, len(queues))
	for _, q := range queues {
		e, more := held[q], bytesOf(group, client, &q)
		if e != nil {
			if e.client != client && now.Sub(e.since) <= LockFor {
				continue
			}
			more -= bytesOf(group, e.client, &q)
		}
		if more > 0 && l.bytes+more > l.most {
			continue
		}
		if e == nil {
			e = &queueLock{}
			held[q] = e
		}
		l.bytes += more
		e.client, e.since = client, now
		ok = append(ok, q)
	}
	if len(held) > 0 {
		l.groups[group] = held
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
			l.bytes -= bytesOf(group, client, &q)
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
				l.bytes -= bytesOf(group, e.client, &q)
				n++
			}
		}
		if len(held) == 0 {
			delete(l.groups, group)
		}
	}
	return n
}
