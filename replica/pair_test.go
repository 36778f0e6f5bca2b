package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringmq/store"
	"ringmq/store/disk"
	"ringmq/store/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testSegment = 64 << 10

// options of a store in memory, with small files.
func options(f disk.FS, sync bool) store.Options {
	o := store.DefaultOptions("/store")
	o.FS, o.Engine = f, "pwrite"
	o.SegmentBytes, o.QueueFileBytes, o.IndexSlots, o.IndexEntries = testSegment, 400, 50, 100
	o.MaxMessageBytes, o.TailBytes = 8<<10, 256<<10
	o.MemoryBytes = 1 << 30
	o.SyncFlush = sync
	o.DisableRetention = true
	o.Retention.WarningRatio = 100
	o.Logger = slog.New(slog.DiscardHandler)
	return o
}

// open opens a store that is closed at the test's end, unless the test does.
func open(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t testing.TB, s *store.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Close(ctx); err != nil && !errors.Is(err, disk.ErrCrashed) {
		t.Error(err)
	}
}

// put stores n messages of up to 3,000 bytes in several topics and returns the end of the last.
func put(t testing.TB, s *store.Store, from, n int) (end int64) {
	t.Helper()
	rng := rand.New(rand.NewSource(int64(from)))
	for i := from; i < from+n; i++ {
		body := fmt.Sprintf("%d %s", i, strings.Repeat("x", rng.Intn(3000)))
		m := &store.Message{Topic: fmt.Appendf(nil, "T%d", i%3), QueueID: int32(i % 2), Body: []byte(body), BornTimestamp: 1,
			Properties: record.AppendProperty(nil, "UNIQ_KEY", fmt.Sprintf("u%d", i))}
		for {
			p, err := s.Append(m)
			if err == nil {
				end = p.End
				break
			}
			if !errors.Is(err, store.ErrFull) {
				t.Fatal(err)
			}
			room := make(chan struct{})
			s.Room(func() { close(room) })
			<-room
		}
	}
	return end
}

// eventually looks until fn holds.
func eventually(t testing.TB, what string, fn func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !fn() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		}
	}
}

// agreed looks until fn holds of what is agreed, and that is in force: the store's bound is set behind what is published, under the same lock.
func agreed(t testing.TB, l *Leader, what string, fn func(a Agreement) bool) {
	t.Helper()
	eventually(t, what, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return fn(l.Agreed())
	})
}

func arrive(t testing.TB, s *store.Store, end int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("copied and in its queues to %d", end), func() bool {
		return s.Sendable().Load() >= end && s.LogMax() >= end && s.Visible().Load() >= end && s.DispatchBehindBytes() == 0
	})
}

// content is the bytes of a log from an offset on.
func content(t testing.TB, s *store.Store, from int64) []byte {
	t.Helper()
	var all []byte
	for from < s.Sendable().Load() {
		r, err := s.Region(from, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, r.Bytes)
		err = r.Read(p, 0)
		r.Release()
		if err != nil {
			t.Fatal(err)
		}
		all, from = append(all, p...), from+int64(len(p))
	}
	return all
}

// same compares two logs from an offset on, and every message of every queue; what either still builds its queues from is waited for.
func same(t testing.TB, master, slave *store.Store, from int64) {
	t.Helper()
	arrive(t, master, master.LogMax())
	arrive(t, slave, slave.LogMax())
	if a, b := master.LogMax(), slave.LogMax(); a != b {
		t.Errorf("the master's log ends at %d, the slave's at %d", a, b)
	}
	if !bytes.Equal(content(t, master, from), content(t, slave, from)) {
		t.Error("the logs' bytes differ")
	}
	for _, q := range slave.Queues() {
		low, high := slave.MinOffset([]byte(q.Topic), q.QueueID), slave.MaxOffset([]byte(q.Topic), q.QueueID)
		if want := master.MaxOffset([]byte(q.Topic), q.QueueID); high != want {
			t.Errorf("%v ends at %d, the master's at %d", q, high, want)
		}
		a, b := messages(t, master, q, low, high), messages(t, slave, q, low, high)
		if !bytes.Equal(a, b) || len(a) == 0 && high > low {
			t.Errorf("%v: %d bytes of messages on the master, %d on the slave", q, len(a), len(b))
		}
	}
}

