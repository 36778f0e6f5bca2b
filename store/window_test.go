package store

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/store/disk"
)

// forget empties all windows that nobody holds, and what is remembered of older ones.
func (c *windows) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.all {
		if w := &c.all[i]; w.there && w.refs == 0 {
			delete(c.at, w.start)
			w.there = false
		}
	}
	c.past = nil
}

// TestWindows: a window is read by one, waited for by others, stays while it is held, and makes room for another when it is not.
func TestWindows(t *testing.T) {
	s := mustOpen(t, gatherOptions(disk.NewMemory()))
	defer closeStore(t, s)
	c := &s.windows
	if from, to := c.bounds(1<<20 + windowBytes + 5); from != 1<<20+windowBytes || to != from+windowBytes {
		t.Fatal("bounds", from, to)
	}
	w := c.claim(0)
	if w == nil || c.claim(0) != nil {
		t.Fatal("two may read one window")
	}
	if got, loading := c.take(0, 1); got != nil || !loading {
		t.Fatal("it is not being read", got, loading)
	}
	synctest.Test(t, func(t *testing.T) {
		var c windows
		c.init(s.log, 1<<20)
		w := c.claim(0)
		got := make(chan *window)
		for range 2 {
			go func() { got <- c.await(0, 100) }()
		}
		synctest.Wait()
		select {
		case <-got:
			t.Error("somebody did not wait")
		default:
		}
		c.done(w, 100)
		if a, b := <-got, <-got; a != w || b != w {
			t.Error("they got", a, b)
		}
		if c.await(0, 101) != nil {
			t.Error("it has more than was read")
		}
		if c.claim(0) != nil {
			t.Error("it is read again while others hold it")
		}
		for range 3 {
			c.release(w)
		}
		if again := c.claim(0); again != w {
			t.Error("a window that is too short cannot be read again")
		}
		go func() { got <- c.await(0, 1) }()
		synctest.Wait()
		c.done(w, 0)
		if w := <-got; w != nil {
			t.Error("a read that failed gave", w)
		}
		c.close()
	})
	c.done(w, windowBytes)
	var list []*window
	for i := range windowCount {
		if w := c.claim(int64(i+1) * windowBytes); w != nil {
			c.done(w, 1)
			list = append(list, w)
		}
	}
	if len(list) != windowCount-1 {
		t.Fatal(len(list), "windows beside one that is held")
	}
	for _, w := range list {
		c.release(w)
	}
	if got, _ := c.take(3*windowBytes, 1); got != list[2] {
		t.Fatal("a window that was given back is gone")
	}
	c.release(list[2])
	for range 2 {
		w := c.claim(int64(100) * windowBytes)
		if w == list[2] || w == nil {
			t.Fatal("not the oldest one made room")
		}
		c.done(w, 1)
		c.release(w)
	}
	c.release(w)
}

// TestWhatIsWorthAWindow: one pull that wants much of it, or several that want a little each.
func TestWhatIsWorthAWindow(t *testing.T) {
	var c windows
	c.init(nil, 1<<30)
	if !c.worth(0, windowBytes, windowBytes/windowWaste+1) {
		t.Error("much is not enough")
	}
	n := 1
	for !c.worth(windowBytes, 2*windowBytes, 1000) {
		n++
	}
	if n != windowBytes/windowWaste/1000+1 {
		t.Error("read after", n, "wishes")
	}
	if c.fromDisk(5*windowBytes) || !c.fromDisk(5*windowBytes) || c.fromDisk((5+pastWindows)*windowBytes) || c.fromDisk(5*windowBytes) {
		t.Error("what was read before is not remembered as it should be")
	}
}

