package delay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	"ringmq/store"
)

// Options of a Service. Store must be set.
type Options struct {
	Store  *store.Store
	Levels []time.Duration // messageDelayLevel; nil: store.DefaultDelayLevels
	// Deliver appends a due message to its real topic; nil: Store.Append. An error holds the level back and is retried,
	// but for store.ErrTooLarge and store.ErrMalformed. The message is borrowed until Deliver returns.
	Deliver func(m *store.Message) (store.Placed, error)
	// Delivered is called for every message that was delivered, with its real topic, which is borrowed, and its size; nil: not.
	Delivered func(topic []byte, bytes int64)
	// Clock is time.Now unless set.
	Clock  func() time.Time
	Logger *slog.Logger
}

const (
	// saveInterval is how often progress is written while there is any (flushDelayOffsetInterval).
	saveInterval = 10 * time.Second
	// durableLook is how often it is looked whether what was noted may be written: messages do not wait for a sync that others are in no hurry for.
	durableLook = 100 * time.Millisecond
	// longestSleep bounds how late a clock that was set forward is noticed while messages wait.
	longestSleep = 5 * time.Second
	retryAfter   = time.Second
	roomAfter    = 5 * time.Millisecond
	healAfter    = 100 * time.Millisecond // a damaged message that a copy may have
	// updatesPerVersion is how many updates make a new data version.
	updatesPerVersion = 200
)

// Service is the goroutine that delivers. One per store, on a master only.
//
// It sleeps until the first message of any level is due. An arrival wakes it only where a level had nothing to wait for:
// messages of one level come due in the order in which they were stored.
type Service struct {
	o      Options
	topic  []byte
	wake   chan struct{}
	stop   context.Context
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	started bool
	levels  []level
	beyond  map[string]int64 // of the document, what it says of levels that are not configured: they may be again
	version dataVersion
	updates int64
	changed bool // since the last note
	unsaved time.Time
	noted   *note  // of the goroutine that delivers
	taken   []byte // a master's document as it was saved last
}

// level is one delay level: everything of its queue before next has been delivered.
type level struct {
	delay time.Duration
	next  int64
	idle  bool      // nothing waits: an arrival must wake the service
	retry time.Time // not before, after an error
}

