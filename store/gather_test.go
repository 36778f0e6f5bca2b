package store

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/store/disk"
)

// countingFS counts what is read from the files of the commit log.
type countingFS struct {
	disk.FS
	reads, bytes atomic.Int64
	ahead        atomic.Int64 // of those, reads behind which the kernel reads on
}

type countingFile struct {
	disk.File
	fs *countingFS
}

func (c *countingFS) Open(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := c.FS.Open(name, flag, perm)
	if err == nil && strings.Contains(name, "/commitlog/") {
		return countingFile{f, c}, nil
	}
	return f, err
}

func (f countingFile) count(n int) {
	f.fs.reads.Add(1)
	f.fs.bytes.Add(int64(n))
}

func (f countingFile) ReadAt(b []byte, off int64) (int, error) {
	f.count(len(b))
	f.fs.ahead.Add(1)
	return f.File.ReadAt(b, off)
}

func (f countingFile) ReadExact(b []byte, off int64, once bool) (int, error) {
	f.count(len(b))
	return f.File.ReadExact(b, off, once)
}

func (f countingFile) ReadNow(b []byte, off int64) (int, error) {
	n, err := f.File.ReadNow(b, off)
	if err == nil {
		f.count(n)
	}
	return n, err
}

// interleaved opens a store that holds `each` messages of about a kilobyte of each of so many queues, by turns, which it has not written
// itself. The number of a message in its queue begins its body, and its tag is A or B by turns.
func interleaved(t *testing.T, o Options, queues, each int) *Store {
	t.Helper()
	s := mustOpen(t, o)
	for i := range each * queues {
		m := message("T", int32(i%queues), fmt.Sprintf("%d %s", i/queues, strings.Repeat("x", 900)), "TAGS", "AB"[i/queues%2:][:1])
		for {
			_, err := s.Append(m)
			if err == nil {
				break
			}
			waitRoom(s)
		}
	}
	settled(t, s)
	closeStore(t, s)
	return mustOpen(t, o)
}

// drained reads queues to their ends, a pull of each by turns, on a worker or, with warm, on a loop where that is possible. It checks
// every message, and returns what was answered in bytes, and in how many pulls, by whom.
func drained(t *testing.T, s *Store, queues, each int, w Want, warm bool) (answered int64, onLoop, onWorker int) {
	t.Helper()
	w.Topic = []byte("T")
	step := 1
	if w.Match != nil {
		step = 2
	}
	ends, next := make([]int64, queues), make([]int, queues)
	for left := queues; left > 0; {
		for q := range queues {
			if ends[q] == int64(each) {
				continue
			}
			var raw []byte
			var f Found
			var ok bool
			w.QueueID, w.Offset = int32(q), ends[q]
			if warm {
				budget := 1 << 20
				w.Warm = &budget
				raw, f, ok = s.ReadHot(&w, nil)
			}
			if ok {
				onLoop++
			} else {
				var err error
				if raw, f, err = s.Read(&w, nil); err != nil {
					t.Fatal(err)
				}
				onWorker++
			}
			answered += int64(len(raw))
			for _, b := range bodies(t, raw) {
				if !strings.HasPrefix(b, fmt.Sprint(next[q], " ")) {
					t.Fatalf("queue %d: message %d is %.10s", q, next[q], b)
				}
				next[q] += step
			}
			if ends[q] = f.NextOffset; ends[q] == int64(each) {
				if left--; next[q] != each {
					t.Fatalf("queue %d: read up to %d", q, next[q])
				}
			}
		}
	}
	return answered, onLoop, onWorker
}

func gatherOptions(fs disk.FS) Options {
	o := smallOptions(fs)
	o.SegmentBytes, o.IndexEnabled, o.QueueFileBytes = 1<<20, false, 1<<20
	return o
}

