package broker

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"ringmq/broker/lag"
)

const (
	lagFarBytes  = 64 << 20        // of the log that consumers cannot see yet
	lagLate      = 5 * time.Second // and for so long, however few they are
	lagSlowRead  = time.Second     // of a pull, until a worker has read for it
	lagMarks     = 64              // looks that are remembered of what waits
	lagReadShare = 2               // pulls waited for the disk for one part in so many of the time
)

// slowness is why all groups may be behind: the broker itself, or its slaves.
type slowness struct {
	cause    string
	evidence []string
	hides    bool          // it keeps messages from being seen; a group that has others to consume is behind for reasons of its own
	waits    time.Duration // the oldest of them for so long, as far as was looked
}

// logState is how far the log has come at one moment.
//
//	queued <= seen <= safe <= end
type logState struct {
	end, safe, seen, queued int64 // appended; on disk, as far as flushDiskType asks for that; for consumers to see; in their queues
	waits                   struct{ disk, slaves, queues time.Duration }
	engine                  string
}

// logMark is where the log ended at a look.
type logMark struct {
	at  time.Time
	end int64
}

// logNow looks at the log, and for how long what was in it at earlier looks waits.
func (w *lagWatch) logNow(now time.Time) (l logState) {
	s := w.b.store
	l.engine = s.Engine()
	l.queued, l.seen, l.safe, l.end = s.Dispatched(), s.Visible().Load(), s.Sendable().Load(), s.LogMax() // in this order: nothing seems to wait that does not
	since := func(to int64) time.Duration {
		if i := slices.IndexFunc(w.marks, func(m logMark) bool { return m.end > to }); i >= 0 {
			return now.Sub(w.marks[i].at)
		}
		return 0
	}
	l.waits.disk = since(l.safe)
	if l.seen < l.safe {
		l.waits.slaves = since(l.seen)
	}
	if l.queued < l.seen {
		l.waits.queues = since(l.queued)
	}
	w.marks = slices.DeleteFunc(w.marks, func(m logMark) bool { return m.end <= l.queued })
	if len(w.marks) < lagMarks {
		w.marks = append(w.marks, logMark{now, l.end})
	}
	return l
}

func (w *lagWatch) slowBroker(now time.Time) slowness {
	b := w.b
	l := w.logNow(now)
	if err := b.failed(); err != nil {
		return slowness{cause: lag.BrokerSlow, evidence: []string{"the log takes no more messages: " + err.Error()}}
	}
	return l.slow(b.lackingSlave())
}

// lackingSlave tells of the slave that is furthest behind; "": none is.
func (b *Broker) lackingSlave() string {
	if b.replication.leader == nil {
		return ""
	}
	worst, far := "", int64(0)
	for _, s := range b.replication.leader.Slaves() {
		if lacks := b.store.LogMax() - s.AckOffset; lacks > far {
			worst, far = fmt.Sprintf("the slave at %s lacks %d bytes and gets %d a second", s.Addr, lacks, s.BytesPerSecond), lacks
		}
	}
	return worst
}

// slow judges the log; slave: what lackingSlave says.
func (l *logState) slow(slave string) slowness {
	late := func(bytes int64, waits time.Duration, cause, text string, more ...string) slowness {
		if bytes < lagFarBytes && waits < lagLate {
			return slowness{}
		}
		text = fmt.Sprintf(text, bytes)
		if waits > 0 {
			text += fmt.Sprintf(", for %s at least", waits.Round(time.Second))
		}
		return slowness{cause: cause, evidence: append(more, text), hides: true, waits: waits}
	}
	if s := late(l.end-l.safe, l.waits.disk, lag.BrokerSlow, "%d bytes of the log are not on disk yet (engine "+l.engine+")"); s.cause != "" {
		return s
	}
	if slave != "" {
		if s := late(l.safe-l.seen, l.waits.slaves, lag.ReplicationSlow, "%d bytes of the log wait for slaves before consumers may see them", slave); s.cause != "" {
			return s
		}
	}
	return late(l.seen-l.queued, l.waits.queues, lag.BrokerSlow, "%d bytes of the log are not in their queues yet")
}

// readWaits is for how long pulls wait until workers have read for them. Any goroutine; for pulls that need one only.
type readWaits struct {
	mu    sync.Mutex
	last  time.Duration // Broker.uptime of the last look
	under map[lag.Key][]time.Duration
	over  map[lag.Key]readWait
}

// readWait are the waits of a group's pulls of a topic since the last look.
type readWait struct {
	sum, longest time.Duration
	still        bool // one is not over
}

func (r *readWait) add(began, now, last time.Duration) {
	r.sum += now - max(began, last)
	r.longest = max(r.longest, now-began)
}

// begin says that a pull waits from a time of Broker.uptime on, until over is called with another one.
func (r *readWaits) begin(k lag.Key, at time.Duration) (over func(now time.Duration)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.under == nil {
		r.under, r.over = map[lag.Key][]time.Duration{}, map[lag.Key]readWait{}
	}
	r.under[k] = append(r.under[k], at)
	return func(now time.Duration) { r.end(k, at, now) }
}

func (r *readWaits) end(k lag.Key, began, now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.under[k]
	i := slices.Index(all, began)
	if all = slices.Delete(all, i, i+1); len(all) == 0 {
		delete(r.under, k)
	} else {
		r.under[k] = all
	}
	w := r.over[k]
	w.add(began, now, r.last)
	r.over[k] = w
}

// look returns what pulls have waited since the last look, and how long ago that was.
func (r *readWaits) look(now time.Duration) (all map[lag.Key]readWait, since time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, since = r.over, now-r.last
	for k, list := range r.under {
		w := all[k]
		for _, began := range list {
			w.add(began, now, r.last)
		}
		w.still = true
		all[k] = w
	}
	if r.under != nil {
		r.over = map[lag.Key]readWait{}
	}
	r.last = now
	return all, since
}

// slowReads says whether a group is behind because the disk gives it its messages slowly.
func (w *lagWatch) slowReads(s *lag.State) (evidence string, slow bool) {
	r := w.reads[lag.Key{Group: s.Group, Topic: s.Topic}]
	if r.longest < lagSlowRead || r.sum*lagReadShare < w.readsFor || s.Out > s.In {
		return "", false
	}
	text := fmt.Sprintf("in the last %s its pulls waited for the disk for %s together, one of them %s", w.readsFor.Round(time.Second), r.sum.Round(100*time.Millisecond), r.longest.Round(100*time.Millisecond))
	if r.still {
		text += "; the disk is not done"
	}
	return text, true
}
