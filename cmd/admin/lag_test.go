package admin

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmq/broker/lag"
	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// lagSeen is a row of what lag answers in JSON.
type lagSeen struct {
	Group, Topic, Cause string
	Diff, Retry, Dead   int64
	BehindMs, DrainMs   *int64
	InTps, OutTps       float64
	Evidence            []string
}

// lag looks twice, ten minutes apart by the rig's clock; between happens between the looks.
func (r *rig) lag(words string, between func()) lagSeen {
	r.t.Helper()
	return r.lagLater(0, words, between)
}

// lagLater is lag by a clock that is so much ahead of the broker's.
func (r *rig) lagLater(shift time.Duration, words string, between func()) lagSeen {
	r.t.Helper()
	r.o.Now = func() time.Time { return time.Now().Add(shift) }
	r.o.Wait = func(_ context.Context, d time.Duration) error {
		between()
		shift += d
		return nil
	}
	text, err := r.run("lag -w 600000 " + words + " --output json")
	if err != nil {
		r.t.Fatal(err)
	}
	var all struct{ Groups []lagSeen }
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all.Groups) != 1 {
		r.t.Fatalf("%v: %s", err, text)
	}
	return all.Groups[0]
}

// usual has so many messages in queues 0 and 1 of T counted in the broker's first sample, as an hour's rate of a tenth of a message a
// second for each 60.
func usualRig(t *testing.T, messages int) (*rig, *member) {
	t.Helper()
	for range 10 {
		r := newRig(t)
		m := r.dial(nil)
		if _, err := r.run("updateTopic -b {broker} -t T -r 2 -w 2"); err != nil {
			t.Fatal(err)
		}
		for queue := range 2 {
			m.sendAtOnce("T", queue, messages/2)
		}
		for began := time.Now(); time.Since(began) < patience; time.Sleep(5 * time.Millisecond) {
			resp, err := m.Call(t.Context(), ask.Request(remoting.CodeViewBrokerStatsData, "statsName", "TOPIC_PUT_NUMS", "statsKey", "T"))
			if err != nil {
				t.Fatal(err)
			}
			var d remoting.BrokerStatsData
			if resp.Code == 0 && remoting.Unmarshal(resp.Body, &d) == nil && d.StatsHour.Sum > 0 {
				if d.StatsHour.Sum == int64(messages) {
					return r, m
				}
				break // the sample was taken in the middle
			}
		}
	}
	t.Fatal("no broker sampled its figures when it had all messages")
	return nil, nil
}

func (m *member) sendMany(topic string, n int) {
	for i := range n {
		m.send(topic, i%2, "x")
	}
}