// TestColdReadsTogether: many workers and loops read the same cold queues at the same time, and get what they would get alone. The disk
// gives each piece once.
func TestColdReadsTogether(t *testing.T) {
	for _, engine := range []string{"pwrite", "io_uring"} {
		f, root := disk.FS(disk.NewMemory()), "/store"
		if engine == "io_uring" { // where it is there; ordinary calls on real files otherwise
			f, root = disk.OS(), t.TempDir()
		}
		o := gatherOptions(f)
		o.Root, o.CommitLogDir = root, root+"/commitlog"
		const queues, each = 8, 400
		s := interleaved(t, o, queues, each)
		s.cold.open = func() disk.Ring { return disk.NewReadRing(engine, f, coldDepth) }
		if m, ok := f.(*disk.Faulty); ok {
			m.SetCold(func(name string, _, _ int64) bool { return strings.Contains(name, "/commitlog/") })
		}
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() { drained(t, s, queues, each, Want{MaxMessages: 32}, i%2 == 0) })
		}
		all.Wait()
		if total := s.log.Max(); engine == "pwrite" && s.reads.cold.Load() > total*5/4 {
			t.Errorf("%d bytes were read from the disk, the log has %d", s.reads.cold.Load(), total)
		}
		closeStore(t, s)
	}
}

// TestLoopsDoNotWait: what is cold is told to be so, without a read; what another reads is left to a worker; and no more is read in a
// turn than it may.
func TestLoopsDoNotWait(t *testing.T) {
	f := disk.NewFaulty()
	s := interleaved(t, gatherOptions(f), 2, 400)
	defer closeStore(t, s)
	read := func(budget int) (Found, bool) {
		w := Want{Topic: []byte("T"), MaxMessages: 32, Warm: &budget}
		_, f, ok := s.ReadHot(&w, nil)
		return f, ok
	}
	w := Want{Topic: []byte("T"), MaxMessages: 1}
	if _, _, err := s.Read(&w, nil); err != nil {
		t.Fatal(err)
	}
	s.windows.forget()
	f.OnRead(func(name string, _ int64, _ int) { t.Errorf("%s is read", name) })
	defer f.OnRead(nil)
	for _, cold := range []string{"/commitlog/", "/consumequeue/"} {
		f.SetCold(func(name string, _, _ int64) bool { return strings.Contains(name, cold) })
		if f, ok := read(1 << 20); ok || !f.Cold {
			t.Error(cold, "is cold", f, ok)
		}
	}
	f.SetCold(nil)
	if f, ok := read(100 << 10); ok || f.Cold {
		t.Error("beyond what the turn may read", f, ok)
	}
	busy := s.windows.claim(0)
	if f, ok := read(1 << 20); ok || f.Cold {
		t.Error("another reads it", f, ok)
	}
	s.windows.done(busy, 0)
	if f, ok := read(1 << 20); !ok || f.Messages != 32 {
		t.Error("everything is there", f, ok)
	}
}

// TestDamageIsFoundOnTheLoopToo: a record that is not whole is never served from the page cache, one that was checked is served from
// its window, and a worker says what is wrong.
func TestDamageIsFoundOnTheLoopToo(t *testing.T) {
	f := disk.NewFaulty()
	s := interleaved(t, gatherOptions(f), 1, 100)
	defer closeStore(t, s)
	w := Want{Topic: []byte("T"), MaxMessages: 1}
	_, found, err := s.Read(&w, nil)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(found.Bytes)
	if err := f.FlipBit(s.o.CommitLogDir+"/00000000000000000000", 5*size+size/2, 3); err != nil {
		t.Fatal(err)
	}
	s.windows.forget()
	budget := 1 << 20
	w = Want{Topic: []byte("T"), MaxMessages: 32, Warm: &budget}
	raw, found, ok := s.ReadHot(&w, nil)
	if !ok || found.Messages != 5 {
		t.Fatal("before the damage", found, ok)
	}
	for i, b := range bodies(t, raw) {
		if !strings.HasPrefix(b, fmt.Sprint(i, " ")) {
			t.Error("message", i, b[:10])
		}
	}
	w.Offset = 5
	if _, found, ok = s.ReadHot(&w, nil); ok {
		t.Fatal("a damaged record is served", found)
	}
	raw, found, err = s.Read(&w, nil)
	if err != nil || found.Messages == 0 || s.gaps.count() != 1 {
		t.Fatal("behind the damage", found, err, s.gaps.count())
	}
	if b := bodies(t, raw)[0]; !strings.HasPrefix(b, "6 ") {
		t.Error("message 6", b[:10])
	}
}

