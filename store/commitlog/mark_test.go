package commitlog

import (
	"fmt"
	"path/filepath"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// closedLog is a log of n records that was closed in order, and where it ends.
func closedLog(t *testing.T, o Options, n int) (end int64) {
	t.Helper()
	makeDirs(t, o)
	l, _, _, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, end, err = put(l, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return end
}

// write puts bytes into the log's first segment, as somebody else might have.
func write(t *testing.T, o Options, at int64, b []byte) {
	t.Helper()
	if err := o.FS.WriteInto(filepath.Join(o.Dir, record.FileName(0)), b, at); err != nil {
		t.Fatal(err)
	}
}

// recordAt is the n-th test record as it lies at an offset.
func recordAt(at int64, n int) []byte {
	r := message(n)
	r.PhysicalOffset, r.StoreTimestamp = at, 1_800_000_000_000
	b := record.Append(nil, &r, true)
	record.SealCRC(b)
	return b
}

// TestMarkIsOfThisLog: a mark counts for the log that it was written for, while nobody else has written to it.
func TestMarkIsOfThisLog(t *testing.T) {
	mark := func(o Options, text string) {
		b := make([]byte, markBytes)
		copy(b, text)
		if err := o.FS.WriteInto(filepath.Join(o.StateDir, markName), b, 0); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		change func(o *Options, end int64)
		want   bool
	}{
		"as it was": {func(*Options, int64) {}, true},
		"without a proof": {func(o *Options, end int64) {
			mark(*o, fmt.Sprintf(`{"formatVersion":1,"durable":%d,"clean":true}`, end))
		}, true},
		"of a later program": {func(o *Options, end int64) {
			mark(*o, fmt.Sprintf(`{"formatVersion":2,"durable":%d,"clean":true}`, end))
		}, false},
		"its proof is too long": {func(o *Options, end int64) {
			mark(*o, fmt.Sprintf(`{"formatVersion":1,"durable":%d,"clean":true,"proof":{"bytes":100000,"crc32c":1}}`, end))
		}, false},
		"another log":       {func(o *Options, end int64) { write(t, *o, end-20, []byte{1}) }, false},
		"appended to":       {func(o *Options, end int64) { write(t, *o, end, recordAt(end, 7)) }, false},
		"appended to badly": {func(o *Options, end int64) { write(t, *o, end+7, []byte{1}) }, false},
		"foreign":           {func(o *Options, _ int64) { o.Foreign = true }, false},
	} {
		o := options(disk.NewMemory(), "/s")
		end := closedLog(t, o, 5)
		c.change(&o, end)
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if l.mark.known != c.want {
			t.Errorf("%s: the mark counts: %v", name, l.mark.known)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestMarkAfterACrash: one that was written while the log grew holds for the log that a crash left.
func TestMarkAfterACrash(t *testing.T) {
	o := options(disk.NewMemory(), "/s")
	makeDirs(t, o)
	l, _, _, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	var at []int64
	for n := range 6 {
		_, end, err := put(l, n)
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, end)
	}
	if err := l.Durable().Wait(t.Context(), at[5]); err != nil {
		t.Fatal(err)
	}
	for _, durable := range []int64{0, at[2], at[5]} {
		if err := l.saveMark(mark{Durable: durable}, true); err != nil {
			t.Fatal(err)
		}
		if m := l.loadMark(); !m.known || m.Durable != durable || (m.Proof == nil) != (durable == 0) {
			t.Errorf("the mark at %d: %+v", durable, m)
		}
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestOthersRecordsAreKept: what a stock broker has stored since the log was last open is found, however much of it is damaged: its bytes lie where
// ours never would.
func TestOthersRecordsAreKept(t *testing.T) {
	for name, c := range map[string]struct {
		foreign bool
		far     int64
	}{
		"behind a torn record":  {false, 500},
		"far behind the damage": {true, 200_000},
	} {
		o := options(disk.NewMemory(), "/s")
		o.SegmentBytes = 1 << 20
		end := closedLog(t, o, 5)
		torn := recordAt(end, 7)
		torn[len(torn)-30] ^= 1
		write(t, o, end, torn)
		write(t, o, end+c.far, recordAt(end+c.far, 8))
		o.Foreign = c.foreign
		l, found, _, err := open(o)
		if err != nil {
			t.Fatal(err)
		}
		if found[end+c.far] != 8 || len(found) != 6 {
			t.Errorf("%s: found %v", name, found)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestTornStaysTorn: what a crash has torn is no rot for the starts after the one that found it, however many crashes follow, within the room
// that a mark has; what is damaged later is.
func TestTornStaysTorn(t *testing.T) {
	o := options(disk.NewMemory(), "/s")
	o.SegmentBytes = 64 << 10
	makeDirs(t, o)
	var torn []int64
	n := 0
	kinds := func(result Result) map[int64]GapKind {
		all := map[int64]GapKind{}
		for _, g := range result.Gaps {
			all[g.From] = g.Kind
		}
		return all
	}
	for range 3 {
		l, _, result, err := open(o)
		if err != nil {
			t.Fatal(err)
		}
		all := kinds(result)
		for _, at := range torn {
			if kind, there := all[at]; !there || kind != Torn {
				t.Errorf("the damage that a crash left at %d: found %v, %v", at, there, kind)
			}
		}
		durable := l.Durable().Load()
		var starts []int64
		for range 5 {
			at, _, err := put(l, n)
			if err != nil {
				t.Fatal(err)
			}
			starts, n = append(starts, at), n+1
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A crash instead: the mark is the one that the start wrote, and a record before the last is not whole.
		if err := l.saveMark(mark{Durable: durable}, true); err != nil {
			t.Fatal(err)
		}
		write(t, o, starts[3]+100, []byte{0xFF, 0xFF})
		torn = append(torn, starts[3])
	}
	for _, end := range []string{"a crash", "in order"} {
		l, _, result, err := open(o)
		if err != nil {
			t.Fatal(err)
		}
		if all := kinds(result); len(all) != 3 || all[torn[0]] != Torn || all[torn[1]] != Torn || all[torn[2]] != Torn {
			t.Errorf("after %s: %v instead of torn ones at %d", end, all, torn)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	write(t, o, 100, []byte{0xFF, 0xFF})
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if result, err := l.Walk(0, Visitor{}); err != nil || len(result.Gaps) != 4 || result.Gaps[0].Kind != Rot {
		t.Errorf("%v, %v: the first record was durable", result.Gaps, err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestMarkFitsItsSector: of many crashes a mark says the last.
func TestMarkFitsItsSector(t *testing.T) {
	o := options(disk.NewMemory(), "/s")
	end := closedLog(t, o, 5)
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(100) {
		l.tornBefore = append(l.tornBefore, stretch{1e15 + i, 2e15 + i})
	}
	if err := l.saveMark(mark{Durable: end, Clean: true}, true); err != nil {
		t.Fatal(err)
	}
	m := l.loadMark()
	if n := len(m.Torn); !m.known || m.Durable != end || n < 2 || m.Torn[n-1] != l.tornBefore[99] {
		t.Errorf("%+v", m)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
