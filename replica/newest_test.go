package replica

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
	"ringmq/store/record"
)

// stockMaster listens as one does that has no heartbeat to send but at the place that a slave reports, and then more of the log.
func stockMaster(t *testing.T, at int64, more []byte) (addr string) {
	t.Helper()
	return masterOf(t, func(conn *net.TCPConn) {
		if _, err := io.CopyN(io.Discard, conn, helloBytes); err != nil {
			return
		}
		b := header{offset: at}.append(nil)
		if len(more) > 0 {
			b = append(header{offset: at, size: int32(len(more))}.append(b), more...)
		}
		_, _ = conn.Write(b)
		_, _ = io.Copy(io.Discard, conn)
	})
}

// TestStockMastersLog: nothing is taken from a stock master that does not have the slave's newest record, or does not say; the log stays as it is.
func TestStockMastersLog(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 20)
	all := put(t, master, 20, 20)
	arrive(t, master, all)
	want := content(t, master, 0)
	last := lastOf(t, want[:end])
	mine := want[last:end]
	other := bytes.Clone(mine)
	other[len(other)-1] ^= 1
	type said struct {
		raw   []byte
		found bool
		err   error
	}
	has, hasNot, silent := said{raw: mine, found: true}, said{}, said{err: errors.New("asleep")}
	for _, c := range []struct {
		name    string
		answers []said // the last one again and again
		why     string // of a refusal; "": it is accepted in the end
		warned  string
	}{
		{name: "the same", answers: []said{has}},
		{name: "ahead", answers: []said{hasNot}, why: slaveAhead.String(), warned: "until somebody decides"},
		{name: "differs", answers: []said{{raw: other, found: true}}, why: bytesDiffer.String(), warned: "until somebody decides"},
		{name: "a part of it", answers: []said{{raw: mine[:len(mine)-1], found: true}}, why: bytesDiffer.String(), warned: "until somebody decides"},
		{name: "no record", answers: []said{{found: true}}, why: bytesDiffer.String(), warned: "until somebody decides"},
		{name: "silent at first", answers: []said{silent, silent, has}, warned: "no connection to the master"},
		{name: "ahead, then silent", answers: []said{hasNot, silent}, why: slaveAhead.String(), warned: "no connection to the master"},
		{name: "ahead, then the same", answers: []said{hasNot, has}, warned: "until somebody decides"},
	} {
		t.Run(c.name, func(t *testing.T) {
			slave := open(t, options(disk.NewMemory(), true))
			fill(t, slave, want[:end])
			w := &warnings{}
			addr := stockMaster(t, end, want[end:])
			var asked atomic.Int64
			f := follow(t, slave, nil, FollowerOptions{Master: func() string { return addr }, Logger: slog.New(w), HousekeepingTime: time.Minute, RetryTime: time.Millisecond,
				MasterHas: func(_ context.Context, at int64) ([]byte, bool, error) {
					if at != last {
						t.Errorf("asked for %d, the newest record lies at %d", at, last)
					}
					a := c.answers[min(int(asked.Add(1)), len(c.answers))-1]
					return a.raw, a.found, a.err
				}})
			if c.why == "" {
				arrive(t, slave, all)
				if s := f.State(); !s.Connected || s.Ours || s.Refused != "" || asked.Load() != int64(len(c.answers)) {
					t.Errorf("%+v, asked %d times", s, asked.Load())
				}
				if !bytes.Equal(content(t, slave, 0), want) {
					t.Error("the log is not the master's")
				}
			} else {
				eventually(t, "asked again", func() bool { return asked.Load() > int64(len(c.answers))+1 })
				if s := f.State(); s.Connected || !strings.Contains(s.Refused, c.why) {
					t.Errorf("%+v", s)
				}
				f.Close()
				if slave.LogMax() != end || !bytes.Equal(content(t, slave, 0), want[:end]) {
					t.Error("the log has changed")
				}
			}
			f.Close()
			if n := w.count(c.warned); c.warned != "" && n != 1 || c.warned == "" && n != 0 {
				t.Errorf("%q is said %d times: %v", c.warned, n, w.text)
			}
		})
	}
}

// TestNotAsked: an empty slave has nothing to ask about, and a master of ours compares by itself.
func TestNotAsked(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 20)
	arrive(t, master, end)
	never := func(context.Context, int64) ([]byte, bool, error) {
		t.Error("asked")
		return nil, false, nil
	}
	addr := stockMaster(t, 0, content(t, master, 0))
	empty := open(t, options(disk.NewMemory(), true))
	follow(t, empty, nil, FollowerOptions{Master: func() string { return addr }, MasterHas: never})
	arrive(t, empty, end)
	part := open(t, options(disk.NewMemory(), true))
	fill(t, part, content(t, master, 0)[:lastOf(t, content(t, master, 0))])
	follow(t, part, lead(t, master, LeaderOptions{Copies: 1}), FollowerOptions{MasterHas: never})
	arrive(t, part, end)
}

