package bench

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// TestAsk: what a broker says of itself, what it refuses to say, and what is none.
func TestAsk(t *testing.T) {
	t.Parallel()
	open := startFake(t, fakeWrong{})
	a, err := Ask(t.Context(), open.addr())
	if err != nil || a.String() != "ringmq, speaks 5.3.3, SYNC_FLUSH, ASYNC_MASTER, disk engine pwrite" {
		t.Errorf("%v, %v", a, err)
	}
	secret := startFake(t, fakeWrong{secret: remoting.RespNoPermission})
	const want = "version unknown, flush mode unknown, role unknown (it does not tell its configuration: code 16 NO_PERMISSION; its runtime figures: code 16 NO_PERMISSION)"
	if a, err = Ask(t.Context(), secret.addr()); err != nil || a.String() != want {
		t.Errorf("%v, %v", a, err)
	}
	if r, err := Produce(secret.until(t, 1), brief(secret, func(w *Workload) { w.Existing = true }), nil); err == nil && (r.About == nil || len(r.About.Untold) != 2) {
		t.Errorf("%+v", r.About)
	}
	for text, addr := range map[string]string{
		"this is probably a name server's port":                   startFake(t, fakeWrong{secret: remoting.RespRequestCodeNotSupported}).addr(),
		"nothing listens there (connection refused); ringmq doct": "127.0.0.1:1",
		"what answers there speaks HTTP":                          startTalker(t, "HTTP/1.1 400 Bad Request\r\n\r\n").addr(),
		"does not answer as a broker":                             startTalker(t, "").addr(),
	} {
		if _, err := Ask(t.Context(), addr); err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "ringmq doctor -b "+addr) {
			t.Errorf("%s: %v", text, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Ask(ctx, open.addr()); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

// startTalker says the same to everybody and hangs up.
func startTalker(t *testing.T, text string) *fakeBroker {
	b := startFake(t, fakeWrong{greet: text, greets: true})
	return b
}

func TestUnlike(t *testing.T) {
	t.Parallel()
	of := func(flush, role string) *About { return &About{FlushDiskType: flush, BrokerRole: role} }
	for _, c := range []struct {
		a, b *About
		n    int
	}{
		{nil, of("SYNC_FLUSH", ""), 0}, {of("SYNC_FLUSH", "ASYNC_MASTER"), of("SYNC_FLUSH", "ASYNC_MASTER"), 0}, {of("SYNC_FLUSH", "ASYNC_MASTER"), of("", ""), 0},
		{of("SYNC_FLUSH", "ASYNC_MASTER"), of("ASYNC_FLUSH", "ASYNC_MASTER"), 1}, {of("SYNC_FLUSH", "ASYNC_MASTER"), of("ASYNC_FLUSH", "SLAVE"), 2},
	} {
		if got := Unlike("a", c.a, "b", c.b); len(got) != c.n {
			t.Errorf("%+v, %+v: %v", c.a, c.b, got)
		}
	}
}

// TestTopicsThatExist: their number of queues is taken, or refused where another was asked for, and a larger one is not made smaller.
func TestTopicsThatExist(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	if _, err := (Workload{Addr: b.addr(), Topic: "T", Queues: 4}).open(t.Context(), madeTopics, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		w      Workload
		topics topicsOf
		queues int
		err    string
	}{
		{Workload{Existing: true}, madeTopics, 4, ""},
		{Workload{}, readTopics, 4, ""},
		{Workload{Existing: true, Queues: 4}, madeTopics, 4, ""},
		{Workload{Existing: true, Queues: 8}, madeTopics, 0, "topic T has 4 queues, --queues says 8"},
		{Workload{Queues: 3}, readTopics, 0, "topic T has 4 queues, --queues says 3"},
		{Workload{Existing: true, Topic: "U"}, madeTopics, 0, "has no topic U"},
		{Workload{Queues: 2}, madeTopics, 2, ""}, // it uses two of them
		{Workload{Queues: 6}, madeTopics, 6, ""}, // it gets two more; last, as it changes the topic
	} {
		c.w.Addr = b.addr()
		if c.w.Topic == "" {
			c.w.Topic = "T"
		}
		w, err := c.w.open(t.Context(), c.topics, nil)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || err == nil && w.Queues != c.queues {
			t.Errorf("%+v: %v, %v", c.w, w, err)
		}
	}
	if n := len(b.topics["T"]); n != 6 {
		t.Errorf("the topic has %d queues at the end", n)
	}
}

// TestTopicsUntold: where the broker refuses, the route decides; without one the error says what to do.
func TestTopicsUntold(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{secret: remoting.RespNoPermission})
	route := `{"brokerDatas":[{"brokerAddrs":{"0":"` + b.addr() + `"},"brokerName":"b","cluster":"C"}],"queueDatas":[{"brokerName":"b","readQueueNums":8,"writeQueueNums":6,"perm":6}]}`
	s, err := netpoll.Serve(netpoll.Options{Addrs: []string{"127.0.0.1:0"}, Loops: 1, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, nameServer{map[int32]string{105: route}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Shutdown(context.WithoutCancel(t.Context())) }()
	names := "127.0.0.1:1;" + s.Addrs()[0].String()
	for _, c := range []struct {
		w      Workload
		topics topicsOf
		queues int
		err    string
		doubts int
	}{
		{Workload{Namesrv: names, Queues: 6}, madeTopics, 6, "", 0},
		{Workload{Namesrv: names, Queues: 7}, madeTopics, 0, "NO_PERMISSION; make it where the broker lets you (ringmq admin updateTopic", 0},
		{Workload{Namesrv: names}, readTopics, 8, "", 0},
		{Workload{Namesrv: names, Existing: true}, madeTopics, 6, "", 0},
		{Workload{}, madeTopics, 0, "then run this with --existing", 0},
		{Workload{Existing: true, Queues: 5}, madeTopics, 5, "", 1},
	} {
		c.w.Addr = b.addr()
		w, err := c.w.open(t.Context(), c.topics, nil)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || err == nil && (w.Queues != c.queues || len(w.doubts) != c.doubts) {
			t.Errorf("%+v: %+v, %v", c.w, w, err)
		}
	}
}

// TestRemarks: an error is called by its code and name, and what the broker said with the first is kept.
func TestRemarks(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{refuse: func(n int) int32 { return []int32{0, 2, 777}[n%3] }, remark: "busy\nnow"})
	r, err := Produce(b.until(t, 30), brief(b, func(w *Workload) { w.Duration = time.Minute }), nil)
	if err != nil || r.Errors["code 2 SYSTEM_BUSY"] == 0 || r.Errors["code 777"] == 0 || r.Remarks["code 2 SYSTEM_BUSY"] != "busy now" || len(r.Remarks) != 2 {
		t.Errorf("%v, %v, %v", err, r.Errors, r.Remarks)
	}
}

// TestStopped: a run that its context ends says how far it came, and one that comes to its end does not.
func TestStopped(t *testing.T) {
	t.Parallel()
	type load func(context.Context, Workload) (*Report, error)
	plainly := func(run Run) load {
		return func(ctx context.Context, w Workload) (*Report, error) { return run(ctx, w, nil) }
	}
	produce, consume, endToEnd, verify := plainly(Produce), plainly(Consume), plainly(Plain(EndToEnd)), plainly(Plain(Verify))
	for _, c := range []struct {
		name string
		run  load
		w    func(*Workload)
		want string
	}{
		{"produce", produce, nil, " s of 1m0s"},
		{"endtoend", endToEnd, func(w *Workload) { w.Rate, w.Window = 1000, 128 }, " s of 1m0s"},
		{"verify", verify, nil, " s of 1m0s"},
	} {
		b := startFake(t, fakeWrong{})
		r, err := c.run(b.until(t, 40), brief(b, func(w *Workload) {
			w.Duration = time.Minute
			if c.w != nil {
				c.w(w)
			}
		}))
		if err != nil || !strings.HasPrefix(r.Stopped, "stopped after ") || !strings.HasSuffix(r.Stopped, c.want) || r.Messages == 0 {
			t.Errorf("%s: %v, %+v", c.name, err, r)
		}
		if r, err = c.run(t.Context(), brief(b, c.w)); err != nil || r.Stopped != "" {
			t.Errorf("%s to its end: %v, %+v", c.name, err, r)
		}
	}
	b := startFake(t, fakeWrong{})
	if _, err := Consume(b.until(t, 1), brief(b, func(w *Workload) { w.Fill, w.FillMessages = true, 1<<30 }), nil); !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), " of 1,073,741,824") {
		t.Errorf("a fill: %v", err)
	}
	b = startFake(t, fakeWrong{})
	w := brief(b, func(w *Workload) { w.Fill, w.FillMessages, w.PullMessages = true, 5000, 1 })
	if _, err := consume(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	w.Fill, w.Drain = false, true
	b.mu.Lock()
	pulls := b.pulls
	b.mu.Unlock()
	ctx := b.when(t, func() bool { return b.pulls > pulls+100 })
	if r, err := consume(ctx, w); err != nil || !strings.Contains(r.Stopped, " of 5,0") || !strings.HasSuffix(r.Stopped, " messages") || r.Messages >= 5000 {
		t.Errorf("a drain: %v, %+v", err, r)
	}
}

// TestCatchupStopped: in each of its parts it tells what there is.
func TestCatchupStopped(t *testing.T) {
	t.Parallel()
	before := func(w *Workload) { w.Rate, w.BacklogBytes, w.Duration = 500, 1000, time.Minute }
	b := startFake(t, fakeWrong{})
	r, err := Catchup(b.until(t, 50), brief(b, before), nil)
	if err != nil || !strings.Contains(r.Stopped, "none of the backlog was read") || r.Kind != "catchup" || r.Started.IsZero() || r.Before.Messages == 0 {
		t.Errorf("%v, %+v", err, r)
	}
	drained := startFake(t, fakeWrong{})
	ctx, w := drained.when(t, func() bool { return drained.pulls > 20 }), brief(drained, func(w *Workload) {
		before(w)
		w.BacklogBytes, w.Duration, w.PullMessages = 1<<20, 20*time.Millisecond, 1
	})
	if r, err = Catchup(ctx, w, nil); err != nil || !strings.HasSuffix(r.Stopped, " messages of the backlog") || r.During.Kind == "" {
		t.Errorf("%v, %+v", err, r)
	}
	b = startFake(t, fakeWrong{})
	if _, err = Catchup(b.until(t, 1), brief(b, func(w *Workload) { before(w); w.BacklogBytes = 1 << 40 }), nil); !errors.Is(err, ErrStopped) {
		t.Errorf("while the backlog was sent: %v", err)
	}
}

// TestVerifyStopped: a check that was stopped has no verdict, and calls nothing lost that was not read.
func TestVerifyStopped(t *testing.T) {
	t.Parallel()
	b, name := startFake(t, fakeWrong{}), filepath.Join(t.TempDir(), "ledger")
	w := brief(b, func(w *Workload) { w.Ledger, w.Duration = name, time.Minute })
	if r, err := Verify(b.until(t, 500), w, nil); err != nil || !r.Judged || len(r.Failures) > 0 || r.Stopped == "" {
		t.Fatalf("%v, %+v", err, r)
	}
	b.mu.Lock()
	pulls := b.pulls
	b.mu.Unlock()
	ctx := b.when(t, func() bool { return b.pulls > pulls+10 })
	r, err := Verify(ctx, Workload{Addr: b.addr(), Ledger: name, Check: true, PullMessages: 1, visible: 50 * time.Millisecond}, nil)
	if err != nil || r.Judged || r.Unjudged == "" || r.Lost != 0 || len(r.Failures) > 0 || !strings.HasSuffix(r.Stopped, "messages were read back") {
		t.Errorf("%v, %+v", err, r)
	}
}

// TestLostConnections: what was counted until the broker went away is reported, and how far the run came.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	w := brief(b, func(w *Workload) {
		w.Fill, w.FillMessages, w.PullMessages, w.Again, w.Duration = true, 500, 1, true, time.Minute
	})
	b.goesAwayWhen(t, func() bool { return b.pulls > 200 })
	r, err := Consume(t.Context(), w, nil)
	if err != nil || r.Messages == 0 || !strings.HasPrefix(r.Stopped, "ended after ") || !strings.Contains(r.Stopped, " of 1m0s: connection ") {
		t.Errorf("%v, %+v", err, r)
	}
	hangsUp := startFake(t, fakeWrong{hangUp: from(100)})
	e, err := EndToEnd(t.Context(), brief(hangsUp, func(w *Workload) { w.Rate, w.Window, w.Duration = 1000, 128, time.Minute }), nil)
	if err != nil || e.Sent == 0 || !strings.Contains(e.Stopped, " of 1m0s: no connection of 2 is left") {
		t.Errorf("%v, %+v", err, e)
	}
}

