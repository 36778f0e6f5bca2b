package lag

import (
	"math/rand/v2"
	"testing"
	"time"
)

var began = time.UnixMilli(1_700_000_000_000)

// TestAlarmOnce: what goes over a limit raises one alarm after it has been over for long enough, and clears it once after it has been
// well below for long enough; in between nothing is said.
func TestAlarmOnce(t *testing.T) {
	l := Limits{Messages: 100, ClearPercent: 80, Hold: 20 * time.Second}
	var a Alarms
	for i, one := range []struct {
		diff int64
		want string
	}{
		{90, ""}, {101, ""}, {100, ""}, // was not over for long enough
		{101, ""}, {500, ""}, {101, "raised"}, {700, ""}, {99, ""}, {101, ""}, {81, ""}, {80, ""}, {81, ""}, // swings around the limit
		{80, ""}, {10, ""}, {0, "cleared"}, {0, ""}, {90, ""},
		{200, ""}, {200, ""}, {200, "raised"},
	} {
		now := began.Add(time.Duration(i) * 10 * time.Second)
		news := a.Observe(now, l, []State{{Group: "G", Topic: "T", Diff: one.diff}})
		got := ""
		if len(news) == 1 {
			if got = "raised"; !news[0].Cleared.IsZero() {
				got = "cleared"
			}
			if news[0].Diff != one.diff || got == "raised" && !news[0].Raised.Equal(now) || got == "cleared" && !news[0].Cleared.Equal(now) {
				t.Errorf("look %d: %+v", i, news[0])
			}
		}
		if got != one.want || len(news) > 1 {
			t.Fatalf("look %d of %d messages: %q, want %q", i, one.diff, got, one.want)
		}
		if standing := len(a.Standing()) == 1; standing != (i >= 5 && i < 14 || i >= 19) {
			t.Fatalf("look %d: standing %v", i, standing)
		}
	}
}

// TestAlarmByTime: the age of the oldest message is a limit of its own, and both have to be well below to clear.
func TestAlarmByTime(t *testing.T) {
	l := Limits{Messages: 10, BehindMs: 1000, ClearPercent: 50}
	var a Alarms
	step := func(diff, behind int64) int {
		return len(a.Observe(began, l, []State{{Group: "G", Topic: "T", Diff: diff, BehindMs: behind}}))
	}
	if step(1, 1000) != 0 || step(1, 1001) != 1 || step(6, 0) != 0 || step(5, 501) != 0 || step(5, 500) != 1 || len(a.Standing()) != 0 {
		t.Error("not raised or cleared where it should be")
	}
}

// TestAlarmOfWhatIsGone: a group that is deleted, or a limit that is taken away, clears its alarm.
func TestAlarmOfWhatIsGone(t *testing.T) {
	l := Limits{Messages: 10, ClearPercent: 50}
	s := []State{{Group: "A", Topic: "T", Diff: 20}, {Group: "B", Topic: "T", Diff: 20}}
	var a Alarms
	if news := a.Observe(began, l, s); len(news) != 2 || news[0].Group != "A" {
		t.Fatal(news)
	}
	if news := a.Observe(began, l, s[:1]); len(news) != 1 || news[0].Group != "B" || news[0].Cleared.IsZero() {
		t.Fatal(news)
	}
	if news := a.Observe(began, Limits{ClearPercent: 50}, s[:1]); len(news) != 1 || news[0].Cleared.IsZero() || len(a.Standing()) != 0 {
		t.Fatal(news)
	}
}

// TestAlarmsAlternate: whatever is observed, alarms of one group are raised and cleared in turns, never twice within the hold time, and
// what is not watched takes no memory.
func TestAlarmsAlternate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	l := Limits{Messages: 50, BehindMs: 500, ClearPercent: 80, Hold: 3 * time.Second}
	var a Alarms
	up, last := false, began.Add(-time.Hour)
	for i := range 20_000 {
		now := began.Add(time.Duration(i) * time.Second)
		for _, n := range a.Observe(now, l, []State{{Group: "G", Topic: "T", Diff: r.Int64N(100), BehindMs: r.Int64N(1000) * r.Int64N(2)}}) {
			if up == n.Cleared.IsZero() {
				t.Fatalf("look %d: %+v while up is %v", i, n, up)
			}
			if now.Sub(last) < l.Hold {
				t.Fatalf("look %d: %s after the last", i, now.Sub(last))
			}
			up, last = !up, now
		}
	}
	if a.Observe(began.Add(time.Hour*24), l, nil); len(a.all) != 0 {
		t.Error("something is kept of what is gone")
	}
}

func TestHistory(t *testing.T) {
	var h History
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	add := func(s int, queues ...Queue) Figures { return h.Add(&Look{At: at(s), Queues: queues}) }
	if f := add(0, Queue{0, 10, 4, 0}, Queue{1, 10, 10, 0}); f.Diff != 6 || f.In != 0 || f.Out != 0 || f.Still.ID != 0 || !f.StillSince.Equal(at(0)) {
		t.Errorf("%+v", f)
	}
	if f := add(10, Queue{0, 30, 4, 0}, Queue{1, 20, 10, 0}); f.Diff != 36 || f.In != 3 || f.Out != 0 || f.Still.ID != 0 || !f.StillSince.Equal(at(0)) {
		t.Errorf("%+v", f)
	}
	if f := add(20, Queue{0, 30, 24, 0}, Queue{1, 20, 10, 0}); f.In != 1.5 || f.Out != 1 || f.Still.ID != 1 || !f.StillSince.Equal(at(10)) {
		t.Errorf("a queue stands still since it is behind: %+v", f)
	}
	if f := add(30, Queue{0, 30, 30, 0}); f.Diff != 0 || f.In != 0 || !f.StillSince.IsZero() {
		t.Errorf("other queues: %+v", f)
	}
	if f := add(40, Queue{0, 30, 10, 0}); f.Out != 0 || f.Diff != 20 {
		t.Errorf("set back: %+v", f)
	}
	if f := add(50, Queue{0, 30, 30, 7}); f.Diff != 7 || f.Hidden != 7 || !f.StillSince.IsZero() || f.In != 0.35 {
		t.Errorf("nobody can consume what is hidden: %+v", f)
	}
}

