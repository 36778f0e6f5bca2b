package broker

import (
	"time"

	"ringmq/broker/lag"
)

const (
	maxAgesPerTopic = 64          // queues whose oldest message is read in one look at a group and topic
	agePatience     = time.Second // for all of them: a disk that stands still must not keep the look from saying so
)

// oldest is the store time of the oldest message that is not consumed and is still there, in ms; 0 when it is not known. Queues that move are to be
// asked for again at each look and may be more than can be: each look begins where the one before did not come to, so that every queue has its turn.
func (w *lagWatch) oldest(l *lag.Look) (oldest int64) {
	want, begin := map[lagQueue]lagAge{}, w.looks*maxAgesPerTopic%len(l.Queues)
	for i := range l.Queues {
		k, from, behind := w.front(l, l.Queues[(begin+i)%len(l.Queues)])
		if !behind {
			continue
		}
		if _, known := w.ages.at(k, from); !known && len(want) < maxAgesPerTopic {
			want[k] = lagAge{offset: from}
		}
	}
	w.ages.ask(want, agePatience)
	for _, q := range l.Queues {
		k, from, behind := w.front(l, q)
		if !behind {
			continue
		}
		if at, known := w.ages.at(k, from); known && at > 0 && (oldest == 0 || at < oldest) {
			oldest = at
		}
	}
	return oldest
}

// front is where what a group has not consumed of a queue begins; false: nothing of it is there.
func (w *lagWatch) front(l *lag.Look, q lag.Queue) (k lagQueue, from int64, behind bool) {
	from = max(q.Committed, w.b.store.MinOffset([]byte(l.Topic), q.ID))
	return lagQueue{Key: l.Key, id: q.ID}, from, from < q.Max
}
