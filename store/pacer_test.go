package store

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// tried is a disk, and what a commit takes on it beside reads at a rate.
type tried struct {
	p        coldPacer
	at       time.Time
	took     func(mibPerSecond float64) time.Duration
	every    time.Duration // between the ends of commits
	bytes    int64         // of each
	read     int64         // bytes, all together
	pauses   int           // reads that had to wait longer than listening takes
	next     time.Time     // read
	slowDisk float64       // MiB/s that it can do; 0: any
	busy     bool          // a commit is under way
}

const triedFloor = 16 << 20

func newTried(every time.Duration, took func(float64) time.Duration) *tried {
	d := &tried{at: time.Unix(1000, 0), took: took, every: every}
	d.p.init(func() bool { return d.busy }, triedFloor)
	return d
}

// run has commits and, where reading is true, reads come for so long; what commits take depends on what was read in the last 10 ms.
func (d *tried) run(long time.Duration, reading bool) (mibPerSecond float64) {
	const span = 10 * time.Millisecond
	began, commit := d.read, d.at.Add(d.every)
	recent, since, rate := int64(0), d.at, 0.
	d.next = d.at
	for end := d.at.Add(long); d.at.Before(end); d.at = d.at.Add(50 * time.Microsecond) {
		for reading && !d.next.After(d.at) {
			wait := d.p.admit(d.at, pacedBytes)
			if wait > listenFor+5*time.Millisecond { // 4 ms are a piece at the floor
				d.pauses++
			}
			d.next = d.at.Add(wait)
			if d.slowDisk > 0 {
				d.next = d.next.Add(time.Duration(pacedBytes / (d.slowDisk * (1 << 20)) * float64(time.Second)))
			}
			if wait == 0 && d.slowDisk == 0 {
				d.next = d.next.Add(50 * time.Microsecond)
			}
			recent += pacedBytes
			d.read += pacedBytes
		}
		if d.at.Sub(since) >= span {
			rate, recent, since = float64(recent)/(1<<20)/span.Seconds(), 0, d.at
		}
		if d.every > 0 && !commit.After(d.at) {
			d.p.committed(d.at, d.took(rate), d.bytes)
			commit = commit.Add(d.every)
		}
	}
	return float64(d.read-began) / (1 << 20) / long.Seconds()
}

// noisy is d times something between a half and one and a half, and ten times that once in fifty.
func noisy(r *rand.Rand, d time.Duration) time.Duration {
	f := 0.5 + r.Float64()
	if r.IntN(50) == 0 {
		f *= 10
	}
	return time.Duration(float64(d) * f)
}

func TestPacerFindsARate(t *testing.T) {
	const quiet = time.Millisecond / 2
	for _, c := range []struct {
		name     string
		took     func(float64) time.Duration
		slowDisk float64
		from, to float64 // MiB/s, after 20 s
	}{
		{"commits do not notice", func(float64) time.Duration { return quiet }, 300, 200, 300},
		{"commits do not notice, and the disk is slow", func(float64) time.Duration { return quiet }, 20, 15, 20},
		{"they do above 100 MiB/s", func(r float64) time.Duration {
			if r > 100 {
				return 4 * quiet
			}
			return quiet
		}, 400, 50, 110},
		{"they take longer bit by bit", func(r float64) time.Duration { return quiet + quiet*time.Duration(r)/200 }, 400, 120, 230},
		{"any read is too much", func(r float64) time.Duration {
			if r > 0 {
				return 10 * quiet
			}
			return quiet
		}, 400, 13, 17},
		{"they take long anyhow", func(float64) time.Duration { return 40 * quiet }, 300, 200, 300},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			d := newTried(time.Millisecond, func(rate float64) time.Duration { return noisy(r, c.took(rate)) })
			d.slowDisk = c.slowDisk
			d.run(2*time.Second, false)
			d.run(20*time.Second, true)
			if got := d.run(20*time.Second, true); got < c.from || got > c.to {
				t.Errorf("reads at %.0f MiB/s, should be %.0f to %.0f", got, c.from, c.to)
			}
			if d.pauses > 0 {
				t.Errorf("%d reads waited longer than a pause", d.pauses)
			}
		})
	}
}

// TestPacerFollows has the machine change under a reader.
func TestPacerFollows(t *testing.T) {
	r, quiet, limit := rand.New(rand.NewPCG(3, 4)), time.Millisecond/2, 200.
	d := newTried(time.Millisecond, func(rate float64) time.Duration {
		if rate > limit {
			return noisy(r, 5*quiet)
		}
		return noisy(r, quiet)
	})
	d.slowDisk = 500
	d.run(time.Second, false)
	d.run(20*time.Second, true)
	before := d.run(10*time.Second, true)
	limit = 50
	d.run(10*time.Second, true)
	less := d.run(10*time.Second, true)
	if before < 100 || less > 60 {
		t.Errorf("%.0f MiB/s where 200 do no harm, %.0f where 50 do none", before, less)
	}
	// Everything takes longer, which is nobody's fault.
	limit, quiet = 200, 20*quiet
	d.run(20*time.Second, true)
	if more := d.run(10*time.Second, true); more < 2*less {
		t.Errorf("%.0f MiB/s where commits take long without reads too", more)
	}
}