// TestSlowerSince: it begins after the look at which least was to be consumed, and lasts until as much is consumed as comes in, or all is.
func TestSlowerSince(t *testing.T) {
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	const no = -1
	for name, looks := range map[string][]struct {
		s, since int
		queues   []Queue
	}{
		"one queue": {
			{0, no, []Queue{{0, 100, 100, 0}}}, {10, no, []Queue{{0, 110, 110, 0}}}, {20, no, []Queue{{0, 120, 120, 0}}},
			{30, 20, []Queue{{0, 150, 125, 0}}}, {40, 20, []Queue{{0, 180, 130, 0}}},
			{50, no, []Queue{{0, 181, 181, 0}}}, // all is consumed
			{60, 50, []Queue{{0, 200, 190, 0}}}, {70, 50, []Queue{{0, 200, 195, 0}}}, {80, 50, []Queue{{0, 200, 199, 0}}},
			{90, no, []Queue{{0, 200, 199, 0}}}, // 50 have come in since the oldest look that is kept, and 74 were consumed
		},
		"behind from the beginning": {{0, no, []Queue{{0, 10, 0, 0}}}, {10, 0, []Queue{{0, 20, 1, 0}}}, {20, 0, []Queue{{0, 20, 2, 0}}}, {30, no, []Queue{{0, 20, 12, 0}}}},
		"a queue more": {
			{0, no, []Queue{{0, 10, 10, 0}}}, {10, 0, []Queue{{0, 20, 12, 0}}},
			{20, 0, []Queue{{0, 30, 13, 0}, {1, 0, 0, 0}}}, {30, 0, []Queue{{0, 40, 14, 0}, {1, 0, 0, 0}}}, {40, no, []Queue{{0, 40, 40, 0}, {1, 0, 0, 0}}},
		},
		"hidden": {{0, no, []Queue{{0, 10, 10, 0}}}, {10, 0, []Queue{{0, 10, 10, 5}}}, {20, no, []Queue{{0, 15, 15, 0}}}},
	} {
		var h History
		for _, one := range looks {
			want := time.Time{}
			if one.since != no {
				want = at(one.since)
			}
			if f := h.Add(&Look{At: at(one.s), Queues: one.queues}); !f.SlowerSince.Equal(want) {
				t.Errorf("%s, look at %d s: %v, want %v", name, one.s, f.SlowerSince, want)
			}
		}
	}
}

func TestCauseByRates(t *testing.T) {
	for r, want := range map[Rates]string{
		{In: 1, Out: 2}: CatchingUp, {In: 2, Out: 1}: Slow, {In: 2, Out: 1, UsualIn: 1, UsualOut: 1}: Surge, {In: 2, Out: 0.1, UsualIn: 1, UsualOut: 1}: Slow,
		{In: 1.4, Out: 1, UsualIn: 1, UsualOut: 1}: Slow, {}: Slow,
		{In: 2, Out: 1, Whole: true}: Surge, {In: 2, Out: 1, UsualOut: 1, Whole: true}: Surge, {In: 2, Out: 0.1, UsualOut: 1, Whole: true}: Slow, {Whole: true}: Slow,
		{In: 1.4, Out: 1, UsualIn: 1, UsualOut: 1, Whole: true}: Slow, {In: 1, Out: 2, Whole: true}: CatchingUp,
	} {
		if got := r.Cause(); got != want {
			t.Errorf("%+v: %s, want %s", r, got, want)
		}
	}
}

func TestReturns(t *testing.T) {
	for r, want := range map[Returns]bool{{}: false, {Back: 1}: true, {Back: 1, Out: 2}: true, {Back: 1, Out: 3}: false, {Back: 16, Out: 1}: true, {Out: 5}: false} {
		if got := r.Failing(); got != want {
			t.Errorf("%+v: %v", r, got)
		}
	}
	if got, want := (Returns{Back: 5, Out: 9}).String(), "5 messages were given back in the last minute, 9 were handed out"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCold(t *testing.T) {
	for c, want := range map[Cold]string{
		{Read: 9, Limit: 10, AllRead: 99, AllLimit: 100}:   "",
		{Read: 10, Limit: 10, AllRead: 99, AllLimit: 100}:  "the group may read 10 bytes in five seconds that are not in memory, and has read 10 (updateColdDataFlowCtrGroupConfig raises it)",
		{Read: 9, Limit: 10, AllRead: 100, AllLimit: 100}:  "all groups together may read 100 bytes in five seconds that are not in memory, and have read 100 (globalColdReadThreshold raises it)",
		{Read: 10, Limit: 10, AllRead: 100, AllLimit: 100}: "the group may read 10 bytes in five seconds that are not in memory, and has read 10 (updateColdDataFlowCtrGroupConfig raises it)",
		{Read: 1, Limit: 0, AllRead: 1, AllLimit: 100}:     "the group may read 0 bytes in five seconds that are not in memory, and has read 1 (updateColdDataFlowCtrGroupConfig raises it)",
	} {
		if c.Held() != (want != "") || c.Held() && c.String() != want {
			t.Errorf("%+v: %v %q, want %q", c, c.Held(), c, want)
		}
	}
}
