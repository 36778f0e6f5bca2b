package commitlog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// recordsTo makes the bytes of a log from an offset to where a segment ends: records that fit without a blank.
func recordsTo(from, end int64, n int) (pieces [][]byte) {
	for from < end {
		r := message(n)
		r.PhysicalOffset, r.StoreTimestamp = from, 5
		left := end - from
		if size := int64(r.Size(true)); left < size+200 {
			r.Body = []byte(fmt.Sprintf("message %d", n))
			r.Body = append(r.Body, make([]byte, left-int64(r.Size(true)))...)
		}
		b := record.Append(nil, &r, true)
		record.SealCRC(b)
		pieces = append(pieces, b)
		from, n = from+int64(len(b)), n+1
	}
	return pieces
}

// TestCopyFillsASegment: copied records may fill a segment to its last byte; the next ones are of a batch of their own, whether they
// come before or after the first were written.
func TestCopyFillsASegment(t *testing.T) {
	for _, wait := range []bool{true, false} {
		for _, sync := range []bool{true, false} {
			t.Run(fmt.Sprintf("wait=%v/sync=%v", wait, sync), func(t *testing.T) {
				o := options(disk.NewMemory(), "/s")
				o.SyncFlush = sync
				makeDirs(t, o)
				l, err := Open(o)
				if err == nil {
					err = l.Start(0, false)
				}
				if err != nil {
					t.Fatal(err)
				}
				var all []byte
				at := int64(0)
				for segment := range int64(5) {
					for _, b := range recordsTo(segment*o.SegmentBytes, (segment+1)*o.SegmentBytes, int(segment)*100) {
						for {
							err := l.AppendCopy(at, b, 5)
							l.Commit()
							if err == nil {
								break
							}
							if !errors.Is(err, ErrFull) {
								t.Fatal(err)
							}
							room := make(chan struct{})
							l.Room(func() { close(room) })
							<-room
						}
						at += int64(len(b))
						all = append(all, b...)
						if wait {
							if err := l.Visible().Wait(t.Context(), at); err != nil {
								t.Fatal(err)
							}
						}
					}
				}
				if err := l.Visible().Wait(t.Context(), at); err != nil {
					t.Fatal(err)
				}
				got := make([]byte, o.SegmentBytes)
				for segment := range int64(5) {
					if err := l.ReadAt(segment*o.SegmentBytes, got); err != nil || string(got) != string(all[segment*o.SegmentBytes:(segment+1)*o.SegmentBytes]) {
						t.Errorf("segment %d: %v", segment, err)
					}
				}
				// A record of its own goes on behind.
				start, end, err := put(l, 1)
				if err != nil || start != at {
					t.Errorf("%d, %v", start, err)
				}
				if err := l.Visible().Wait(t.Context(), end); err != nil {
					t.Fatal(err)
				}
				if err := l.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				l, err = Open(o)
				if err != nil {
					t.Fatal(err)
				}
				result, err := l.Walk(0, Visitor{})
				if err != nil || result.End != end || len(result.Gaps) != 0 {
					t.Errorf("%+v, %v", result, err)
				}
				_ = l.Close(t.Context())
			})
		}
	}
}

func TestCopyRefusals(t *testing.T) {
	_, l := faultyLog(t, nil)
	b := recordsTo(0, 4096, 1)[0]
	if err := l.AppendCopy(8, b, 0); !errors.Is(err, ErrNotEnd) {
		t.Errorf("not at the end: %v", err)
	}
	if err := l.AppendCopy(0, make([]byte, 4097), 0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the end of a segment: %v", err)
	}
	if err := l.AppendCopy(0, make([]byte, l.tail.max+1), 0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("larger than CopyBytes: %v", err)
	}
	if l.Max() != 0 {
		t.Errorf("the log ends at %d", l.Max())
	}
	if err := l.AppendCopy(0, b, 1<<50); err != nil {
		t.Fatal(err)
	}
	slot, err := l.Reserve(100)
	if err != nil || slot.StoreTimestamp != 1<<50 {
		t.Errorf("store time %d after a copied record of %d, %v", slot.StoreTimestamp, int64(1<<50), err)
	}
	l.Abandon(slot)
}

