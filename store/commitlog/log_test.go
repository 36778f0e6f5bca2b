package commitlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringmq/store/disk"
	"ringmq/store/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what comes at once on an idle machine.
const patience = 30 * time.Second

var quiet = slog.New(slog.DiscardHandler)

func options(fs disk.FS, root string) Options {
	var now atomic.Int64
	now.Store(1_700_000_000_000)
	return Options{
		Dir: filepath.Join(root, "commitlog"), StateDir: filepath.Join(root, "ringmq"), FS: fs, Ring: disk.NewPwriteRing(8),
		SegmentBytes: 4096, TailBytes: 16384, SyncFlush: true, Spares: 1,
		Clock: func() int64 { return now.Add(1) }, Logger: quiet,
	}
}

func makeDirs(t testing.TB, o Options) {
	t.Helper()
	for _, d := range []string{o.Dir, o.StateDir} {
		if err := o.FS.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root := filepath.Dir(o.Dir)
	if err := o.FS.SyncDir(root); err != nil {
		t.Fatal(err)
	}
}

// message is the n-th test record; its body says which it is and has a length of its own.
func message(n int) record.Record {
	body := fmt.Sprintf("message %d ", n)
	for len(body) < 20+n*37%300 {
		body += "x"
	}
	host := netip.MustParseAddrPort("127.0.0.1:10911")
	return record.Record{
		Topic: []byte("T"), QueueID: int32(n % 3), QueueOffset: int64(n / 3), BornTimestamp: 1, BornHost: host, StoreHost: host,
		Body: []byte(body), Properties: []byte("KEYS\x01k\x02"),
	}
}

// put appends the n-th record, waiting for room.
func put(l *Log, n int) (start, end int64, err error) {
	r := message(n)
	slot, err := reserve(l, r.Size(true))
	if err != nil {
		return 0, 0, err
	}
	fill(l, slot, &r)
	commit(l)
	return slot.Offset, slot.Offset + int64(len(slot.Buf)), nil
}

// reserve waits for room.
func reserve(l *Log, size int) (Slot, error) {
	for {
		slot, err := l.Reserve(size)
		if !errors.Is(err, ErrFull) {
			return slot, err
		}
		room := make(chan struct{})
		l.Room(func() { close(room) })
		<-room
	}
}

// fill encodes and publishes.
func fill(l *Log, slot Slot, r *record.Record) {
	r.PhysicalOffset, r.StoreTimestamp = slot.Offset, slot.StoreTimestamp
	record.Append(slot.Buf[:0], r, true)
	record.SealCRC(slot.Buf)
	l.Publish(slot)
}

// open recovers the log and returns the numbers of the records found, by offset.
func open(o Options) (*Log, map[int64]int, Result, error) {
	l, err := Open(o)
	if err != nil {
		return nil, nil, Result{}, err
	}
	found := map[int64]int{}
	result, err := l.Walk(l.Min(), Visitor{Record: func(r *record.Record, raw []byte) error {
		var n int
		if _, err := fmt.Sscanf(string(r.Body), "message %d", &n); err != nil {
			return fmt.Errorf("a body nobody wrote: %q", r.Body)
		}
		if want := message(n); !bytes.Equal(want.Body, r.Body) {
			return fmt.Errorf("body of message %d differs", n)
		}
		found[r.PhysicalOffset] = n
		return nil
	}})
	if err == nil {
		err = l.Start(result.End, false)
	}
	if err != nil {
		_ = l.Close(context.Background())
		return nil, nil, result, err
	}
	return l, found, result, nil
}

func TestAppendReadReopen(t *testing.T) {
	o := options(disk.OS(), t.TempDir())
	makeDirs(t, o)
	l, _, _, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	const n = 200
	var starts [n]int64
	var end int64
	for i := range n {
		if starts[i], end, err = put(l, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Visible().Wait(context.Background(), end); err != nil {
		t.Fatal(err)
	}
	hot := 0
	for i := range n {
		r := message(i)
		size := r.Size(true)
		raw := make([]byte, size)
		if err := l.ReadAt(starts[i], raw); err != nil {
			t.Fatal(err)
		}
		if b, ok := l.ReadHot(starts[i], size, nil); ok {
			hot++
			if !bytes.Equal(b, raw) {
				t.Fatalf("message %d differs in memory", i)
			}
		}
		var got record.Record
		if err := got.Parse(raw); err != nil || !bytes.Equal(got.Body, r.Body) {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if hot == 0 || hot == n {
		t.Errorf("%d of %d records are in a tail of %d bytes", hot, n, l.tail.size)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, found, result, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != n || result.End != end || len(result.Gaps) != 0 {
		t.Fatalf("%d records, end %d of %d, gaps %v", len(found), result.End, end, result.Gaps)
	}
	if freed, err := l.DeleteOldest(); err != nil || freed != o.SegmentBytes || l.Min() != o.SegmentBytes {
		t.Fatal(freed, err, l.Min())
	}
	if err := l.ReadAt(0, make([]byte, 10)); !errors.Is(err, ErrGone) {
		t.Fatal(err)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestCrashAtEveryOperation: whatever was acknowledged is there after the crash, nothing is there that was not sent, and the
// log takes messages again; for both flush modes. Under ASYNC_FLUSH nothing is promised over a power cut but sanity.
func TestCrashAtEveryOperation(t *testing.T) {
	for _, ringing := range []bool{false, true} {
		for _, sync := range []bool{true, false} {
			total := workload(t, disk.NewFaulty(), sync, ringing, 0)
			step := 1
			if testing.Short() {
				step = 7
			}
			for op := 1; op <= total; op += step {
				workload(t, disk.NewFaulty(), sync, ringing, op)
			}
			if total < 100 {
				t.Fatalf("only %d operations", total)
			}
		}
	}
}

// workload sends messages until a crash at the given operation (0: none), reopens and checks. It returns the operations done.
func workload(t *testing.T, fs *disk.Faulty, sync, ringing bool, crashAt int) int {
	t.Helper()
	o := options(fs, "/s")
	o.SyncFlush = sync
	var ring *handRing
	if ringing {
		ring = newHandRing()
		o.Ring = ring
	}
	if err := fs.MkdirAll("/s", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := fs.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	makeDirs(t, o)
	base := fs.Ops()
	if crashAt > 0 {
		fs.CrashAt(base + crashAt)
	}
	acked, pending, sent := map[int64]int{}, map[int64]int{}, map[int64]int{}
	l, _, _, err := open(o)
	if err == nil {
		if ringing {
			ring.onSubmit = func() {
				ring.finish()
				l.Collect()
			}
		}
		for i := range 60 {
			start, end, err := put(l, i)
			if err != nil {
				break
			}
			sent[start] = i
			// Under ASYNC_FLUSH only what a sync has covered must survive the end of power.
			mark := l.Written()
			if sync {
				mark = l.Durable()
			}
			if mark.Wait(context.Background(), end) != nil {
				break
			}
			pending[start] = i
			if !sync && i%10 == 9 {
				poke(l.syncNow)
				if l.Durable().Wait(context.Background(), end) != nil {
					break
				}
			}
			if sync || i%10 == 9 {
				maps.Copy(acked, pending)
				clear(pending)
			}
			if i == 30 {
				_, _ = l.DeleteOldest()
			}
		}
		_ = l.Close(context.Background())
	}
	ops := fs.Ops() - base
	if crashAt == 0 {
		return ops
	}
	after := fs.Crash(rand.New(rand.NewSource(int64(crashAt))))
	o = options(after, "/s")
	makeDirs(t, o)
	l, found, result, err := open(o)
	if err != nil {
		t.Fatalf("crash at %d: %v", crashAt, err)
	}
	for at, n := range found {
		if sent[at] != n {
			t.Fatalf("crash at %d: message %d at %d was never sent there", crashAt, n, at)
		}
	}
	for at, n := range acked {
		if got, ok := found[at]; at >= l.Min() && (!ok || got != n) {
			t.Fatalf("crash at %d: message %d acknowledged at %d is gone (end %d, gaps %v)", crashAt, n, at, result.End, result.Gaps)
		}
	}
	// It goes on where it ended, and a second start finds the same and the new.
	start, end, err := put(l, 1000)
	if err != nil || start < result.End {
		t.Fatalf("crash at %d: %d %v", crashAt, start, err)
	}
	if err := l.Visible().Wait(context.Background(), end); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatalf("crash at %d: close: %v", crashAt, err)
	}
	o = options(after, "/s")
	l, again, _, err := open(o)
	if err != nil || len(again) != len(found)+1 || again[start] != 1000 {
		t.Fatalf("crash at %d: second start: %d records of %d, %v", crashAt, len(again), len(found)+1, err)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return ops
}

func faultyLog(t *testing.T, change func(*Options)) (*disk.Faulty, *Log) {
	t.Helper()
	fs := disk.NewFaulty()
	if err := fs.MkdirAll("/s", 0o755); err != nil {
		t.Fatal(err)
	}
	o := options(fs, "/s")
	if change != nil {
		change(&o)
	}
	makeDirs(t, o)
	l, _, _, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return fs, l
}

func TestAFailedSyncIsTheEnd(t *testing.T) {
	fs, l := faultyLog(t, nil)
	var failed atomic.Bool
	fs.OnOp(func(op int, kind, _ string) {
		if kind == "datasync" && failed.CompareAndSwap(false, true) {
			fs.FailAt(op, syscall.EIO)
		}
	})
	_, end, err := put(l, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Visible().Wait(context.Background(), end); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if _, _, err := put(l, 1); !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	if l.Durable().Load() != 0 {
		t.Fatal("the watermark passed a failed sync")
	}
}

func TestNoSpaceAndSpaceAgain(t *testing.T) {
	fs, l := faultyLog(t, nil)
	fs.SetFree(100)
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, _, err = put(l, n)
	}
	if !errors.Is(err, ErrNoSpace) {
		t.Fatal(err)
	}
	if l.Err() != nil {
		t.Fatal("no space is not the end:", l.Err())
	}
	fs.SetFree(-1)
	poke(l.maker.wake)
	for deadline := time.Now().Add(patience); ; {
		if _, _, err = put(l, n); err == nil {
			break
		}
		if !errors.Is(err, ErrNoSpace) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		room := make(chan struct{})
		l.Room(func() { close(room) })
		<-room
	}
}

func TestAStalledDiskFillsTheTailAndNoMore(t *testing.T) {
	fs, l := faultyLog(t, func(o *Options) { o.SegmentBytes = 1 << 20 })
	gate := make(chan struct{})
	fs.OnOp(func(_ int, kind, _ string) {
		if kind == "write" {
			<-gate
		}
	})
	var bytesIn int64
	var err error
	for n := 0; err == nil; n++ {
		r := message(n)
		var slot Slot
		if slot, err = l.Reserve(r.Size(true)); err == nil {
			r.PhysicalOffset, r.StoreTimestamp = slot.Offset, slot.StoreTimestamp
			record.Append(slot.Buf[:0], &r, true)
			l.Publish(slot)
			l.Commit()
			bytesIn += int64(len(slot.Buf))
		}
	}
	if !errors.Is(err, ErrFull) || bytesIn > l.tail.size || bytesIn < l.tail.size/2 {
		t.Fatalf("%v after %d bytes", err, bytesIn)
	}
	told := make(chan struct{})
	l.Room(func() { close(told) })
	close(gate)
	<-told
	if err := l.Visible().Wait(context.Background(), bytesIn); err != nil {
		t.Fatal(err)
	}
}

func TestAsyncFlushLeavesNoMoreUnsyncedThanItsBound(t *testing.T) {
	const bound = 16384 // the tail's size, which is the least
	fs, l := faultyLog(t, func(o *Options) { o.SegmentBytes, o.SyncFlush, o.UnsyncedBytes = 1<<20, false, bound })
	gate := make(chan struct{})
	fs.OnOp(func(_ int, kind, _ string) {
		if kind == "datasync" {
			<-gate
		}
	})
	var end int64
	var err error
	for n := 0; err == nil; n++ {
		r := message(n)
		var slot Slot
		if slot, err = l.Reserve(r.Size(true)); err == nil {
			r.PhysicalOffset, r.StoreTimestamp = slot.Offset, slot.StoreTimestamp
			record.Append(slot.Buf[:0], &r, true)
			l.Publish(slot)
			l.Commit()
			end = slot.Offset + int64(len(slot.Buf))
		}
		if ahead := l.Written().Load() - l.Durable().Load(); ahead > bound {
			t.Fatalf("%d bytes are written and not synced", ahead)
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	close(gate)
	if err := l.Written().Wait(context.Background(), end); err != nil {
		t.Fatal(err)
	}
}

func TestAClockThatWentBackIsSaidOnce(t *testing.T) {
	var lines, now atomic.Int64
	now.Store(1_700_000_000_000)
	_, l := faultyLog(t, func(o *Options) {
		o.Clock, o.Logger = now.Load, slog.New(counter{slog.DiscardHandler, &lines})
	})
	stamp := func() int64 {
		slot, err := l.Reserve(100)
		if err != nil {
			t.Fatal(err)
		}
		l.Abandon(slot)
		return slot.StoreTimestamp
	}
	first := stamp()
	for _, back := range []int64{-3_600_000, 3_600_000, -3_600_000} {
		now.Add(back)
		for range 50 {
			if s := stamp(); s < first {
				t.Fatalf("%d comes behind %d", s, first)
			}
		}
	}
	for deadline := time.Now().Add(patience); lines.Load() < 2 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := lines.Load(); n != 2 {
		t.Fatalf("%d lines about two steps", n)
	}
}

// counter counts warnings.
type counter struct {
	slog.Handler
	n *atomic.Int64
}

func (c counter) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (c counter) Handle(context.Context, slog.Record) error        { c.n.Add(1); return nil }

func TestOneOwnerPerOffset(t *testing.T) {
	_, l := faultyLog(t, nil)
	done := make(chan map[int64]int64)
	for range 4 {
		go func() {
			mine := map[int64]int64{}
			for i := range 200 {
				start, end, err := put(l, i)
				if err != nil {
					t.Error(err)
					break
				}
				mine[start] = end
			}
			done <- mine
		}()
	}
	all := map[int64]int64{}
	for range 4 {
		for s, e := range <-done {
			if _, twice := all[s]; twice {
				t.Fatal("two records at", s)
			}
			all[s] = e
		}
	}
	if len(all) != 800 {
		t.Fatal(len(all))
	}
}

func TestNoAllocationPerMessage(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	_, l := faultyLog(t, func(o *Options) { o.SegmentBytes, o.TailBytes = 64<<20, 8<<20; o.Spares = 0 })
	r := message(1)
	size := r.Size(true)
	var last int64
	one := func() {
		slot, err := l.Reserve(size)
		if err != nil {
			t.Fatal(err)
		}
		r.PhysicalOffset, r.StoreTimestamp = slot.Offset, slot.StoreTimestamp
		record.Append(slot.Buf[:0], &r, true)
		record.SealCRC(slot.Buf)
		last = slot.Offset
		l.Publish(slot)
		l.Commit()
	}
	one()
	// The in-memory disk allocates pages as it is written; on the appender's side nothing is.
	if err := l.Visible().Wait(context.Background(), l.Max()); err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 0, size)
	if n := testing.AllocsPerRun(1000, func() {
		if _, ok := l.ReadHot(last, size, dst); !ok {
			t.Fatal("not hot")
		}
	}); n != 0 {
		t.Errorf("%v allocations per hot read", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, sync := range []bool{true, false} {
		b.Run(fmt.Sprintf("sync=%v", sync), func(b *testing.B) {
			o := options(disk.OS(), b.TempDir())
			o.SegmentBytes, o.TailBytes, o.SyncFlush = 256<<20, 16<<20, sync
			ring, why, err := disk.NewRing(disk.EngineAuto, disk.OS(), os.TempDir(), os.TempDir(), 64)
			if err != nil {
				b.Fatal(err)
			}
			b.Log(ring.Name(), why)
			o.Ring = ring
			makeDirs(b, o)
			l, _, _, err := open(o)
			if err != nil {
				b.Fatal(err)
			}
			r := message(1)
			r.Body = make([]byte, 1024)
			size := r.Size(true)
			b.SetBytes(int64(size))
			var end int64
			for b.Loop() {
				slot, err := l.Reserve(size)
				for errors.Is(err, ErrFull) {
					room := make(chan struct{})
					l.Room(func() { close(room) })
					<-room
					slot, err = l.Reserve(size)
				}
				if err != nil {
					b.Fatal(err)
				}
				r.PhysicalOffset, r.StoreTimestamp = slot.Offset, slot.StoreTimestamp
				record.Append(slot.Buf[:0], &r, true)
				record.SealCRC(slot.Buf)
				end = slot.Offset + int64(size)
				l.Publish(slot)
				l.Commit()
			}
			if err := l.Visible().Wait(context.Background(), end); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := l.Close(context.Background()); err != nil {
				b.Fatal(err)
			}
			_ = ring.Close()
		})
	}
}
