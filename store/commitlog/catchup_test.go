package commitlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// largeRecords are those of a log of so many segments, each in a piece of its own: every segment is full to its last byte.
func largeRecords(segments, segmentBytes int64) (pieces [][]byte) {
	n := 0
	for at := int64(0); at < segments*segmentBytes; n++ {
		r := message(n)
		r.PhysicalOffset, r.StoreTimestamp = at, 5
		left := segmentBytes - at%segmentBytes
		size := min(left, int64(300<<10+n*7919%5000))
		if left-size < 10_000 {
			size = left
		}
		r.Body = bytes.Repeat([]byte{byte(n) | 1}, int(size)-r.Size(true)+len(r.Body))
		b := record.Append(nil, &r, true)
		record.SealCRC(b)
		pieces, at = append(pieces, b), at+int64(len(b))
	}
	return pieces
}

// copyPieces appends pieces at an offset until one is refused, and returns where the log ends.
func copyPieces(l *Log, at int64, pieces [][]byte) (int64, error) {
	for _, b := range pieces {
		err := l.AppendCopy(at, b, 5)
		for errors.Is(err, ErrFull) {
			room := make(chan struct{})
			l.Room(func() { close(room) })
			<-room
			err = l.AppendCopy(at, b, 5)
		}
		if err != nil {
			return at, err
		}
		l.Commit()
		at += int64(len(b))
	}
	return at, nil
}

// pastRing counts the bytes that shall go past the page cache.
type pastRing struct {
	disk.Ring
	bytes atomic.Int64
}

func (r *pastRing) Submit(ops []*disk.Op) error {
	for _, op := range ops {
		if op.Past {
			r.bytes.Add(int64(len(op.Buf)))
		}
	}
	return r.Ring.Submit(ops)
}

// checkLog compares a log with the pieces it was made of, and wants zeros behind.
func checkLog(t *testing.T, l *Log, pieces [][]byte, end int64) {
	t.Helper()
	all := bytes.Join(pieces, nil)
	got := make([]byte, l.o.SegmentBytes)
	for at := l.Min(); at < end; at += l.o.SegmentBytes {
		if err := l.ReadAt(at, got); err != nil {
			t.Fatal(err)
		}
		n := min(end-at, l.o.SegmentBytes)
		if !bytes.Equal(got[:n], all[at:at+n]) {
			t.Fatalf("the segment at %d has other bytes", at)
		}
		if i := bytes.IndexFunc(got[n:], func(r rune) bool { return r != 0 }); i >= 0 {
			t.Fatalf("at %d, behind the end at %d, something stands", at+n+int64(i), end)
		}
	}
}

// TestCatchUp: what is caught up with goes past the page cache and is the same; what comes after it does not.
func TestCatchUp(t *testing.T) {
	const segment = 6 << 20
	rings := []disk.Ring{disk.NewPwriteRing(8)}
	if u, err := disk.NewUringRing(8); err == nil {
		rings = append(rings, u)
	}
	pieces := largeRecords(4, segment)
	for _, ring := range rings {
		for _, sync := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/sync=%v", ring.Name(), sync), func(t *testing.T) {
				o := options(disk.OS(), t.TempDir())
				counted := &pastRing{Ring: ring}
				o.Ring, o.SegmentBytes, o.TailBytes, o.SyncFlush = counted, segment, 8<<20, sync
				makeDirs(t, o)
				l, err := Open(o)
				if err == nil {
					err = l.Start(0, false)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close(t.Context())
				// All of a log of three segments and a half; the rest of it comes later.
				var goal int64
				n := 0
				for ; goal < 3*segment+segment/2; n++ {
					goal += int64(len(pieces[n]))
				}
				l.CatchUp(goal)
				at, err := copyPieces(l, 0, pieces[:n])
				if err == nil {
					err = l.Local().Wait(t.Context(), at)
				}
				if err != nil || at != goal {
					t.Fatal(at, err)
				}
				checkLog(t, l, pieces, at)
				past := counted.bytes.Load()
				if past < goal/4 {
					t.Errorf("%d bytes of %d went past the page cache", past, goal)
				}
				if at, err = copyPieces(l, at, pieces[n:]); err == nil {
					err = l.Local().Wait(t.Context(), at)
				}
				if err != nil {
					t.Fatal(err)
				}
				checkLog(t, l, pieces, at)
				if counted.bytes.Load() != past {
					t.Error("what came later went past the page cache too")
				}
			})
		}
	}
	for _, ring := range rings {
		_ = ring.Close()
	}
}

