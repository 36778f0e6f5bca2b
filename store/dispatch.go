package store

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/store/index"
	"ringmq/store/record"
)

// dispatcher is the one goroutine that turns visible records into queue entries and index keys, in the order of the log,
// and tells the listeners. It is the only writer of queues and, once the index has caught up, of the index.
//
//	at <= Visible
type dispatcher struct {
	s        *Store
	scan     scanner
	at       atomic.Int64 // everything before has been dispatched
	wake     chan struct{}
	moved    chan struct{} // one token: at has grown
	commands chan func()   // run between two records; for work that must not meet a Put
	quit     chan struct{}
	done     chan struct{}
	cancel   func() // of the subscription to Visible
	blocked  atomic.Bool
	hurried  chan struct{} // one token: somebody has begun to wait for arrivals
	pause    *time.Timer

	indexLive bool // the index has every record before at, but for keys that wait in this round
	arrival   Arrival
	known     record.Known // of the record at hand
	keys      []index.Key  // of this round, not yet in the index
	recent    recentQueues
	// next and latest run ahead of at and last within a round.
	next       int64
	latest     place
	segmentEnd int64 // of the segment that latest lies in
	blankTo    int64 // up to here the log has nothing but what follows a blank

	mu   sync.Mutex
	last place // of the last record dispatched
	// sealed holds the store time of the last record of every full segment known, by segment.
	sealed map[int64]int64
}

// place is a record's whereabouts: where it begins and ends, and when it was stored.
type place struct{ from, to, storeTime int64 }

func newDispatcher(s *Store) *dispatcher {
	return &dispatcher{s: s, wake: make(chan struct{}, 1), moved: make(chan struct{}, 1), commands: make(chan func()), hurried: make(chan struct{}, 1), quit: make(chan struct{}),
		done: make(chan struct{}), sealed: make(map[int64]int64), scan: s.newScanner(), pause: time.NewTimer(time.Hour)}
}

func (s *Store) newScanner() scanner {
	return scanner{log: s.log, segmentBytes: s.o.SegmentBytes, maxRecord: s.maxRecordBytes()}
}

func (d *dispatcher) start() {
	d.cancel = d.s.log.Visible().Subscribe(func(int64, error) { d.poke() })
	go d.run()
	d.poke()
}

func (d *dispatcher) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// end ends the goroutine; what is visible by then is dispatched first unless a queue refuses it.
func (d *dispatcher) end() {
	d.cancel()
	close(d.quit)
	<-d.done
}

// do runs fn on the dispatcher's goroutine and returns when it has run; false when the dispatcher has ended.
func (d *dispatcher) do(fn func()) bool {
	ran := make(chan struct{})
	select {
	case d.commands <- func() { fn(); close(ran) }:
		<-ran
		return true
	case <-d.done:
		return false
	}
}

func (d *dispatcher) run() {
	defer close(d.done)
	for {
		select {
		case <-d.wake:
			before := d.at.Load()
			if d.advance(); d.at.Load() > before {
				d.rest()
			}
		case fn := <-d.commands:
			d.command(fn)
		case <-d.quit:
			d.advance()
			return
		}
	}
}

// restTime is how long entries may be late while nobody waits for them.
const restTime = time.Millisecond

// rest lets records gather while nobody waits for them: to be woken for every commit costs more than the commit's messages do.
func (d *dispatcher) rest() {
	waited := d.s.waited.Load()
	if waited == nil || (*waited)() {
		return
	}
	select { // one that is from before this look
	case <-d.hurried:
	default:
	}
	if (*waited)() {
		return
	}
	d.pause.Reset(restTime)
	for {
		select {
		case <-d.pause.C:
			return
		case <-d.hurried:
		case <-d.quit:
		case fn := <-d.commands:
			d.command(fn)
			continue
		}
		d.pause.Stop()
		return
	}
}

// hurry ends the dispatcher's rest.
func (d *dispatcher) hurry() {
	select {
	case d.hurried <- struct{}{}:
	default:
	}
}

// roundRecords is how many records are dispatched between two looks at what else there is to do.
const roundRecords = 256

// advance dispatches up to what is visible now, in rounds. Commands get their turn between two.
func (d *dispatcher) advance() {
	for {
		visible := d.s.log.Visible().Load()
		whole := d.s.log.Local().Load()
		d.next = d.at.Load()
		if d.next >= visible {
			return
		}
		goesOn := true
		for turn := 0; goesOn && turn < roundRecords && d.next < visible; turn++ {
			goesOn = d.step(visible, whole)
		}
		d.endRound()
		if !goesOn {
			return
		}
		select {
		case fn := <-d.commands:
			d.command(fn)
		default:
		}
	}
}

// endRound makes what was dispatched since the last one count: its keys are in the index, and everyone may see how far the
// dispatcher has come.
func (d *dispatcher) endRound() {
	defer d.s.flushRest.end()
	d.putKeys()
	d.recent.round++
	if d.latest.to > 0 {
		d.mu.Lock()
		d.last = d.latest
		d.mu.Unlock()
	}
	if d.next <= d.at.Load() {
		return
	}
	d.at.Store(d.next)
	select {
	case d.moved <- struct{}{}:
	default:
	}
	if rounds := d.s.rounds.Load(); rounds != nil {
		for _, fn := range *rounds {
			fn()
		}
	}
}

// command runs fn between two records, with nothing half done. It may delete queues.
func (d *dispatcher) command(fn func()) {
	fn()
	d.recent.forget()
	d.s.flushRest.end()
}

