package commitlog

import (
	"errors"
	"log/slog"
	"time"

	"ringmq/store/disk"
)

// Options of a Log.
type Options struct {
	Dir           string // of the segments; nothing else but a folder for those in the making, where it has a file system of its own
	StateDir      string // of what is ours alone: the mark and, on the same file system, segments in the making
	FS            disk.FS
	Ring          disk.Ring // used by the committer only; closed by the caller after the Log
	SegmentBytes  int64
	TailBytes     int          // append buffer and cache of the newest bytes; half of it, less 4, bounds a record
	SyncFlush     bool         // Visible waits for the sync
	Foreign       bool         // a stock broker may have written to the log since it was last open: see mark
	Clock         func() int64 // ms since 1970
	UnsyncedBytes int64        // most that ASYNC_FLUSH leaves to the kernel without a sync; 0: 64 MiB
	Spares        int          // above 0: the next segment is zeroed ahead; 0: only allocated
	// Committed, if not nil, is told how long a batch's first record waited, from when its commit was asked for until it was visible as far as
	// this log is concerned, and the batch's bytes. Once a commit, by whoever ended it, perhaps by two at a time; it must be short and wait for
	// nothing.
	Committed func(waited time.Duration, bytes int64)
	// Unreadable, if not nil, is told of a page that the disk cannot read, once, by whoever came upon it; it must wait for nothing.
	Unreadable func(offset int64)
	Logger     *slog.Logger
}

// Errors of appending and reading.
var (
	ErrFull     = errors.New("commit log: append buffer is full")
	ErrFailed   = errors.New("commit log: a write or sync failed, nothing more is written")
	ErrNoSpace  = errors.New("commit log: no space for another segment")
	ErrClosed   = errors.New("commit log: closed")
	ErrTooLarge = errors.New("commit log: record does not fit")
	ErrNotEnd   = errors.New("commit log: copied bytes do not begin at the log's end")
	ErrBusy     = errors.New("commit log: not everything is written")
	ErrGone     = errors.New("commit log: offset lies before the first segment or behind the last")
)

const (
	// maxRecordBytes bounds what a size found on disk makes a walk read at once. A log may have been written under a larger
	// maxMessageSize than the one of today.
	maxRecordBytes       = 64 << 20
	defaultUnsyncedBytes = 64 << 20
)
