package replica

import (
	"testing"
	"time"
)

func TestQuorum(t *testing.T) {
	in := func(acked int64) standing { return standing{acked, true} }
	out := func(acked int64) standing { return standing{acked, false} }
	for _, c := range []struct {
		name   string
		q      quorum
		slaves []standing
		want   verdict
	}{
		{"alone, nothing asked", quorum{copies: 1}, nil, verdict{offset: 100, inStep: 1, needed: 1, enough: true}},
		{"copies of 0 are 1", quorum{}, nil, verdict{offset: 100, inStep: 1, needed: 1, enough: true}},
		{"alone, two asked", quorum{copies: 2}, nil, verdict{inStep: 1, needed: 2}},
		{"alone, two asked, one at least", quorum{copies: 2, minCopies: 1}, nil, verdict{inStep: 1, needed: 2}},
		{"alone, two at least", quorum{copies: 2, minCopies: 2}, nil, verdict{inStep: 1, needed: 2, refuses: true}},
		{"one slave", quorum{copies: 2}, []standing{in(70)}, verdict{offset: 70, inStep: 2, needed: 2, enough: true}},
		{"one slave out of step", quorum{copies: 2}, []standing{out(70)}, verdict{offset: 70, inStep: 1, needed: 2}},
		{"the second of three", quorum{copies: 2}, []standing{in(70), in(90)}, verdict{offset: 90, inStep: 3, needed: 2, enough: true}},
		{"all of three", quorum{copies: 3}, []standing{in(90), in(70)}, verdict{offset: 70, inStep: 3, needed: 3, enough: true}},
		{"one of those out of step is ahead", quorum{copies: 2}, []standing{out(90), in(70)}, verdict{offset: 90, inStep: 2, needed: 2, enough: true}},
		{"an acknowledgement beyond the end", quorum{copies: 2}, []standing{in(170)}, verdict{offset: 100, inStep: 2, needed: 2, enough: true}},
		{"auto, alone", quorum{copies: 3, auto: true}, nil, verdict{offset: 100, inStep: 1, needed: 1, enough: true}},
		{"auto, one slave of two", quorum{copies: 3, auto: true}, []standing{in(70), out(10)}, verdict{offset: 70, inStep: 2, needed: 2, enough: true}},
		{"auto, no more than asked", quorum{copies: 2, auto: true}, []standing{in(70), in(90), in(80)}, verdict{offset: 90, inStep: 4, needed: 2, enough: true}},
		{"auto, not below the least", quorum{copies: 3, minCopies: 2, auto: true}, []standing{out(70)}, verdict{offset: 70, inStep: 1, needed: 2, refuses: true}},
	} {
		if got, _ := c.q.decide(100, c.slaves, nil); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// step of a slave's life: what happens at a time, and whether it is in step afterwards.
type step struct {
	at   time.Duration
	do   func(p *progress, now time.Duration)
	end  int64 // of the log
	want bool
}

func TestInStep(t *testing.T) {
	sent := func(to int64) func(*progress, time.Duration) {
		return func(p *progress, now time.Duration) { p.send(to, now) }
	}
	acked := func(to int64) func(*progress, time.Duration) {
		return func(p *progress, now time.Duration) { p.ack(to, now) }
	}
	nothing := func(*progress, time.Duration) {}
	for _, c := range []struct {
		name  string
		acked int64
		end   int64 // when it comes
		steps []step
	}{
		{"has everything, for ever", 100, 100, []step{{0, nothing, 100, true}, {time.Hour, nothing, 100, true}}},
		{"must catch up first", 10, 100, []step{
			{0, nothing, 100, false}, {1, sent(90), 100, false}, {2, acked(60), 100, false}, {3, sent(120), 120, false}, {4, acked(100), 120, true}}},
		{"silent", 100, 100, []step{
			{0, nothing, 100, true}, {time.Hour, sent(150), 150, true}, {time.Hour + 2999*time.Millisecond, nothing, 150, true}, {time.Hour + 3*time.Second, nothing, 150, false}}},
		{"silent though nothing could be sent", 100, 100, []step{{0, nothing, 100, true}, {1, nothing, 150, true}, {3*time.Second + 1, nothing, 150, false}}},
		{"acknowledges a little now and then", 100, 100, []step{
			{0, sent(900), 900, true}, {2 * time.Second, acked(200), 900, true}, {4 * time.Second, acked(201), 900, true}, {7 * time.Second, nothing, 900, false}}},
		{"comes back once it has what there was when it was last found missing", 100, 100, []step{
			{0, sent(150), 150, true}, {3 * time.Second, nothing, 200, false}, {3*time.Second + 1, acked(150), 200, false},
			{3*time.Second + 2, sent(260), 260, false}, {3*time.Second + 3, acked(200), 260, true}}},
		{"too far behind", 100, 100, []step{
			{0, sent(1000), 1099, true}, {1, nothing, 1100, false}, {2, acked(1000), 1100, false}, {3, sent(1100), 1100, false}, {4, acked(1100), 1100, true}}},
		{"an acknowledgement of old is none", 100, 100, []step{{0, sent(150), 150, true}, {2 * time.Second, acked(50), 150, true}, {3 * time.Second, nothing, 150, false}}},
	} {
		var p progress
		p.begin(c.acked, c.acked, c.end, 0)
		for i, s := range c.steps {
			s.do(&p, s.at)
			if got := p.look(s.end, s.at, pace{3 * time.Second, 1000}); got != s.want {
				t.Errorf("%s, step %d: in step %v, want %v (%+v)", c.name, i, got, s.want, p)
			}
		}
	}
	p := progress{sent: 10}
	if p.ack(11, 0) || p.acked != 0 {
		t.Error("an acknowledgement of what was never sent was believed")
	}
}
