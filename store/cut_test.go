package store

import (
	"bytes"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"ringmq/store/disk"
)

// TestCutTail: a log ends where it was cut, its queues with it; what was cut is saved; another record takes the place.
func TestCutTail(t *testing.T) {
	for _, keep := range []int{0, 1, 30, 59, 60} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			d := disk.NewFaulty()
			o := smallOptions(d)
			s := openStore(t, o)
			var at []int64
			for n := range 60 {
				at = append(at, mustAppend(t, s, message(fmt.Sprintf("T%d", n%2), 0, string(make([]byte, 500+n*97%4000)))).PhysicalOffset)
			}
			settled(t, s)
			end := s.LogMax()
			at = append(at, end)
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			whole := logBytes(t, d, o, end)
			if keep < 60 {
				if _, err := CutTail(o, at[keep]+1, -1, "/saved"); err == nil {
					t.Error("cut in the middle of a record")
				}
			}
			if _, err := CutTail(o, end+8, -1, "/saved"); err == nil {
				t.Error("cut behind the end")
			}
			if _, err := CutTail(o, at[keep], end-8, "/saved"); err == nil || !strings.Contains(err.Error(), "compare it again") {
				t.Error("cut a log that ends elsewhere than where it was looked at:", err)
			}
			cut, err := CutTail(o, at[keep], end, "/saved")
			if err != nil || cut != end-at[keep] {
				t.Fatalf("%d bytes, %v", cut, err)
			}
			if cut > 0 {
				saved := fileBytes(t, d, fmt.Sprintf("/saved/%020d-%020d", at[keep], end), cut)
				if !bytes.Equal(saved, whole[at[keep]:]) {
					t.Error("the copy is not what was cut")
				}
			}
			if cut, err := CutTail(o, at[keep], -1, "/saved"); err != nil || cut != 0 {
				t.Errorf("cut again: %d, %v", cut, err)
			}
			s = openStore(t, o)
			if s.LogMax() != at[keep] {
				t.Fatalf("the log ends at %d, cut at %d", s.LogMax(), at[keep])
			}
			even, odd := s.MaxOffset([]byte("T0"), 0), s.MaxOffset([]byte("T1"), 0)
			if even != int64(keep+1)/2 || odd != int64(keep)/2 {
				t.Errorf("%d and %d messages of %d", even, odd, keep)
			}
			p := mustAppend(t, s, message("T0", 0, "anew"))
			if p.PhysicalOffset < at[keep] || p.QueueOffset != even {
				t.Errorf("%+v", p)
			}
			settled(t, s)
			if len(s.Gaps()) != 0 {
				t.Errorf("gaps %v", s.Gaps())
			}
		})
	}
}

func logBytes(t *testing.T, f disk.FS, o Options, end int64) (all []byte) {
	t.Helper()
	for at := int64(0); at < end; at += o.SegmentBytes {
		all = append(all, fileBytes(t, f, fmt.Sprintf("%s/%020d", o.CommitLogDir, at), min(end-at, o.SegmentBytes))...)
	}
	return all
}

func fileBytes(t *testing.T, f disk.FS, name string, n int64) []byte {
	t.Helper()
	file, err := f.Open(name, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b := make([]byte, n)
	if _, err := file.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCutTailCrash: wherever the power goes, every record is in the log or in the copy, and the cut can be made again.
func TestCutTailCrash(t *testing.T) {
	for crashAt, done := 1, false; !done; crashAt += 3 {
		d := disk.NewFaulty()
		o := smallOptions(d)
		s := openStore(t, o)
		var at []int64
		for n := range 40 {
			at = append(at, mustAppend(t, s, message("T", 0, string(make([]byte, 500+n*97%4000)))).PhysicalOffset)
		}
		settled(t, s)
		end := s.LogMax()
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		whole := logBytes(t, d, o, end)
		d.CrashAt(d.Ops() + crashAt)
		_, err := CutTail(o, at[10], -1, "/saved")
		done = err == nil
		d = d.Crash(rand.New(rand.NewSource(int64(crashAt))))
		o.FS = d
		s = openStore(t, o)
		now := s.LogMax()
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now < at[10] || now > end {
			t.Fatalf("crash at %d: the log ends at %d", crashAt, now)
		}
		if now < end {
			saved := fileBytes(t, d, fmt.Sprintf("/saved/%020d-%020d", at[10], end), end-at[10])
			if !bytes.Equal(saved, whole[at[10]:]) {
				t.Fatalf("crash at %d: the copy is not what was cut", crashAt)
			}
		}
		if _, err := CutTail(o, at[10], -1, "/saved"); err != nil {
			t.Fatalf("crash at %d: cut again: %v", crashAt, err)
		}
		s = openStore(t, o)
		if s.LogMax() != at[10] || s.MaxOffset([]byte("T"), 0) != 10 {
			t.Fatalf("crash at %d: the log ends at %d, %d messages", crashAt, s.LogMax(), s.MaxOffset([]byte("T"), 0))
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOneBitInTheNoteOfACut: a note that is not whole cuts nothing: the start says so. Any flipped bit is found; a note of version 1 has no
// checksum and is read.
func TestOneBitInTheNoteOfACut(t *testing.T) {
	b := seal(cutVersion, cutNote{FormatVersion: cutVersion, At: 4711})
	if n, err := parseCutNote(b); err != nil || n.At != 4711 {
		t.Fatalf("%s is %+v, %v", b, n, err)
	}
	if n, err := parseCutNote([]byte(`{"formatVersion":1,"at":4711}`)); err != nil || n.At != 4711 {
		t.Fatalf("%+v, %v", n, err)
	}
	for bit := range len(b) * 8 {
		bad := bytes.Clone(b)
		bad[bit/8] ^= 1 << (bit % 8)
		if n, err := parseCutNote(bad); err == nil && n.At != 4711 {
			t.Errorf("%s cuts at %d", bad, n.At)
		}
	}
	d := disk.NewMemory()
	o := smallOptions(d)
	s := openStore(t, o)
	for i := range 20 {
		mustAppend(t, s, message("T", 0, fmt.Sprint(i)))
	}
	settled(t, s)
	end := s.LogMax()
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	note := o.Root + "/ringmq/" + cutName
	if err := writeWhole(d, note, bytes.Replace(b, []byte("4711"), []byte("0711"), 1)); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(o); err == nil {
		t.Errorf("it opened, and ends at %d of %d", s.LogMax(), end)
		_ = s.Close(t.Context())
	}
	if err := d.Remove(note); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, o)
	if s.LogMax() != end {
		t.Errorf("the log ends at %d of %d", s.LogMax(), end)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