func TestPacerLeavesAloneWhoStoresNothing(t *testing.T) {
	quiet := func(float64) time.Duration { return time.Millisecond }
	d := newTried(0, quiet)
	if d.run(time.Second, true); d.p.rounds != 0 || !d.p.start.IsZero() {
		t.Error("reads are paced where nothing was ever stored")
	}
	d.every = time.Millisecond
	if got := d.run(100*time.Millisecond, true); got > 40 {
		t.Errorf("%.0f MiB/s at once beside commits", got)
	}
	d.every = 0
	d.run(silence+listenFor, true)
	if got := d.p.admit(d.at, 1<<30); got != 0 {
		t.Errorf("%v to wait after the last commit", got)
	}
	if got := d.p.admit(d.at, 1<<30); got != 0 {
		t.Errorf("%v to wait behind that", got)
	}
	// A commit that takes long is no silence.
	d.busy = true
	if d.p.admit(d.at, 1<<30); d.p.admit(d.at, 1<<30) == 0 {
		t.Error("nothing to wait while a commit is under way")
	}
}

// TestPacerSeldomCommits: with few commits there is little to see, and what there is is kept until it is enough.
func TestPacerSeldomCommits(t *testing.T) {
	d := newTried(40*time.Millisecond, func(float64) time.Duration { return time.Millisecond })
	d.slowDisk = 300
	d.run(time.Second, false)
	if got := d.run(30*time.Second, true); got < 100 {
		t.Errorf("%.0f MiB/s beside 25 commits a second that do not notice", got)
	}
}

// TestPacerGains has a log that grows faster than the floor: who reads it from its beginning arrives.
func TestPacerGains(t *testing.T) {
	d := newTried(time.Millisecond, func(rate float64) time.Duration {
		if rate > 0 {
			return 20 * time.Millisecond
		}
		return time.Millisecond
	})
	d.bytes = 32 << 10 // 31 MiB/s
	d.run(time.Second, false)
	d.run(5*time.Second, true)
	if got := d.run(10*time.Second, true); got < 37 || got > 50 {
		t.Errorf("%.0f MiB/s of a log that grows by 31", got)
	}
}

func TestPacerListens(t *testing.T) {
	d := newTried(time.Millisecond, func(float64) time.Duration { return time.Millisecond })
	d.run(time.Second, false)
	began := d.at
	wait := d.p.admit(d.at, 0)
	if wait != 0 {
		t.Fatalf("the first read waits %v", wait)
	}
	// The middle of what is not read in.
	d.at = began.Add(readFor + listenFor/2)
	d.p.committed(d.at, 0, 0)
	if wait := d.p.admit(d.at, pacedBytes); wait != listenFor/2 {
		t.Errorf("a read waits %v, should %v", wait, listenFor/2)
	}
	// The next one comes behind it, as fast as the floor allows.
	if wait, want := d.p.admit(d.at, pacedBytes), listenFor/2+time.Second*pacedBytes/triedFloor; wait.Round(time.Microsecond) != want.Round(time.Microsecond) {
		t.Errorf("the next one waits %v, should %v", wait, want)
	}
}

func TestPacerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p coldPacer
		p.init(func() bool { return false }, triedFloor)
		began := time.Now()
		if p.wait(1 << 30); time.Since(began) != 0 || p.piece() != coldBytes {
			t.Fatalf("waited %v with nothing stored, %d bytes at once", time.Since(began), p.piece())
		}
		p.committed(time.Now(), time.Millisecond, 0)
		if p.piece() != pacedBytes {
			t.Fatalf("%d bytes at once beside commits", p.piece())
		}
		const all = 2 << 20
		for read := 0; read < all; read += pacedBytes {
			p.wait(pacedBytes)
			p.committed(time.Now(), time.Millisecond, 0)
		}
		if took, want := time.Since(began), time.Second*(all-pacedBytes)/triedFloor; took.Round(time.Millisecond) != want.Round(time.Millisecond) {
			t.Errorf("2 MiB took %v, should %v", took, want)
		}
		time.Sleep(unsharedAfter)
		if p.piece() != coldBytes {
			t.Errorf("%d bytes at once when nobody stores any more", p.piece())
		}
	})
}

func BenchmarkPacerCommitted(b *testing.B) {
	var p coldPacer
	p.init(func() bool { return false }, triedFloor)
	b.ReportAllocs()
	now := time.Unix(1000, 0)
	for b.Loop() {
		now = now.Add(300 * time.Microsecond)
		p.admit(now, pacedBytes)
		p.committed(now, 250*time.Microsecond, 24<<10)
	}
}