func (s lagSeen) want(t *testing.T, cause string, words ...string) {
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

// TestLagSurge: producers send five times as much as in the hour before, and consumers do what they did.
func TestLagSurge(t *testing.T) {
	t.Parallel()
	r, m := usualRig(t, 60)
	c := r.dial(telling("T", 2, nil))
	c.beat("member", "G", "T")
	m.commit("G", "T", 0, 30)
	m.commit("G", "T", 1, 30)
	s := r.lag("-g G", func() {
		m.sendMany("T", 300)
		m.commit("G", "T", 0, 60)
		m.commit("G", "T", 1, 60)
	})
	s.want(t, lag.Surge, "0.5 messages a second come in, 0.1 are consumed", "0.1 and")
	if s.Diff != 240 || s.DrainMs != nil || s.BehindMs == nil {
		t.Errorf("%+v", s)
	}
}

// TestLagAfterSilence: nothing came in within the hour before. Of brokers that ran all through it that is known, and what comes now is a
// surge; of others it is not.
func TestLagAfterSilence(t *testing.T) {
	t.Parallel()
	r, m := usualRig(t, 60) // the next sample of an hour's is ten minutes away
	if _, err := r.run("updateTopic -b {broker} -t U -r 2 -w 2"); err != nil {
		t.Fatal(err)
	}
	r.dial(telling("U", 2, nil)).beat("member", "G", "U")
	at := int64(0)
	between := func() {
		at += 30
		m.sendMany("U", 300)
		m.commit("G", "U", 0, at)
		m.commit("G", "U", 1, at)
	}
	m.commit("G", "U", 0, 0)
	m.commit("G", "U", 1, 0)
	r.lag("-g G", between).want(t, lag.Slow, "0.5 messages a second come in, 0.1 are consumed; what usually comes in its brokers do not know yet")
	r.lagLater(lag.UsualOver, "-g G", between).want(t, lag.Surge, "0.5 messages a second come in, 0.1 are consumed; in the last hour it were 0.0 and 0.0")
}

// TestLagSlow: as much comes in as before, and members need longer for each message than that leaves them.
func TestLagSlow(t *testing.T) {
	t.Parallel()
	r, m := usualRig(t, 120)
	tell := telling("T", 2, nil)
	c := r.dial(func(code int32) string {
		return strings.Replace(strings.Replace(tell(code), `"consumeOKTPS":1.5`, `"consumeOKTPS":0.03,"consumeRT":30000`, 1), `"PROP_CONSUME_TYPE"`, `"PROP_THREADPOOL_CORE_SIZE":"1","PROP_CONSUME_TYPE"`, 1)
	})
	c.beat("member", "G", "T")
	m.commit("G", "T", 0, 60)
	m.commit("G", "T", 1, 60)
	s := r.lag("-g G", func() {
		m.sendMany("T", 120)
		m.commit("G", "T", 0, 70)
		m.commit("G", "T", 1, 70)
	})
	s.want(t, lag.Slow, "0.2 messages a second come in, 0.0 are consumed", "member", "30000.0 ms for each", "its 1 threads could do 0")
}

// TestLagStuck: one member of two has messages of one queue in hand and does not finish them.
func TestLagStuck(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := r.run("updateTopic -b {broker} -t T -r 2 -w 2"); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-5 * time.Minute).UnixMilli()
	queueOf := func(id int32, change func(q *queueInfo)) func(int32) string {
		return func(int32) string {
			q := queueInfo{LastPullTimestamp: time.Now().UnixMilli(), LastConsumeTimestamp: time.Now().Add(10 * time.Minute).UnixMilli()}
			change(&q)
			table := remoting.QueueTable[queueInfo]{{Queue: remoting.MessageQueue{Topic: "T", BrokerName: "broker-a", QueueID: id}, Value: q}}
			return `{"mqTable":` + string(remoting.AppendQueueTable(nil, table)) + `}`
		}
	}
	r.dial(queueOf(0, func(*queueInfo) {})).beat("well", "G", "T")
	r.dial(queueOf(1, func(q *queueInfo) { q.CachedMsgCount, q.LastConsumeTimestamp = 7, long })).beat("ill", "G", "T")
	m := r.dial(nil)
	m.sendMany("T", 20)
	m.commit("G", "T", 0, 5)
	m.commit("G", "T", 1, 3)
	s := r.lag("", func() { m.commit("G", "T", 0, 9) })
	s.want(t, lag.Stuck, "queue 1 of broker-a: 7 behind at offset 3", "ill (127.0.0.1:", "has 7 messages in hand", "15 min 0 s ago")
	if len(s.Evidence) != 1 {
		t.Error("the healthy member is blamed:", s.Evidence)
	}
}

// TestLagPullsSlow: members wait for pulls although messages are there.
func TestLagPullsSlow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := r.run("updateTopic -b {broker} -t T -r 2 -w 2"); err != nil {
		t.Fatal(err)
	}
	tell := telling("T", 2, func(q *queueInfo) { q.LastPullTimestamp = time.Now().Add(10 * time.Minute).UnixMilli() })
	r.dial(func(code int32) string { return strings.Replace(tell(code), `"consumeOKTPS":1.5`, `"pullRT":4000`, 1) }).beat("member", "G", "T")
	m := r.dial(nil)
	m.sendMany("T", 20)
	m.commit("G", "T", 0, 1)
	r.lag("-g G", func() {}).want(t, lag.BrokerSlow, "member waits 4000 ms for a pull")
}

// TestLagWithoutMembers: nobody consumes; retries and dead letters are counted beside it.
func TestLagWithoutMembers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, words := range []string{"updateTopic -b {broker} -t T -r 2 -w 2", "updateTopic -b {broker} -t %RETRY%G -r 1 -w 1", "updateTopic -b {broker} -t %DLQ%G -r 1 -w 1"} {
		if _, err := r.run(words); err != nil {
			t.Fatal(err)
		}
	}
	m := r.dial(nil)
	m.sendMany("T", 10)
	for range 3 {
		m.send("%RETRY%G", 0, "x")
	}
	m.send("%DLQ%G", 0, "x")
	m.commit("G", "T", 0, 2)
	m.commit("G", "%RETRY%G", 0, 1)
	s := r.lag("-g G -t T", func() {})
	s.want(t, lag.NoConsumer, "no client of the group is connected")
	if s.Diff != 8 || s.Retry != 2 || s.Dead != 1 || s.DrainMs != nil {
		t.Errorf("%+v", s)
	}
	m.commit("G", "T", 0, 5)
	m.commit("G", "T", 1, 5)
	s = r.lag("-g G -t T", func() {}) // what waits to be tried again nobody tries
	s.want(t, lag.NoConsumer, "no client of the group is connected")
	if s.Diff != 0 || s.Retry != 2 || s.Dead != 1 || s.DrainMs == nil {
		t.Errorf("%+v", s)
	}
	m.commit("G", "%RETRY%G", 0, 3)
	if s := r.lag("-g G -t T", func() {}); s.Cause != lag.None || s.Diff != 0 || s.Retry != 0 || s.Dead != 1 || len(s.Evidence) != 0 {
		t.Errorf("%+v", s)
	}
}

