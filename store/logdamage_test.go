package store

import (
	"fmt"
	"math/rand"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"ringmq/store/disk"
)

// segmentFile names the file of the log that an offset lies in.
func segmentFile(o Options, offset int64) string {
	return fmt.Sprintf("/store/commitlog/%020d", offset-offset%o.SegmentBytes)
}

// logFiles lists the names in the log's folder.
func logFiles(f disk.FS) (names []string) {
	list, _ := f.ReadDir("/store/commitlog")
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// cutShort takes the power away from a store that is not closed.
func cutShort(t *testing.T, s *Store, f *disk.Faulty) *disk.Faulty {
	t.Helper()
	f.Stop()
	_ = s.Close(t.Context())
	return f.Crash(rand.New(rand.NewSource(1)))
}

// TestDamageOnBothSidesOfASegmentsEnd: two flipped bits cost the messages they lie in, also where one lies in what ends a segment and the
// other in the next one's first record.
func TestDamageOnBothSidesOfASegmentsEnd(t *testing.T) {
	for _, how := range []string{"killed", "queues removed"} {
		t.Run(how, func(t *testing.T) {
			f := disk.NewFaulty()
			o := smallOptions(f)
			s := mustOpen(t, o)
			const n = 300
			blank, last := int64(-1), int64(0)
			for i := range n {
				p := mustAppend(t, s, message("X", 0, fmt.Sprint("message ", i, strings.Repeat("x", 900))))
				if p.PhysicalOffset == o.SegmentBytes {
					blank = last
				}
				last = p.End
			}
			settled(t, s)
			if blank < 0 || last < 4*o.SegmentBytes {
				t.Fatal("no test")
			}
			if how == "killed" {
				f = cutShort(t, s, f)
			} else {
				closeStore(t, s)
				if err := f.RemoveAll("/store/consumequeue"); err != nil {
					t.Fatal(err)
				}
			}
			for _, at := range []int64{blank + 3, o.SegmentBytes + 90} {
				if err := f.FlipBit(segmentFile(o, at), at%o.SegmentBytes, 0); err != nil {
					t.Fatal(err)
				}
			}
			o.FS = f
			s = mustOpen(t, o)
			defer closeStore(t, s)
			if got := served(t, s)[at{"X", 0}]; len(got) != n-1 {
				t.Errorf("%d of %d messages are there; the log ends at %d, went to %d; files %v", len(got), n-1, s.LogMax(), last, logFiles(f))
			}
			if g := s.Gaps(); len(g) != 1 || g[0].From != blank || g[0].To <= o.SegmentBytes {
				t.Errorf("gaps: %v", g)
			}
		})
	}
}

// TestEmptyFilesInPlaceOfMissingSegments: they give their messages up and serve the others, as the error that asks for them says, also where
// several in a row are missing and the queues are built again, and whether it is known how far the log was durable or not.
func TestEmptyFilesInPlaceOfMissingSegments(t *testing.T) {
	for _, mark := range []string{"known", "lost"} {
		for missing := 1; missing <= 3; missing++ {
			t.Run(fmt.Sprint(mark, missing), func(t *testing.T) {
				f := disk.NewFaulty()
				o := smallOptions(f)
				s := mustOpen(t, o)
				behind := 0
				for i := range 400 {
					p := mustAppend(t, s, message("X", 0, fmt.Sprint("message ", i, strings.Repeat("x", 900))))
					if k := p.PhysicalOffset / o.SegmentBytes; k < 1 || k > int64(missing) {
						behind++
					}
				}
				settled(t, s)
				end := s.LogMax()
				closeStore(t, s)
				for i := 1; i <= missing; i++ {
					h, err := f.Open(segmentFile(o, int64(i)*o.SegmentBytes), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
					if err != nil {
						t.Fatal(err)
					}
					_ = h.Close()
				}
				if err := f.RemoveAll("/store/consumequeue"); err != nil {
					t.Fatal(err)
				}
				if mark == "lost" {
					if err := f.Remove("/store/ringmq/commitlog.mark"); err != nil {
						t.Fatal(err)
					}
				}
				s = mustOpen(t, o)
				defer closeStore(t, s)
				if got := served(t, s)[at{"X", 0}]; len(got) != behind || s.LogMax() != end {
					t.Errorf("%d of %d messages are there; the log ends at %d of %d, files %v", len(got), behind, s.LogMax(), end, logFiles(f))
				}
			})
		}
	}
}

// TestLostOffsetIsLeftFree: the queue offset of a record that is found damaged at the log's end is given to no other, and the record has it
// when it comes back from a copy, also where the queues know nothing of it.
func TestLostOffsetIsLeftFree(t *testing.T) {
	for _, batches := range []bool{false, true} {
		t.Run(fmt.Sprint("batches=", batches), func(t *testing.T) {
			f := disk.NewFaulty()
			o := smallOptions(f)
			o.BatchTopic = func([]byte) bool { return batches }
			s := mustOpen(t, o)
			var last Placed
			for i := range 10 {
				last = mustAppend(t, s, message("X", 0, fmt.Sprint("message ", i)))
			}
			settled(t, s)
			whole, err := s.MessageByOffset(last.PhysicalOffset, nil)
			if err != nil {
				t.Fatal(err)
			}
			closeStore(t, s)
			for _, name := range []string{"consumequeue", "batchconsumequeue", "ringmq/queues.json"} {
				if err := f.RemoveAll("/store/" + name); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.FlipBit(segmentFile(o, 0), last.PhysicalOffset+90, 3); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, o)
			defer closeStore(t, s)
			if g := s.Gaps(); len(g) != 1 || g[0].From != last.PhysicalOffset || g[0].To != last.End || g[0].Kind != "rot" {
				t.Fatalf("gaps: %v", g)
			}
			if p := mustAppend(t, s, message("X", 0, "next")); p.QueueOffset != 10 || p.PhysicalOffset != last.End {
				t.Errorf("the next message is at %+v", p)
			}
			settled(t, s)
			if err := s.Heal(last.PhysicalOffset, whole); err != nil {
				t.Fatal(err)
			}
			if got := served(t, s)[at{"X", 0}]; len(got) != 11 && !batches { // a queue of batches takes none before others
				t.Errorf("%d of 11 messages are there", len(got))
			}
		})
	}
}

// TestTornBatchKeepsNoOffsets: the queue offsets of a batch that a crash tore go to the next message, however many starts there are before that:
// where a queue ends and where its next message goes is the same.
func TestTornBatchKeepsNoOffsets(t *testing.T) {
	for _, end := range []string{"crash", "in order"} {
		t.Run(end, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tearBatch(t, end == "crash") }) // no mark is written on the way
		})
	}
}

