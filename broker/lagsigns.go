package broker

import (
	"fmt"
	"time"

	"ringmq/broker/lag"
	"ringmq/broker/stats"
)

// lagSigns are what the broker knows, beside its figures, of a group that is behind in a topic.
type lagSigns struct {
	now       time.Time
	reads     string    // what shows that the disk gives it its messages slowly; "": it does not
	slow      slowness  // why all groups may be behind
	handedOut bool      // what it has to consume next, in the queue that has stood still for longest
	cold      *lag.Cold // what had been read when a pull of its was kept back; nil: none was since the last look
	returns   lag.Returns
	rates     lag.Rates
}

// signs finds them. The members themselves are not asked.
func (w *lagWatch) signs(s *lag.State, f *lag.Figures, now time.Time, slow slowness) *lagSigns {
	g := &lagSigns{now: now, slow: slow}
	g.reads, _ = w.slowReads(s)
	if !f.StillSince.IsZero() {
		pulled, ok := w.b.offsets.PullOffset([]byte(s.Group), []byte(s.Topic), f.Still.ID)
		g.handedOut = ok && pulled > f.Still.Committed
	}
	if cold, kept := w.cold[s.Group]; kept {
		g.cold = &cold
	}
	key := s.Topic + "@" + s.Group
	put, _ := w.b.stats.Find(stats.TopicPutNums, s.Topic)
	got, _ := w.b.stats.Find(stats.GroupGetNums, key)
	back, _ := w.b.stats.Find(stats.SendBackPutNums, key)
	g.returns = lag.Returns{Back: back.StatsMinute.Sum, Out: got.StatsMinute.Sum}
	g.rates = lag.Rates{In: f.In, Out: f.Out, UsualIn: float64(put.StatsHour.Tps), UsualOut: float64(got.StatsHour.Tps), Whole: w.b.uptime() >= lag.UsualOver}
	return g
}

// cause names the cause, most certain first, and says what shows it. A group whose pulls are kept back asks for messages and is given none, so that
// the limit comes before members that do not pull; messages that it has in hand all the same it does not wait for.
func (g *lagSigns) cause(s *lag.State, f *lag.Figures) (name string, evidence []string) {
	still, queue := time.Duration(0), []string(nil)
	if !f.StillSince.IsZero() {
		still = g.now.Sub(f.StillSince)
		queue = []string{fmt.Sprintf("queue %d: %d behind at offset %d, no progress for %s", f.Still.ID, f.Still.Max-f.Still.Committed, f.Still.Committed, still.Round(time.Second))}
	}
	switch {
	case s.Members == 0:
		return lag.NoConsumer, append([]string{"no client of the group is connected"}, queue...)
	case g.reads != "":
		return lag.BrokerSlow, []string{g.reads}
	case g.slow.cause != "" && (!g.slow.hides || f.Hidden*2 >= f.Diff):
		return g.slow.cause, g.slow.evidence
	case still >= lagStuckAfter && g.handedOut:
		return lag.Stuck, queue
	case g.cold != nil && f.Out <= f.In:
		return lag.ColdLimit, []string{g.cold.String()}
	case still >= lagStuckAfter:
		return lag.NotPulling, queue
	case g.returns.Failing():
		return lag.Failing, []string{g.returns.String()}
	}
	return g.byRates(f)
}

// byRates compares what comes in with what is consumed.
func (g *lagSigns) byRates(f *lag.Figures) (name string, evidence []string) {
	r := g.rates
	usual := fmt.Sprintf("in the last hour %.1f came in and %.1f were handed out", r.UsualIn, r.UsualOut)
	if !r.Known() {
		usual = "what usually comes in this broker does not know yet"
	}
	evidence = []string{fmt.Sprintf("%.1f messages a second come in, %.1f are consumed; %s", r.In, r.Out, usual)}
	if !f.SlowerSince.IsZero() {
		evidence = append(evidence, fmt.Sprintf("for %s more has come in than was consumed", g.now.Sub(f.SlowerSince).Round(time.Second)))
	}
	if name = r.Cause(); name == lag.Slow {
		evidence = append(evidence, fmt.Sprintf("queue %d has most of it: %d behind at offset %d", f.Most.ID, f.Most.Max-f.Most.Committed, f.Most.Committed))
	}
	return name, evidence
}
