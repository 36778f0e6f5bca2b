package member

import (
	"sync"
	"time"
)

// NoticeInterval is how long a group's members are left alone after they were told that it changed. What they are told is only to look
// again, so that one notice serves for all changes of that time.
const NoticeInterval = 20 * time.Millisecond

// Notices says when the members of a group are told that it changed: at once where it was quiet, and once in NoticeInterval while it
// changes on and on. Without that, a group of n members that all leave at once costs n*n/2 notices.
type Notices struct {
	tell func(group string)

	mu      sync.Mutex
	recent  map[string]*notice // groups that were told less than NoticeInterval ago, or are being told
	resting []*notice          // of these, those that were told, by the time until which they rest
	timer   *time.Timer        // of the first of them; nil: not set
	closed  bool
	telling sync.WaitGroup
}

// notice is one group's.
type notice struct {
	group string
	until time.Time
	again bool // it changed since it was told
}

// NewNotices makes one that has tell called, by any goroutine, never twice at once for one group.
func NewNotices(tell func(group string)) *Notices {
	return &Notices{tell: tell, recent: map[string]*notice{}}
}

// Changed has a group's members told: before it returns, or soon. Any goroutine; after Close nothing is told.
func (n *Notices) Changed(group string) {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return
	}
	if w := n.recent[group]; w != nil {
		w.again = true
		n.mu.Unlock()
		return
	}
	w := &notice{group: group}
	n.recent[group] = w
	n.telling.Add(1)
	n.mu.Unlock()
	n.now(w)
}

// now tells a group and has it rest.
func (n *Notices) now(w *notice) {
	defer n.telling.Done()
	n.tell(w.group)
	n.mu.Lock()
	defer n.mu.Unlock()
	w.until = time.Now().Add(NoticeInterval)
	n.resting = append(n.resting, w)
	n.setTimer()
}

// setTimer sees to it that the first one that rests is looked at in time. Under the lock.
func (n *Notices) setTimer() {
	if n.timer == nil && len(n.resting) > 0 && !n.closed {
		n.timer = time.AfterFunc(time.Until(n.resting[0].until), n.rested)
	}
}

// rested tells those again that changed while they rested, and forgets the others.
func (n *Notices) rested() {
	var again []*notice
	n.mu.Lock()
	n.timer = nil
	now, done := time.Now(), 0
	for _, w := range n.resting {
		if w.until.After(now) {
			break
		}
		done++
		switch {
		case n.closed:
		case w.again:
			w.again = false
			again = append(again, w)
			n.telling.Add(1)
		default:
			delete(n.recent, w.group)
		}
	}
	clear(n.resting[:done])
	if n.resting = n.resting[done:]; len(n.resting) == 0 {
		n.resting = nil
	}
	n.setTimer()
	n.mu.Unlock()
	for _, w := range again {
		n.now(w)
	}
}

// Close returns when nobody is being told any more.
func (n *Notices) Close() {
	n.mu.Lock()
	n.closed = true
	if n.timer != nil {
		n.timer.Stop()
	}
	n.mu.Unlock()
	n.telling.Wait()
}