func tearBatch(t *testing.T, crash bool) {
	f := disk.NewFaulty()
	o := batchOptions(f)
	o.SyncFlush = true
	s := mustOpen(t, o)
	for range 3 {
		appendInner(t, s, "B", 5)
	}
	torn := appendInner(t, s, "B", 4)
	mustAppend(t, s, message("O", 0, "behind it"))
	settled(t, s)
	f = cutShort(t, s, f)
	if err := f.FlipBit(segmentFile(o, 0), torn.PhysicalOffset+100, 3); err != nil {
		t.Fatal(err)
	}
	for start := range 3 {
		o.FS = f
		s = mustOpen(t, o)
		if g := s.Gaps(); len(g) != 1 || g[0].From != torn.PhysicalOffset || g[0].Kind != "torn" {
			t.Errorf("start %d: gaps %v", start, g)
		}
		if high, next := s.MaxOffset([]byte("B"), 0), s.NextOffset([]byte("B"), 0); high != 15 || next != 15 {
			t.Errorf("start %d: the queue ends at %d, the next message goes to %d", start, high, next)
		}
		if crash {
			f = cutShort(t, s, f)
		} else {
			closeStore(t, s)
			for _, name := range []string{"consumequeue", "batchconsumequeue", "ringmq/queues.json"} { // so that the log is walked
				if err := f.RemoveAll("/store/" + name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	o.FS = f
	s = mustOpen(t, o)
	defer closeStore(t, s)
	goesOn(t, s)
}

// TestDamageBehindATopicMadeAgain: one flipped bit in the first record of a topic that was deleted and made again costs that record and none
// behind it, though they have queue offsets that were given before: the topic's grave has the others, or their checksum proves them.
func TestDamageBehindATopicMadeAgain(t *testing.T) {
	for _, by := range []string{"grave", "checksum", "both"} {
		t.Run(by, func(t *testing.T) {
			f := disk.NewFaulty()
			o := smallOptions(f)
			o.AppendPropCRC = by != "grave"
			s := mustOpen(t, o)
			for i := range 20 {
				mustAppend(t, s, message("X", 0, fmt.Sprint("old ", i)))
			}
			settled(t, s)
			if err := s.DeleteTopic("X"); err != nil {
				t.Fatal(err)
			}
			first := mustAppend(t, s, message("X", 0, "new 0"))
			if first.QueueOffset != 0 {
				t.Fatalf("%+v", first)
			}
			for i := 1; i < 10; i++ {
				mustAppend(t, s, message("X", 0, fmt.Sprint("new ", i)))
			}
			settled(t, s) // all ten are durable: acknowledged
			f = cutShort(t, s, f)
			for _, name := range []string{"consumequeue", "ringmq/commitlog.mark", "ringmq/replay.json", "ringmq/queues.json"} {
				if err := f.RemoveAll("/store/" + name); err != nil {
					t.Fatal(err)
				}
			}
			if by == "checksum" {
				if err := f.Remove("/store/ringmq/" + gravesName); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.FlipBit(segmentFile(o, 0), first.PhysicalOffset+90, 3); err != nil {
				t.Fatal(err)
			}
			o.FS = f
			s = mustOpen(t, o)
			defer closeStore(t, s)
			fresh := 0
			for _, raw := range served(t, s)[at{"X", 0}] {
				if strings.HasPrefix(bodies(t, raw)[0], "new ") {
					fresh++
				}
			}
			if g := s.Gaps(); fresh != 9 || len(g) != 1 || g[0].From != first.PhysicalOffset {
				t.Errorf("%d of 9 acknowledged messages are there; the log ends at %d, gaps %v", fresh, s.LogMax(), g)
			}
		})
	}
}
