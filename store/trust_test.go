package store

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"ringmq/store/disk"
)

// lookedAt counts the looks into the folders of queues.
type lookedAt struct {
	disk.FS
	looks atomic.Int64
}

func (l *lookedAt) note(name string) {
	if strings.HasPrefix(name, "/store/consumequeue/A/") {
		l.looks.Add(1)
	}
}

func (l *lookedAt) Open(name string, flag int, perm fs.FileMode) (disk.File, error) {
	l.note(name)
	return l.FS.Open(name, flag, perm)
}

func (l *lookedAt) ReadDir(name string) ([]fs.DirEntry, error) {
	l.note(name)
	return l.FS.ReadDir(name)
}

// moveEnds has the checkpoint and the ends of the queues on disk as of now.
func moveEnds(t *testing.T, s *Store) {
	t.Helper()
	settled(t, s)
	fl := flusher{s: s}
	if err := fl.sync(s.dispatch.lastPlace()); err != nil {
		t.Fatal(err)
	}
	fl.round()
}

// killed returns what a killed process leaves of a store, and closes it.
func killed(t *testing.T, s *Store, f *disk.Faulty) *disk.Faulty {
	t.Helper()
	settled(t, s)
	if err := s.queues.Flush(); err != nil {
		t.Fatal(err)
	}
	left := disk.NewFaulty()
	still(f, func() { copyTree(t, f, left, "/store") })
	closeStore(t, s)
	return left
}

// TestStartLooksAtNoQueue: where the ends tell how long the queues are, a start opens none of their files; where an entry may be of a
// record that was lost, it looks at all of them.
func TestStartLooksAtNoQueue(t *testing.T) {
	for _, c := range []struct {
		name         string
		async, crash bool
		looks        bool
	}{{"clean", false, false, false}, {"clean, async", true, false, false}, {"killed", false, true, false}, {"killed, async", true, true, true}} {
		t.Run(c.name, func(t *testing.T) {
			f := disk.NewFaulty()
			o := smallOptions(f)
			o.SyncFlush, o.QueueFileBytes = !c.async, 800
			s := mustOpen(t, o)
			for i := range 300 {
				if i == 200 {
					moveEnds(t, s)
				}
				mustAppend(t, s, message("A", int32(i%3), fmt.Sprint(i)))
			}
			if c.crash {
				f = killed(t, s, f)
			} else {
				settled(t, s)
				closeStore(t, s)
			}
			look := &lookedAt{FS: f}
			o.FS = look
			s = mustOpen(t, o)
			defer closeStore(t, s)
			if n := look.looks.Load(); (n > 0) != c.looks {
				t.Errorf("%d looks into the folders of queues", n)
			}
			for q := range int32(3) {
				if high := s.MaxOffset([]byte("A"), q); high != 100 {
					t.Errorf("queue %d ends at %d", q, high)
				}
				if got := served(t, s)[at{"A", q}]; len(got) != 100 {
					t.Errorf("%d messages of queue %d are served", len(got), q)
				}
				if p := mustAppend(t, s, message("A", q, "next")); p.QueueOffset != 100 {
					t.Errorf("the next queue offset is %d", p.QueueOffset)
				}
			}
		})
	}
}

// TestFileBehindTheEnds: a file that a killed process made behind the ends it left, whose entries come from the log again.
func TestFileBehindTheEnds(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	o.QueueFileBytes = 400
	s := mustOpen(t, o)
	for i := range 100 {
		if i == 15 {
			moveEnds(t, s)
		}
		mustAppend(t, s, message("A", 0, fmt.Sprint(i)))
	}
	f = killed(t, s, f)
	// Entries that no record stands behind must not be met again.
	h, err := f.Open(damagedQueue+"00000000000000001600", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt(noise(400), 0); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	o.FS = f
	for round := range 2 {
		s = mustOpen(t, o)
		if got := served(t, s)[at{"A", 0}]; len(got) != 100+round {
			t.Errorf("round %d: %d messages are served", round, len(got))
		}
		if p := mustAppend(t, s, message("A", 0, "next")); p.QueueOffset != int64(100+round) {
			t.Errorf("round %d: the next queue offset is %d", round, p.QueueOffset)
		}
		settled(t, s)
		closeStore(t, s)
	}
}
