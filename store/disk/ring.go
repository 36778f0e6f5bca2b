package disk

import "sync/atomic"

// OpKind says what an operation does.
type OpKind uint8

// Kinds of operation.
const (
	OpWrite OpKind = iota
	OpDatasync
	OpRead
)

// Op is one operation given to a Ring. The ring owns the Op and its Buf from Submit until Wait returns it. Buf must lie outside
// the Go heap (see Arena) or be kept reachable and still by the caller.
type Op struct {
	Kind   OpKind
	File   File
	Buf    []byte
	Offset int64
	// Link: the next operation of the same Submit starts only after this one has succeeded in full; if it fails, the next
	// one is not done and gets ErrLinked.
	Link  bool
	Exact bool // of a read: as File.ReadExact
	Once  bool // of an exact one
	// Past: of a write, past the page cache where the file can do that and Buf, its length and Offset begin and end blocks of 4 KiB; through
	// it otherwise. It is no more durable for that.
	Past bool
	Tag  uint64 // the caller's own

	N   int   // bytes moved
	Err error // nil only if all of Buf was moved
}

// Ring performs operations, several in flight at a time. One goroutine at a time uses it.
type Ring interface {
	// Submit starts the operations. The slice is the caller's again at once. At most Depth operations may be in flight.
	Submit(ops []*Op) error
	// SubmitRinging starts operations that are done one after the other, each whatever became of those before it (Link says
	// nothing here), and returns without waiting for any. When the last one is over and Wait(0) returns them all, a byte is sent
	// into bell, a stream socket that must stay open until the byte has come or the ring is closed. What was done in part, or not for
	// a reason that passes, gets ErrUndone; SubmitRinging returns it when nothing is under way and the operations may be done again.
	// Only where Rings.
	SubmitRinging(ops []*Op, bell int) error
	// Rings says that the engine works while its caller does something else, and can tell when it is done.
	Rings() bool
	// Wait appends finished operations to done, at least min of those in flight (fewer only if fewer are), in any order.
	Wait(min int, done []*Op) ([]*Op, error)
	Depth() int
	Name() string // "io_uring" or "pwrite"
	// Counts are figures since the ring was made. Any goroutine; whoever uses the ring does not wait for it.
	Counts() RingCounts
	Close() error
}

// RingCounts are figures of a Ring since it was made.
type RingCounts struct {
	Submitted int64 // operations given to it
	InFlight  int64 // those that Wait has not returned
	Redone    int64 // those that the engine did in part or not at all, without a fault of the disk: done again by ordinary calls, or given back to be
	Refused   int64 // times that the kernel took no operation for now and was asked again
}

// ringCounters are what whoever uses a ring counts, a few times a batch, and others read.
type ringCounters struct{ submitted, inFlight, redone, refused atomic.Int64 }

func (c *ringCounters) counts() RingCounts {
	return RingCounts{Submitted: c.submitted.Load(), InFlight: c.inFlight.Load(), Redone: c.redone.Load(), Refused: c.refused.Load()}
}
