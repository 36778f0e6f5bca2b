package broker

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmq/broker/lag"
	"ringmq/netpoll/remoting"
)

// lagRig is a broker with a topic T of two queues, and a watch of the test's own. The broker's does not look: it would post what it finds to where the
// test's own posts.
type lagRig struct {
	*rig
	c   *client
	w   *lagWatch
	now time.Time
}

func newLagRig(t *testing.T, more ...string) *lagRig {
	t.Helper()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startAltered(func(b *Broker) { b.lags.every = time.Hour }, append([]string{"lagAlarmMessages=5", "lagAlarmHoldMs=30000"}, more...)...)
	l := &lagRig{rig: r, c: r.dial(), w: newLagWatch(r.broker), now: time.Now()}
	l.makeTopic()
	return l
}

func (r *lagRig) makeTopic() {
	r.t.Helper()
	a := r.c.call(request(remoting.CodeUpdateAndCreateTopic, "topic", "T", "readQueueNums", 2, "writeQueueNums", 2, "perm", 6, "topicFilterType", "SINGLE_TAG"))
	if a.Code != 0 {
		r.t.Fatal(string(a.Remark))
	}
}

// send puts so many messages into the two queues, and returns when consumers can see them.
func (r *lagRig) send(n int) {
	r.t.Helper()
	before := r.broker.store.MaxOffset([]byte("T"), 0) + r.broker.store.MaxOffset([]byte("T"), 1)
	for i := range n {
		want(r.t, r.c.call(sendTo("T", i%2, "", "x")), 0, "")
	}
	until(r.t, "messages in their queues", func() bool {
		return r.broker.store.MaxOffset([]byte("T"), 0)+r.broker.store.MaxOffset([]byte("T"), 1) == before+int64(n)
	})
}

func (r *lagRig) commit(queue int, offset int64) {
	r.t.Helper()
	want(r.t, r.c.call(request(remoting.CodeUpdateConsumerOffset, "consumerGroup", "G", "topic", "T", "queueId", queue, "commitOffset", offset)), 0, "")
}

func (r *lagRig) join() {
	r.t.Helper()
	want(r.t, r.c.call(beat("the-client", "G", "T", "*", 1)), 0, "")
}

// turn is one look, so much later than the one before.
func (r *lagRig) turn(later time.Duration) []lag.Alarm {
	r.now = r.now.Add(later)
	return r.w.turn(r.now)
}

// state is what the newest look found of G and T.
func (r *lagRig) state() lag.State {
	r.t.Helper()
	for _, s := range *r.w.last.Load() {
		if s.Group == "G" && s.Topic == "T" {
			return s
		}
	}
	r.t.Fatal("the look found nothing")
	return lag.State{}
}

// told is what an operator's command hears beside the progress of G in T.
func (r *lagRig) told() (told lag.Told) {
	r.t.Helper()
	a := r.c.call(request(remoting.CodeGetConsumeStats, "consumerGroup", "G", "topic", "T", lag.Field, true))
	if err := json.Unmarshal([]byte(a.Text(lag.Field)), &told); err != nil {
		r.t.Fatal(err, string(a.Remark))
	}
	return told
}

func (r *lagRig) hidden() int64 { return r.told().Hidden }

