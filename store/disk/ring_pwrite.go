package disk

import "io"

// pwriteRing does each operation when it is submitted. It works with every File.
type pwriteRing struct {
	depth    int
	finished []*Op
	counters ringCounters
}

// NewPwriteRing returns the engine that needs nothing but ordinary file calls.
func NewPwriteRing(depth int) Ring { return &pwriteRing{depth: depth} }

func (r *pwriteRing) Submit(ops []*Op) error {
	if len(r.finished)+len(ops) > r.depth {
		panic("disk: more operations in flight than the ring is deep")
	}
	r.counters.submitted.Add(int64(len(ops)))
	r.counters.inFlight.Store(int64(len(r.finished) + len(ops)))
	performAll(ops)
	r.finished = append(r.finished, ops...)
	return nil
}

// performAll does operations one after the other, by ordinary calls; what is linked behind a failure is not done.
func performAll(ops []*Op) {
	broken := false
	for _, op := range ops {
		op.N, op.Err = 0, nil
		if broken {
			op.Err = ErrLinked
		} else {
			op.perform()
		}
		broken = op.Link && op.Err != nil
	}
}

// perform does the operation, or what is left of it after op.N bytes, through the File.
func (op *Op) perform() {
	switch op.Kind {
	case OpWrite:
		write := op.File.WriteAt
		if f, ok := op.File.(interface {
			writePast([]byte, int64) (int, error)
		}); ok && op.Past {
			write = f.writePast
		}
		var n int
		n, op.Err = write(op.Buf[op.N:], op.Offset+int64(op.N))
		op.N += n
	case OpDatasync:
		op.Err = op.File.Datasync()
	case OpRead:
		var n int
		if b, off := op.Buf[op.N:], op.Offset+int64(op.N); op.Exact {
			n, op.Err = op.File.ReadExact(b, off, op.Once)
		} else {
			n, op.Err = op.File.ReadAt(b, off)
		}
		op.N += n
		if op.Err == io.EOF && op.N == len(op.Buf) {
			op.Err = nil
		} else if op.Err == io.EOF {
			op.Err = io.ErrUnexpectedEOF
		}
	}
}

func (r *pwriteRing) Wait(_ int, done []*Op) ([]*Op, error) {
	done = append(done, r.finished...)
	clear(r.finished)
	r.finished = r.finished[:0]
	r.counters.inFlight.Store(0)
	return done, nil
}

func (r *pwriteRing) SubmitRinging([]*Op, int) error { panic("disk: pwrite does not ring") }

func (r *pwriteRing) Rings() bool        { return false }
func (r *pwriteRing) Depth() int         { return r.depth }
func (r *pwriteRing) Name() string       { return "pwrite" }
func (r *pwriteRing) Counts() RingCounts { return r.counters.counts() }
func (r *pwriteRing) Close() error       { return nil }
