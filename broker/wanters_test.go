package broker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// heldFor makes a pull that waits at an offset of Q-0 for tags with these codes, for anything where there are none.
func heldFor(offset int64, codes ...int32) *heldPull {
	p := &heldPull{header: remoting.PullHeader{Topic: []byte("Q"), QueueOffset: offset}, codes: codes, until: time.Hour, hold: holdFor{allowed: true, timeout: time.Hour}}
	p.answer.filters = len(codes) > 0
	return p
}

// bareHolds are those of a broker that runs nothing.
func bareHolds(t testing.TB) *holds {
	hs := newHolds(&Broker{})
	t.Cleanup(func() { hs.alarm.Stop() })
	return hs
}

// round is a round of messages of one tag that arrive in Q-0 from an offset on, and how long its end takes.
func (hs *holds) round(offset int64, tag int32) time.Duration {
	const records = 256
	for i := range int64(records) {
		hs.arrived(&store.Arrival{Topic: "Q", QueueOffset: offset + i, BatchNum: 1, TagsCode: int64(tag)})
	}
	began := time.Now()
	hs.roundEnded()
	return time.Since(began)
}

// holdOthers holds pulls that want none of what comes in a round of the tag 0 from the offset 100 on: other tags, few or many, or what comes much later.
func (hs *holds) holdOthers(pulls int32) {
	for i := range pulls {
		switch i % 3 {
		case 0:
			hs.put(heldFor(100, 1))
		case 1:
			hs.put(heldFor(100, 2, i+10))
		case 2:
			hs.put(heldFor(1 << 40))
		}
	}
}

// TestPullsForOtherThingsHoldNobodyUp: the end of a round takes no longer for pulls that want none of what arrived, however many they are.
func TestPullsForOtherThingsHoldNobodyUp(t *testing.T) {
	const pulls, limit = 50_000, 10 * time.Millisecond
	hs := bareHolds(t)
	hs.holdOthers(pulls)
	best := time.Hour
	for range 5 {
		best = min(best, hs.round(100, 0))
	}
	if best > limit {
		t.Errorf("the end of a round took %s with %d pulls held", best, pulls)
	}
	if n := hs.count.Load(); n != pulls {
		t.Errorf("%d are held, want %d", n, pulls)
	}
}

// BenchmarkRoundEnd is the end of a round of 256 messages in a queue with pulls that want none of them.
func BenchmarkRoundEnd(b *testing.B) {
	for _, pulls := range []int32{1, 16, 50_000} {
		b.Run(fmt.Sprint(pulls), func(b *testing.B) {
			hs := bareHolds(b)
			hs.holdOthers(pulls)
			b.ReportAllocs()
			took := time.Duration(0)
			for range b.N {
				took += hs.round(100, 0)
			}
			b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "end-ns/op")
		})
	}
}

// TestPullsAreFoundByWhatTheyWant: of pulls that come, go and are found by arrivals in any order every arrival finds those that want it, and
// no others.
func TestPullsAreFoundByWhatTheyWant(t *testing.T) {
	hs := bareHolds(t)
	random := rand.New(rand.NewPCG(1, 2))
	const tags = 8
	some := func(n int) (codes []int32) {
		for range n {
			codes = append(codes, random.Int32N(tags))
		}
		slices.Sort(codes)
		return slices.Compact(codes)
	}
	many := make([]int32, maxTagsFound+1)
	for i := range many {
		many[i] = int32(tags + i)
	}
	wants := func(p *heldPull, a *arrival) bool {
		return a.end > p.header.QueueOffset && !p.hold.atGap && (!p.answer.filters || len(p.codes) > maxTagsFound || slices.Contains(p.codes, int32(a.tags)))
	}
	var held []*heldPull
	for range 3000 {
		for range random.IntN(20) {
			p := heldFor(random.Int64N(50), some(random.IntN(4))...)
			switch random.IntN(20) {
			case 0:
				p = heldFor(random.Int64N(50), many...)
			case 1:
				p.hold.atGap = true
			}
			hs.put(p)
			held = append(held, p)
		}
		held = slices.DeleteFunc(held, func(p *heldPull) bool { return random.IntN(8) == 0 && hs.take(p) })
		a := arrival{holdKey{"Q", 0}, random.Int64N(60), random.Int64N(tags + 1)}
		if !hs.takeWanting(hs.byKey[a.key], &a) {
			t.Fatal(len(hs.woken), "and not all")
		}
		for _, p := range hs.woken {
			if at := slices.Index(held, p); at < 0 || !wants(p, &a) {
				t.Fatalf("%+v was run for %+v", p.header, a)
			}
		}
		held = slices.DeleteFunc(held, func(p *heldPull) bool { return slices.Contains(hs.woken, p) })
		hs.woken = hs.woken[:0]
		for _, p := range held {
			if wants(p, &a) {
				t.Fatalf("%+v was not run for %+v", p.header, a)
			}
		}
	}
	for _, p := range held {
		hs.take(p)
	}
	if n := hs.count.Load(); n != 0 || len(hs.byTag) != 0 || len(hs.deadline) != 0 || len(hs.byKey[holdKey{"Q", 0}].any.list) != 0 {
		t.Error(n, len(hs.byTag), len(hs.deadline), "are left")
	}
}

