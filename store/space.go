package store

import (
	"fmt"
	"math"
	"os"
	"sync/atomic"

	"ringmq/store/memory"
)

// spaceState is how full the disk was when it was last looked at.
type spaceState struct {
	logRatio   atomic.Uint64 // float64 bits, used space of the commit log's file system, 0..1
	queueRatio atomic.Uint64
	total      atomic.Int64 // of the commit log's file system
	restTotal  atomic.Int64 // of that of the rest
	free       atomic.Int64
	full       atomic.Bool // beyond the warning ratio
	pressure   atomic.Int32
	memory     atomic.Int64
}

// checkSpace looks at the file systems. Free space is what an unprivileged process may still take (f_bavail).
func (s *Store) checkSpace() {
	if p, err := s.fs.Space(s.o.CommitLogDir); err == nil && p.TotalBytes > 0 {
		s.space.total.Store(int64(p.TotalBytes))
		s.space.free.Store(int64(p.FreeBytes))
		s.space.logRatio.Store(math.Float64bits(1 - float64(p.FreeBytes)/float64(p.TotalBytes)))
	}
	if p, err := s.fs.Space(s.o.Root); err == nil && p.TotalBytes > 0 {
		s.space.restTotal.Store(int64(p.TotalBytes))
		s.space.queueRatio.Store(math.Float64bits(1 - float64(p.FreeBytes)/float64(p.TotalBytes)))
	}
	r := s.retention.Load()
	s.warnPressure(r)
	warning := float64(r.WarningRatio) / 100
	full := s.usedRatio() > warning
	if was := s.space.full.Swap(full); was != full {
		s.logger.Warn("disk: beyond the warning ratio nothing is stored", "full", full, "used", s.usedRatio(), "warning", warning)
	}
}

// warnPressure says when the disk has become so full that segments go before their time, and when it has not any more.
func (s *Store) warnPressure(r *Retention) {
	level := pressureNone
	switch used := s.usedRatio(); {
	case !r.KeepUnexpired && used > float64(r.CleanForciblyRatio)/100:
		level = pressureForcible
	case used > float64(r.MaxUsedRatio)/100:
		level = pressureHours
	}
	if was := s.space.pressure.Swap(level); was == level {
		return
	}
	switch used := s.usedRatio(); level {
	case pressureForcible:
		s.logger.Warn("disk: so full that the oldest segments are deleted although they have not expired (diskSpaceCleanForciblyRatio)", "used", used)
	case pressureHours:
		s.logger.Warn("disk: so full that expired segments are deleted at any hour (diskMaxUsedSpaceRatio)", "used", used)
	default:
		s.logger.Info("disk: full no more", "used", used)
	}
}

// How full the disk is for retention.
const (
	pressureNone int32 = iota
	pressureHours
	pressureForcible
)

func (s *Store) logRatio() float64   { return math.Float64frombits(s.space.logRatio.Load()) }
func (s *Store) queueRatio() float64 { return math.Float64frombits(s.space.queueRatio.Load()) }
func (s *Store) usedRatio() float64  { return max(s.logRatio(), s.queueRatio()) }

// usedOnceRead is usedRatio without the segments that are deleted and that somebody still reads. Deleting more because of these would take
// messages away and free nothing.
func (s *Store) usedOnceRead() float64 {
	total := s.space.total.Load()
	if total == 0 {
		return s.usedRatio()
	}
	held, rest := float64(s.log.Held())/float64(total), s.queueRatio()
	if s.space.restTotal.Load() == total { // one file system, as far as can be told
		rest -= held
	}
	return max(s.logRatio()-held, rest)
}

// Fullness is how full the disks of a store are.
type Fullness struct {
	Used      float64 // part of the disk of the log or of that of the rest, whichever is fuller: 0..1
	Limit     float64 // beyond it nothing is stored
	Full      bool    // it was beyond at the last look
	NoSegment bool    // the log's next segment could not be made: nothing is stored when this one is full
}

// Fullness is as the last look at the disks found it, cleanResourceInterval ago at most. Any goroutine, no I/O.
func (s *Store) Fullness() Fullness {
	return Fullness{Used: s.usedRatio(), Limit: float64(s.retention.Load().WarningRatio) / 100, Full: s.space.full.Load(), NoSegment: s.log.NoSpace()}
}

var (
	errDiskFull = fmt.Errorf("%w: the disk is full beyond its warning ratio", ErrNotWritable)
	errBlocked  = fmt.Errorf("%w: the queues cannot be written", ErrNotWritable)
	errCopying  = fmt.Errorf("%w: copies have not come to their queues yet", ErrNotWritable)
	errClosing  = fmt.Errorf("%w: the store is closing", ErrNotWritable)
)

// Writable is nil when the store takes messages; otherwise ErrNotWritable with the reason. Any goroutine, no I/O.
func (s *Store) Writable() error {
	switch {
	case s.closing.Load():
		return errClosing
	case s.space.full.Load():
		return errDiskFull
	case s.dispatch.blocked.Load():
		return errBlocked
	case s.copied.Load() > s.dispatch.at.Load():
		return errCopying
	}
	if err := s.log.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritable, err)
	}
	return nil
}

// memoryBytes is the physical memory by which in memory and on disk are told apart.
func (s *Store) memoryBytes() int64 {
	if s.o.MemoryBytes > 0 {
		return s.o.MemoryBytes
	}
	if n := s.space.memory.Load(); n > 0 {
		return n
	}
	n := memory.Of(os.DirFS("/"))
	s.space.memory.Store(n)
	return n
}
