package disk

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
	Link bool
	Tag  uint64 // the caller's own

	N   int   // bytes moved
	Err error // nil only if all of Buf was moved
}

// Ring performs operations, several in flight at a time. It belongs to one goroutine.
type Ring interface {
	// Submit starts the operations. The slice is the caller's again at once. At most Depth operations may be in flight.
	Submit(ops []*Op) error
	// Wait appends finished operations to done, at least min of those in flight (fewer only if fewer are), in any order.
	Wait(min int, done []*Op) ([]*Op, error)
	Depth() int
	Name() string // "io_uring" or "pwrite"
	Close() error
}
