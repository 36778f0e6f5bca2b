package meta

import "ringmq/netpoll/remoting"

// A slave's table is its master's, with what was committed at the slave while the master did not hear of it. Which of two values is the
// newer one is decided as docs/adr/0006-offsets-that-survive.md says.

// BeSlave makes the table a slave's. Before the first commit.
func (o *Offsets) BeSlave() { o.slave = true }

// BeMaster makes the table, which may have been a slave's, a master's. Before the first commit. What it was read from may have the version
// of an older table: a stock broker gives it a new one once in 500 commits only. So this one gets its own before a slave hears of it.
func (o *Offsets) BeMaster() {
	o.slave, o.master = false, ""
	o.dirty.Store(true)
	o.each(func(_, _ string, q *progress) { q.local = nil })
}

// nothing is what the master had where it had no progress.
const nothing = -1

// keepLocal notes that progress is about to be committed at this slave. Under the part's lock.
func (q *progress) keepLocal(queue int32, offset int64) {
	if _, ok := q.local[queue]; ok {
		return
	}
	had, ok := q.committed[queue]
	if !ok {
		had = nothing
	} else if had == offset {
		return
	}
	if q.local == nil {
		q.local = map[int32]int64{}
	}
	q.local[queue] = had
}

// Offer is progress that a slave has and its master does not.
type Offer struct {
	Group, Topic string
	Queue        int32
	Offset       int64
	Known        int64 // counter of the version of the master's table that the slave knows
}

// Mirror makes the table that of the master, but for what was committed here and is newer: that is returned, for the master to take.
// gone says that the master's process was not there at some time since the table was taken last.
func (o *Offsets) Mirror(m *OffsetsDoc, gone bool) []Offer {
	theirs := m.ours()
	o.mu.Lock()
	known := o.version.Counter
	lost := gone || m.DataVersion.Counter < known || o.master != "" && theirs.Run != o.master && theirs.Loaded < known
	o.mu.Unlock()
	mirror := mirroring{m: m, known: known, lost: lost, resets: theirs.Resets}
	for key := range m.OffsetTable {
		if topic, group, ok := cutKey(key); ok {
			p := o.part(group)
			p.mu.Lock()
			mirror.take(p.make([]byte(group), []byte(topic)), key, group, topic)
			p.mu.Unlock()
		}
	}
	for i := range o.parts {
		p := &o.parts[i]
		p.mu.Lock()
		for group, topics := range p.groups {
			for topic, q := range topics {
				if _, both := m.OffsetTable[topic+"@"+group]; !both {
					mirror.take(q, topic+"@"+group, group, topic)
				}
				if len(q.committed) == 0 {
					o.drop(topics, topic)
				}
			}
			if len(topics) == 0 {
				delete(p.groups, group)
			}
		}
		p.mu.Unlock()
	}
	o.buried.set(theirs.Deleted)
	o.mu.Lock()
	o.version, o.master = m.DataVersion, theirs.Run
	o.mu.Unlock()
	return mirror.offers
}

// mirroring is a table of the master on its way into the slave's.
type mirroring struct {
	m      *OffsetsDoc
	known  int64 // counter of the master's version that this slave knew so far
	lost   bool  // the master may have lost what it had told this slave
	resets map[string]map[int32]int64
	offers []Offer
}

// take takes over a group's progress in a topic. Under the part's lock.
func (r *mirroring) take(q *progress, key, group, topic string) {
	theirs, resets := r.m.OffsetTable[key], r.resets[key]
	for queue, ours := range q.committed {
		value, there := theirs[queue]
		reset, wasReset := resets[queue]
		if !r.keeps(q, queue, ours, value, there, wasReset && reset >= r.known) {
			delete(q.local, queue)
			if !there {
				delete(q.committed, queue)
			}
			continue
		}
		r.offers = append(r.offers, Offer{Group: group, Topic: topic, Queue: queue, Offset: ours, Known: r.known})
	}
	for queue, value := range theirs {
		if _, kept := q.local[queue]; !kept {
			q.committed[queue] = value
		}
	}
	q.resets = resets
}

// keeps says whether what this slave has is newer than what the master has.
func (r *mirroring) keeps(q *progress, queue int32, ours, theirs int64, there, reset bool) bool {
	had, local := q.local[queue]
	switch {
	case reset, there && theirs >= ours:
		return false
	case r.lost:
		// The master forgot: what is here was committed, at the master or here.
		if !there {
			theirs = nothing
		}
		if q.local == nil {
			q.local = map[int32]int64{}
		}
		q.local[queue] = theirs
		return true
	case !local:
		return false
	case !there:
		return had == nothing // otherwise it was deleted there
	}
	return theirs >= had // below: set back at the master
}

// Settled says that the master has answered an offer: it took it, or it knows better, and what it has then counts.
func (o *Offsets) Settled(offer Offer) {
	p := o.part(offer.Group)
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.find([]byte(offer.Group), []byte(offer.Topic)); q != nil && q.committed[offer.Queue] == offer.Offset {
		delete(q.local, offer.Queue)
	}
}

// HasLocal says whether something was committed here that the master does not have yet.
func (o *Offsets) HasLocal() (has bool) {
	o.each(func(_, _ string, q *progress) { has = has || len(q.local) > 0 })
	return has
}

// Known is the version of the master's table that this slave took last.
func (o *Offsets) Known() remoting.DataVersion { return o.Version() }
