package broker

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/broker/lag"
	"ringmq/broker/meta"
)

// coldControl is stock's flow control of cold reads: how many bytes each group had read from the disk in this period, and from how many on
// its cold pulls are kept back. What was read is what was not in the page cache; stock estimates it by the distance to the log's end. Any
// goroutine.
type coldControl struct {
	inForce  func() *inForce
	now      func() time.Time
	strategy coldStrategy
	any      atomic.Bool // a group has read cold data: others have nothing to ask for

	mu     sync.Mutex
	groups map[string]*coldGroup
	limits map[string]int64    // set by requests, and with adaptiveSuffix by the strategy
	total  int64               // bytes in this period
	kept   map[string]lag.Cold // groups that had to wait since keptBack was called last, and what had been read then
}

// coldGroup is a group that has read cold data lately, as 2003 shows it.
type coldGroup struct {
	ColdAcc               int64 `json:"coldAcc"` // bytes in this period
	CreateTimeMills       int64 `json:"createTimeMills"`
	LastColdReadTimeMills int64 `json:"lastColdReadTimeMills"`
}

const (
	adaptiveSuffix  = "||adaptive"
	coldPeriod      = 5 * time.Second
	coldPeriodOff   = 3 * time.Minute // while the control is off
	coldGroupKept   = time.Minute     // after its last cold read
	mostDecelerated = 3               // groups in a period
	maxColdLimits   = 10_000          // groups that requests may set a limit for
)

func newColdControl(now func() time.Time, inForce func() *inForce, strategy coldStrategy) *coldControl {
	return &coldControl{inForce: inForce, now: now, strategy: strategy, groups: map[string]*coldGroup{}, limits: map[string]int64{}, kept: map[string]lag.Cold{}}
}

// newColdControl makes the control as the configuration says at start.
func (b *Broker) newColdControl() *coldControl {
	var strategy coldStrategy = simpleColdStrategy{}
	if b.c.Bool("usePIDColdCtrStrategy") {
		strategy = &pidColdStrategy{expected: int64(float64(b.c.Int64("globalColdReadThreshold")) * pidShare)}
	}
	return newColdControl(time.Now, b.inForce.get, strategy)
}

// tendCold does what has a clock, in the second that is the n-th.
func (b *Broker) tendCold(n int) {
	f, now := b.inForce.get(), b.uptime()
	b.coldHeld.release(b, now)
	period := coldPeriodOff
	if f.coldControl {
		period = coldPeriod
	}
	if n%int(period/time.Second) == 0 {
		b.coldControl.endPeriod()
	}
	if every := max(1, int(f.coldScanEvery/time.Second)); f.coldControl && f.coldScan && (n-1)%every == 0 {
		b.store.ScanResident()
	}
}

// note counts bytes that were read from the disk for a group.
func (c *coldControl) note(group string, bytes int64) {
	if bytes <= 0 || !c.inForce().coldControl || exemptFromColdControl(group) {
		return
	}
	now := c.now().UnixMilli()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.any.Store(true)
	c.total += bytes
	g := c.groups[group]
	if g == nil {
		g = &coldGroup{CreateTimeMills: now}
		c.groups[group] = g
	}
	g.ColdAcc += bytes
	g.LastColdReadTimeMills = now
}

// limited says whether a group's pulls of cold data have to wait for the next period.
func (c *coldControl) limited(group string) bool {
	f := c.inForce()
	if !f.coldControl || !c.any.Load() || exemptFromColdControl(group) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.groups[group]
	if g == nil {
		return false
	}
	cold := lag.Cold{Read: g.ColdAcc, Limit: c.limit(f, group), AllRead: c.total, AllLimit: f.coldTotalLimit}
	if !cold.Held() {
		return false
	}
	c.kept[group] = cold
	return true
}

// keptBack returns the groups that had to wait since it was called last, with what had been read then: what is counted now may be of a period
// that has just begun. The caller's own.
func (c *coldControl) keptBack() map[string]lag.Cold {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.kept
	c.kept = map[string]lag.Cold{}
	return kept
}

// limit is a group's own, the one that the strategy has found, or everybody's. Under mu.
func (c *coldControl) limit(f *inForce, group string) int64 {
	if own, ok := c.limits[group]; ok {
		return own
	}
	if found, ok := c.limits[group+adaptiveSuffix]; ok && f.coldAdapts {
		return found
	}
	return f.coldGroupLimit
}