// step dispatches the record at d.next, if it ends before visible, and goes over damage that does; whole is a record's end behind that.
// False: it could not be done and shall be tried again with the next wake.
func (d *dispatcher) step(visible, whole int64) bool {
	at := d.next
	if at < d.blankTo {
		d.next = min(d.blankTo, visible)
		return true
	}
	raw, after, err := d.scan.next(at, whole)
	if err == nil && d.s.log.Doubtful(at, after-at) && !d.stands(raw, at, min(after, whole)) {
		err = errBroken
	}
	if errors.Is(err, errBroken) {
		// What this process wrote a moment ago is not what it reads now, or it was copied so.
		raw, after = nil, d.scan.resync(at, whole)
	} else if err != nil {
		d.s.logger.Error("dispatch: the log cannot be read", "offset", at, "error", err)
		d.retryLater()
		return false
	} else if raw == nil {
		// It may arrive in pieces, and nothing behind the log's end is waited for: there may never be more.
		d.blankTo = after
		d.next = min(after, visible)
		return true
	}
	if after > visible {
		return false
	}
	var r record.Record
	switch {
	case raw == nil || r.Parse(raw) != nil:
		d.s.gaps.add(at, after, "rot")
	case !d.deliver(&r, raw):
		return false
	default:
		d.note(place{from: at, to: after, storeTime: r.StoreTimestamp})
	}
	d.next = after
	return true
}

// stands says whether what is doubted is what it looks like: a whole record, or a blank with no record behind it. That can be, since the
// list of doubts is bounded, and stretches behind its end take in what lies between them.
func (d *dispatcher) stands(raw []byte, at, after int64) bool {
	if raw == nil {
		return d.scan.resync(at, after) == after
	}
	return checkRecord(raw, at) == nil
}

// deliver puts one record into its queue and its keys to those of the round, and tells the listeners.
func (d *dispatcher) deliver(r *record.Record, raw []byte) bool {
	d.known.Scan(r.Properties)
	e, err := d.s.enqueue(r, raw, &d.known, &d.recent)
	for err != nil {
		d.endRound()
		if d.blocked.CompareAndSwap(false, true) {
			d.s.logger.Error("dispatch: a queue takes no entries; producers are refused until it does", "topic", string(r.Topic), "queue", r.QueueID, "error", err)
		}
		select {
		case <-d.quit:
			return false
		case fn := <-d.commands:
			d.command(fn)
		case <-time.After(100 * time.Millisecond):
		}
		e, err = d.s.enqueue(r, raw, &d.known, &d.recent)
	}
	if d.blocked.Load() {
		d.blocked.Store(false)
	}
	if d.indexLive {
		if d.keys = appendKeys(d.keys, r, &d.known); len(d.keys) >= maxRoundKeys {
			d.putKeys()
		}
	}
	if e.count > 0 {
		d.s.raiseCounter(e, r.PhysicalOffset)
		d.announce(e, r)
	}
	return true
}

// maxRoundKeys are handed to the index together. A message may have thousands.
const maxRoundKeys = 64 << 10

// putKeys brings the keys of the round so far into the index.
func (d *dispatcher) putKeys() {
	if len(d.keys) == 0 {
		return
	}
	_, err := d.s.index.PutAll(d.keys)
	d.keys = d.keys[:0]
	if err != nil {
		d.indexLive = false
		d.s.indexing.fellBehind(err)
	}
}

func (d *dispatcher) announce(e entry, r *record.Record) {
	listeners := d.s.listeners.Load()
	if listeners == nil {
		return
	}
	a := &d.arrival
	*a = Arrival{Topic: e.topic, QueueID: e.id, QueueOffset: e.offset, BatchNum: e.count, TagsCode: e.u.TagsCode,
		PhysicalOffset: e.u.Offset, Size: e.u.Size, StoreTimestamp: r.StoreTimestamp, Properties: r.Properties}
	for _, fn := range *listeners {
		fn(a)
	}
}

// note remembers the last record, and the store time at which a segment became full. The others see the record at the end
// of the round.
func (d *dispatcher) note(p place) {
	if p.from >= d.segmentEnd || p.from < d.latest.from {
		segment := d.s.o.SegmentBytes
		rolled := d.latest.to > 0 && d.latest.from/segment != p.from/segment
		if rolled {
			d.mu.Lock()
			d.sealed[d.latest.from/segment*segment] = d.latest.storeTime
			d.mu.Unlock()
			d.s.wakeRetention()
		}
		d.segmentEnd = p.from - p.from%segment + segment
	}
	d.latest = p
}

// earliestBehind is the earliest store time known of what lies behind a segment that is full and dispatched: of full segments, and of the last
// record.
func (d *dispatcher) earliestBehind(segment int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := int64(math.MaxInt64)
	if d.last.to > 0 {
		t = d.last.storeTime
	}
	for other, stored := range d.sealed {
		if other > segment {
			t = min(t, stored)
		}
	}
	return t
}

func (d *dispatcher) lastPlace() place {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// retryLater wakes the dispatcher again soon.
func (d *dispatcher) retryLater() { time.AfterFunc(100*time.Millisecond, d.poke) }

// DispatchBehindBytes is how much of the visible log the queues do not know yet.
func (s *Store) DispatchBehindBytes() int64 {
	return max(0, s.log.Visible().Load()-s.dispatch.at.Load())
}
