package commitlog

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestUnreadablePages: what the disk cannot read is zeros, page by page, and everything around it is there; it is told once and not tried
// again and again. Written over, in part too, it can be read; a disk that has lost too much says so.
func TestUnreadablePages(t *testing.T) {
	d := &disk.BadPages{FS: disk.NewMemory()}
	o := options(d, "/s")
	o.SegmentBytes, o.TailBytes = 4<<20+1000, 8<<20 // ends within a page
	var told []int64
	o.Unreadable = func(offset int64) { told = append(told, offset) }
	starts, end := longLog(t, o, 20_000)
	if end < o.SegmentBytes+40_000 {
		t.Fatal("no test", end, len(starts))
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	result, err := l.Walk(0, Visitor{})
	if err == nil {
		err = l.Start(result.End, false)
	}
	if err != nil || result.End != end {
		t.Fatal(result.End, err)
	}
	defer l.Close(context.Background())
	const n = 5 * pageBytes
	whole := make([]byte, n)
	if err := l.ReadAt(o.SegmentBytes, whole); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(o.Dir, record.FileName(o.SegmentBytes))
	d.Lose(name, pageBytes)
	d.Lose(name, 3*pageBytes+17)
	want := bytes.Clone(whole)
	clear(want[pageBytes : 2*pageBytes])
	clear(want[3*pageBytes : 4*pageBytes])
	if r, err := l.Region(o.SegmentBytes, int(n)); err != nil {
		t.Fatal(err)
	} else if err := r.Read(make([]byte, n), 0); err == nil {
		t.Error("copies are told at once that a page is damaged: a disk that fails as a whole begins so")
	} else {
		r.Release()
	}
	l.bad.each(0, 1<<62, func(p int64, was badPage) {
		was.since = was.since.Add(-settleTime)
		l.bad.at[p] = was
	})
	for round := range 2 {
		failed := d.Failed()
		for from := int64(0); from < n; from += 700 {
			for _, read := range []func(int64, []byte) error{l.ReadAt, l.ReadExact, func(at int64, p []byte) error {
				r, err := l.Region(at, len(p))
				if err != nil {
					return err
				}
				defer r.Release()
				return r.Read(p, 0)
			}} {
				p := make([]byte, n-from)
				if err := read(o.SegmentBytes+from, p); err != nil || !bytes.Equal(p, want[from:]) {
					t.Fatalf("from %d: %v", from, err)
				}
			}
		}
		if got := d.Failed() - failed; round == 1 && got > 0 {
			t.Errorf("what cannot be read was tried %d times more", got)
		}
	}
	if len(told) != 2 || told[0] != o.SegmentBytes+pageBytes || told[1] != o.SegmentBytes+3*pageBytes {
		t.Errorf("told of %v", told)
	}
	for _, c := range []struct {
		from, n int64
		bad     bool
	}{{0, pageBytes, false}, {pageBytes - 1, 1, false}, {pageBytes - 1, 2, true}, {2*pageBytes - 1, 1, true}, {2 * pageBytes, pageBytes, false}, {-100, 100, false}} {
		if got := l.Unreadable(o.SegmentBytes+c.from, c.n); got != c.bad || l.Verified(o.SegmentBytes+c.from, int(c.n)) {
			t.Errorf("%d bytes at %d: %v", c.n, c.from, got)
		}
	}
	// Mended with a piece that neither begins nor ends with the page.
	from := int64(pageBytes + 500)
	if err := l.Mend(o.SegmentBytes+from, whole[from:2*pageBytes+300]); err != nil {
		t.Fatal(err)
	}
	copy(want[from:], whole[from:2*pageBytes+300])
	p := make([]byte, n)
	if err := l.ReadAt(o.SegmentBytes, p); err != nil || !bytes.Equal(p, want) || d.Lost() != 1 {
		t.Errorf("mended: %v, %d pages are lost", err, d.Lost())
	}
	if !l.Unreadable(o.SegmentBytes+pageBytes, 500) {
		t.Error("what was not mended of the page is believed")
	}
	if err := l.Mend(o.SegmentBytes+pageBytes, whole[pageBytes:2*pageBytes]); err != nil || l.Unreadable(o.SegmentBytes, 3*pageBytes) {
		t.Error("what was mended is not believed", err)
	}
	for at := int64(0); at < 4<<20; at += pageBytes {
		d.Lose(filepath.Join(o.Dir, record.FileName(0)), at)
	}
	failed := 0
	for at := int64(0); at < 4<<20; at += pageBytes {
		if err := l.ReadAt(at, p[:pageBytes]); err != nil {
			failed++
		}
	}
	if failed != 1 { // one page of the other segment is known
		t.Errorf("%d of 1024 reads of a disk that is gone fail", failed)
	}
}

// TestStartOverUnreadablePages: the log goes on behind what cannot be read, and what cannot be read behind its end is written over.
func TestStartOverUnreadablePages(t *testing.T) {
	d := &disk.BadPages{FS: disk.NewMemory()}
	o := options(d, "/s")
	o.SegmentBytes, o.TailBytes = 1<<20, 64<<10
	starts, end := longLog(t, o, 300)
	name := filepath.Join(o.Dir, record.FileName(0))
	if err := d.Remove(filepath.Join(o.StateDir, markName)); err != nil {
		t.Fatal(err)
	}
	middle := starts[100]
	d.Lose(name, middle)
	d.Lose(name, (end+2*pageBytes-1)/pageBytes*pageBytes)
	page := middle - middle%pageBytes
	want := 0
	for i, s := range starts {
		next := end
		if i+1 < len(starts) {
			next = starts[i+1]
		}
		if next <= page || s >= page+pageBytes {
			want++
		}
	}
	l, found, result, err := open(o)
	if err != nil || len(found) != want || result.End != end || len(result.Gaps) != 1 || d.Lost() != 1 {
		t.Fatalf("%d of %d records, end %d of %d, gaps %v, %d pages are lost, %v", len(found), want, result.End, end, result.Gaps, d.Lost(), err)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}
