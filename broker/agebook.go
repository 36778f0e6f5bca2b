package broker

import (
	"maps"
	"sync"
	"time"

	"ringmq/broker/lag"
	"ringmq/store"
)

// maxAges bounds an ageBook: the ages of further queues are not known.
const maxAges = maxLagQueues

// lagQueue names a queue of a group's, and from where on it is looked at.
type lagQueue struct {
	lag.Key
	id     int32
	pulled bool // what was not handed out; otherwise what was not consumed
}

// lagAge is when the first message at or behind an offset was stored.
type lagAge struct {
	offset, storedMs int64
}

// ageBook knows how old the oldest messages are that wait for groups. When a message was stored does not change: of a queue that stands still it is read
// once. Whoever asks waits for the disk a bounded time, whatever the disk does: there is one read at a time, and while it hangs nothing else is
// asked for. One goroutine's at a time.
type ageBook struct {
	store *store.Store
	reads *sync.WaitGroup // counts the read
	known map[lagQueue]lagAge
	seen  map[lagQueue]bool          // of known: since forget
	late  <-chan map[lagQueue]lagAge // of a read that was not waited for
}

func newAgeBook(b *Broker) *ageBook {
	return &ageBook{store: b.store, reads: &b.done, known: map[lagQueue]lagAge{}, seen: map[lagQueue]bool{}}
}

// at says when the first message at or behind an offset was stored, in ms; false: that is not known.
func (a *ageBook) at(k lagQueue, offset int64) (storedMs int64, known bool) {
	age, known := a.known[k]
	if !known {
		return 0, false
	}
	a.seen[k] = true
	return age.storedMs, age.offset == offset
}

// ask has read what is wanted, by offset, and waits for it no longer than patience lasts. What is read in time is known then, and what comes
// late is known the next time.
func (a *ageBook) ask(want map[lagQueue]lagAge, patience time.Duration) {
	if patience <= 0 || !a.arrived() {
		return
	}
	room := maxAges - len(a.known)
	for k := range want {
		if _, known := a.known[k]; known {
			continue
		}
		if room--; room < 0 {
			delete(want, k)
		}
	}
	if len(want) == 0 {
		return
	}
	until, done := time.Now().Add(patience), make(chan map[lagQueue]lagAge, 1)
	a.reads.Go(func() { done <- a.read(want, until) })
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case got := <-done:
		maps.Copy(a.known, got)
	case <-timer.C:
		a.late = done
	}
}

// read reads one after the other until the time is over. A queue of which nothing can be read now is left out, to be asked for again.
func (a *ageBook) read(want map[lagQueue]lagAge, until time.Time) map[lagQueue]lagAge {
	got := make(map[lagQueue]lagAge, len(want))
	for k, age := range want {
		if age.storedMs = a.store.StoreTimeFrom([]byte(k.Topic), k.id, age.offset); age.storedMs >= 0 {
			got[k] = age
		}
		if time.Now().After(until) {
			break
		}
	}
	return got
}

// arrived learns what has come late; false: it has not come yet.
func (a *ageBook) arrived() bool {
	if a.late == nil {
		return true
	}
	select {
	case got := <-a.late:
		a.late = nil
		maps.Copy(a.known, got)
		return true
	default:
		return false
	}
}

// forget drops the ages of queues that nobody has looked at since the last time: they are not behind any more, or gone.
func (a *ageBook) forget() {
	for k := range a.known {
		if !a.seen[k] {
			delete(a.known, k)
		}
	}
	clear(a.seen)
}