// TestMasterIsAskedForAWhile: a master that does not say what it has is left after a time, and at once when this side closes; it hears reports meanwhile.
func TestMasterIsAskedForAWhile(t *testing.T) {
	slave := open(t, options(disk.NewMemory(), true))
	end := put(t, slave, 0, 20)
	arrive(t, slave, end)
	reported, asked, canceled := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	addr := masterOf(t, func(conn *net.TCPConn) {
		if _, err := io.CopyN(io.Discard, conn, helloBytes); err != nil {
			return
		}
		_, _ = conn.Write(header{offset: end}.append(nil))
		got := make(chan int64, 4096)
		go reports(conn, got)
		for v := range got {
			if v != end {
				t.Errorf("%d is reported of a log of %d bytes", v, end)
			}
			poke(reported)
		}
	})
	o := FollowerOptions{Master: func() string { return addr }, HeartbeatTime: 5 * time.Millisecond, RetryTime: time.Millisecond,
		MasterHas: func(ctx context.Context, _ int64) ([]byte, bool, error) {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("without a deadline")
			}
			poke(asked)
			<-ctx.Done()
			if errors.Is(ctx.Err(), context.Canceled) {
				poke(canceled)
			}
			return nil, false, ctx.Err()
		}}
	o.HousekeepingTime = 50 * time.Millisecond
	f := follow(t, slave, nil, o)
	for range 3 {
		<-asked
	}
	f.Close()
	if s := f.State(); s.Connected || s.Refused != "" {
		t.Errorf("%+v", s)
	}
	o.HousekeepingTime = time.Hour
	for range 5 { // one that is held up for askTime proves nothing
		drain(asked)
		f = follow(t, slave, nil, o)
		<-asked
		drain(reported)
		<-reported
		f.Close()
	}
	select {
	case <-canceled:
	default:
		t.Error("a close waits for the answer")
	}
}

// drain takes a token that lies ready.
func drain(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// TestWhoWasAsked: what another master has says nothing of the one that is connected.
func TestWhoWasAsked(t *testing.T) {
	slave := open(t, options(disk.NewMemory(), true))
	end := put(t, slave, 0, 20)
	arrive(t, slave, end)
	old, next := stockMaster(t, end, nil), stockMaster(t, end, nil)
	var addr atomic.Pointer[string]
	addr.Store(&old)
	w := &warnings{}
	f := follow(t, slave, nil, FollowerOptions{Master: func() string { return *addr.Load() }, Logger: slog.New(w), RetryTime: time.Millisecond,
		MasterHas: func(context.Context, int64) ([]byte, bool, error) {
			addr.Store(&next)
			return nil, false, nil
		}})
	eventually(t, "refused by the new one", func() bool { s := f.State(); return s.Master == next && s.Refused != "" })
	f.Close()
	if n := w.count("until somebody decides master=" + old); n != 0 {
		t.Error(w.text)
	}
}

// fill appends whole records of a log that begins at 0 to an empty store.
func fill(t *testing.T, st *store.Store, b []byte) {
	t.Helper()
	for at := st.LogMax(); at < int64(len(b)); at = st.LogMax() {
		to := min(int64(len(b)), at-at%testSegment+testSegment)
		appendTo(t, st, func() error { return st.AppendCopy(at, b[at:to]) })
	}
	arrive(t, st, int64(len(b)))
}

// appendTo appends once there is room.
func appendTo(t *testing.T, st *store.Store, appended func() error) {
	t.Helper()
	for {
		err := appended()
		st.CommitCopies()
		if err == nil {
			return
		}
		if !errors.Is(err, store.ErrFull) {
			t.Fatal(err)
		}
		room := make(chan struct{})
		st.Room(func() { close(room) })
		<-room
	}
}

// lastOf walks over a log that begins at 0 to its last record or blank.
func lastOf(t *testing.T, b []byte) (last int64) {
	t.Helper()
	var r record.Record
	for at := int64(0); at < int64(len(b)); {
		err := r.Parse(b[at:])
		if errors.Is(err, record.ErrBlank) {
			last, at = at, at-at%testSegment+testSegment
			continue
		}
		if err != nil {
			t.Fatalf("at %d: %v", at, err)
		}
		last, at = at, at+int64(r.TotalSize)
	}
	return last
}

// TestNewest finds the last record or blank, also before more damage than is read at once.
func TestNewest(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 1000)
	arrive(t, master, end)
	all := content(t, master, 0)
	st := open(t, options(disk.NewMemory(), true))
	fill(t, st, all)
	found := func(end int64) int64 {
		t.Helper()
		at, raw, err := cutterFor(st).newest(st, 0, end)
		if err != nil {
			t.Fatal(err)
		}
		if raw == nil {
			return -1
		}
		if !bytes.Equal(raw, all[at:at+int64(len(raw))]) {
			t.Errorf("the record at %d is not what lies there", at)
		}
		return at
	}
	blanks := 0
	for to := int64(testSegment); to <= end; to += testSegment {
		want := lastOf(t, all[:to])
		if got := found(to); got != want {
			t.Errorf("before %d: %d, want %d", to, got, want)
		}
		if _, magic := record.Header(all[want:]); magic == record.MagicBlank {
			blanks++
			// A log may end in what follows a blank.
			if got := found(want + record.BlankBytes); got != want {
				t.Errorf("in the blank at %d: %d", want, got)
			}
		}
	}
	if blanks == 0 {
		t.Error("no segment ends with a blank")
	}
	last := lastOf(t, all)
	if got := found(end); got != last {
		t.Errorf("%d, want %d", got, last)
	}
	if got, want := found(last), lastOf(t, all[:last]); got != want {
		t.Errorf("%d, want %d", got, want)
	}
	for st.LogMax() < end+2*sumBytes {
		at := st.LogMax()
		b := bytes.Repeat([]byte{0xA5}, int(min(16<<10, testSegment-at%testSegment)))
		appendTo(t, st, func() error { return st.AppendOpaque(at, b) })
	}
	arrive(t, st, st.LogMax())
	if got := found(st.LogMax()); got != last {
		t.Errorf("before damage: %d, want %d", got, last)
	}
	if at, raw, err := cutterFor(st).newest(st, end, st.LogMax()); raw != nil || err != nil {
		t.Errorf("in damage alone: %d, %d bytes, %v", at, len(raw), err)
	}
}