// TestEverythingIsReadOnce: who reads all queues of a topic reads the log once, however they are interleaved, in large pieces; nothing
// of it that a filter leaves out counts as read in vain.
func TestEverythingIsReadOnce(t *testing.T) {
	for _, queues := range []int{1, 2, 8, 30} {
		for _, w := range []Want{{MaxMessages: 32}, {MaxMessages: 3}, {MaxMessages: 32, Match: func(code int64) bool { return code == 'A' }}} {
			for _, warm := range []bool{false, true} {
				c := &countingFS{FS: disk.NewMemory()}
				each := 1600 / queues / 2 * 2
				s := interleaved(t, gatherOptions(c), queues, each)
				c.reads.Store(0)
				c.bytes.Store(0)
				answered, onLoop, _ := drained(t, s, queues, each, w, warm)
				if w.Match != nil {
					answered *= 2
				}
				reads, bytes := c.reads.Load(), c.bytes.Load()
				if bytes > answered*5/4 {
					t.Errorf("%d queues, %+v: %d bytes were read for %d", queues, w, bytes, answered)
				}
				if pieces := answered / windowBytes; queues <= 8 && w.MaxMessages == 32 && w.Match == nil && reads > 4*pieces {
					t.Errorf("%d queues, %+v: %d reads of %d pieces", queues, w, reads, pieces)
				}
				if warm && queues <= 8 && onLoop == 0 { // a queue is first read by a worker, who opens its files
					t.Errorf("%d queues, %+v: nothing was answered on the loop", queues, w)
				}
				closeStore(t, s)
			}
		}
	}
}

// TestFewReadsOfRecords: where records lie close, those of a window that a pull only reaches into are not read alone before it.
func TestFewReadsOfRecords(t *testing.T) {
	const queues, each = 10, 320
	c := &countingFS{FS: disk.NewMemory()}
	s := interleaved(t, gatherOptions(c), queues, each)
	defer closeStore(t, s)
	c.reads.Store(0)
	answered, _, _ := drained(t, s, queues, each, Want{MaxMessages: 32}, false)
	if reads, pieces := c.reads.Load(), answered/windowBytes; reads > 2*pieces {
		t.Errorf("%d reads of %d pieces", reads, pieces)
	}
}

// TestSparseReadsAreOfRecords: who reads one queue among very many does not read the log for it.
func TestSparseReadsAreOfRecords(t *testing.T) {
	const queues, each = 60, 40
	c := &countingFS{FS: disk.NewMemory()}
	s := interleaved(t, gatherOptions(c), queues, each)
	defer closeStore(t, s)
	c.reads.Store(0)
	c.bytes.Store(0)
	answered, _, pulls := drained(t, s, 1, each, Want{MaxMessages: 32}, false)
	if bytes := c.bytes.Load(); bytes != answered {
		t.Errorf("%d bytes were read for %d in %d pulls", bytes, answered, pulls)
	}
	// Once forbidden, windows are not even read for those whom they would serve.
	s.SetReadAhead(false)
	c.bytes.Store(0)
	if answered, _, _ = drained(t, s, queues, each, Want{MaxMessages: 32}, false); c.bytes.Load() != answered {
		t.Errorf("%d bytes were read for %d", c.bytes.Load(), answered)
	}
}

// TestNothingIsReadAhead: whoever wants a record or its time has the kernel read no megabytes of what lies behind, nor leave a mark there
// at which readers of it would have it read on.
func TestNothingIsReadAhead(t *testing.T) {
	const queues, each = 4, 400
	c := &countingFS{FS: disk.NewMemory()}
	s := interleaved(t, gatherOptions(c), queues, each)
	defer closeStore(t, s)
	c.reads.Store(0)
	c.ahead.Store(0)
	earliest := s.EarliestMessageTime()
	if _, err := s.MessageByOffset(s.LogMin(), nil); err != nil || earliest < 0 {
		t.Fatal(err, earliest)
	}
	if _, err := s.OffsetByTime([]byte("T"), 1, earliest, false); err != nil {
		t.Fatal(err)
	}
	drained(t, s, queues, each, Want{MaxMessages: 32}, false)
	if reads, ahead := c.reads.Load(), c.ahead.Load(); ahead != 0 || reads < 4 {
		t.Errorf("%d of %d reads are read ahead of", ahead, reads)
	}
}

