package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// drainSeen is what drain answers in JSON.
type drainSeen struct {
	Drained, Stopped     bool
	WipedAgain           int
	GroupsWithoutMembers map[string]int64
	Notes                []string
	Steps                []struct {
		Step, Detail string
		Done         bool
	}
}

// watched has a command wait by a clock of its own, that goes on a second a round; during is called in every round. What was waited for
// is kept, by step.
func (r *rig) watched(during func(round int)) map[string][]string {
	seen, round := map[string][]string{}, 0
	now := time.Now()
	r.o.Now = func() time.Time { return now }
	r.o.Wait = func(ctx context.Context, d time.Duration) error {
		round++
		now = now.Add(d)
		if during != nil {
			during(round)
		}
		return ctx.Err()
	}
	r.o.Steps = func(all []Step) {
		for _, one := range all {
			if !one.Done {
				seen[one.Name] = append(seen[one.Name], one.Detail)
			}
		}
	}
	return seen
}

// drain runs the command, in JSON.
func (r *rig) drain(words string) (drainSeen, error) {
	r.t.Helper()
	text, err := r.run("drain -b {broker} " + words + " --output json")
	var seen drainSeen
	if bad := json.Unmarshal([]byte(text), &seen); bad != nil {
		r.t.Fatalf("%v: %s %v", bad, text, err)
	}
	return seen, err
}

// opens says whether producers see a topic open at the broker.
func (r *rig) opens(topic string) bool {
	r.t.Helper()
	s := newSession(r.o)
	defer s.ask.Close()
	yes, err := s.opensWrites(r.t.Context(), r.ns.Addr().String(), topic, "broker-a")
	if err != nil {
		r.t.Fatal(err)
	}
	return yes
}

// lagging is a rig with ten messages in topic T, of which a group with a member has consumed seven, and one without a member six.
func lagging(t *testing.T) (*rig, *member) {
	t.Helper()
	r := newRig(t)
	m := r.dial(telling("T", 2, nil))
	if _, err := r.run("updateTopic -b {broker} -t T -r 2 -w 2"); err != nil {
		t.Fatal(err)
	}
	m.beat("member", "G", "T")
	for i := range 10 {
		m.send("T", i%2, "x")
	}
	m.commit("G", "T", 0, 3)
	m.commit("G", "T", 1, 4)
	if _, err := r.run("updateSubGroup -b {broker} -g Idle"); err != nil {
		t.Fatal(err)
	}
	m.commit("Idle", "T", 0, 5)
	m.commit("Idle", "T", 1, 1)
	return r, m
}

func wantsWords(t *testing.T, what string, all []string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, w) }) {
			t.Errorf("%s: nobody said %q: %q", what, w, all)
		}
	}
}

// TestDrain: a producer that has not heard yet, a consumer that is behind, a registration that brings the permission back, and a slave.
func TestDrain(t *testing.T) {
	t.Parallel()
	r, m := lagging(t)
	_, _ = r.start("brokerRole=SLAVE", "brokerId=1")
	seen := r.watched(func(round int) {
		switch round {
		case 5:
			m.send("T", 0, "from somebody with an old route")
		case 8:
			if r.opens("T") {
				t.Error("open after it was wiped")
			}
			if _, err := r.run("updateBrokerConfig -b {broker} -k brokerPermission -v 6"); err != nil {
				t.Error(err)
			}
			r.until("the registration has brought the permission back", func() bool { return r.opens("T") })
		case 40:
			m.commit("G", "T", 0, 6)
			m.commit("G", "T", 1, 5)
		}
	})
	got, err := r.drain("--timeout 0s")
	if err != nil || !got.Drained || got.Stopped || got.WipedAgain < 1 || got.GroupsWithoutMembers["Idle"] != 5 || len(got.Steps) != 4 {
		t.Fatalf("%+v %v", got, err)
	}
	wantsWords(t, "producers", seen["producers"], "1.0 messages a second are sent", "nothing was sent for 0 ms of 30.0 s", "nothing was sent for 29.0 s of 30.0 s")
	wantsWords(t, "groups", seen["groups"], "1 of 2: G is 3 messages behind, with 1 members", "1 of 2: G is 4 messages behind")
	for i, want := range []string{"brought it back ", "nothing was sent for ", "1 groups have consumed everything; not waited for, since no member is there: Idle", "1 have all of the log and of the groups' progress"} {
		if got.Steps[i].Detail == "" || !strings.Contains(got.Steps[i].Detail, want) {
			t.Errorf("%+v lacks %q", got.Steps[i], want)
		}
	}
	if r.opens("T") {
		t.Error("open after the drain")
	}
	// The slave has what consumers need.
	s := newSession(r.o)
	defer s.ask.Close()
	c, err := s.cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slave, err := s.allProgress(t.Context(), c.BrokerAddrTable["broker-a"].BrokerAddrs[1])
	if err != nil || slave["T@G"][0] != 6 || slave["T@G"][1] != 5 {
		t.Errorf("the slave has %v %v", slave, err)
	}
	text, err := r.run("undrain --brokerName broker-a")
	if err != nil || !r.opens("T") || !strings.Contains(text, "Producers send to broker-a again") {
		t.Fatal(text, err)
	}
	m.send("T", 0, "and it goes on")
}

