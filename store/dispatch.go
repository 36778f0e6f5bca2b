package store

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/store/queue"
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
	commands chan func() // run between two records; for work that must not meet a Put
	quit     chan struct{}
	done     chan struct{}
	cancel   func() // of the subscription to Visible
	blocked  atomic.Bool

	indexLive bool // the index has every record before at
	arrival   Arrival
	known     record.Known // of the record at hand

	mu   sync.Mutex
	last place // of the last record dispatched
	// sealed holds the store time of the last record of every full segment known, by segment.
	sealed map[int64]int64
}

// place is a record's whereabouts: where it begins and ends, and when it was stored.
type place struct{ from, to, storeTime int64 }

func newDispatcher(s *Store) *dispatcher {
	return &dispatcher{s: s, wake: make(chan struct{}, 1), commands: make(chan func()), quit: make(chan struct{}),
		done: make(chan struct{}), sealed: make(map[int64]int64), scan: s.newScanner()}
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
			d.advance()
		case fn := <-d.commands:
			fn()
		case <-d.quit:
			d.advance()
			return
		}
	}
}

// advance dispatches up to what is visible now. Commands get their turn between two chunks of the log.
func (d *dispatcher) advance() {
	defer d.roundEnded()
	for {
		visible := d.s.log.Visible().Load()
		if d.at.Load() >= visible {
			return
		}
		for turn := 0; turn < 256 && d.at.Load() < visible; turn++ {
			if !d.step(visible) {
				return
			}
		}
		select {
		case fn := <-d.commands:
			fn()
		default:
		}
	}
}

// step dispatches the record at d.at. False: it could not be done and shall be tried again with the next wake.
func (d *dispatcher) step(visible int64) bool {
	at := d.at.Load()
	raw, after, err := d.scan.next(at, visible)
	if errors.Is(err, errBroken) {
		// What this process wrote a moment ago is not what it reads now.
		after = d.scan.resync(at, visible)
		d.s.gaps.add(at, after, "rot")
	} else if err != nil {
		d.s.logger.Error("dispatch: the log cannot be read", "offset", at, "error", err)
		d.retryLater()
		return false
	}
	if raw != nil {
		var r record.Record
		if err := r.Parse(raw); err != nil {
			d.s.gaps.add(at, after, "rot")
		} else if !d.deliver(&r) {
			return false
		}
		d.note(place{from: at, to: after, storeTime: r.StoreTimestamp})
	}
	d.at.Store(after)
	return true
}

// deliver puts one record into its queue and the index and tells the listeners.
func (d *dispatcher) deliver(r *record.Record) bool {
	d.known.Scan(r.Properties)
	e, err := d.s.enqueue(r, &d.known)
	for err != nil {
		if d.blocked.CompareAndSwap(false, true) {
			d.s.logger.Error("dispatch: a queue takes no entries; producers are refused until it does", "topic", string(r.Topic), "queue", r.QueueID, "error", err)
		}
		select {
		case <-d.quit:
			return false
		case fn := <-d.commands:
			fn()
		case <-time.After(100 * time.Millisecond):
		}
		e, err = d.s.enqueue(r, &d.known)
	}
	d.blocked.Store(false)
	if d.indexLive {
		if err := d.s.indexRecord(r, &d.known); err != nil {
			d.indexLive = false
			d.s.indexing.fellBehind(err)
		}
	}
	if e.count > 0 {
		d.announce(e, r)
	}
	return true
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

// note remembers the last record, and the store time at which a segment became full.
func (d *dispatcher) note(p place) {
	d.mu.Lock()
	segment := d.s.o.SegmentBytes
	rolled := d.last.to > 0 && d.last.from/segment != p.from/segment
	if rolled {
		d.sealed[d.last.from/segment*segment] = d.last.storeTime
	}
	d.last = p
	d.mu.Unlock()
	if rolled {
		d.s.wakeRetention()
	}
}

func (d *dispatcher) lastPlace() place {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// retryLater wakes the dispatcher again soon.
func (d *dispatcher) retryLater() { time.AfterFunc(100*time.Millisecond, d.poke) }

// entry is what a queue got for a record; count is 0 for a record that has no entry.
type entry struct {
	topic  string
	id     int32
	offset int64 // queue offset
	count  int32 // messages
	u      record.QueueUnit
}

// enqueue puts a record's entry into its queue; k is what is known of its properties. Prepared and rolled back records have none, and those of a topic deleted
// since.
func (s *Store) enqueue(r *record.Record, k *record.Known) (entry, error) {
	kind := r.SysFlag & record.SysFlagTransaction
	if kind == record.SysFlagPrepared || kind == record.SysFlagRollback || s.graves.holds(r.Topic, r.PhysicalOffset) {
		return entry{}, nil
	}
	u := record.QueueUnit{Offset: r.PhysicalOffset, Size: r.TotalSize, TagsCode: s.tagsCode(r, k)}
	if r.SysFlag&record.SysFlagInnerBatch != 0 || s.batches.takes(r.Topic) {
		return s.putBatch(r, u)
	}
	q := s.queues.Lookup(r.Topic, r.QueueID)
	if q == nil {
		q = s.queues.Queue(string(r.Topic), r.QueueID)
	}
	if !fitsQueue(q, r) {
		s.gaps.add(r.PhysicalOffset, r.PhysicalOffset+int64(r.TotalSize), "rot")
		return entry{}, nil
	}
	return entry{topic: q.Topic(), id: q.ID(), offset: r.QueueOffset, count: 1, u: u}, q.Put(r.QueueOffset, u)
}

// fitsQueue says whether a record's queue offset can be true. Without the checksum property nothing else guards it, and a
// flipped bit must not make a queue of blanks: between two records of a queue there is room for so many others only.
func fitsQueue(q *queue.Queue, r *record.Record) bool {
	if r.QueueOffset < 0 {
		return false
	}
	high, last := q.Max(), q.MaxPhysical()
	return high == 0 || last <= 0 || r.PhysicalOffset < last || r.QueueOffset <= high+(r.PhysicalOffset-last)/record.MinRecordBytes
}

// tagsCode is what the queue entry says about a record: the hash of its tags, or, for a message waiting for its delay
// level, the time at which it is due.
func (s *Store) tagsCode(r *record.Record, k *record.Known) int64 {
	if string(r.Topic) == DelayTopic {
		if level := parseDecimal(k.Delay); level > 0 {
			return r.StoreTimestamp + s.delayMs(level)
		}
	}
	return record.TagsCode(k.Tags)
}

// delayMs is the delay of a level, capped at the highest; a second for a level that is not there.
func (s *Store) delayMs(level int) int64 {
	n := len(s.o.DelayLevels)
	if n == 0 {
		return 1000
	}
	return s.o.DelayLevels[min(level, n)-1].Milliseconds()
}

// parseDecimal reads digits; anything else, and anything beyond nine digits, is 0.
func parseDecimal(b []byte) int {
	if len(b) == 0 || len(b) > 9 {
		return 0
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// DispatchBehindBytes is how much of the visible log the queues do not know yet.
func (s *Store) DispatchBehindBytes() int64 {
	return max(0, s.log.Visible().Load()-s.dispatch.at.Load())
}
