package meta

import (
	"maps"
	"slices"
)

// Highest is the maximum of a queue: progress beyond it would pass over messages that are still to come.
type Highest func(topic []byte, queue int32) int64

// TakeBack takes from tables of slaves what they have and this master, which has just come back, does not. It returns how much that was.
// What of it lies beyond the end of its queue Clamp has to set back; in a queue that is not here it is 0. The tables are used up.
func (o *Offsets) TakeBack(slaves []*OffsetsDoc, next NextOf) (taken int) {
	// What the newest table of this master's says comes first; what others say beside it must be ahead of it.
	slices.SortStableFunc(slaves, func(a, b *OffsetsDoc) int { return rank(b) - rank(a) })
	before := o.Version().Counter
	empty := o.isEmpty()
	top := before
	for i, t := range slaves {
		// It may have lost what it had told a slave; the slave's table is its own, later.
		later := i == 0 && t.Ours != nil && t.DataVersion.Counter > before
		for key, queues := range t.OffsetTable {
			topic, group, ok := cutKey(key)
			if !ok {
				continue
			}
			p := o.part(group)
			p.mu.Lock()
			q := p.make([]byte(group), []byte(topic))
			buried := o.buried.since(topic, group, t.DataVersion.Counter)
			for queue, offset := range queues {
				if _, here := next([]byte(topic), queue); !here {
					offset = min(offset, 0)
				}
				if !buried && q.takesBack(queue, offset, t, later, empty) {
					q.committed[queue] = offset
					taken++
				}
			}
			if later {
				q.resets = maps.Clone(t.Ours.Resets[key])
			}
			if len(q.committed) == 0 {
				o.drop(p.groups[group], topic)
			}
			p.mu.Unlock()
		}
		top = max(top, t.DataVersion.Counter)
	}
	o.mu.Lock()
	o.version.Counter = top
	o.mu.Unlock()
	if taken > 0 {
		o.bump()
	}
	return taken
}

// rank puts tables of slaves of this kind first, the newest at the top.
func rank(t *OffsetsDoc) int {
	if t.Ours == nil {
		return 0
	}
	return 1 + int(min(max(t.DataVersion.Counter, 0), 1<<60))
}

// takesBack says whether a slave's value is newer than this master's. Under the part's lock.
func (q *progress) takesBack(queue int32, offset int64, t *OffsetsDoc, later, empty bool) bool {
	mine, there := q.committed[queue]
	switch {
	case there && offset == mine:
		return false
	case later:
		return true
	case !there:
		// A stock slave keeps progress of groups that were deleted here.
		return empty || t.Ours != nil
	}
	return offset > mine && !q.resetSince(queue, t.DataVersion.Counter)
}

// resetSince says that progress was set on purpose, and a table of a version does not have that yet.
func (q *progress) resetSince(queue int32, counter int64) bool {
	reset, ok := q.resets[queue]
	return ok && reset >= counter
}

func (o *Offsets) isEmpty() bool {
	empty := true
	o.each(func(_, _ string, _ *progress) { empty = false })
	return empty
}

// Raise takes what a slave offers, if it is newer than what is here: ahead, and not set back since the version that the slave knows.
func (o *Offsets) Raise(offer Offer, highest Highest) bool {
	group, topic := []byte(offer.Group), []byte(offer.Topic)
	offset := min(offer.Offset, highest(topic, offer.Queue))
	p := o.part(offer.Group)
	p.mu.Lock()
	newer := true
	if q := p.find(group, topic); q != nil {
		mine, there := q.committed[offer.Queue]
		_, waits := q.pending[offer.Queue]
		newer = !waits && (!there || offset > mine) && !q.resetSince(offer.Queue, offer.Known)
	}
	p.mu.Unlock()
	return newer && !o.buried.since(offer.Topic, offer.Group, offer.Known) && o.Commit(group, topic, offer.Queue, offset)
}