func messages(t testing.TB, s *store.Store, q store.QueueID, from, to int64) (all []byte) {
	t.Helper()
	for from < to {
		var f store.Found
		var err error
		w := store.Want{Topic: []byte(q.Topic), QueueID: q.QueueID, Offset: from, MaxMessages: 32}
		all, f, err = s.Read(&w, all)
		if err != nil {
			t.Fatal(err)
		}
		if f.Status == store.StatusGap {
			eventually(t, "no longer waited for", func() bool { return s.Awaited(f.Gap) == 0 })
			continue
		}
		if f.NextOffset <= from {
			t.Fatalf("%v at %d: %v", q, from, f.Status)
		}
		from = f.NextOffset
	}
	return all
}

// warnings keeps what was logged as a warning or an error.
type warnings struct {
	mu   sync.Mutex
	text []string
}

func (w *warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (w *warnings) WithAttrs([]slog.Attr) slog.Handler           { return w }
func (w *warnings) WithGroup(string) slog.Handler                { return w }
func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	w.text = append(w.text, line)
	return nil
}

func (w *warnings) count(part string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.text {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// lead starts a master's side on a port of the kernel's choice; what is not set is quick.
func lead(t testing.TB, s *store.Store, o LeaderOptions) *Leader {
	t.Helper()
	o.Store = s
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.HeartbeatTime == 0 {
		o.HeartbeatTime = 20 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := Lead(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func follow(t testing.TB, s *store.Store, l *Leader, o FollowerOptions) *Follower {
	t.Helper()
	o.Store = s
	if o.Master == nil {
		addr := l.Addr().String()
		o.Master = func() string { return addr }
	}
	if o.HeartbeatTime == 0 {
		o.HeartbeatTime = 20 * time.Millisecond
	}
	if o.RetryTime == 0 {
		o.RetryTime = 20 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	f := Follow(o)
	t.Cleanup(f.Close)
	return f
}

// TestCopy: a slave that begins with nothing has what its master has, over several segments, with what is stored meanwhile.
func TestCopy(t *testing.T) {
	for _, sync := range []bool{true, false} {
		for _, kind := range []string{"memory", "files"} {
			t.Run(fmt.Sprintf("sync=%v/%s", sync, kind), func(t *testing.T) {
				mo, so, o := options(disk.NewMemory(), sync), options(disk.NewMemory(), sync), FollowerOptions{}
				if kind == "files" {
					o.CatchUpBytes = 1
					mo.FS, so.FS = disk.OS(), disk.OS()
					mo.Root, so.Root = t.TempDir(), t.TempDir()
					mo.CommitLogDir, so.CommitLogDir = mo.Root+"/commitlog", so.Root+"/commitlog"
				}
				master, slave := open(t, mo), open(t, so)
				put(t, master, 0, 200)
				l := lead(t, master, LeaderOptions{Copies: 1})
				f := follow(t, slave, l, o)
				end := put(t, master, 200, 100)
				arrive(t, slave, end)
				end = put(t, master, 300, 3)
				arrive(t, slave, end)
				arrive(t, master, end)
				same(t, master, slave, 0)
				if slave.LogMax() < 4*testSegment {
					t.Errorf("the log is %d bytes long, too short for this test", slave.LogMax())
				}
				if st := f.State(); !st.Connected || !st.Ours || st.Refused != "" || st.DamagedBytes != 0 || st.Offset != end {
					t.Errorf("%+v", st)
				}
				eventually(t, "acknowledged", func() bool {
					list := l.Slaves()
					return len(list) == 1 && list[0].AckOffset == end && list[0].SentOffset == end && list[0].Ours && list[0].InStep
				})
			})
		}
	}
}