// New loads delayOffset.json and listens for arrivals; call it before the first Append.
func New(o Options) (*Service, error) {
	if o.Levels == nil {
		o.Levels = store.DefaultDelayLevels()
	}
	if o.Deliver == nil {
		o.Deliver = o.Store.Append
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s := &Service{o: o, topic: []byte(store.DelayTopic), wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.stop, s.cancel = context.WithCancel(context.Background())
	if err := s.load(); err != nil {
		return nil, err
	}
	o.Store.OnArrive(s.arrived)
	return s, nil
}

func (s *Service) load() error {
	var d document
	_, err := s.o.Store.ReadDoc(store.DocDelayOffsets, func(b []byte) (err error) {
		d, err = parseDocument(b)
		return err
	})
	if err != nil {
		return fmt.Errorf("load delay offsets: %w", err)
	}
	s.version, s.beyond = d.DataVersion, d.beyond(len(s.o.Levels))
	s.levels = make([]level, len(s.o.Levels))
	for i := range s.levels {
		next := d.OffsetTable[strconv.Itoa(i+1)]
		low, high := s.o.Store.MinOffset(s.topic, int32(i)), s.o.Store.MaxOffset(s.topic, int32(i))
		if fit := max(low, min(next, high)); fit != next {
			s.o.Logger.Warn("delay: progress of a level lay outside its queue", "level", i+1, "was", next, "now", fit)
			next = fit
		}
		s.levels[i] = level{delay: s.o.Levels[i], next: next}
	}
	return nil
}

// arrived runs on the store's dispatcher.
func (s *Service) arrived(a *store.Arrival) {
	if a.Topic != store.DelayTopic {
		return
	}
	s.mu.Lock()
	idle := int(a.QueueID) < len(s.levels) && s.levels[a.QueueID].idle
	if idle {
		s.levels[a.QueueID].idle = false
	}
	s.mu.Unlock()
	if idle {
		s.poke()
	}
}

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Start begins to deliver. Once, and not after Close.
func (s *Service) Start() {
	s.mu.Lock()
	s.started = true
	s.mu.Unlock()
	go s.run()
}

// Close stops delivering and saves the offsets; a service that was never started has nothing to stop. Call it before the store's
// Close.
func (s *Service) Close(ctx context.Context) error {
	s.cancel()
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	if !started {
		return nil
	}
	select {
	case <-s.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.save(ctx)
}

func (s *Service) run() {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	w := newWorker(s)
	for {
		select {
		case <-timer.C:
		case <-s.wake:
		case <-s.stop.Done():
			return
		}
		next := w.round()
		if sleep, ok := s.sleepUntil(next); ok {
			timer.Reset(sleep)
		} else {
			timer.Stop()
		}
	}
}

// sleepUntil is how long to sleep: until the first message is due or progress has to be saved. ok is false when neither
// will happen without an arrival.
func (s *Service) sleepUntil(next time.Time) (d time.Duration, ok bool) {
	now := s.o.Clock()
	if s.noted == nil && s.saveDue(now) {
		s.noted = s.note()
	}
	d = longestSleep
	switch n := s.noted; {
	case n == nil:
	case s.o.Store.Durable().Load() < n.end:
		d, ok = durableLook, true
	default:
		s.noted = nil
		if err := s.write(n); err != nil {
			s.o.Logger.Error("delay: progress cannot be saved, trying again", "error", err)
		}
	}
	if !next.IsZero() {
		d, ok = min(d, max(0, next.Sub(now))), true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed {
		d, ok = min(d, max(time.Millisecond, s.unsaved.Add(saveInterval).Sub(now))), true
	}
	return d, ok
}

func (s *Service) saveDue(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed && now.Sub(s.unsaved) >= saveInterval
}

// note is progress that may be written once the log is durable up to an offset: a crash may deliver again, never leave out.
type note struct {
	document []byte
	end      int64
}

// note takes down what has not been saved, nil when nothing has changed.
func (s *Service) note() *note {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.changed {
		return nil
	}
	s.changed, s.unsaved = false, s.o.Clock()
	return &note{document: s.document().encode(), end: s.o.Store.LogMax()}
}

// write saves what was noted. What could not be written has to be noted again.
func (s *Service) write(n *note) error {
	err := s.o.Store.SaveDoc(store.DocDelayOffsets, n.document)
	if err != nil {
		s.mu.Lock()
		s.changed = true
		s.mu.Unlock()
		return fmt.Errorf("save delay offsets: %w", err)
	}
	return nil
}

// save writes all progress, when nothing is delivered any more.
func (s *Service) save(ctx context.Context) error {
	n := s.note()
	if n == nil {
		n = s.noted
	}
	if n == nil {
		return nil
	}
	if err := s.o.Store.Durable().Wait(ctx, n.end); err != nil {
		return fmt.Errorf("save delay offsets: %w", err)
	}
	return s.write(n)
}

// advanced notes that everything of a level before next has been delivered.
func (s *Service) advanced(i int, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.levels[i].next = next
	if !s.changed {
		s.changed, s.unsaved = true, s.o.Clock()
	}
	if s.updates++; s.updates%updatesPerVersion == 0 {
		s.version.Counter++
		s.version.Timestamp = s.o.Clock().UnixMilli()
	}
}

func (s *Service) document() document {
	d := document{DataVersion: s.version, OffsetTable: make(map[string]int64)}
	maps.Copy(d.OffsetTable, s.beyond)
	for i := range s.levels {
		if s.levels[i].next > 0 {
			d.OffsetTable[strconv.Itoa(i+1)] = s.levels[i].next
		}
	}
	return d
}

// Document is delayOffset.json as it would be written now (the answer to GET_ALL_DELAY_OFFSET).
func (s *Service) Document() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.document().encode()
}

// Progress is how far one level has come.
type Progress struct {
	Level int
	Next  int64 // next queue offset to deliver
	Max   int64 // queue offset behind the last waiting message
}

// Progress lists the levels that have or had messages, by level; scheduleMessageOffset_N of code 28 is "Next,Max".
func (s *Service) Progress() []Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Progress
	for i := range s.levels {
		if high := s.o.Store.MaxOffset(s.topic, int32(i)); high > 0 || s.levels[i].next > 0 {
			list = append(list, Progress{Level: i + 1, Next: s.levels[i].next, Max: high})
		}
	}
	return list
}

// permanent says that trying again cannot help.
func permanent(err error) bool {
	return errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrMalformed)
}
