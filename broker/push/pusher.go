package push

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
)

// Exporter hands metrics on. One call at a time.
type Exporter interface {
	// Export takes all of them or none: after an error they may come again, those in deltas with what has been counted meanwhile. A *Rejected
	// means that they were received and need not come again. It returns soon after ctx has ended, and keeps nothing of what it was given.
	Export(ctx context.Context, scopes []*metricspb.ScopeMetrics) error
	// Close gives back what the exporter holds; nothing is exported afterwards.
	Close()
	// String says in the log where metrics go to.
	String() string
}

// Options of a Pusher.
type Options struct {
	Gatherer prometheus.Gatherer // what a scraper sees
	Common   map[string]string   // labels of a broker's metrics; those of Go's runtime and of the process are given them
	Delta    bool                // counters and histograms as what came since the last push, where they are sums since Began otherwise
	Interval time.Duration       // from push to push
	Began    time.Time           // since when counters count
	Exporter Exporter
	Logger   *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// Pusher pushes from Start to Close, on a goroutine of its own. A push takes as long as it takes; those that would have begun meanwhile are left
// out.
type Pusher struct {
	o      Options
	common []*commonpb.KeyValue
	flush  time.Duration // what Close waits for at most

	done, failed atomic.Int64

	ctx    context.Context
	cancel context.CancelFunc
	stop   chan struct{}
	ended  chan struct{}

	// of the goroutine
	counted map[string]map[string]sum // by metric and series: as last taken; deltas only
	last    time.Time                 // of the last look that was taken as a whole
	outage  outage
}

// flushTime is what the last push may take.
const flushTime = time.Second

// New makes a pusher.
func New(o Options) *Pusher {
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Pusher{o: o, flush: flushTime, stop: make(chan struct{}), ended: make(chan struct{}), last: o.Began, outage: outage{to: o.Exporter.String(), logger: o.Logger}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	for name, value := range o.Common {
		p.common = append(p.common, attribute(name, value))
	}
	slices.SortFunc(p.common, byKey)
	return p
}

// Start begins; the first push is after an interval, as a stock broker's.
func (p *Pusher) Start() {
	p.o.Logger.Info("metrics are handed on", "to", p.o.Exporter.String(), "interval", p.o.Interval, "delta", p.o.Delta)
	go p.run()
}

// Close pushes a last time what there is, within a second and no longer than ctx, and ends. Once, after Start.
func (p *Pusher) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, p.flush)
	defer cancel()
	close(p.stop)
	select {
	case <-p.ended:
	case <-ctx.Done():
	}
	p.cancel()
	<-p.ended
	p.o.Exporter.Close()
}

// Pushes says how often metrics were handed on, and how often not or not all of them. Any goroutine.
func (p *Pusher) Pushes() (done, failed int64) { return p.done.Load(), p.failed.Load() }

func (p *Pusher) run() {
	defer close(p.ended)
	tick := time.NewTicker(p.o.Interval)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			if p.ctx.Err() == nil {
				p.push()
			}
			return
		case <-tick.C:
			p.push()
		}
	}
}

// push hands on what there is now.
func (p *Pusher) push() {
	err := p.round()
	if err != nil {
		p.failed.Add(1)
	} else {
		p.done.Add(1)
	}
	p.outage.note(err, p.o.Now())
}

// outage is told in the log when it begins and when it ends.
type outage struct {
	to     string
	logger *slog.Logger
	since  time.Time // zero: there is none
	failed int       // pushes
}

func (o *outage) note(err error, now time.Time) {
	switch {
	case err != nil && o.since.IsZero():
		o.since, o.failed = now, 1
		o.logger.Warn("metrics are not taken; this is told again when they are", "to", o.to, "error", err)
	case err != nil:
		o.failed++
	case !o.since.IsZero():
		o.logger.Info("metrics are taken again", "to", o.to, "pushesFailed", o.failed, "after", now.Sub(o.since).Round(time.Millisecond))
		o.since = time.Time{}
	}
}