// TestColdReadsBesideCommits: while messages are stored what is cold is read in small pieces and no faster than the floor; while none are
// it is read as it comes. A large message is, too.
func TestColdReadsBesideCommits(t *testing.T) {
	const queues, each, large = 8, 400, 300_000
	for _, storing := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			m := disk.NewFaulty()
			o := gatherOptions(m)
			o.MaxMessageBytes = large
			s := interleaved(t, o, queues, each)
			mustAppend(t, s, message("L", 0, strings.Repeat("y", large)))
			closeStore(t, s)
			m.SetCold(func(name string, _, _ int64) bool { return strings.Contains(name, "/commitlog/") })
			s = mustOpen(t, o)
			var most, all atomic.Int64
			m.OnRead(func(name string, _ int64, n int) {
				if strings.Contains(name, "/commitlog/") {
					all.Add(int64(n))
					most.Store(max(most.Load(), int64(n)))
				}
			})
			stored := make(chan struct{})
			stop := make(chan struct{})
			go func() {
				defer close(stored)
				for storing {
					mustAppend(t, s, message("U", 0, "beside"))
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
			}()
			synctest.Wait()
			began := time.Now()
			raw, _, err := s.Read(&Want{Topic: []byte("L"), MaxMessages: 1, Anything: true}, nil)
			if err != nil || len(raw) < large {
				t.Fatal(err, len(raw))
			}
			drained(t, s, queues, each, Want{MaxMessages: 32}, false)
			took := time.Since(began)
			close(stop)
			<-stored
			atLeast, piece := time.Duration(0), int64(large+1000)
			if storing {
				atLeast, piece = time.Second*time.Duration(all.Load()-pacedBytes)/(16<<20), pacedBytes
			}
			if took < atLeast || !storing && took > 0 {
				t.Errorf("storing %v: %d bytes took %v, at least %v", storing, all.Load(), took, atLeast)
			}
			if most.Load() > piece || !storing && most.Load() < windowBytes {
				t.Errorf("storing %v: %d bytes were read at once", storing, most.Load())
			}
			closeStore(t, s)
		})
	}
}

// brokenRing is an engine that fails.
type brokenRing struct {
	disk.Ring
	submit, wait error
}

func (r *brokenRing) Submit(ops []*disk.Op) error {
	if r.submit != nil {
		return r.submit
	}
	return r.Ring.Submit(ops)
}

func (r *brokenRing) Wait(n int, done []*disk.Op) ([]*disk.Op, error) {
	if r.wait != nil {
		return done, r.wait
	}
	return r.Ring.Wait(n, done)
}

// TestEngineFails: what a failed engine should have read is read all the same, the operator is told, and another one is tried after a rest,
// unless the kernel will not have it.
func TestEngineFails(t *testing.T) {
	for name, c := range map[string]struct {
		ring  brokenRing
		again bool
	}{
		"no memory":     {brokenRing{submit: fmt.Errorf("submit: %w", syscall.EAGAIN)}, true},
		"a failed wait": {brokenRing{wait: syscall.EBUSY}, true},
		"forbidden":     {brokenRing{submit: fmt.Errorf("submit: %w", syscall.EPERM)}, false},
		"not there":     {brokenRing{submit: syscall.ENOSYS}, false},
		"taken away":    {brokenRing{submit: disk.ErrNoUring}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t, gatherOptions(disk.NewMemory()))
			defer closeStore(t, s)
			end := mustAppend(t, s, message("T", 0, "x")).End
			settled(t, s)
			want := regionOf(t, s, 0)
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				var reads coldReads
				opened := 0
				reads.init(func() disk.Ring {
					if opened++; opened <= coldBatches {
						r := c.ring
						r.Ring = disk.NewPwriteRing(coldDepth)
						return &r
					}
					return disk.NewPwriteRing(coldDepth)
				}, &s.pace, slog.New(slog.NewTextHandler(&out, nil)))
				get := func() {
					b, p := reads.take(), make([]byte, end)
					at, err := s.log.Place(0, len(p))
					if err != nil {
						t.Fatal(err)
					}
					b.add(0, at, p, false)
					b.runPart(b.list)
					at.Release()
					if b.ops[0].Err != nil || !bytes.Equal(p, want) {
						t.Errorf("%v, %x", b.ops[0].Err, p)
					}
					reads.give(b)
				}
				lines := func() int { return strings.Count(out.String(), "level=WARN") }
				for range 3 * coldBatches {
					get()
				}
				if opened != coldBatches || lines() != coldBatches {
					t.Errorf("%d engines, %d lines: %s", opened, lines(), out.String())
				}
				time.Sleep(engineRest)
				for range 3 * coldBatches {
					get()
				}
				want := coldBatches
				if c.again {
					want *= 2
				}
				if opened != want || lines() != coldBatches {
					t.Errorf("after a rest: %d engines, %d lines", opened, lines())
				}
				reads.close()
				time.Sleep(engineRest)
				if get(); opened != want {
					t.Error("an engine was opened after the end")
				}
			})
		})
	}
}