// TestSlowDiskKeepsNoWindow: who waits for a window that a slow disk brings goes on when it is there, and who needs none is not kept.
func TestSlowDiskKeepsNoWindow(t *testing.T) {
	f := disk.NewFaulty()
	s := interleaved(t, gatherOptions(f), 2, 400)
	defer closeStore(t, s)
	f.SetCold(func(name string, off, _ int64) bool {
		return strings.Contains(name, "/commitlog/") && off < windowBytes
	})
	reached, slow := make(chan struct{}, 10), make(chan struct{})
	f.OnRead(func(name string, off int64, _ int) {
		if strings.Contains(name, "/commitlog/") && off < windowBytes {
			reached <- struct{}{}
			<-slow
		}
	})
	got := make(chan Found, 2)
	read := func(queue int32, offset int64) {
		w := Want{Topic: []byte("T"), QueueID: queue, Offset: offset, MaxMessages: 32}
		_, f, err := s.Read(&w, nil)
		if err != nil {
			t.Error(err)
		}
		got <- f
	}
	go read(0, 0)
	<-reached
	go read(1, 0)
	read(0, 300)
	if f := <-got; f.Messages == 0 || f.NextOffset <= 300 {
		t.Error("what is in memory waits", f)
	}
	close(slow)
	var cold int64
	for range 2 {
		select {
		case f := <-got:
			if f.Messages == 0 {
				t.Error(f)
			}
			cold += f.ColdBytes
		case <-time.After(time.Minute):
			t.Fatal("they wait for ever")
		}
	}
	if cold != windowBytes || len(reached) > 0 {
		t.Errorf("%d bytes came from the disk, in %d more reads", cold, len(reached))
	}
}

// TestWindowsFreedAfterClose: memory that a reader holds when the store is closed is given back by the last of them, once.
func TestWindowsFreedAfterClose(t *testing.T) {
	s := mustOpen(t, gatherOptions(disk.NewMemory()))
	defer closeStore(t, s)
	for _, unread := range []bool{false, true} {
		var c windows
		c.init(s.log, 1<<20)
		a, b := c.claim(0), c.claim(windowBytes)
		c.done(a, 100)
		c.close()
		c.close()
		if c.mem == nil {
			t.Fatal("it is given back while two read in it")
		}
		c.release(a)
		if c.mem == nil {
			t.Fatal("it is given back while one reads in it")
		}
		if unread {
			c.done(b, 0)
		} else {
			c.done(b, 1)
			c.release(b)
		}
		if c.mem != nil || c.all != nil {
			t.Error("it is never given back")
		}
		c.close()
		c.drop(0, 1<<20)
		if w, loading := c.take(0, 1); w != nil || loading || c.claim(0) != nil {
			t.Error("a window is there after all")
		}
	}
}

// TestWindowsForgetChecks: that records of one piece of the log were whole says nothing of the next one that its window holds.
func TestWindowsForgetChecks(t *testing.T) {
	s := mustOpen(t, gatherOptions(disk.NewMemory()))
	defer closeStore(t, s)
	s.log.Doubt(windowBytes-10, windowBytes+1000)
	c := &s.windows
	old := c.claim(windowBytes)
	old.noteChecked(windowBytes + 100)
	if !old.wasChecked(windowBytes + 100) {
		t.Fatal("nothing is remembered of a window with doubted records")
	}
	c.done(old, 0)
	s.log.Doubt(3*windowBytes+50, 3*windowBytes+500)
	w := c.claim(3 * windowBytes)
	defer c.done(w, 0)
	if w != old {
		t.Fatal("another window was taken")
	}
	if w.wasChecked(3*windowBytes + 100) {
		t.Error("a doubted record counts as checked")
	}
}
