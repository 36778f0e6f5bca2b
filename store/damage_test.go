package store

import (
	"fmt"
	"math/rand"
	"os"
	"strings"
	"testing"

	"ringmq/store/disk"
)

// queueDamage does something to the files of queue A-0, which has entries [0, 120) in three files of 40.
type queueDamage func(f *disk.Faulty) error

const damagedQueue = "/store/consumequeue/A/0/"

func overwrite(file string, at int64, b []byte) queueDamage {
	return func(f *disk.Faulty) error {
		h, err := f.Open(damagedQueue+file, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer h.Close()
		_, err = h.WriteAt(b, at)
		return err
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(7)).Read(b)
	return b
}

var queueDamages = map[string]queueDamage{
	"nothing":       func(*disk.Faulty) error { return nil },
	"topic gone":    func(f *disk.Faulty) error { return f.RemoveAll("/store/consumequeue/A") },
	"all gone":      func(f *disk.Faulty) error { return f.RemoveAll("/store/consumequeue") },
	"first gone":    func(f *disk.Faulty) error { return f.Remove(damagedQueue + "00000000000000000000") },
	"middle gone":   func(f *disk.Faulty) error { return f.Remove(damagedQueue + "00000000000000000800") },
	"last gone":     func(f *disk.Faulty) error { return f.Remove(damagedQueue + "00000000000000001600") },
	"zeros":         overwrite("00000000000000000000", 204, make([]byte, 400)),
	"zeros in last": overwrite("00000000000000001600", 204, make([]byte, 400)),
	"zeros at end":  overwrite("00000000000000001600", 600, make([]byte, 200)),
	"noise":         overwrite("00000000000000000800", 204, noise(400)),
	"noise in last": overwrite("00000000000000001600", 300, noise(500)),
	"one bit":       func(f *disk.Faulty) error { return f.FlipBit(damagedQueue+"00000000000000000000", 20*7+6, 2) },
	"low bit":       func(f *disk.Faulty) error { return f.FlipBit(damagedQueue+"00000000000000000000", 20*7+7, 1) },
	"size":          func(f *disk.Faulty) error { return f.FlipBit(damagedQueue+"00000000000000000000", 20*7+11, 0) },
	"all emptied": func(f *disk.Faulty) error {
		for _, n := range []string{"00000000000000000000", "00000000000000000800", "00000000000000001600"} {
			h, err := f.Open(damagedQueue+n, os.O_RDWR|os.O_TRUNC, 0)
			if err != nil {
				return err
			}
			_ = h.Close()
		}
		return nil
	},
}

func copyTree(t *testing.T, from, to disk.FS, dir string) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	must(to.MkdirAll(dir, 0o755))
	entries, err := from.ReadDir(dir)
	must(err)
	for _, e := range entries {
		name := dir + "/" + e.Name()
		if e.IsDir() {
			copyTree(t, from, to, name)
			continue
		}
		b, err := readWhole(from, name, 1<<30)
		must(err)
		must(writeWhole(to, name, b))
	}
	must(to.SyncDir(dir))
}

// still keeps a disk as it is while fn looks at it: who is about to change it waits.
func still(f *disk.Faulty, fn func()) {
	gate := make(chan struct{})
	f.OnOp(func(int, string, string) { <-gate })
	defer close(gate)
	defer f.OnOp(nil)
	fn()
}

// TestDamagedQueueFiles: whatever happens to the files of a queue, at an orderly end, at a crash and at one long after the
// last checkpoint, the log has all that was in them: every message is served, none is called lost, and no queue offset is
// given twice. So it is after another restart.
func TestDamagedQueueFiles(t *testing.T) {
	for _, end := range []string{"clean", "killed", "killed behind a checkpoint"} {
		for name, damage := range queueDamages {
			t.Run(end+"/"+name, func(t *testing.T) {
				f := disk.NewFaulty()
				o := smallOptions(f)
				o.QueueFileBytes, o.SegmentBytes = 800, 16<<10
				s := mustOpen(t, o)
				for i := range 120 {
					for _, topic := range []string{"A", "B"} {
						mustAppend(t, s, message(topic, 0, fmt.Sprint(topic, i, strings.Repeat("x", i%7))))
					}
					if end == "killed behind a checkpoint" && i == 100 {
						settled(t, s)
						fl := flusher{s: s}
						if err := fl.sync(s.dispatch.lastPlace()); err != nil {
							t.Fatal(err)
						}
						fl.round()
					}
				}
				settled(t, s)
				if end == "clean" {
					closeStore(t, s)
				} else {
					if err := s.queues.Flush(); err != nil {
						t.Fatal(err)
					}
					left := disk.NewFaulty() // what a killed process leaves
					still(f, func() { copyTree(t, f, left, "/store") })
					closeStore(t, s)
					f = left
					o.FS = f
				}
				if err := damage(f); err != nil {
					t.Fatal(err)
				}
				for round := range 2 {
					s = mustOpen(t, o)
					for _, topic := range []string{"A", "B"} {
						if got := served(t, s)[at{topic, 0}]; len(got) != 120+round {
							t.Errorf("round %d: %d of %d messages of %s are there", round, len(got), 120+round, topic)
						}
						if p := mustAppend(t, s, message(topic, 0, "next")); p.QueueOffset != int64(120+round) {
							t.Errorf("round %d: the next queue offset of %s is %d", round, topic, p.QueueOffset)
						}
					}
					if g := s.Gaps(); len(g) != 0 {
						t.Errorf("round %d: the log is called damaged: %v", round, g)
					}
					settled(t, s)
					closeStore(t, s)
				}
			})
		}
	}
}

// TestWrongQueueFileSize: queues opened with another file size are refused and left as they are, so that the right size opens
// them afterwards.
func TestWrongQueueFileSize(t *testing.T) {
	for _, n := range []int{10, 60} { // one file, and two
		f := disk.NewMemory()
		o := smallOptions(f)
		o.QueueFileBytes = 800
		s := mustOpen(t, o)
		for i := range n {
			mustAppend(t, s, message("A", 0, fmt.Sprint(i)))
			mustAppend(t, s, message("B", 0, fmt.Sprint(i)))
		}
		settled(t, s)
		closeStore(t, s)
		for _, wrong := range []int{8000, 400} {
			w := o
			w.QueueFileBytes = wrong
			if s, err := Open(w); err == nil {
				t.Errorf("files of 800 bytes opened as of %d", wrong)
				closeStore(t, s)
			}
			if i, err := f.Stat(damagedQueue + "00000000000000000000"); err != nil || i.Size() != 800 {
				t.Errorf("the first file: %v %v", i, err)
			}
		}
		s = mustOpen(t, o)
		if got := served(t, s)[at{"A", 0}]; len(got) != n {
			t.Errorf("%d of %d messages are there", len(got), n)
		}
		closeStore(t, s)
	}
}