// TestDrainTimesOut: it says what for it has waited and how to go back, and the permission stays wiped.
func TestDrainTimesOut(t *testing.T) {
	t.Parallel()
	r, _ := lagging(t)
	for _, c := range []struct {
		words string
		want  []string // none: it is drained
	}{
		{"--timeout 45s", []string{"not drained within 45s: groups: 1 of 2: G is 3 messages behind, with 1 members; its write permission stays wiped: go back with ringmq admin undrain -n '" + r.ns.Addr().String() + "' --brokerName broker-a"}},
		{"--timeout 20s --ignoreGroup G", []string{"not drained within 20s: producers: nothing was sent for 20.0 s of 30.0 s; its"}},
		{"--timeout 20s --settle 5s --ignoreGroup Other,G --allGroups", []string{"groups: 1 of 1: Idle is 4 messages behind and has no member"}},
		{"--timeout 45s --ignoreGroup G", nil},
		{"--timeout 45s --ignoreGroup G,Idle --settle 1s --allGroups", nil},
	} {
		r.watched(nil)
		got, err := r.drain(c.words)
		var end *EndError
		if len(c.want) == 0 {
			if err != nil || !got.Drained {
				t.Errorf("%s: %+v %v", c.words, got, err)
			}
			continue
		}
		if !errors.As(err, &end) || end.Code != DrainTimedOut || got.Drained {
			t.Fatalf("%s: %+v %v", c.words, got, err)
		}
		wantsWords(t, c.words, []string{end.Text}, c.want...)
		if r.opens("T") {
			t.Errorf("%s: open after it", c.words)
		}
	}
}

// TestDrainWaitsForItsSlave, also for one that went while it waited.
func TestDrainWaitsForItsSlave(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	slave, stop := r.start("brokerRole=SLAVE", "brokerId=1")
	r.until("the slave is registered", func() bool {
		s := newSession(r.o)
		defer s.ask.Close()
		c, err := s.cluster(t.Context())
		return err == nil && len(c.BrokerAddrTable["broker-a"].BrokerAddrs) == 2
	})
	addr := slave.Addr().String()
	if _, err := r.run("drain -b " + addr); err == nil || !strings.Contains(err.Error(), addr+" is a slave of broker broker-a: nothing is sent to it, and it may be stopped as it is") {
		t.Error(err)
	}
	r.watched(func(round int) {
		if round == 3 {
			stop()
		}
	})
	_, err := r.drain("--settle 5s --timeout 20s")
	var end *EndError
	if !errors.As(err, &end) || end.Code != DrainTimedOut || !strings.Contains(end.Text, "slaves: slave "+addr+": ") {
		t.Error(err)
	}
}

// TestDrainAtEveryNameServer: one that cannot be told keeps it from being done.
func TestDrainAtEveryNameServer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	_ = l.Close()
	r.o.NameServers = append(r.o.NameServers, dead)
	r.watched(nil)
	_, err = r.drain("--settle 5s --timeout 20s")
	var end *EndError
	if !errors.As(err, &end) || end.Code != DrainTimedOut || !strings.Contains(end.Text, "permission: name server "+dead+": ") {
		t.Error(err)
	}
	if r.opens("TBW102") {
		t.Error("open at the one that answers")
	}
	// A name server that was not named is noted.
	r.o.NameServers = []string{strings.Replace(r.ns.Addr().String(), "127.0.0.1", "localhost", 1)}
	got, err := r.drain("--settle 0s")
	if err != nil || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "the broker registers at "+r.ns.Addr().String()+" too") {
		t.Errorf("%+v %v", got, err)
	}
}

// TestDrainAndStop: the process is ended when all is done, and not before; where it cannot be, the exit code says so.
func TestDrainAndStop(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	asked := ""
	r.watched(nil)
	r.o.Stop = func(_ context.Context, addr string) (string, error) {
		asked = addr
		return "process 4711 ended", nil
	}
	text, err := r.run("drain --brokerName broker-a --settle 0s --stop")
	if err != nil || asked != r.addr() || !strings.Contains(text, "broker-a is drained and stopped: process 4711 ended.") {
		t.Error(text, err, asked)
	}
	r.o.Stop = func(context.Context, string) (string, error) {
		return "", errors.New("process 4711 belongs to the unit ringmq.service: systemctl stop ringmq.service")
	}
	got, err := r.drain("--settle 0s --stop")
	var end *EndError
	if !errors.As(err, &end) || end.Code != DrainNotStopped || !got.Drained || got.Stopped || !strings.HasSuffix(end.Text, "systemctl stop ringmq.service") {
		t.Errorf("%+v %v", got, err)
	}
	r.o.Stop = func(context.Context, string) (string, error) {
		t.Error("stopped although it was not drained")
		return "", nil
	}
	if _, err = r.drain("--settle 1h --timeout 3s --stop"); !errors.As(err, &end) || end.Code != DrainTimedOut {
		t.Error(err)
	}
}

