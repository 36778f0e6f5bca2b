package commitlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
)

// Log is an open commit log. Open, then Walk as often as recovery needs, then Start; appends and reads after that.
type Log struct {
	o      Options
	logger *slog.Logger
	tail   *tail
	mark   mark // what the last run left
	// tornBefore is what marks of this run say of earlier crashes; set by Start.
	tornBefore []stretch

	segments atomic.Pointer[[]*segment] // sorted, contiguous; replaced whole

	// append lock: everything that orders records
	mu        sync.Mutex
	reserved  int64
	stamp     int64 // last storeTimestamp given, ms
	behind    behind
	end       int64 // of the segment that reserved lies in
	rolls     []roll
	room      []func()
	closed    bool
	started   bool
	failed    error // once set it stays; failure has it for those without the lock
	noSpace   bool
	published int64
	failure   atomic.Pointer[error]
	work      chan struct{} // one token: there is something to write
	asked     asked

	written   Watermark
	durable   Watermark
	confirmed Watermark                   // follows the one of the two that local is
	announced Watermark                   // follows confirmed's source
	boot      atomic.Int64                // where this run's own records begin
	doubts    atomic.Pointer[[]doubtSpan] // of this run's bytes, those that are no whole records; sorted
	doubting  sync.Mutex                  // held to change doubts
	held      atomic.Int64                // Held
	bad       badPages                    // that the disk cannot read
	lastEnd   int64                       // of the log, as Walk found it
	tornNow   stretch                     // by the last crash, as Walk found it
	moving    bool                        // Rebase is at work: nothing is appended; guarded by mu

	next     *segment // ready behind the last one; guarded by mu
	deleting sync.Mutex
	maker    maker
	zero     zeroClaim

	committer *committer

	catchUp       atomic.Int64 // see CatchUp
	unzeroedRolls atomic.Int64
	syncNow       chan struct{}   // one token: much is unsynced
	syncing       sync.Mutex      // held across syncTo, by the syncer and Close, and by Rebase, which takes the segments away
	stop          chan struct{}   // closed: background work ends
	ctx           context.Context // done with stop
	cancel        context.CancelFunc
	done          sync.WaitGroup
	closeOnce     sync.Once
	closeErr      error
}

// roll is the end of a segment: a blank up to from, and the next record at to.
type roll struct{ from, to int64 }

// Open lists and checks the segments. It walks nothing and writes nothing but padding for a segment that is too short.
func Open(o Options) (*Log, error) {
	if o.SegmentBytes < 1024 {
		return nil, fmt.Errorf("commit log: segments of %d bytes", o.SegmentBytes)
	}
	t, err := newTail(o.TailBytes)
	if err != nil {
		return nil, err
	}
	if o.UnsyncedBytes == 0 {
		o.UnsyncedBytes = defaultUnsyncedBytes
	}
	// A batch, which may be as large as the tail, must be able to wait for what was written before it.
	o.UnsyncedBytes = max(o.UnsyncedBytes, t.size)
	l := &Log{o: o, logger: o.Logger, tail: t, work: make(chan struct{}, 1), asked: newAsked(), syncNow: make(chan struct{}, 1), stop: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.maker = maker{l: l, wake: make(chan struct{}, 1)}
	l.zero.free.L = &l.zero.mu
	l.confirmed.bound = math.MaxInt64
	if l.committer, err = newCommitter(l); err != nil {
		t.mem.Free()
		return nil, err
	}
	list, err := l.loadSegments()
	if err != nil {
		l.free()
		return nil, err
	}
	l.segments.Store(&list)
	l.mark = l.loadMark()
	if err := l.maker.settle(); err != nil {
		l.free()
		return nil, errors.Join(err, closeSegments(list))
	}
	return l, nil
}

// Min is the offset of the first segment; Max the end of the last reserved record, or of the last segment before Start.
func (l *Log) Min() int64 {
	if list := *l.segments.Load(); len(list) > 0 {
		return list[0].start
	}
	return 0
}

// Max returns the offset behind the last record that was given a place.
func (l *Log) Max() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started {
		if list := *l.segments.Load(); len(list) > 0 {
			return list[len(list)-1].start + l.o.SegmentBytes
		}
	}
	return l.reserved
}