// TestLagOfFailingMember: all is consumed, and given back.
func TestLagOfFailingMember(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, words := range []string{"updateTopic -b {broker} -t T -r 2 -w 2", "updateTopic -b {broker} -t %DLQ%G -r 1 -w 1"} {
		if _, err := r.run(words); err != nil {
			t.Fatal(err)
		}
	}
	m := r.dial(telling("T", 2, nil))
	m.beat("member", "G", "T", "%RETRY%G")
	m.sendMany("T", 10)
	m.commit("G", "T", 0, 5)
	m.commit("G", "T", 1, 5)
	for range 3 {
		m.must(remoting.CodeConsumerSendMsgBack, "", "group", "G", "offset", "0", "delayLevel", "18", "originTopic", "T") // back in two hours
	}
	r.until("the broker has sampled its figures", func() bool {
		resp, err := m.Call(t.Context(), ask.Request(remoting.CodeViewBrokerStatsData, "statsName", "SNDBCK_PUT_NUMS", "statsKey", "T@G"))
		var d remoting.BrokerStatsData
		return err == nil && resp.Code == 0 && remoting.Unmarshal(resp.Body, &d) == nil && d.StatsMinute.Sum == 3
	})
	s := r.lag("-g G -t T", func() {})
	s.want(t, lag.Failing, "3 messages were given back in the last minute, 0 were handed out")
	if s.Diff != 0 || s.Retry != 0 || s.Dead != 0 {
		t.Errorf("%+v", s)
	}
	for range 3 {
		m.send("%RETRY%G", 0, "x")
	}
	m.send("%DLQ%G", 0, "x")
	m.commit("G", "%RETRY%G", 0, 1)
	s = r.lag("-g G -t T", func() {})
	s.want(t, lag.Failing, "2 messages wait in %RETRY%G to be tried again")
	if s.Diff != 0 || s.Retry != 2 || s.Dead != 1 {
		t.Errorf("%+v", s)
	}
}