// goesAwayWhen ends all connections when a request has been handled after which cond holds.
func (b *fakeBroker) goesAwayWhen(t *testing.T, cond func() bool) {
	ctx := b.when(t, cond)
	go func() {
		<-ctx.Done()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, c := range b.conns {
			_ = c.Close()
		}
	}()
}

// TestCatchupLosesConnections: a broker that goes away leaves what was counted of the sends and, if it came so far, of the drain.
func TestCatchupLosesConnections(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	b.goesAwayWhen(t, func() bool { return b.pulls > 20 })
	r, err := Catchup(t.Context(), brief(b, func(w *Workload) { w.Rate, w.BacklogBytes, w.PullMessages = 500, 1<<20, 1 }), nil)
	if err != nil || r.Kind != "catchup" || !strings.HasPrefix(r.Stopped, "ended after ") || !strings.Contains(r.Stopped, " messages of the backlog: ") {
		t.Fatalf("during the drain: %v, %+v", err, r)
	}
	if r.DrainedInFull || r.Before.Kind == "" || r.During.Kind == "" || r.Backlog == 0 || r.Messages >= r.Backlog {
		t.Errorf("during the drain: %+v", r)
	}
	hangsUp := startFake(t, fakeWrong{hangUp: from(100)})
	r, err = Catchup(t.Context(), brief(hangsUp, func(w *Workload) { w.Rate, w.BacklogBytes, w.Duration = 500, 1000, time.Minute }), nil)
	const want = " of 1m0s of the sends beside nothing: none of the backlog was read: no connection of 2 is left: "
	if err != nil || r.Kind != "catchup" || !strings.HasPrefix(r.Stopped, "ended after ") || !strings.Contains(r.Stopped, want) || r.Before.Messages == 0 {
		t.Errorf("before it: %v, %+v", err, r)
	}
}