// Segments lists the segments in order, the prepared next one excepted.
func (l *Log) Segments() []SegmentInfo {
	list := *l.segments.Load()
	infos := make([]SegmentInfo, len(list))
	for i, s := range list {
		infos[i] = SegmentInfo{Start: s.start, Bytes: l.o.SegmentBytes}
	}
	return infos
}

// Written is the offset up to which records are with the kernel: they survive the end of this process.
func (l *Log) Written() *Watermark { return &l.written }

// Durable is the offset up to which records are synced: they survive the end of power.
func (l *Log) Durable() *Watermark { return &l.durable }

// Local is Durable under SyncFlush, else Written: what this log alone promises to keep. A record ends there.
func (l *Log) Local() *Watermark {
	if l.o.SyncFlush {
		return &l.durable
	}
	return &l.written
}

// Visible is Local as far as Confirm lets it: up to here records may be acknowledged and read. Where Confirm holds it back, it may
// stand in the middle of a record.
func (l *Log) Visible() *Watermark { return &l.confirmed }

// Announced is Local once Visible has heard of it: who has waited for it sees in Visible all that Confirm allows.
func (l *Log) Announced() *Watermark { return &l.announced }

// Confirm bounds Visible: nothing beyond limit becomes visible until a higher limit is given; math.MaxInt64, as in the beginning, is
// none. What is visible stays so. What watches Visible may run inside. Any goroutine.
func (l *Log) Confirm(limit int64) { l.confirmed.setBound(limit) }

// Err returns why the log takes nothing more, nil while it does. It takes no lock.
func (l *Log) Err() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// NoSpace says that the next segment could not be made, so that nothing is appended beyond the end of this one. Any goroutine, no I/O.
func (l *Log) NoSpace() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.noSpace && l.next == nil
}

// UnzeroedRolls counts the segments that were needed before they had been zeroed.
func (l *Log) UnzeroedRolls() int64 { return l.unzeroedRolls.Load() }

// fail ends the log's life as a taker of writes. A failed sync is never tried again: the kernel has marked the pages clean.
func (l *Log) fail(err error) {
	l.mu.Lock()
	first := l.failed == nil
	if first {
		l.failed = fmt.Errorf("%w: %w", ErrFailed, err)
		failed := l.failed
		l.failure.Store(&failed)
	}
	err = l.failed
	l.mu.Unlock()
	if first {
		l.logger.Error("commit log failed, only reads go on", "error", err)
	}
	l.written.fail(err)
	l.durable.fail(err)
	l.confirmed.fail(err)
	l.announced.fail(err)
	l.tellRoom()
}

// Close refuses appends, writes and syncs what was reserved and closes the files. When ctx ends first the log is left as after a crash: what is
// not yet with the disk is not waited for. What the disk has already been given is, whatever ctx says, since the memory that it is written
// from cannot be given back before: a disk that never answers holds Close for ever.
func (l *Log) Close(ctx context.Context) error {
	l.closeOnce.Do(func() { l.closeErr = l.close(ctx) })
	return l.closeErr
}

func (l *Log) close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	started, target := l.started, l.reserved
	l.mu.Unlock()
	l.tellRoom()
	defer l.cancel()
	var err error
	if started {
		l.committer.reclaim()
		err = l.drain(ctx, target)
		close(l.stop)
		l.cancel()
		l.done.Wait()
		if err == nil {
			err = l.saveMark(mark{Durable: target, Clean: true}, true)
		}
	}
	for _, s := range *l.segments.Load() {
		err = errors.Join(err, s.file.Close())
	}
	if l.next != nil {
		err = errors.Join(err, l.next.file.Close())
	}
	l.maker.discard()
	l.free()
	return err
}

// free gives the memory back that is not Go's.
func (l *Log) free() {
	l.tail.mem.Free()
	l.committer.page.Free()
}

// drain waits until all that was reserved is written, and syncs it.
func (l *Log) drain(ctx context.Context, target int64) error {
	if err := l.written.Wait(ctx, target); err != nil {
		return err
	}
	if l.o.SyncFlush {
		return l.durable.Wait(ctx, target)
	}
	return l.syncTo(target)
}
