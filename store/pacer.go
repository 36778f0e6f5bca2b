package store

import (
	"sync"
	"sync/atomic"
	"time"
)

// What is read from the disk for consumers takes the disk, and with it the processors that carry it away, from what is being stored. So
// while commits are made these reads have a rate, and it is found by trying: in rounds, in each of which reading stops for a moment,
// commits are compared with and without it.
//
// replica/sparing.go does the same for slaves that catch up, in another way: docs/adr/0008 says what differs, and why.

const (
	// readFor and listenFor make a round. While it listens nothing is read, and from settleFor on commits count as undisturbed.
	readFor   = 400 * time.Millisecond
	listenFor = 60 * time.Millisecond
	settleFor = 10 * time.Millisecond
	round     = readFor + listenFor
	// silence is how long nothing was committed when nobody is waited for; unsharedAfter how long it is when reads have the disk to themselves, and
	// what is read at once may be large.
	silence       = 100 * time.Millisecond
	unsharedAfter = 10 * time.Second
	// desertion is how long nobody has read when the rounds end. The rate that was found stays: a group that drains may pause for longer between two
	// pulls, and would begin at the floor after each; where nobody stores anything no rate holds it back.
	desertion = time.Second
	// catchUp is how much of the time that readers came too late for is made up for.
	catchUp = 10 * time.Millisecond

	// comparedShare of the commits are compared, by their mean: the few longest ones are chance. Beside reads it may be so much longer, which is
	// less than half of what these few take without any (docs/adr/0008), and a little for what cannot be measured.
	comparedShare  = 0.95
	toleratedShare = 2
	toleratedTime  = 20 * time.Microsecond
	// leastCommits is how many of both kinds are needed for a comparison.
	leastCommits = 8

	slower    = 0.8
	faster    = 1.125
	fadeRead  = 0.5
	fadeAlone = 0.75
	// usedShare of the rate is what readers must have taken for it to be worth trying more.
	usedShare = 0.75

	// gaining is how much faster than the log grows it is read at least: whoever is behind would never arrive otherwise.
	gaining = 1.5

	// pacedBytes is what is read at once beside commits: a sync that comes upon it waits for so much and no more.
	pacedBytes = 64 << 10
)

// coldPacer says when a piece of cold data may be read. Any goroutine; its lock is held across nothing that waits.
type coldPacer struct {
	floor  atomic.Int64 // bytes a second that are read in any case
	waited func() bool  // somebody waits for a commit now

	mu     sync.Mutex
	rate   float64 // bytes a second, while it reads
	found  bool    // there was a rate that was too much
	next   time.Time
	start  time.Time // of the first round; zero: there are none
	rounds int64     // that are over
	read   int64     // bytes in this round
	stored int64     // bytes committed in this round
	growth float64   // of the log, bytes a second
	last   time.Time // a commit ended
	wanted time.Time // somebody came to read

	beside, alone commitTimes
}

func (p *coldPacer) init(waited func() bool, floor int64) {
	p.waited = waited
	p.setFloor(floor)
}

// setFloor sets the bytes a second that are read whatever commits take.
func (p *coldPacer) setFloor(bytesPerSecond int64) { p.floor.Store(bytesPerSecond) }

// committed notes a commit of so many bytes that ends now.
func (p *coldPacer) committed(now time.Time, waited time.Duration, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	began := now.Add(-waited)
	p.last = now
	switch {
	case p.start.IsZero() && now.Sub(p.wanted) < listenFor:
		// It may have been beside reads that nobody held back.
	case p.start.IsZero() || began.Before(p.start):
		p.alone.add(waited)
	default:
		p.turn(now)
		p.stored += bytes
		switch at := p.into(began); {
		case at < readFor:
			p.beside.add(waited)
		case at >= readFor+settleFor:
			p.alone.add(waited)
		}
	}
}

// into is how far into its round a time lies. Not without rounds.
func (p *coldPacer) into(t time.Time) time.Duration { return t.Sub(p.start) % round }

// turn ends the rounds that are over by now, and judges the last one. Not without rounds.
func (p *coldPacer) turn(now time.Time) {
	if n := int64(now.Sub(p.start) / round); n > p.rounds {
		long := time.Duration(n-p.rounds) * round
		p.growth = (p.growth + float64(p.stored)/long.Seconds()) / 2
		p.judge()
		p.rounds, p.read, p.stored = n, 0, 0
	}
}

// judge changes the rate by what the last round showed.
func (p *coldPacer) judge() {
	if p.beside.commits < leastCommits || p.alone.commits < leastCommits {
		return
	}
	with, without := p.beside.mean(comparedShare), p.alone.mean(comparedShare)
	switch {
	case float64(with) > float64(without)*toleratedShare+float64(toleratedTime):
		p.rate *= slower
		p.found = true
	case float64(p.read) < usedShare*p.rate*readFor.Seconds():
		// The rate was not the limit.
	case p.found:
		p.rate *= faster
	default:
		p.rate *= 2
	}
	p.beside.fade(fadeRead)
	p.alone.fade(fadeAlone)
}

// free says that nobody needs to be spared. A commit that takes very long is no silence.
func (p *coldPacer) free(now time.Time) bool { return now.Sub(p.last) > silence && !p.waited() }

// admit enters a read of so many bytes, and returns how long it has to wait.
func (p *coldPacer) admit(now time.Time, bytes int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	deserted := now.Sub(p.wanted) > desertion
	p.wanted = now
	if p.free(now) {
		p.start = time.Time{}
		return 0
	}
	if p.start.IsZero() || deserted {
		p.start, p.rounds, p.read, p.stored, p.next = now, 0, 0, 0, now
	}
	p.turn(now)
	p.rate = max(p.rate, float64(p.floor.Load()), p.growth*gaining)
	at := p.next
	if late := now.Add(-catchUp); at.Before(late) {
		at = late
	}
	if into := p.into(at); into >= readFor {
		at = at.Add(round - into)
	}
	p.next = at.Add(time.Duration(float64(bytes) / p.rate * float64(time.Second)))
	p.read += int64(bytes)
	return max(0, at.Sub(now))
}

// wait waits until so many bytes may be read.
func (p *coldPacer) wait(bytes int) {
	if d := p.admit(time.Now(), bytes); d > 0 {
		time.Sleep(d)
	}
}

// piece is how much may be read at once.
func (p *coldPacer) piece() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.last) < unsharedAfter {
		return pacedBytes
	}
	return coldBytes
}
