package store

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/store/commitlog"
	"ringmq/store/disk"
	"ringmq/store/index"
	"ringmq/store/queue"
	"ringmq/store/record"
)

// Watermark is a number that only grows and the parties waiting for it.
type Watermark = commitlog.Watermark

// Store is an open store directory.
type Store struct {
	o      Options
	fs     disk.FS
	logger *slog.Logger
	boot   time.Time

	lock   io.Closer
	ring   disk.Ring
	engine string // why this engine was chosen

	log      *commitlog.Log
	queues   *queue.Set
	batches  batchSet
	index    *index.Index // nil: no key index
	counters counters
	graves   graves
	history  atomic.Uint64
	docs     documents
	gaps     gaps
	mender   mender

	windows    windows
	cold       coldReads
	pace       coldPacer
	reads      readCounters
	readsAlone atomic.Bool // SetReadAhead(false)

	checkpoint *checkpoint // recovery, then the flusher, then Close
	dispatch   *dispatcher
	indexing   *indexer
	recovered  recovery
	left       *ends // by the last run; until recovery is over
	earliest   atomic.Pointer[earliest]

	limits    atomic.Pointer[Limits]
	retention atomic.Pointer[Retention]
	space     spaceState
	puts      putCounters

	cleaning        sync.Mutex // one round of retention at a time
	unaged          int64      // under cleaning: of the segment before this offset it was said that its age cannot be told
	deletedSegments atomic.Int64
	flushFailures   atomic.Int64
	flushFailing    atomic.Bool
	flushRest       flushRest

	copied  atomic.Int64 // the end of what AppendCopy took in this run
	blankTo int64        // of AppendCopy: up to here the log has nothing but what follows a blank

	listeners atomic.Pointer[[]func(*Arrival)]
	rounds    atomic.Pointer[[]func()]
	waited    atomic.Pointer[func() bool]
	closing   atomic.Bool // no new messages
	closeOnce sync.Once
	closeErr  error

	// stop ends the flusher, the index follower and retention; background counts them.
	stop       context.Context
	stopAll    context.CancelFunc
	background sync.WaitGroup
	cleanNow   chan struct{}
	badPlaces  chan int64
}

// Open opens the store in o.Root, which is created if it is not there: it takes the lock (ErrLocked), looks at what the
// last run left, repairs what has to be repaired, and returns when every queue agrees with the log. The key index may
// still be catching up behind it.
func Open(o Options) (_ *Store, err error) {
	if o.Root == "" {
		return nil, fmt.Errorf("open store: no root folder given")
	}
	o = o.withDefaults()
	s := &Store{o: o, fs: o.FS, logger: o.Logger, boot: o.Clock(), cleanNow: make(chan struct{}, 1), badPlaces: make(chan int64, badPlaces), flushRest: flushRest{stir: make(chan struct{}, 1)}}
	s.counters.init()
	s.gaps.logger, s.gaps.clock = o.Logger, o.Clock
	s.docs.fs, s.docs.dir, s.docs.logger = o.FS, o.Root+"/config", o.Logger
	s.limits.Store(&o.Limits)
	s.retention.Store(&o.Retention)
	s.stop, s.stopAll = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			s.giveUp()
			err = fmt.Errorf("open store %s: %w", o.Root, err)
		}
	}()
	if err := s.makeFolders(); err != nil {
		return nil, err
	}
	if s.lock, err = takeLock(s.fs, o.Root); err != nil {
		return nil, err
	}
	if err := s.refuseOthers(); err != nil {
		return nil, err
	}
	crashed, err := markAbort(s.fs, o.Root)
	if err != nil {
		return nil, err
	}
	if err := s.openParts(crashed); err != nil {
		return nil, err
	}
	if err := s.recover(crashed); err != nil {
		return nil, err
	}
	if o.BatchTopic != nil {
		s.batches.listed = nil
	}
	s.EarliestMessageTime() // who looks at figures finds it known, and does not wait for the disk
	s.start()
	return s, nil
}

