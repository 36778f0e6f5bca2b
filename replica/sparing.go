package replica

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// sparing holds slaves back that catch up, so that what they take of the master's disk and processors does not make its senders wait. How fast
// they may be is found by trying: while they are sent the log, what a record waits for its commit is compared with what it waits
// otherwise, and now and then they stop for a moment so that this is known. Where nothing is stored nobody is held back.
//
// A commit's time is taken from outside: how long it takes until what was stored last is safe. store/pacer.go does the same for cold reads, in another
// way: docs/adr/0008 says what differs, and why.
type sparing struct {
	stored func() int64 // offset behind what was stored last
	safe   func() int64 // and behind what may be sent

	probing atomic.Int64 // what is waited for to be safe; 0: nothing

	mu      sync.Mutex
	began   time.Time // what is being waited for
	beside  bool      // and it is so while slaves are sent the log
	probed  time.Time // last
	stores  time.Time // when something was last found to be waited for
	wanted  time.Time // a slave last wanted to be sent something
	listen  time.Time // slaves stop then, for listenFor
	judged  time.Time
	next    time.Time // when all that was sent should have been
	rate    float64   // bytes a second
	found   bool      // there was a rate that was too much
	sent    int64     // bytes since judged
	had     int64     // safe when judged
	growth  float64   // of the log, bytes a second
	with    waits
	without waits
}

const (
	// spareFrom is how far behind a slave is that is held back: of what is stored now it gets everything at once.
	spareFrom = 64 << 20
	// probeEvery is how often commits are looked at.
	probeEvery = 5 * time.Millisecond
	judgeEvery = 250 * time.Millisecond
	// listenEvery and listenFor: slaves stop so often and for so long; until settleFor they still write what they have.
	listenEvery = 3 * time.Second
	listenFor   = 160 * time.Millisecond
	settleFor   = 100 * time.Millisecond
	// desertion is how long nobody wanted anything when what was found out is forgotten: slaves catch up once in a long time, and the next one begins
	// with what the moment allows, which is everything where nothing is stored.
	desertion = time.Second

	// leastRate is where it begins when something is stored, and what slaves get in any case, bytes a second; gaining times as fast as the
	// log grows, too, or they would never arrive.
	leastRate = 64 << 20
	mostRate  = 1 << 40
	gaining   = 2
	// toleratedShare: a commit may take so much longer, and toleratedTime for what cannot be measured.
	toleratedShare = 2
	toleratedTime  = 50 * time.Microsecond
	leastWaits     = 8 // of both kinds, for a comparison
	knownWaits     = 50
	staleWaits     = 5 // what waits from before a slave stopped count for together
	slower         = 0.75
	faster         = 1.125
	// usedShare of the rate is what slaves must have taken for it to be worth trying more.
	usedShare = 0.75
)

// waits is a geometric mean: a few long ones do not decide it, many that are a little longer do.
type waits struct{ n, sum float64 }

func (w *waits) add(d time.Duration) {
	w.n, w.sum = w.n+1, w.sum+math.Log(float64(max(d, time.Microsecond)))
}

// limit has all that there is count as n at most.
func (w *waits) limit(n float64) {
	if w.n > n {
		w.n, w.sum = n, w.sum*n/w.n
	}
}

func (w *waits) mean() float64 { return math.Exp(w.sum / w.n) }

// committed notes that everything before an offset is safe. Any goroutine, once a commit.
func (p *sparing) committed(to int64) {
	if end := p.probing.Load(); end == 0 || to < end {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended(time.Now())
}

// ended takes the time of what was waited for. mu is held.
func (p *sparing) ended(now time.Time) {
	if p.probing.Swap(0) == 0 {
		return
	}
	if p.beside {
		p.with.add(now.Sub(p.began))
	} else {
		p.without.add(now.Sub(p.began))
		p.without.limit(knownWaits)
	}
}

// look begins to take the time of a commit, if there is one to wait for. Any goroutine, now and then.
func (p *sparing) look(now time.Time) {
	stored := p.stored()
	if stored <= p.safe() || p.probing.Load() != 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	sending := now.Sub(p.wanted) < desertion
	stopped := sending && !now.Before(p.listen)
	if now.Sub(p.probed) < probeEvery || stopped && now.Sub(p.listen) < settleFor || !p.probing.CompareAndSwap(0, stored) {
		return
	}
	p.probed, p.stores, p.began, p.beside = now, now, now, sending && !stopped
	if p.safe() >= stored {
		p.ended(time.Now())
	}
}

// wait is how long to wait before more is sent to a slave that catches up; to be asked again then.
func (p *sparing) wait(now time.Time) time.Duration {
	p.look(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.wanted) >= desertion {
		p.rate, p.found, p.with = mostRate, false, waits{}
		if now.Sub(p.stores) < desertion {
			p.rate = leastRate
		}
		p.judged, p.next, p.sent, p.had = now, now, 0, p.safe()
		p.listen = now.Add(listenEvery)
	}
	p.wanted = now
	p.judge(now)
	if !now.Before(p.listen) {
		if left := p.listen.Add(listenFor).Sub(now); left > 0 {
			return min(left, probeEvery)
		}
		p.listen, p.next = now.Add(listenEvery), now
		p.judged, p.sent, p.had = now, 0, p.safe()
	}
	return max(0, p.next.Sub(now))
}

// count notes bytes that were sent.
func (p *sparing) count(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent += int64(bytes)
	now := time.Now()
	// What was not used is not made up for, but for the time that a timer may be late.
	if late := now.Add(-probeEvery); p.next.Before(late) {
		p.next = late
	}
	p.next = p.next.Add(time.Duration(float64(bytes) / p.rate * float64(time.Second)))
}

// judge changes the rate by what was found since it did last. mu is held.
func (p *sparing) judge(now time.Time) {
	took := now.Sub(p.judged)
	if took < judgeEvery || !now.Before(p.listen) {
		return
	}
	safe := p.safe()
	p.growth = (p.growth + float64(safe-p.had)/took.Seconds()) / 2
	did := float64(p.sent) / took.Seconds()
	switch used := did >= usedShare*p.rate; {
	case p.with.n < leastWaits:
		p.rate *= 4 // hardly anybody waits
	case p.without.n < leastWaits:
		p.listen = now // there is nothing to compare with
	case p.with.mean() > p.without.mean()*toleratedShare+float64(toleratedTime):
		p.rate, p.found = min(p.rate, did)*slower, true
	case used && p.found:
		p.rate *= faster
	case used:
		p.rate *= 2
	}
	if p.listen.Sub(now) < judgeEvery {
		p.without.limit(staleWaits)
	}
	p.rate = min(max(p.rate, leastRate, gaining*p.growth), mostRate)
	p.with.limit(p.with.n / 2)
	p.judged, p.sent, p.had = now, 0, safe
}