// held is how many bytes of the log wait for slaves.
func (r *lagRig) held() int64 {
	r.t.Helper()
	var table remoting.KVTable
	if err := remoting.Unmarshal(r.c.call(request(remoting.CodeGetBrokerRuntimeInfo, "diskEngine", true)).Body, &table); err != nil {
		r.t.Fatal(err)
	}
	n, err := strconv.ParseInt(table.Table["replicationHeldBytes"], 10, 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func wantCause(t *testing.T, s lag.State, cause string, words ...string) {
	t.Helper()
	if s.Cause != cause {
		t.Errorf("cause %s, want %s: %+v", s.Cause, cause, s)
	}
	for _, w := range words {
		if !strings.Contains(strings.Join(s.Evidence, "\n"), w) {
			t.Errorf("the evidence lacks %q: %q", w, s.Evidence)
		}
	}
}

// TestLagOfStuckMember: a member has pulled a queue and does not finish what it got. One alarm, and one when it is over.
func TestLagOfStuckMember(t *testing.T) {
	t.Parallel()
	r := newLagRig(t)
	r.join()
	r.commit(0, 0)
	r.commit(1, 0)
	r.send(20)
	want(t, r.c.call(pullOf("G", "T", 1, 0, "*", 0)), 0, "FOUND")
	r.commit(0, 10)
	if news := r.turn(0); len(news) != 0 {
		t.Fatal("at the first look:", news)
	}
	news := r.turn(61 * time.Second)
	if len(news) != 1 || !news[0].Cleared.IsZero() || news[0].Diff != 10 || news[0].BehindMs < 60_000 {
		t.Fatalf("%+v", news)
	}
	wantCause(t, news[0].State, lag.Stuck, "queue 1: 10 behind at offset 0, no progress for 1m1s", "member the-client (127.0.0.1:", "asked for its messages last")
	if q := news[0].Queue; q == nil || *q != (lag.Behind{ID: 1, Diff: 10, Since: r.now.Add(-61 * time.Second), Member: "the-client"}) {
		t.Errorf("%+v", q)
	}
	for range 5 {
		if news := r.turn(lagLookEvery); len(news) != 0 {
			t.Fatal("again:", news)
		}
	}
	if all := r.w.alarms.Standing(); len(all) != 1 || all[0].Group != "G" {
		t.Error(all)
	}
	r.commit(1, 10)
	if news := r.turn(lagLookEvery); len(news) != 0 {
		t.Fatal("cleared at once:", news)
	}
	if news := r.turn(31 * time.Second); len(news) != 1 || news[0].Cleared.IsZero() || len(r.w.alarms.Standing()) != 0 {
		t.Fatal(news)
	}
	wantCause(t, r.state(), lag.None)
}

// TestLagOfMemberThatDoesNotPull: it has been told of nothing beyond its progress.
func TestLagOfMemberThatDoesNotPull(t *testing.T) {
	t.Parallel()
	r := newLagRig(t)
	r.join()
	r.commit(0, 0)
	r.send(20)
	r.turn(0)
	r.turn(2 * time.Minute)
	wantCause(t, r.state(), lag.NotPulling, "queue 0: 10 behind", "members: the-client (127.0.0.1:")
	if q := r.state().Queue; q == nil || q.Member != "" {
		t.Errorf("a member that never asked is named: %+v", q)
	}
}

// TestLagOfMemberThatLeft: who asked last is named while it is a member, and not instead of those that are there.
func TestLagOfMemberThatLeft(t *testing.T) {
	t.Parallel()
	r := newLagRig(t)
	r.join()
	r.commit(0, 0)
	r.send(20)
	other := r.dial()
	want(t, other.call(beat("another", "G", "T", "*", 1)), 0, "")
	want(t, other.call(pullOf("G", "T", 0, 0, "*", 0)), 0, "FOUND")
	r.turn(0)
	r.turn(2 * time.Minute)
	wantCause(t, r.state(), lag.Stuck, "member another (127.0.0.1:")
	want(t, other.call(request(remoting.CodeUnregisterClient, "clientID", "another", "consumerGroup", "G")), 0, "")
	r.turn(lagLookEvery)
	wantCause(t, r.state(), lag.Stuck, "members: the-client (127.0.0.1:")
	if q := r.state().Queue; q == nil || q.Member != "" {
		t.Errorf("%+v", q)
	}
}

func TestLagWithoutMembers(t *testing.T) {
	t.Parallel()
	r := newLagRig(t)
	want(t, r.c.call(beat("the-client", "G", "T", "*", 1)), 0, "")
	r.commit(0, 0)
	r.commit(1, 0)
	r.send(20)
	want(t, r.c.call(request(remoting.CodeUnregisterClient, "clientID", "the-client", "consumerGroup", "G")), 0, "")
	r.turn(0)
	s := r.state()
	wantCause(t, s, lag.NoConsumer, "no client of the group is connected")
	if s.Diff != 20 || s.Members != 0 {
		t.Errorf("%+v", s)
	}
}

// TestLagLimitsByRequest: limits change while the broker runs; where alarms are posted to does not.
func TestLagLimitsByRequest(t *testing.T) {
	t.Parallel()
	r := newLagRig(t)
	set := func(line string) *remoting.Command {
		req := request(remoting.CodeUpdateBrokerConfig)
		req.Body = []byte(line)
		return r.c.call(req)
	}
	r.join()
	r.commit(0, 0)
	r.send(20)
	want(t, set("lagAlarmHoldMs=0\nlagAlarmMessages=9\n"), 0, "")
	if news := r.turn(0); len(news) != 1 {
		t.Fatal(news)
	}
	want(t, set("lagAlarmMessages=0\n"), 0, "")
	if news := r.turn(time.Second); len(news) != 1 || news[0].Cleared.IsZero() || r.w.last.Load() != nil {
		t.Fatal("without limits:", news)
	}
	if a := set("lagAlarmWebhook=http://127.0.0.1:1/\n"); a.Code != remoting.RespNoPermission {
		t.Error(a.Code, string(a.Remark))
	}
	if a := set("lagAlarmClearPercent=0\n"); a.Code != remoting.RespSystemError {
		t.Error(a.Code, string(a.Remark))
	}
}

// TestLagAlarmIsSaidOnce: one line when it begins and one when it ends, however often is looked in between; as long the gauge is there.
func TestLagAlarmIsSaidOnce(t *testing.T) {
	t.Parallel()
	var log logged
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(b *Broker) { b.lags.every = time.Hour },
		"lagAlarmMessages=5", "lagAlarmHoldMs=30000", "adminHttpAddress=127.0.0.1:0")
	l := &lagRig{rig: r, c: r.dial(), w: r.broker.lags, now: time.Now()}
	l.makeTopic()
	l.join()
	l.commit(0, 0)
	l.commit(1, 0)
	l.send(20)
	check := func(began, ended int) {
		t.Helper()
		if n := len(log.lines(`msg="consumers lag"`)); n != began {
			t.Error(n, "lines at the beginning, want", began)
		}
		if n := len(log.lines(`msg="consumers no longer lag"`)); n != ended {
			t.Error(n, "lines at the end, want", ended)
		}
		at := scrapes(t, r.broker.web.admin)
		if b, e := at[`ringmq_lag_alarms_total{event="begun"}`], at[`ringmq_lag_alarms_total{event="ended"}`]; b != float64(began) || e != float64(ended) {
			t.Errorf("%v have begun and %v have ended, want %d and %d", b, e, began, ended)
		}
		stand := 0.0
		for name, v := range at {
			if strings.HasPrefix(name, "ringmq_lag_alarm{") {
				stand += v
				if !strings.Contains(name, `consumer_group="G"`) || !strings.Contains(name, `topic="T"`) || !strings.Contains(name, `cause="consumer-not-pulling"`) {
					t.Error(name)
				}
			}
		}
		if stand != float64(began-ended) {
			t.Errorf("the gauge is %v, want %d", stand, began-ended)
		}
	}
	look := func(later time.Duration) { l.w.tell(l.turn(later)) }
	look(0)
	check(0, 0)
	look(61 * time.Second)
	check(1, 0)
	for range 5 {
		look(lagLookEvery)
	}
	check(1, 0)
	l.commit(0, 10)
	l.commit(1, 10)
	look(lagLookEvery)
	look(31 * time.Second)
	check(1, 1)
	look(lagLookEvery)
	check(1, 1)
}

// TestLagHook: what is raised and what is cleared is posted once each, in order, over a failure of the other side; and logged.
func TestLagHook(t *testing.T) {
	t.Parallel()
	bodies, fails := make(chan []byte, 8), 1
	var mu sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if fails--; fails >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(req.Body)
		if req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v", req.Method, req.Header)
		}
		bodies <- body
	}))
	defer s.Close()
	r := newLagRig(t, "lagAlarmWebhook="+s.URL+"/lag", "lagAlarmHoldMs=0")
	r.w.hook.pause = time.Millisecond
	var log strings.Builder
	r.w.hook.logger = slog.New(slog.NewTextHandler(&log, nil))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); r.w.hook.run(stop) }()
	r.join()
	r.commit(0, 0)
	r.commit(1, 0)
	r.send(20)
	r.w.tell(r.turn(0))
	r.commit(0, 10)
	r.commit(1, 10)
	r.w.tell(r.turn(time.Second))
	for _, event := range []string{"raised", "cleared"} {
		var n struct {
			Event, Cluster, Broker, Group, Topic, Cause string
			Diff                                        int64
			Cleared                                     *time.Time
		}
		select {
		case body := <-bodies:
			if err := json.Unmarshal(body, &n); err != nil {
				t.Fatal(err, string(body))
			}
			if n.Event != event || n.Group != "G" || n.Topic != "T" || n.Broker != "broker-a" || n.Cluster != "DefaultCluster" || (n.Cleared != nil) != (event == "cleared") ||
				event == "raised" && n.Diff != 20 {
				t.Errorf("%s", body)
			}
		case <-time.After(patience):
			t.Fatal("nothing posted:", event)
		}
	}
	close(stop)
	<-done
	if log.Len() > 0 {
		t.Error(log.String())
	}
}

// TestLagHookThatIsDown: it is given up after a few tries, and never keeps anybody waiting.
func TestLagHookThatIsDown(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h := newLagHook("http://127.0.0.1:1/", slog.New(slog.NewTextHandler(&log, nil)))
	h.pause = time.Millisecond
	h.deliver(t.Context(), lagNews{Event: "raised", Alarm: lag.Alarm{State: lag.State{Group: "G"}}})
	for range lagHookWaiting + 1 {
		h.put(lagNews{})
	}
	if text := log.String(); strings.Count(text, "not posted") != 2 || !strings.Contains(text, "too many wait") || !strings.Contains(text, "connection refused") {
		t.Error(text)
	}
}