// TestNothingIsZeroedWhileCatchingUp: and an expired segment, which still has old records, is none of the log's again before it
// is zeroed. Once the log has caught up all is as it was.
func TestNothingIsZeroedWhileCatchingUp(t *testing.T) {
	const segment = 2 << 20
	pieces := largeRecords(10, segment)
	fs, l := faultyLog(t, func(o *Options) { o.SegmentBytes, o.TailBytes = segment, 4<<20 })
	of := func(segments int64) (n int) {
		for at := int64(0); at < segments*segment; n++ {
			at += int64(len(pieces[n]))
		}
		return n
	}
	at, err := copyPieces(l, 0, pieces[:of(3)])
	if err == nil {
		err = l.Local().Wait(t.Context(), at)
	}
	if err != nil {
		t.Fatal(err)
	}
	var zeroed, spares atomic.Int64
	l.maker.working.Lock()
	if _, err := l.DeleteOldest(); err != nil {
		t.Fatal(err)
	}
	l.CatchUp(8 * segment)
	fs.OnOp(func(_ int, kind, name string) {
		if kind == "zero" {
			zeroed.Add(1)
		}
		if kind == "remove" && strings.HasSuffix(name, spareName) {
			spares.Add(1)
		}
	})
	l.maker.working.Unlock()
	if at, err = copyPieces(l, at, pieces[of(3):of(8)-2]); err == nil {
		err = l.Local().Wait(t.Context(), at)
	}
	if err != nil {
		t.Fatal(err)
	}
	if zeroed.Load() > 0 || spares.Load() != 1 {
		t.Errorf("zeroed %d times, %d spares given up", zeroed.Load(), spares.Load())
	}
	checkLog(t, l, pieces, at)
	if _, err = copyPieces(l, at, pieces[of(8)-2:of(8)+1]); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); zeroed.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is zeroed after it either")
		}
	}
}

// TestCrashWhileCatchingUp: at every operation; what is there then is a beginning of what was copied, with all that was durable, and
// nothing behind it.
func TestCrashWhileCatchingUp(t *testing.T) {
	const segment = 2 << 20
	pieces := largeRecords(4, segment)
	for crashAt, total := 0, 1; crashAt <= total; crashAt++ {
		fs := disk.NewFaulty()
		if err := errors.Join(fs.MkdirAll("/s", 0o755), fs.SyncDir("/")); err != nil {
			t.Fatal(err)
		}
		o := options(fs, "/s")
		o.SegmentBytes, o.TailBytes = segment, 4<<20
		makeDirs(t, o)
		base := fs.Ops()
		if crashAt > 0 {
			fs.CrashAt(base + crashAt)
		}
		durable := int64(0)
		l, err := Open(o)
		if err == nil {
			if err = l.Start(0, false); err == nil {
				l.CatchUp(3*segment + segment/2)
				var at int64
				if at, err = copyPieces(l, 0, pieces); err == nil {
					err = l.Durable().Wait(t.Context(), at)
				}
			}
			durable = l.Durable().Load()
			_ = l.Close(context.Background())
		}
		if crashAt == 0 {
			if total = fs.Ops() - base; err != nil || total < 30 {
				t.Fatal(total, err)
			}
			continue
		}
		o = options(fs.Crash(rand.New(rand.NewSource(int64(crashAt)))), "/s")
		o.SegmentBytes, o.TailBytes = segment, 4<<20
		makeDirs(t, o)
		if l, err = Open(o); err != nil {
			t.Fatalf("crash at %d: %v", crashAt, err)
		}
		n := 0
		result, err := l.Walk(0, Visitor{Record: func(r *record.Record, raw []byte) error {
			if n == len(pieces) || !bytes.Equal(raw, pieces[n]) {
				return fmt.Errorf("record %d at %d is another one", n, r.PhysicalOffset)
			}
			n++
			return nil
		}})
		if err == nil {
			err = l.Start(result.End, false)
		}
		if err != nil || result.End < durable || len(result.Gaps) > 0 {
			t.Fatalf("crash at %d: end %d of %d, gaps %v, %v", crashAt, result.End, durable, result.Gaps, err)
		}
		checkLog(t, l, pieces, result.End)
		_ = l.Close(context.Background())
	}
}