// TestDrainInterrupted says that the permission stays wiped.
func TestDrainInterrupted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.watched(nil)
	r.o.Wait = func(context.Context, time.Duration) error { return context.Canceled }
	_, err := r.drain("")
	var end *EndError
	if !errors.As(err, &end) || end.Code != Interrupted || !strings.HasPrefix(end.Text, "interrupted; its write permission stays wiped: go back with ") {
		t.Error(err)
	}
}

// TestUndrainOfABrokerThatRefusesSends says how they are allowed again.
func TestUndrainOfABrokerThatRefusesSends(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := r.run("updateBrokerConfig -b {broker} -k brokerPermission -v 4"); err != nil {
		t.Fatal(err)
	}
	r.until("the registration has closed the topics", func() bool { return !r.opens("TBW102") })
	if _, err := r.run("undrain -b {broker}"); err == nil || !strings.Contains(err.Error(), "the broker itself refuses sends, brokerPermission=4: ringmq admin updateBrokerConfig -b "+r.addr()) {
		t.Error(err)
	}
}

// TestDrainPuts: what the broker stores by itself, delayed messages that are due, is no send; another process begins anew.
func TestDrainPuts(t *testing.T) {
	begin := time.Now()
	var p drainPuts
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	for i, c := range []struct {
		boot string
		raw  int64
		rate float64
		last int
	}{
		{"1", 100, 0, 0}, {"1", 100, 0, 0}, {"1", 104, 4, 0}, {"1", 104, 0, 3}, {"1", 104, 0, 3},
		{"1", 105, 1, 3}, {"1", 104, 0, 3}, // a delivery, seen in the middle
		{"1", 104, 0, 3}, {"2", 1, 0, 8}, {"2", 1, 0, 8}, {"2", 2, 1, 8}, {"2", 3, 1, 11},
	} {
		if rate := p.look(c.boot, c.raw, at(i)); rate != c.rate || !p.last.Equal(at(c.last)) {
			t.Errorf("look %d: rate %g, last put at %s", i, rate, p.last.Sub(begin))
		}
	}
	delivered, waits := delayed(map[string]string{"scheduleMessageOffset_1": "3,5", "scheduleMessageOffset_2": "7,7", "scheduleMessageOffset_3": "x", "putTps": "1,2"})
	if delivered != 10 || waits != 2 {
		t.Error(delivered, waits)
	}
}

// TestDrainHearsTheLastSend: one that comes right before the look in which the settling time is over is waited for.
func TestDrainHearsTheLastSend(t *testing.T) {
	t.Parallel()
	r, m := lagging(t)
	rounds := 0
	seen := r.watched(func(round int) {
		if rounds = round; round == 5 {
			m.send("T", 0, "from somebody with an old route")
		}
	})
	got, err := r.drain("--settle 5s --timeout 0s --ignoreGroup G")
	if err != nil || !got.Drained || rounds < 11 {
		t.Errorf("after %d rounds: %+v %v", rounds, got, err)
	}
	wantsWords(t, "producers", seen["producers"], "1.0 messages a second are sent")
	// What one look alone has seen may be a delivery; the next two have to be quiet all the same.
	begin := time.Now()
	p := drainPuts{}
	for i, c := range []struct {
		raw  int64
		calm int
	}{{7, 1}, {7, 2}, {8, 0}, {7, 1}, {7, 2}, {9, 0}, {9, 1}, {9, 2}} {
		if p.look("1", c.raw, begin.Add(time.Duration(i)*time.Second)); p.calm != c.calm {
			t.Errorf("look %d: calm for %d", i, p.calm)
		}
	}
}

// TestDrainLooksAtAllTopics: where there are more than fit into one round, each has its turn.
func TestDrainLooksAtAllTopics(t *testing.T) {
	p := drainPerm{}
	for i := range 2*maxRoutes + 10 {
		p.topics = append(p.topics, string(rune('A'+i%26))+strings.Repeat("x", i/26))
	}
	seen := map[string]bool{}
	for range 3 {
		for _, topic := range p.window() {
			seen[topic] = true
		}
	}
	if len(seen) != len(p.topics) || len(p.window()) != maxRoutes {
		t.Errorf("%d of %d", len(seen), len(p.topics))
	}
}

func TestProgressThatASlaveLacks(t *testing.T) {
	d := &drain{ignored: map[string]bool{"I": true}}
	mine := map[string]map[int32]int64{"T@G": {0: 5, 1: 7}, "%RETRY%H@H": {0: 1}, "T@I": {0: 9}, "T@Z": {0: 0}}
	if why := d.compareProgress("s:1", mine, map[string]map[int32]int64{"T@G": {0: 5, 1: 6}}); why != "s:1 lacks the progress of G, H" {
		t.Error(why)
	}
	if why := d.compareProgress("s:1", mine, map[string]map[int32]int64{"T@G": {0: 5, 1: 8}, "%RETRY%H@H": {0: 1}}); why != "" {
		t.Error(why)
	}
}
