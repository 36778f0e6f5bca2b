package replica

import (
	"fmt"

	"ringmq/store"
	"ringmq/store/record"
)

// maxTailBytes is how much of what one log has and the other one has not is looked at.
const maxTailBytes = 256 << 20

// Tail is what a log has between two offsets.
type Tail struct {
	From, To    int64
	Looked      int64 // only what lies before it was looked at
	Messages    int64
	First, Last int64            // store timestamps of the first and the last of them, ms
	Topics      map[string]int64 // messages by topic
	OtherBytes  int64            // damage, and what follows the last record of a segment
}

// tailReader fills a Tail with bytes of a log, given in order.
type tailReader struct {
	t   Tail
	cut cutter
	buf []byte // not yet whole
	rec record.Record
}

func newTailReader(c cutter, from, to int64) *tailReader {
	c.blankTo, c.maxRun = 0, c.maxRecord // together more than a record only where a second one fits
	return &tailReader{t: Tail{From: from, To: to, Looked: from, Topics: map[string]int64{}}, cut: c}
}

// add takes the next bytes; final: they are the last ones.
func (r *tailReader) add(b []byte, final bool) {
	r.buf = append(r.buf, b...)
	done := 0
	for done < len(r.buf) {
		n, opaque := r.cut.cut(r.buf[done:], r.t.Looked, final)
		if n == 0 {
			break
		}
		if run := r.buf[done : done+n]; opaque {
			r.t.OtherBytes += int64(n)
		} else {
			r.count(run)
		}
		done, r.t.Looked = done+n, r.t.Looked+int64(n)
	}
	r.buf = r.buf[:copy(r.buf, r.buf[done:])]
}

// count counts a run of whole records, and of what belongs to a blank.
func (r *tailReader) count(run []byte) {
	for len(run) > 0 {
		if r.rec.Parse(run) != nil {
			r.t.OtherBytes += int64(len(run))
			return
		}
		if r.t.Messages == 0 {
			r.t.First = r.rec.StoreTimestamp
		}
		r.t.Messages, r.t.Last = r.t.Messages+1, r.rec.StoreTimestamp
		r.t.Topics[string(r.rec.Topic)]++
		run = run[r.rec.TotalSize:]
	}
}

// TailOf says what a store's log has from an offset on, where a record must begin. The store takes nothing meanwhile.
func TailOf(st *store.Store, from int64) (Tail, error) {
	to := st.Sendable().Load()
	if from < st.LogMin() || from > to {
		return Tail{}, fmt.Errorf("replica: the log reaches from %d to %d, %d is not in it", st.LogMin(), to, from)
	}
	return tailOf(cutterFor(st), from, to, func(from, to int64) ([]byte, error) { return bytesOf(st, from, to) })
}

// tailOf describes what a log has between two offsets; bytes reads a range of it.
func tailOf(c cutter, from, to int64, bytes func(from, to int64) ([]byte, error)) (Tail, error) {
	r := newTailReader(c, from, to)
	for end := min(to, from+maxTailBytes); from < end; {
		next := min(from+sumBytes, end)
		b, err := bytes(from, next)
		if err != nil {
			return r.t, err
		}
		r.add(b, next == to)
		from = next
	}
	return r.t, nil
}