// makeFolders makes the folders a stock broker would make, and ours beside them.
func (s *Store) makeFolders() error {
	root := s.o.Root
	for _, dir := range []string{root, s.o.CommitLogDir, root + "/consumequeue", root + "/index", root + "/config", root + "/ringmq"} {
		if err := s.fs.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if work := s.workDir(); work != root+"/ringmq" {
		if err := s.fs.MkdirAll(work, 0o755); err != nil {
			return err
		}
	}
	return s.fs.SyncDir(root)
}

// workDir is the folder for what is ours on the log's file system, which may be another one than the root's.
func (s *Store) workDir() string {
	return commitlog.WorkDir(s.fs, s.o.CommitLogDir, s.o.Root+"/ringmq")
}

func (s *Store) openParts(crashed bool) (err error) {
	o := s.o
	if s.checkpoint, err = openCheckpoint(s.fs, o.Root, s.logger); err != nil {
		return err
	}
	if err := s.graves.load(s.fs, o.Root+"/ringmq", s.logger); err != nil {
		return err
	}
	if err := s.loadHistory(); err != nil {
		return err
	}
	if s.ring, s.engine, err = disk.NewRing(o.Engine, s.fs, s.workDir(), o.Root+"/ringmq", ringDepth); err != nil {
		return err
	}
	s.log, err = commitlog.Open(commitlog.Options{
		Dir: o.CommitLogDir, StateDir: o.Root + "/ringmq", FS: s.fs, Ring: s.ring,
		SegmentBytes: o.SegmentBytes, TailBytes: o.TailBytes, SyncFlush: o.SyncFlush, Foreign: s.checkpoint.foreign(),
		Clock: func() int64 { return o.Clock().UnixMilli() }, Spares: o.Spares, Logger: s.logger,
		Unreadable: s.unreadable,
		Committed:  func(waited time.Duration, bytes int64) { s.pace.committed(time.Now(), waited, bytes) },
	})
	if err != nil {
		return err
	}
	s.windows.init(s.log, o.SegmentBytes)
	s.pace.init(s.log.Waited, o.ColdReadMinBytes)
	s.cold.init(func() disk.Ring { return disk.NewReadRing(o.Engine, s.fs, coldDepth) }, &s.pace, s.logger)
	if s.left, err = s.loadEnds(); err != nil {
		return err
	}
	fileWas := 0
	if s.left != nil {
		fileWas = s.left.QueueFile
	}
	queues := queue.Options{
		Dir: o.Root + "/consumequeue", FS: s.fs, FileBytes: o.QueueFileBytes, MaxOpenFiles: o.MaxOpenFiles,
		BufferBytes: o.QueueBufferBytes, HotEntries: o.HotEntries, Logger: s.logger, DurableTo: s.durableQueues(crashed),
		FileWas: fileWas, LogEnd: s.log.Max(), MinRecord: record.MinRecordBytes, SyncAllFrom: o.syncAllFrom, BelongsElsewhere: s.belongsElsewhere,
	}
	if s.queues, err = queue.Open(queues); err != nil {
		return err
	}
	s.batches.listed = s.docs.batchTopics()
	if err := s.batches.open(queues, o.Root+"/batchconsumequeue", o.BatchQueueBytes, o.BatchTopic); err != nil {
		return err
	}
	if !o.IndexEnabled {
		return nil
	}
	s.index, err = index.Open(index.Options{Dir: o.Root + "/index", State: o.Root + "/ringmq", FS: s.fs, Slots: o.IndexSlots, Entries: o.IndexEntries,
		Logger: s.logger, Location: o.Location, Clock: o.Clock, StoreTime: s.log.StoreTime})
	return err
}

// durableQueues is the physical offset up to which the queues' files are known to be durable.
func (s *Store) durableQueues(crashed bool) int64 {
	if !crashed {
		return math.MaxInt64
	}
	return max(0, s.checkpoint.current.ReplayFrom)
}

// ringDepth is how many operations may be in flight on the log's ring.
const ringDepth = 64

// start begins the goroutines of the store. The log and the queues agree at this point.
func (s *Store) start() {
	s.memoryBytes()
	s.checkSpace()
	s.queues.OnDamage(s.mendQueue)
	s.dispatch.start()
	s.goBackground(s.flush)
	s.goBackground(s.checkQueues)
	s.goBackground(s.writeQueues)
	s.goBackground(s.noteUnreadable)
	if s.index != nil {
		s.goBackground(s.indexing.catchUp)
		s.goBackground(s.tendIndex)
	}
	if !s.o.DisableRetention {
		s.goBackground(s.retain)
	}
}

func (s *Store) goBackground(fn func()) {
	s.background.Add(1)
	go func() {
		defer s.background.Done()
		fn()
	}()
}

// giveUp closes what Open had opened when it failed. The abort file stays.
func (s *Store) giveUp() {
	s.stopAll()
	s.closeReads()
	if s.log != nil {
		_ = s.log.Close(context.Background())
	}
	if s.queues != nil {
		_ = s.queues.Close()
	}
	_ = s.batches.close()
	if s.index != nil {
		_ = s.index.Close()
	}
	if s.ring != nil {
		_ = s.ring.Close()
	}
	if s.lock != nil {
		_ = s.lock.Close()
	}
}

// Room calls fn once, on any goroutine, when there is room again after ErrFull.
func (s *Store) Room(fn func()) { s.log.Room(fn) }

// Visible is the offset up to which records may be acknowledged and read: Sendable, as far as Confirm lets it.
func (s *Store) Visible() *Watermark { return s.log.Visible() }

// Sendable is the offset up to which the log may be copied, since this store alone will not lose it: Durable under SyncFlush, Written
// otherwise. It is where a record ends.
func (s *Store) Sendable() *Watermark { return s.log.Local() }

// Confirm bounds Visible: nothing beyond limit becomes visible until a higher limit is given. math.MaxInt64, as in the beginning, is no
// bound. What is visible stays so. What watches Visible may run inside. Any goroutine.
func (s *Store) Confirm(limit int64) { s.log.Confirm(limit) }

// Written is the offset up to which the log is in the file.
func (s *Store) Written() *Watermark { return s.log.Written() }

// Durable is the offset up to which the log is synced.
func (s *Store) Durable() *Watermark { return s.log.Durable() }

// LogMin is the offset of the first byte of the log.
func (s *Store) LogMin() int64 { return s.log.Min() }

// LogMax is the offset behind the last reserved byte of the log.
func (s *Store) LogMax() int64 { return s.log.Max() }

// OnArrive adds a listener for visible queue entries. It is called by the dispatcher, in order, one entry at a time, and
// must be short. Add listeners before the first Append.
func (s *Store) OnArrive(fn func(a *Arrival)) { addListener(&s.listeners, fn) }

// OnRound adds a listener for the end of a round of the dispatcher: it is called on the same goroutine, behind the last
// arrival of what was visible when the round began (at most 256 records), so that whoever gathers arrivals can wake others
// once. It must be short. Add listeners before the first Append.
func (s *Store) OnRound(fn func()) { addListener(&s.rounds, fn) }

// WhenWaited lets the dispatcher take a rest of a millisecond after each round while fn says that nobody waits for arrivals.
// Whoever begins to wait calls Hurry once fn says so. Without it the dispatcher never rests. Add it before the first Append.
func (s *Store) WhenWaited(fn func() bool) { s.waited.Store(&fn) }

// Dispatched is how far of the visible log the queues know.
func (s *Store) Dispatched() int64 { return s.dispatch.at.Load() }

// Engine is how the log is written: io_uring or pwrite.
func (s *Store) Engine() string { return s.ring.Name() }

// Hurry ends the dispatcher's rest. Any goroutine; cheap.
func (s *Store) Hurry() { s.dispatch.hurry() }

func addListener[F any](to *atomic.Pointer[[]F], fn F) {
	for {
		old := to.Load()
		var list []F
		if old != nil {
			list = append(list, *old...)
		}
		list = append(list, fn)
		if to.CompareAndSwap(old, &list) {
			return
		}
	}
}

// SetLimits changes the limits of a pull; zero fields get their default.
func (s *Store) SetLimits(l Limits) {
	l = l.withDefaults()
	s.limits.Store(&l)
}

// SetReadAhead says whether what lies around the records of a pull may be read from the disk together with them, as it is unless it is
// forbidden. Any goroutine.
func (s *Store) SetReadAhead(on bool) { s.readsAlone.Store(!on) }

// SetColdReadMin changes how many bytes a second readers get from the disk however long commits take beside that. Any goroutine.
func (s *Store) SetColdReadMin(bytesPerSecond int64) { s.pace.setFloor(bytesPerSecond) }

// SetRetention changes when segments are deleted; zero fields get their default.
func (s *Store) SetRetention(r Retention) {
	r = r.withDefaults()
	s.retention.Store(&r)
	s.wakeRetention()
}
