package broker

import (
	"maps"
	"time"

	"ringmq/broker/lag"
)

const (
	maxAgesPerTopic = 64          // queues whose oldest message is read in one look at a group and topic
	agePatience     = time.Second // for all of them: a disk that stands still must not keep the look from saying so
)

// lagQueue names a queue of a group's.
type lagQueue struct {
	lag.Key
	id int32
}

// lagAge is the store time of the message at an offset, which does not change: a queue that stands still is read once.
type lagAge struct {
	offset, storeMs int64
}

// ages keeps them between looks.
type ages struct {
	known map[lagQueue]lagAge
	seen  map[lagQueue]bool          // in this look
	late  <-chan map[lagQueue]lagAge // of a look that did not wait for the disk
}

// oldest is the store time of the oldest message that is not consumed, in ms; 0 when it is not known.
func (w *lagWatch) oldest(l *lag.Look) (oldest int64) {
	ask := map[lagQueue]lagAge{}
	for _, q := range l.Queues {
		if q.Committed >= q.Max {
			continue
		}
		k := lagQueue{l.Key, q.ID}
		w.ages.seen[k] = true
		if age, known := w.ages.known[k]; (!known || age.offset != q.Committed) && len(ask) < maxAgesPerTopic {
			ask[k] = lagAge{offset: q.Committed}
		}
	}
	w.readAges(ask)
	for _, q := range l.Queues {
		if age, known := w.ages.known[lagQueue{l.Key, q.ID}]; known && q.Committed < q.Max && age.offset == q.Committed && age.storeMs > 0 && (oldest == 0 || age.storeMs < oldest) {
			oldest = age.storeMs
		}
	}
	return oldest
}

// readAges has ages read, and knows them then; or later, or not at all while the disk does not answer.
func (w *lagWatch) readAges(ask map[lagQueue]lagAge) {
	if len(ask) == 0 || !w.lateAges() {
		return
	}
	done := make(chan map[lagQueue]lagAge, 1)
	s := w.b.store
	w.b.done.Go(func() {
		for k, age := range ask {
			at := max(age.offset, s.MinOffset([]byte(k.Topic), k.id))
			age.storeMs = max(s.StoreTimeAt([]byte(k.Topic), k.id, at), 0)
			ask[k] = age
		}
		done <- ask
	})
	patience := time.NewTimer(agePatience)
	defer patience.Stop()
	select {
	case got := <-done:
		maps.Copy(w.ages.known, got)
	case <-patience.C:
		w.ages.late = done
	}
}

// lateAges knows what a read has brought that no look waited for; false: it has not yet.
func (w *lagWatch) lateAges() bool {
	if w.ages.late == nil {
		return true
	}
	select {
	case got := <-w.ages.late:
		w.ages.late = nil
		maps.Copy(w.ages.known, got)
		return true
	default:
		return false
	}
}

// forget drops the ages of queues that are not behind any more, or gone.
func (a *ages) forget() {
	for k := range a.known {
		if !a.seen[k] {
			delete(a.known, k)
		}
	}
	clear(a.seen)
}