// TestRegionPins: a region is never beyond what is safe, ends with its segment, and keeps the segment as it is.
func TestRegionPins(t *testing.T) {
	_, l := faultyLog(t, nil)
	var end int64
	for n := range 60 {
		var err error
		if _, end, err = put(l, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Local().Wait(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	if r, err := l.Region(end, 100); err != nil || r.Bytes != 0 {
		t.Errorf("at the end: %+v, %v", r, err)
	}
	if _, err := l.Region(end+1, 100); !errors.Is(err, ErrGone) {
		t.Errorf("behind the end: %v", err)
	}
	if r, err := l.Region(4096+10, 1<<20); err != nil || r.Bytes != 4096-10 {
		t.Errorf("to the end of its segment: %+v, %v", r, err)
	} else {
		r.Release()
	}
	last, err := l.Region(end-50, 1<<20)
	if err != nil || last.Bytes != 50 {
		t.Errorf("to the end of the log: %+v, %v", last, err)
	}
	last.Release()
	first, err := l.Region(0, 4096)
	if err != nil {
		t.Fatal(err)
	}
	before := make([]byte, 4096)
	if err := first.Read(before, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := first.File(); ok {
		t.Error("a file in memory is one of the host's")
	}
	if n, err := l.DeleteOldest(); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	if _, err := l.Region(0, 10); !errors.Is(err, ErrGone) {
		t.Errorf("of a deleted segment: %v", err)
	}
	// What comes now would use the file again if it could.
	for n := range 60 {
		if _, end, err = put(l, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Local().Wait(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	after := make([]byte, 4096)
	if err := first.Read(after, 0); err != nil || string(before) != string(after) {
		t.Errorf("a pinned region has changed: %v", err)
	}
	first.Release()
	first.Release()
}

func TestConfirmBoundsVisible(t *testing.T) {
	_, l := faultyLog(t, nil)
	_, first, err := put(l, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Visible().Wait(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	l.Confirm(first + 10)
	heard := int64(0) // what Visible had heard of when Announced grew
	unheed := l.Announced().Subscribe(func(int64, error) { heard = l.Visible().Load() })
	_, end, err := put(l, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Announced().Wait(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	if unheed(); heard != first+10 {
		t.Errorf("announced to %d while visible to %d, want %d", end, heard, first+10)
	}
	l.Confirm(first)
	if v := l.Visible().Load(); v != first+10 {
		t.Errorf("visible to %d, was %d", v, first+10)
	}
	var told []int64
	cancel := l.Visible().Subscribe(func(v int64, err error) { told = append(told, v) })
	l.Confirm(end + 1000)
	if v := l.Visible().Load(); v != end || len(told) != 1 || told[0] != end {
		t.Errorf("visible to %d of %d, told %v", v, end, told)
	}
	cancel()
	l.Confirm(math.MaxInt64)
	_, end, err = put(l, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Visible().Wait(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

func TestDoubt(t *testing.T) {
	_, l := faultyLog(t, nil)
	if l.Doubtful(0, 1<<40) || !l.Verified(0, 10) {
		t.Error("everything is doubted")
	}
	l.Doubt(100, 200)
	l.Doubt(200, 250)
	l.Doubt(300, 310)
	for _, c := range []struct {
		at, n int64
		want  bool
	}{{0, 100, false}, {0, 101, true}, {150, 1, true}, {249, 1, true}, {250, 50, false}, {250, 51, true}, {310, 9, false}} {
		if l.Doubtful(c.at, c.n) != c.want || l.Verified(c.at, int(c.n)) == c.want {
			t.Errorf("%d bytes at %d: %v", c.n, c.at, !c.want)
		}
	}
	for i := range int64(2 * maxDoubts) {
		l.Doubt(1000+2*i, 1001+2*i)
	}
	if n := len(*l.doubts.Load()); n != maxDoubts || !l.Doubtful(1000+4*maxDoubts-2, 1) {
		t.Errorf("%d stretches are remembered", n)
	}
}

// TestTrust: what is taken back is doubted no more, and nothing else is trusted for that.
func TestTrust(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to int64
		want     []doubtSpan
	}{
		{"nothing", 200, 300, []doubtSpan{{100, 200}, {300, 400}}},
		{"one", 100, 200, []doubtSpan{{300, 400}}},
		{"its beginning", 50, 150, []doubtSpan{{150, 200}, {300, 400}}},
		{"its end", 150, 250, []doubtSpan{{100, 150}, {300, 400}}},
		{"its middle", 130, 140, []doubtSpan{{100, 130}, {140, 200}, {300, 400}}},
		{"over both", 150, 350, []doubtSpan{{100, 150}, {350, 400}}},
		{"all", 0, 500, []doubtSpan{}},
	} {
		_, l := faultyLog(t, nil)
		l.Trust(c.from, c.to)
		l.Doubt(100, 200)
		l.Doubt(300, 400)
		l.Trust(c.from, c.to)
		if got := *l.doubts.Load(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	_, l := faultyLog(t, nil)
	for i := range int64(maxDoubts) {
		l.Doubt(10*i, 10*i+5)
	}
	l.Trust(2, 3)
	if n := len(*l.doubts.Load()); n != maxDoubts || !l.Doubtful(2, 1) {
		t.Errorf("a full list has %d stretches after one was to fall in two", n)
	}
}

// TestRebaseCrash: wherever the power goes while a log begins anew, the next start finds a log without a hole: what is left of the old
// one, none, or the new one; and it can begin anew then.
func TestRebaseCrash(t *testing.T) {
	for crashAt, done := 1, false; !done; crashAt++ {
		fs, l := faultyLog(t, nil)
		var end int64
		starts := map[int64]int{}
		for n := range 40 {
			start, e, err := put(l, n)
			if err != nil {
				t.Fatal(err)
			}
			starts[start], end = n, e
		}
		if err := l.Durable().Wait(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		if err := l.Rebase(8192); err == nil {
			t.Fatal("it went back")
		}
		// Nothing else shall move meanwhile.
		for moving := true; moving; {
			l.maker.working.Lock()
			l.mu.Lock()
			moving = l.next == nil
			l.mu.Unlock()
			l.maker.working.Unlock()
		}
		const to = 20 * 4096
		fs.CrashAt(fs.Ops() + crashAt)
		err := l.Rebase(to)
		if done = err == nil; done {
			if l.Min() != to || l.Max() != to || l.Visible().Load() != to || l.Local().Load() != to || l.Err() != nil {
				t.Fatalf("%d to %d, visible to %d, %v", l.Min(), l.Max(), l.Visible().Load(), l.Err())
			}
		}
		_ = l.Close(context.Background())
		after := fs.Crash(rand.New(rand.NewSource(int64(crashAt))))
		o := options(after, "/s")
		makeDirs(t, o)
		l, found, result, err := open(o)
		if err != nil {
			t.Fatalf("crash at %d: %v", crashAt, err)
		}
		for at, n := range found {
			if starts[at] != n {
				t.Errorf("crash at %d: message %d at %d", crashAt, n, at)
			}
		}
		if len(found) > 0 && result.End != end || len(result.Gaps) > 0 {
			t.Errorf("crash at %d: %d records, the log ends at %d (%d), gaps %v", crashAt, len(found), result.End, end, result.Gaps)
		}
		if l.Max() < to {
			if err := l.Rebase(to); err != nil {
				t.Fatalf("crash at %d: %v", crashAt, err)
			}
		}
		start, e, err := put(l, 7)
		if err != nil || start != to {
			t.Fatalf("crash at %d: %d, %v", crashAt, start, err)
		}
		if err := l.Visible().Wait(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		l, found, _, err = open(options(after, "/s"))
		if err != nil || len(found) != 1 || found[to] != 7 || l.Min() != to {
			t.Fatalf("crash at %d, second start: %v, %v", crashAt, found, err)
		}
		_ = l.Close(t.Context())
	}
}

// TestRebaseBusy: not while something is on its way.
func TestRebaseBusy(t *testing.T) {
	ring, l := ringingLog(t, nil)
	mustPut(t, l, 1)
	if err := l.Rebase(40960); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	ring.finish()
	l.Collect()
	if err := l.Rebase(40960); err != nil || l.Max() != 40960 {
		t.Errorf("%v, the log ends at %d", err, l.Max())
	}
}