// TestSlave: a slave is not sent to unless that is wanted, and read from without asking.
func TestSlave(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{slave: true})
	if _, err := Produce(t.Context(), brief(b, nil), nil); err == nil || !strings.Contains(err.Error(), "is a slave and stores no messages of clients") || b.sent() != 0 || len(b.topics) != 0 {
		t.Errorf("%v, %d sends, topics %v", err, b.sent(), b.topics)
	}
	if r, err := Produce(b.until(t, 20), brief(b, func(w *Workload) { w.ToSlave, w.Duration = true, time.Minute }), nil); err != nil || r.Messages == 0 {
		t.Errorf("wanted: %v, %+v", err, r)
	}
	if r, err := Consume(t.Context(), brief(b, func(w *Workload) { w.Drain = true }), nil); err != nil || r.Messages == 0 {
		t.Errorf("read: %v, %+v", err, r)
	}
}

// TestMade: only topics that a run has made itself are deleted.
func TestMade(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	made := &Made{}
	opens := func(topic string, queues int) {
		t.Helper()
		if _, err := (Workload{Addr: b.addr(), Topic: topic, Queues: queues, Made: made}).open(t.Context(), madeTopics, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (Workload{Addr: b.addr(), Topic: "Theirs", Queues: 2}).open(t.Context(), madeTopics, nil); err != nil {
		t.Fatal(err)
	}
	opens("Theirs", 4) // it gets two queues more, and stays theirs
	opens("Ours", 2)
	opens("Ours", 2)
	if n, err := made.Delete(t.Context()); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if len(b.topics["Theirs"]) != 4 || b.topics["Ours"] != nil {
		t.Errorf("topics %v", b.topics)
	}
	if n, err := made.Delete(t.Context()); n != 0 || err != nil {
		t.Errorf("once more: %d, %v", n, err)
	}
	made.add(&Workload{Addr: "127.0.0.1:1"}, "Gone")
	if n, err := made.Delete(t.Context()); n != 0 || err == nil || !strings.Contains(err.Error(), "delete topic Gone at 127.0.0.1:1: nothing listens there") {
		t.Errorf("a broker that is gone: %d, %v", n, err)
	}
}