// TestTheLockIsGivenBack: of very many pulls that are run together no more than some are taken before others get their turn.
func TestTheLockIsGivenBack(t *testing.T) {
	const pulls = lockedPulls + 10
	hs := bareHolds(t)
	for range pulls {
		hs.put(heldFor(0))
	}
	a := arrival{holdKey{"Q", 0}, 1, 0}
	if hs.takeWanting(hs.byKey[a.key], &a) || len(hs.woken) != lockedPulls {
		t.Error(len(hs.woken), "were taken at once by an arrival")
	}
	var into [lockedPulls]*heldPull
	q := hs.byKey[a.key]
	for range pulls - 10 {
		hs.put(heldFor(0, 1))
	}
	end, n := hs.takeIf(q, pulls, func(p *heldPull) bool { return p.answer.filters }, &into)
	rest, more := hs.takeIf(q, end, func(p *heldPull) bool { return p.answer.filters }, &into)
	if end != 10 || rest != 0 || n+more != lockedPulls || hs.count.Load() != 10 {
		t.Error(end, rest, n, more, hs.count.Load())
	}
}

// TestPullForVeryManyTags: it is held, and told of whatever arrives, so that its client asks again behind it.
func TestPullForVeryManyTags(t *testing.T) {
	r := newRig(t)
	c, p := r.dial(), r.dial()
	want(t, p.call(sendTo("Many", 0, "TAGS\x01B\x02", "1")), 0, "")
	r.visibleMax("Many", 0, 1)
	var tags strings.Builder
	for i := range maxTagsFound + 1 {
		fmt.Fprintf(&tags, "A%d||", i)
	}
	held := c.start(pullOf("G", "Many", 0, 1, tags.String(), time.Minute))
	r.heldNow(1)
	want(t, p.call(sendTo("Many", 0, "TAGS\x01B\x02", "2")), 0, "")
	got := await(t, held)
	want(t, got, remoting.RespPullRetryImmediately, "NO_MATCHED_MESSAGE")
	if next := got.Text("nextBeginOffset"); next != "2" {
		t.Fatal(next)
	}
	held = c.start(pullOf("G", "Many", 0, 2, tags.String(), time.Minute))
	r.heldNow(1)
	want(t, p.call(sendTo("Many", 0, "TAGS\x01A7\x02", "3")), 0, "")
	if got := bodies(t, await(t, held)); len(got) != 1 || got[0] != "3" {
		t.Fatal(got)
	}
}

// TestVeryManyPullsAreRunInTurns: what is run for them does not keep the others of a loop waiting, and none is forgotten, whether an arrival
// runs them or a look at all.
func TestVeryManyPullsAreRunInTurns(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{Loops: 1}, func(b *Broker) { b.holdsEvery = 1 << 30 })
	want(t, r.dial().call(sendTo("T", 0, "TAGS\x01B\x02", "1")), 0, "")
	r.visibleMax("T", 0, 1)
	const pulls = 2*lockedPulls + 76
	w := r.wire()
	hold := func(offset int64, expression string) {
		t.Helper()
		if _, err := w.conn.Write(encoded(pulls, pullOf("G", "T", 0, offset, expression, 10*time.Minute))); err != nil {
			t.Fatal(err)
		}
		r.heldNow(pulls)
	}
	hold(1, "*")
	want(t, r.dial().call(sendTo("T", 0, "TAGS\x01B\x02", "2")), 0, "")
	w.exchange(nil, pulls)
	want(t, w.answer(), remoting.RespSuccess, "FOUND")

	hold(2, "A")
	want(t, r.dial().call(sendTo("T", 0, "TAGS\x01B\x02", "3")), 0, "")
	r.visibleMax("T", 0, 3)
	r.heldNow(pulls)
	r.broker.holds.checkAll()
	w.exchange(nil, pulls)
	want(t, w.answer(), remoting.RespPullRetryImmediately, "NO_MATCHED_MESSAGE")

	hold(3, "*")
	left := 0
	r.onLoop(func() {
		hs, l := r.broker.holds, r.broker.loops[0]
		hs.mu.Lock()
		for len(hs.deadline) > 0 {
			l.ready.list = append(l.ready.list, hs.deadline[0])
			hs.take(hs.deadline[0])
		}
		hs.mu.Unlock()
		l.runReady()
		left = len(l.ready.work) - l.ready.at
	})
	if left != pulls-turnPulls {
		t.Errorf("%d of %d are left after a turn", left, pulls)
	}
	w.exchange(nil, pulls)
	want(t, w.answer(), remoting.RespPullNotFound, "OFFSET_OVERFLOW_ONE")
}
