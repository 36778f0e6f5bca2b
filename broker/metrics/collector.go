package metrics

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/model"

	"ringmq/store/tally"
)

// Options of what is shown.
type Options struct {
	Cluster, Name string            // of the broker
	Version       string            // of this build
	Labels        map[string]string // on every series (metricsLabel)
	TopK          int               // series of topics and groups that a metric has at most, the one of all others apart
	Hidden        map[string]bool   // switches of the table that are off
	Now           func() time.Time  // nil: time.Now
}

// Collector asks a broker when it is asked. Any goroutine; questions at the same time are answered one after the other.
type Collector struct {
	o     Options
	s     Source
	descs map[string]*prometheus.Desc
	meter *prometheus.Desc
	about *prometheus.Desc

	common prometheus.Labels

	mu                            sync.Mutex
	intakes, outlets, deadLetters *top
	sendBacks, users              *top

	// of the question at hand
	ch chan<- prometheus.Metric
	f  Figures
}

// New makes a collector. An error names the label that cannot be put on every series.
func New(o Options, s Source) (*Collector, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Collector{o: o, s: s, descs: map[string]*prometheus.Desc{}, intakes: newTop(o.TopK), outlets: newTop(o.TopK), deadLetters: newTop(o.TopK), sendBacks: newTop(o.TopK), users: newTop(min(o.TopK, maxClients))}
	common := prometheus.Labels{}
	for k, v := range o.Labels {
		if !mayLabel(k) || !utf8.ValidString(v) {
			return nil, fmt.Errorf("%q cannot be a label of every metric", k)
		}
		common[k] = v
	}
	common["cluster"], common["node_type"], common["node_id"] = o.Cluster, "broker", o.Name
	c.common = common
	stock := prometheus.Labels{scopeLabel: Scope}
	for k, v := range common {
		stock[k] = v
	}
	for _, m := range Table {
		if o.Hidden[m.Switch] {
			continue
		}
		with := common
		if strings.HasPrefix(m.Name, "rocketmq_") {
			with = stock
		}
		c.descs[m.Name] = prometheus.NewDesc(m.Name, m.Help, m.Labels, with)
	}
	c.meter = prometheus.NewDesc(scopeInfo, "Which library's metrics those of the scope are named after", nil, prometheus.Labels{scopeLabel: Scope})
	c.about = prometheus.NewDesc(targetInfo, "Empty, as a stock broker's", nil, nil)
	return c, nil
}

// mayLabel says whether a name can be a label of every metric: none has it already. Those that tell brokers apart are replaced.
func mayLabel(name string) bool {
	if !model.LabelName(name).IsValidLegacy() || strings.HasPrefix(name, "__") || name == scopeLabel || name == "le" {
		return false
	}
	for _, m := range Table {
		if slices.Contains(m.Labels, name) {
			return false
		}
	}
	return true
}

// Registry makes a registry of a broker's metrics, Go's runtime and the process.
func Registry(c *Collector) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(c, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Common are the labels of every metric of the table. Nobody may change them.
func (c *Collector) Common() map[string]string { return c.common }

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
	ch <- c.meter
	ch <- c.about
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ch, c.f = ch, c.s.Figures()
	ch <- prometheus.MustNewConstMetric(c.meter, prometheus.GaugeValue, 1)
	ch <- prometheus.MustNewConstMetric(c.about, prometheus.GaugeValue, 1)
	c.stats()
	c.requests()
	c.connections()
	c.clients()
	c.lags()
	c.lagAlarms()
	c.unattended()
	c.givenBack()
	c.storage()
	c.log()
	c.copying()
	c.registrations()
	c.loops()
	c.pushing()
	c.ch = nil
}

// shows says whether anything of a metric is to be shown.
func (c *Collector) shows(name string) bool { return c.descs[name] != nil }

func (c *Collector) gauge(name string, v float64, labels ...string) {
	c.put(name, prometheus.GaugeValue, v, labels)
}

func (c *Collector) counter(name string, v int64, labels ...string) {
	c.put(name, prometheus.CounterValue, float64(v), labels)
}

// put leaves out what cannot be shown: a name that is no UTF-8.
func (c *Collector) put(name string, kind prometheus.ValueType, v float64, labels []string) {
	if d := c.descs[name]; d != nil {
		if m, err := prometheus.NewConstMetric(d, kind, v, labels...); err == nil {
			c.ch <- m
		}
	}
}

// histogram shows counts, of which so many make one of the metric's unit.
func (c *Collector) histogram(name string, h tally.Counts, per float64, labels ...string) {
	d := c.descs[name]
	if d == nil {
		return
	}
	buckets, n := make(map[float64]uint64, len(h.Bounds)), uint64(0)
	for i, bound := range h.Bounds {
		n += uint64(h.Counts[i])
		buckets[float64(bound)/per] = n
	}
	n += uint64(h.Counts[len(h.Bounds)])
	m, err := prometheus.NewConstHistogram(d, n, float64(h.Sum)/per, buckets, labels...)
	if err == nil {
		c.ch <- m
	}
}

func yes(v bool) string { return strconv.FormatBool(v) }

func one(v bool) float64 {
	if v {
		return 1
	}
	return 0
}