// setLimit is 2001 for one group. False: there are too many.
func (c *coldControl) setLimit(group string, bytes int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.limits[group]; !there && len(c.limits) >= maxColdLimits {
		return false
	}
	c.limits[group] = bytes
	return true
}

// removeLimit is 2002.
func (c *coldControl) removeLimit(group string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.limits, group)
}

// endPeriod begins to count anew, after the strategy has looked at what was counted.
func (c *coldControl) endPeriod() {
	f, now := c.inForce(), c.now().UnixMilli()
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.coldAdapts {
		c.strategy.collect(c.total)
	}
	for name, g := range c.groups {
		switch {
		case now >= g.LastColdReadTimeMills+coldGroupKept.Milliseconds():
			if f.coldAdapts {
				delete(c.limits, name+adaptiveSuffix)
			}
			delete(c.groups, name)
		case g.ColdAcc >= c.limit(f, name) && f.coldAdapts && c.total <= f.coldTotalLimit:
			if _, set := c.limits[name]; !set && c.strategy.promotes() {
				c.limits[name+adaptiveSuffix] = int64(float64(c.limit(f, name)) * 1.5)
			}
		}
		g.ColdAcc = 0
	}
	c.any.Store(len(c.groups) > 0)
	if f.coldAdapts {
		c.decelerate(f)
	} else {
		for name := range c.limits {
			if strings.HasSuffix(name, adaptiveSuffix) {
				delete(c.limits, name)
			}
		}
	}
	c.total = 0
}

// decelerate makes the largest limits that the strategy has found smaller, if it says so. Under mu.
func (c *coldControl) decelerate(f *inForce) {
	if !c.strategy.decelerates(c.total > f.coldTotalLimit) {
		return
	}
	var found []string
	for name := range c.limits {
		if strings.HasSuffix(name, adaptiveSuffix) {
			found = append(found, name)
		}
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Compare(c.limits[b], c.limits[a]) })
	for _, name := range found[:min(len(found), mostDecelerated)] {
		c.limits[name] = max(int64(float64(c.limits[name])*0.8), f.coldGroupLimit)
	}
}

// exemptFromColdControl says that a group belongs to RocketMQ itself, as far as it consumes.
func exemptFromColdControl(group string) bool {
	switch group {
	case "DEFAULT_PRODUCER", "CLIENT_INNER_PRODUCER", "SELF_TEST_P_GROUP":
		return false
	}
	return meta.IsSystemGroup(group)
}

// coldStrategy says when the limits that it has found may grow, and when they must shrink (coldCtrStrategyEnable).
type coldStrategy interface {
	collect(total int64) // bytes of all groups in the period that ends
	promotes() bool
	decelerates(over bool) bool // over: more was read than all together may
}

// simpleColdStrategy lets them grow as long as somebody wants more, and shrink when all together read too much.
type simpleColdStrategy struct{}

func (simpleColdStrategy) collect(int64)              {}
func (simpleColdStrategy) promotes() bool             { return true }
func (simpleColdStrategy) decelerates(over bool) bool { return over }

// pidColdStrategy steers what all groups read towards a value (usePIDColdCtrStrategy).
type pidColdStrategy struct {
	expected int64
	errors   []int64 // of the last pidPeriods, the newest last
}

const (
	pidPeriods    = 10
	pidGain       = 0.5
	pidSum        = 0.3
	pidDerivative = 0.2
	pidShare      = 0.8 // of what all may read together
)

func (s *pidColdStrategy) collect(total int64) {
	s.errors = append(s.errors, s.expected-total)
	if len(s.errors) > pidPeriods {
		s.errors = s.errors[1:]
	}
}

// factor is above 0 when more may be read, and 0 until enough is known.
func (s *pidColdStrategy) factor() float64 {
	n := len(s.errors)
	if n < pidPeriods {
		return 0
	}
	sum := int64(0)
	for _, e := range s.errors {
		sum += e
	}
	return pidGain*float64(s.errors[n-1]) + pidSum*float64(sum) + pidDerivative*float64(s.errors[n-1]-s.errors[n-2])
}

func (s *pidColdStrategy) promotes() bool          { return s.factor() > 0 }
func (s *pidColdStrategy) decelerates(_ bool) bool { return s.factor() < 0 }
