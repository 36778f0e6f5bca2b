package broker

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"ringmq/broker/lag"
)

// coldRig is a control with a clock and a configuration of its own.
type coldRig struct {
	*coldControl
	t     *testing.T
	f     inForce
	clock time.Time
}

func newColdRig(t *testing.T, strategy coldStrategy) *coldRig {
	r := &coldRig{t: t, clock: time.UnixMilli(1_700_000_000_000), f: inForce{coldControl: true, coldGroupLimit: 1000, coldTotalLimit: 5000}}
	r.coldControl = newColdControl(func() time.Time { return r.clock }, func() *inForce { return &r.f }, strategy)
	return r
}

// expect checks which of the groups are limited.
func (r *coldRig) expect(what string, groups map[string]bool) {
	r.t.Helper()
	for g, want := range groups {
		if got := r.limited(g); got != want {
			r.t.Errorf("%s: %s limited: %v, want %v", what, g, got, want)
		}
	}
}

// period ends one in which the groups read so much.
func (r *coldRig) period(bytes map[string]int64) {
	for g, n := range bytes {
		r.note(g, n)
	}
	r.clock = r.clock.Add(coldPeriod)
	r.endPeriod()
}

// TestColdControl: who has read its share waits for the next period, and so does everybody who has read when all together have read
// theirs; not those who have read nothing, nor RocketMQ's own groups; nobody while it is off.
func TestColdControl(t *testing.T) {
	r := newColdRig(t, simpleColdStrategy{})
	r.note("A", 999)
	r.note("A", 0)
	r.note("TOOLS_CONSUMER", 1<<40)
	r.note("CID_RMQ_SYS_X", 1<<40)
	r.expect("below", map[string]bool{"A": false, "B": false, "TOOLS_CONSUMER": false})
	r.note("A", 1)
	r.note("DEFAULT_PRODUCER", 1000)
	r.expect("at the limit", map[string]bool{"A": true, "B": false, "TOOLS_CONSUMER": false, "CID_RMQ_SYS_X": false, "DEFAULT_PRODUCER": true})
	r.f.coldControl = false
	r.expect("off", map[string]bool{"A": false})
	r.note("B", 1<<40)
	r.f.coldControl = true
	r.expect("nothing is counted while it is off", map[string]bool{"A": true, "B": false})
	r.period(nil)
	r.expect("next period", map[string]bool{"A": false})
	for i := range 6 {
		r.note(fmt.Sprint("G", i), 900)
	}
	r.expect("all together", map[string]bool{"G0": true, "G5": true, "A": true, "B": false})
	r.period(nil)
	r.setLimit("A", 10)
	r.setLimit("B", 0)
	r.note("A", 10)
	r.note("B", 1)
	r.note("G1", 10)
	r.expect("limits of their own", map[string]bool{"A": true, "B": true, "G1": false})
	r.removeLimit("A")
	r.expect("one is taken back", map[string]bool{"A": false, "B": true})
	for range coldGroupKept / coldPeriod {
		r.period(nil)
	}
	if len(r.groups) != 0 || r.any.Load() {
		t.Error("groups that have long been quiet are kept:", len(r.groups))
	}
	for i := range maxColdLimits + 10 {
		if ok := r.setLimit(fmt.Sprint(i), 1); ok != (len(r.limits) < maxColdLimits || i < maxColdLimits-1) {
			t.Fatal(i, ok, len(r.limits))
		}
	}
	if !r.setLimit("B", 5) {
		t.Error("a limit that is there cannot be changed")
	}
}

// TestColdControlTellsWhoWaited: once, and also when the period in which they did is over.
func TestColdControlTellsWhoWaited(t *testing.T) {
	r := newColdRig(t, simpleColdStrategy{})
	r.note("A", 1500)
	r.note("B", 10)
	r.note("Silent", 1500)
	r.expect("a period", map[string]bool{"A": true, "B": false})
	r.period(nil)
	r.expect("the next one", map[string]bool{"A": false, "B": false})
	want := map[string]lag.Cold{"A": {Read: 1500, Limit: 1000, AllRead: 3010, AllLimit: 5000}}
	if got := r.keptBack(); !maps.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := r.keptBack(); len(got) != 0 {
		t.Errorf("told twice: %+v", got)
	}
}

// TestSimpleStrategy: limits grow by half while somebody wants more, and shrink by a fifth when all read too much, the largest first.
func TestSimpleStrategy(t *testing.T) {
	r := newColdRig(t, simpleColdStrategy{})
	r.f.coldAdapts = true
	r.setLimit("Own", 50)
	r.period(map[string]int64{"A": 1000, "B": 999, "Own": 60})
	r.period(map[string]int64{"A": 1500, "B": 999})
	if got := fmt.Sprint(r.limits); got != "map[A||adaptive:2250 Own:50]" {
		t.Fatal(got)
	}
	r.note("A", 2249)
	r.expect("more than others", map[string]bool{"A": false})
	r.note("A", 1)
	r.expect("but not for ever", map[string]bool{"A": true})
	r.period(map[string]int64{"B": 3000})
	if got := fmt.Sprint(r.limits); got != "map[A||adaptive:1800 Own:50]" {
		t.Error("too much together:", got)
	}
	for range 5 {
		r.period(map[string]int64{"B": 6000})
	}
	if got := fmt.Sprint(r.limits); got != "map[A||adaptive:1000 Own:50]" {
		t.Error("never below everybody's:", got)
	}
	for range 10 {
		r.period(nil)
	}
	if got := fmt.Sprint(r.limits); got != "map[Own:50]" {
		t.Error("with their group they go:", got)
	}
	r.period(map[string]int64{"A": 1000})
	r.f.coldAdapts = false
	r.note("A", 1000)
	r.expect("what was found is not looked at when it is off", map[string]bool{"A": true})
	r.period(nil)
	if got := fmt.Sprint(r.limits); got != "map[Own:50]" {
		t.Error("and goes:", got)
	}
}

// TestPIDStrategy: nothing moves before it knows ten periods; then limits grow while all together read less than is expected, and
// shrink when they read more.
func TestPIDStrategy(t *testing.T) {
	s := &pidColdStrategy{expected: 4000}
	r := newColdRig(t, s)
	r.f.coldAdapts = true
	for range pidPeriods - 1 {
		r.period(map[string]int64{"A": 1000})
	}
	if len(r.limits) != 0 || s.factor() != 0 {
		t.Fatal("too early", r.limits)
	}
	r.period(map[string]int64{"A": 1000})
	if got := fmt.Sprint(r.limits); got != "map[A||adaptive:1500]" {
		t.Fatal(got)
	}
	if got, want := s.factor(), 0.5*3000+0.3*30000+0.2*0; got != want {
		t.Error(got, "and not", want)
	}
	for range pidPeriods {
		r.period(map[string]int64{"B": 60_000})
	}
	if got := fmt.Sprint(r.limits); got != "map[A||adaptive:1000]" || len(s.errors) != pidPeriods {
		t.Error(got, len(s.errors))
	}
}
