package bench

import (
	"strings"
	"testing"
	"time"
)

// TestParseBusy: idle time and waiting for disks are not busy, and guests are not counted twice.
func TestParseBusy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stat string
		want busy
	}{
		{"cpu  100 10 50 9000 700 3 4 5 60 6\ncpu0 1 1 1 1\ncpu1 1 1 1 1\nintr 5 5\n", busy{1720 * time.Millisecond, 2}},
		{"", busy{}},
		{"intr 5\n", busy{}},
	} {
		if got := parseBusy(c.stat); got != c.want {
			t.Errorf("%q: %+v, not %+v", c.stat, got, c.want)
		}
	}
	if b := machineBusy(); b.processors == 0 || b.used == 0 {
		t.Errorf("this machine: %+v", b)
	}
}

// measured is a report of a meter over which the processes used so many processor seconds in two seconds.
func measured(broker, generator, machine time.Duration) *Report {
	m := newMeter(plain(func(w *Workload) { w.PID = 1 }), nil)
	m.began = time.Unix(1000, 0)
	m.ended = m.began.Add(2 * time.Second)
	m.broker1.CPU, m.self1.CPU = broker, generator
	m.machine0, m.machine1 = busy{0, 4}, busy{machine, 4}
	return m.report("produce")
}

// TestOthers: what neither the broker nor the generator used is told, and from a tenth of the machine on it is a warning.
func TestOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		machine time.Duration
		cores   float64
		warned  bool
	}{
		{3 * time.Second, 0, false},
		{3700 * time.Millisecond, 0.35, false},
		{4 * time.Second, 0.5, true},
		{time.Second, 0, false}, // ticks are coarse
	} {
		r := measured(2*time.Second, time.Second, c.machine)
		if r.Others == nil || r.Others.Cores != c.cores || r.Others.Share != c.cores/4 {
			t.Fatalf("%s: %+v", c.machine, r.Others)
		}
		if got := strings.Contains(strings.Join(r.Warnings, "\n"), "something else used"); got != c.warned {
			t.Errorf("%s: warnings %v", c.machine, r.Warnings)
		}
	}
	m := newMeter(plain(nil), nil)
	m.began = time.Unix(1000, 0)
	m.ended = m.began.Add(time.Second)
	if r := m.report("produce"); r.Others != nil {
		t.Errorf("the broker's process is not known: %+v", r.Others)
	}
}

// TestLimitedWarning: one run alone says that the generator was the limit, and only when it was.
func TestLimitedWarning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		generator time.Duration
		warned    bool
	}{{1900 * time.Millisecond, true}, {1700 * time.Millisecond, false}} {
		r := measured(0, c.generator, c.generator)
		if got := strings.Contains(strings.Join(r.Warnings, "\n"), "the generator used 95 % of a processor: it, not the broker, may have been the limit"); got != c.warned {
			t.Errorf("%s: warnings %v", c.generator, r.Warnings)
		}
	}
}
