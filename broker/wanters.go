package broker

// wanters are held pulls of a queue that want the same of what arrives there: anything, or messages with one tag. A heap, with the one
// whose offset comes first at the top, so that nobody looks at those that wait for a later one. Under holds.mu.
type wanters struct {
	list []seat
}

// seat is a pull's place among wanters.
type seat struct {
	offset int64 // that the pull waits for
	pull   *heldPull
	which  int32 // of pull.seats says where this is
}

// tagKey is a tag's code in a queue.
type tagKey struct {
	queue *queueHolds
	code  int32
}

// maxTagsFound is how many tags a pull may want to be found by them. One that wants more is run whatever arrives, and its answer may be that there
// was nothing for it: a look through so many for every arrival would hold up all others.
const maxTagsFound = 64

// tagSeatBytes is about what a seat takes, with its share of the table, where nobody else wants the tag.
const tagSeatBytes = 128

// Bounds of the wanters that are kept for others of a tag.
const (
	maxSpareWanters = 512
	maxSpareSeats   = 128 // of each
)

// byTags says that a pull is found by the tags it wants.
func (p *heldPull) byTags() bool { return p.answer.filters && len(p.codes) <= maxTagsFound }

// want gives a pull its seats. One at a damaged message has none: nothing that arrives is for it. Under mu.
func (hs *holds) want(p *heldPull) {
	p.seats = p.seats[:0]
	switch {
	case p.hold.atGap:
	case p.byTags():
		for i, code := range p.codes {
			p.seats = append(p.seats, 0)
			hs.wantersOf(tagKey{p.queue, code}).add(p, i)
		}
	default:
		p.seats = append(p.seats, 0)
		p.queue.any.add(p, 0)
	}
}

// unwant takes a pull's seats away. Under mu.
func (hs *holds) unwant(p *heldPull) {
	for i, at := range p.seats {
		if !p.byTags() {
			p.queue.any.remove(at)
			continue
		}
		key := tagKey{p.queue, p.codes[i]}
		w := hs.byTag[key]
		if w.remove(at); len(w.list) > 0 {
			continue
		}
		delete(hs.byTag, key)
		if len(hs.spare) < maxSpareWanters && cap(w.list) <= maxSpareSeats {
			hs.spare = append(hs.spare, w)
		}
	}
	p.seats = p.seats[:0]
}

// wantersOf finds those who want a tag, or makes them. Under mu.
func (hs *holds) wantersOf(key tagKey) *wanters {
	w := hs.byTag[key]
	if w != nil {
		return w
	}
	if n := len(hs.spare); n > 0 {
		w = hs.spare[n-1]
		hs.spare[n-1] = nil
		hs.spare = hs.spare[:n-1]
	} else {
		w = new(wanters)
	}
	hs.byTag[key] = w
	return w
}

// first is the pull whose offset comes first, if it comes before end. Of nobody too.
func (w *wanters) first(end int64) *heldPull {
	if w == nil || len(w.list) == 0 || w.list[0].offset >= end {
		return nil
	}
	return w.list[0].pull
}

// add gives a pull a seat, which one of its seats is told.
func (w *wanters) add(p *heldPull, which int) {
	w.list = append(w.list, seat{})
	w.raise(int32(len(w.list)-1), seat{p.header.QueueOffset, p, int32(which)})
}

// remove takes a seat away.
func (w *wanters) remove(at int32) {
	last := int32(len(w.list) - 1)
	s := w.list[last]
	w.list[last] = seat{}
	w.list = w.list[:last]
	switch {
	case last == 0 && cap(w.list) > lockedPulls:
		w.list = nil
	case at == last:
	case at > 0 && w.list[(at-1)/2].offset > s.offset:
		w.raise(at, s)
	default:
		w.lower(at, s)
	}
}

// raise puts a seat where it belongs at a place or above it.
func (w *wanters) raise(at int32, s seat) {
	for at > 0 && w.list[(at-1)/2].offset > s.offset {
		w.put(at, w.list[(at-1)/2])
		at = (at - 1) / 2
	}
	w.put(at, s)
}

// lower puts a seat where it belongs at a place or below it.
func (w *wanters) lower(at int32, s seat) {
	for {
		below := 2*at + 1
		if below+1 < int32(len(w.list)) && w.list[below+1].offset < w.list[below].offset {
			below++
		}
		if below >= int32(len(w.list)) || w.list[below].offset >= s.offset {
			w.put(at, s)
			return
		}
		w.put(at, w.list[below])
		at = below
	}
}

func (w *wanters) put(at int32, s seat) {
	w.list[at] = s
	s.pull.seats[s.which] = at
}