// TestLagCauses judges data.
func TestLagCauses(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	queue := remoting.MessageQueue{Topic: "T", BrokerName: "b", QueueID: 0}
	member := func(q queueInfo) lagMember {
		return lagMember{conn: remoting.Connection{ClientID: "m"}, info: &running{Queues: remoting.QueueTable[queueInfo]{{Queue: queue, Value: q}}}}
	}
	// lacking is a master whose slave lacks 100 MiB, and that keeps so many bytes from consumers.
	lacking := func(held string) *brokerLook {
		return &brokerLook{name: "b", runtime: map[string]string{"replicationHeldBytes": held},
			ha: &remoting.HARuntimeInfo{Master: true, HAConnectionInfo: []remoting.HAConnectionInfo{{Addr: "s", Diff: 100 << 20}}}}
	}
	// ran is a broker that has run for so many minutes.
	ran := func(minutes int) *brokerLook {
		return &brokerLook{name: "b", runtime: map[string]string{"bootTimestamp": strconv.FormatInt(now.Add(-time.Duration(minutes)*time.Minute).UnixMilli(), 10)}}
	}
	// cold is a broker that lets a group read 50 bytes from the disk, and all together 900.
	cold := func(counted string) []*brokerLook {
		b := &brokerLook{name: "b"}
		if err := json.Unmarshal([]byte(`{"cgColdReadThreshold":50,"globalColdReadThreshold":900,`+counted+`}`), &b.cold); err != nil {
			t.Fatal(err)
		}
		return []*brokerLook{b}
	}
	recent := queueInfo{LastPullTimestamp: now.UnixMilli(), LastConsumeTimestamp: now.UnixMilli()}
	row := func(change func(r *lagRow)) *lagRow {
		r := &lagRow{Group: "G", Topic: "T", At: now, Diff: 10, members: []lagMember{member(recent)}, In: 2,
			Queues: []lagQueue{{Queue: queue, Offset: remoting.ConsumeOffset{BrokerOffset: 10}}}}
		change(r)
		return r
	}
	for _, one := range []struct {
		cause string
		r     *lagRow
	}{
		{lag.CatchingUp, row(func(r *lagRow) { r.Out = 4 })},
		{lag.Slow, row(func(r *lagRow) { r.Out = 1 })},
		{lag.Slow, row(func(r *lagRow) { r.usualIn = 2 })},
		{lag.Surge, row(func(r *lagRow) { r.usualIn, r.Out = 1, 1 })},
		{lag.Slow, row(func(r *lagRow) { r.usualIn, r.usualOut, r.Out = 1, 1, 0.1 })},
		{lag.Slow, row(func(r *lagRow) { r.brokers, r.Out = []*brokerLook{ran(59), ran(90)}, 1 })},
		{lag.Slow, row(func(r *lagRow) { r.brokers, r.Out = []*brokerLook{ran(90), {name: "stock, and silent"}}, 1 })},
		{lag.Surge, row(func(r *lagRow) { r.brokers, r.Out = []*brokerLook{ran(60), ran(90)}, 1 })},
		{lag.Slow, row(func(r *lagRow) { r.brokers, r.Out, r.usualOut = []*brokerLook{ran(60)}, 1, 2 })},
		{lag.NoOwner, row(func(r *lagRow) { r.members[0].info.Queues = nil })},
		{lag.NotPulling, row(func(r *lagRow) {
			r.members = []lagMember{member(queueInfo{LastPullTimestamp: now.UnixMilli() - 61_000})}
		})},
		{lag.Stuck, row(func(r *lagRow) {
			r.members = []lagMember{member(queueInfo{CachedMsgCount: 1, LastConsumeTimestamp: now.UnixMilli() - 61_000})}
		})},
		{lag.Slow, row(func(r *lagRow) {
			r.members = []lagMember{member(queueInfo{CachedMsgCount: 1, LastConsumeTimestamp: now.UnixMilli() - 59_000})}
		})},
		{lag.Stuck, row(func(r *lagRow) { r.members = []lagMember{{err: context.DeadlineExceeded}} })},
		{lag.Slow, row(func(r *lagRow) { r.brokers, r.hidden = []*brokerLook{lacking("0")}, 10 })}, // behind, and nobody waits for it
		{lag.Slow, row(func(r *lagRow) { r.brokers, r.hidden = []*brokerLook{lacking("")}, 10 })},
		{lag.Slow, row(func(r *lagRow) { r.brokers, r.hidden = []*brokerLook{lacking("100000000")}, 9 })}, // most of it can be consumed
		{lag.CatchingUp, row(func(r *lagRow) { r.brokers, r.hidden, r.Out = []*brokerLook{lacking("100000000")}, 10, 4 })},
		{lag.ReplicationSlow, row(func(r *lagRow) { r.brokers, r.hidden = []*brokerLook{lacking("100000000")}, 10 })},
		{lag.BrokerSlow, row(func(r *lagRow) {
			r.brokers = []*brokerLook{{name: "b", runtime: map[string]string{"putLatency99": "1500"}}}
		})},
		{lag.BrokerSlow, row(func(r *lagRow) {
			r.brokers = []*brokerLook{{name: "b", runtime: map[string]string{"logStandsStillMs": "5000"}}}
		})},
		{lag.Slow, row(func(r *lagRow) {
			r.brokers = []*brokerLook{{name: "b", runtime: map[string]string{"logStandsStillMs": "4999"}}}
		})},
		{lag.BrokerSlow, row(func(r *lagRow) {
			r.brokers = []*brokerLook{{name: "b", runtime: map[string]string{"dispatchBehindBytes": "100000000"}}}
		})},
		{lag.ColdLimit, row(func(r *lagRow) { r.brokers = cold(`"runtimeTable":{"G":{"coldAcc":50}},"configTable":{}`) })},
		{lag.Slow, row(func(r *lagRow) { r.brokers = cold(`"runtimeTable":{"G":{"coldAcc":49}},"configTable":{}`) })},
		{lag.Slow, row(func(r *lagRow) { r.brokers = cold(`"runtimeTable":{"Other":{"coldAcc":50}},"configTable":{}`) })},
		{lag.Slow, row(func(r *lagRow) { r.brokers = cold(`"runtimeTable":{"G":{"coldAcc":50}},"configTable":{"G":60}`) })},
		{lag.ColdLimit, row(func(r *lagRow) {
			r.brokers = cold(`"runtimeTable":{"G":{"coldAcc":60}},"configTable":{"G":60,"G||adaptive":90}`)
		})},
		{lag.Slow, row(func(r *lagRow) {
			r.brokers = cold(`"runtimeTable":{"G":{"coldAcc":60}},"configTable":{"G||adaptive":90}`)
		})},
		{lag.ColdLimit, row(func(r *lagRow) {
			r.brokers = cold(`"runtimeTable":{"G":{"coldAcc":1}},"configTable":{},"globalAcc":900`)
		})},
		{lag.CatchingUp, row(func(r *lagRow) { r.brokers, r.Out = cold(`"runtimeTable":{"G":{"coldAcc":50}},"configTable":{}`), 4 })},
		{lag.Slow, row(func(r *lagRow) { r.brokers = []*brokerLook{{name: "does not tell"}} })},
		{lag.None, row(func(r *lagRow) { r.Diff = 0 })},
		{lag.Failing, row(func(r *lagRow) { r.returns = lag.Returns{Back: 5, Out: 10} })},
		{lag.Slow, row(func(r *lagRow) { r.returns = lag.Returns{Back: 4, Out: 10} })},
		{lag.Failing, row(func(r *lagRow) {
			r.members[0].info.Status = map[string]topicRates{"T": {ConsumeOKTPS: 1, ConsumeFailedTPS: 1}}
		})},
		{lag.Slow, row(func(r *lagRow) {
			r.members[0].info.Status = map[string]topicRates{"T": {ConsumeOKTPS: 2, ConsumeFailedTPS: 1}}
		})},
		{lag.Slow, row(func(r *lagRow) { r.Retry = 1 })},
		{lag.Failing, row(func(r *lagRow) { r.Diff, r.Retry = 0, 1 })},
		{lag.Failing, row(func(r *lagRow) { r.Diff, r.Retry, r.members = 0, 1, []lagMember{{err: context.DeadlineExceeded}} })}, // there is nothing that it would not finish
		{lag.Failing, row(func(r *lagRow) { r.Diff, r.returns.Back = 0, 1 })},
		{lag.None, row(func(r *lagRow) { r.Diff, r.returns = 0, lag.Returns{Back: 4, Out: 10} })},
		{lag.NoConsumer, row(func(r *lagRow) { r.Diff, r.Retry, r.members = 0, 1, nil })},
		{lag.Stuck, row(func(r *lagRow) {
			r.returns.Back = 5
			r.members = []lagMember{member(queueInfo{CachedMsgCount: 1, LastConsumeTimestamp: now.UnixMilli() - 61_000})}
		})},
	} {
		one.r.judge()
		if one.r.Cause != one.cause || one.cause != lag.None && len(one.r.Evidence) == 0 {
			t.Errorf("%s %q, want %s", one.r.Cause, one.r.Evidence, one.cause)
		}
	}
	since := row(func(r *lagRow) { r.slowerSince = now.Add(-90 * time.Second) })
	since.judge()
	if want := "for 1 min 30 s more has come in than was consumed, as the broker has looked"; since.Cause != lag.Slow || !slices.Contains(since.Evidence, want) {
		t.Errorf("%s %q lacks %q", since.Cause, since.Evidence, want)
	}
	if d, ever := row(func(r *lagRow) { r.Out = 4 }).drain(); !ever || d != 5*time.Second {
		t.Error(d, ever)
	}
}

// TestLagOrder: who is furthest behind comes first, and -l leaves out the others.
func TestLagOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.dial(nil)
	for i, topic := range []string{"A", "B", "C"} {
		if _, err := r.run("updateTopic -b {broker} -t " + topic + " -r 2 -w 2"); err != nil {
			t.Fatal(err)
		}
		m.sendMany(topic, 2+4*i)
		r.dial(func(int32) string { return `{"mqTable":{}}` }).beat("x", "G"+strconv.Itoa(i), topic) // makes the group
		m.commit("G"+strconv.Itoa(i), topic, 0, 1)
	}
	r.o.Wait = func(context.Context, time.Duration) error { return nil }
	text, err := r.run("lag -l 5 --output csv")
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, line := range strings.Split(text, "\n")[1:] {
		group, _, _ := strings.Cut(line, ",")
		order = append(order, group)
	}
	if !slices.Equal(order, []string{"G2", "G1", ""}) {
		t.Error(text)
	}
}
