package bench

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"ringmq/netpoll/remoting"
)

// Report is what one run measured. Times are milliseconds, sizes bytes, unless a name says otherwise; the durations of the
// workload are nanoseconds. As JSON its members have the names of the fields, and these stay.
type Report struct {
	FormatVersion int    `json:",omitempty"` // set by WriteJSON
	Ringmq        string `json:",omitempty"` // version of what made it

	Command string `json:",omitempty"` // line that made it

	Kind      string // produce, consume, ...
	Name      string // of the target, as the user calls it
	About     *About `json:",omitempty"` // what the broker says of itself
	Host      *Host  `json:",omitempty"` // where the generator ran
	Started   time.Time
	Workload  Workload
	Seconds   float64 // counted
	Messages  int64   // answered with success, or delivered
	Requests  int64
	Bytes     int64 // of bodies
	PerSecond float64
	Latency   Latency
	Errors    map[string]int64  `json:",omitempty"` // answers that were no success, by code and its name; lost connections
	Remarks   map[string]string `json:",omitempty"` // what the broker said with the first of each of them
	Series    []Second
	Broker    *Used `json:",omitempty"`
	Generator Used
	Others    *Others  `json:",omitempty"` // nil: not known, as the broker's process is not
	Warnings  []string `json:",omitempty"`
	Curve     []Point  // latency by percentile

	Details  []Detail `json:",omitempty"` // what only this workload measures
	Stopped  string   `json:",omitempty"` // "stopped after X of Y": the run did not come to its end, and how far it came
	Judged   bool     `json:",omitempty"` // the workload has a verdict: Failures, or it is passed
	Unjudged string   `json:",omitempty"` // why it has none, where it should have one
	Failures []string `json:",omitempty"` // what the broker must not do and did
}

// ErrorCount is how many requests failed.
func (r *Report) ErrorCount() (n int64) {
	for _, count := range r.Errors {
		n += count
	}
	return n
}

// halfStored says of sends that were stored and not answered with success; "": there are none. Stock's clients take these answers for
// success with a status, so that counting them as errors alone would say too much.
func (r *Report) halfStored() string {
	var out []string
	for _, c := range []struct {
		code int32
		what string
	}{
		{remoting.RespFlushDiskTimeout, "not on disk in time"}, {remoting.RespSlaveNotAvailable, "with no slave near enough to copy it"},
		{remoting.RespFlushSlaveTimeout, "not at a slave in time"},
	} {
		for why, n := range r.Errors {
			if strings.HasSuffix(why, codeText(c.code)) {
				out = append(out, fmt.Sprintf("%s: %s", plural(int(n), "send"), c.what))
			}
		}
	}
	if len(out) == 0 {
		return ""
	}
	sort.Strings(out)
	return "stored by the broker, but not as safely as it was to: " + strings.Join(out, "; ")
}

// Latency of requests in milliseconds: from sending, or in an open loop from when they should have been sent, to the answer.
type Latency struct{ Mean, P50, P90, P99, P999, P9999, Max float64 }

// Point of a latency curve.
type Point struct{ Percentile, Ms float64 }

// Second is one second of the counted time.
type Second struct {
	Messages    int64
	Errors      int64
	Latency     Latency
	BrokerCPU   float64 // cores
	BrokerBytes int64   // resident
}

// Used is what a process used over the counted time.
type Used struct {
	CPUSeconds      float64
	CPUPerMessageUs float64
	Cores           float64
	ResidentBytes   int64 // at the end
	AnonymousBytes  int64
	PeakBytes       int64
	DiskReadBytes   int64
	DiskWriteBytes  int64
	Threads         int64
	PageCachedBytes int64 // of the whole machine
}

// used is the difference between two looks at a process.
func used(from, to Usage, took time.Duration, messages int64) Used {
	u := Used{
		CPUSeconds: (to.CPU - from.CPU).Seconds(), ResidentBytes: to.ResidentBytes, AnonymousBytes: to.AnonymousBytes, PeakBytes: to.PeakBytes,
		DiskReadBytes: to.ReadBytes - from.ReadBytes, DiskWriteBytes: to.WrittenBytes - from.WrittenBytes, Threads: to.Threads, PageCachedBytes: to.PageCachedBytes,
	}
	u.Cores = u.CPUSeconds / took.Seconds()
	if messages > 0 {
		u.CPUPerMessageUs = u.CPUSeconds * 1e6 / float64(messages)
	}
	return u
}

// slowest is the longest latency that can be told, in ns; longer ones count as this.
const slowest = int64(1000 * time.Second)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, slowest, 3) }

func latencyOf(h *hdrhistogram.Histogram) Latency {
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e6 }
	if h.TotalCount() == 0 {
		return Latency{}
	}
	return Latency{Mean: h.Mean() / 1e6, P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), P9999: at(99.99), Max: float64(h.Max()) / 1e6}
}

// curve gives the latency at percentiles that come ever closer to 100.
func curve(h *hdrhistogram.Histogram) []Point {
	var out []Point
	n := h.TotalCount()
	for rest := 100.0; n > 0 && rest > 50/float64(n); rest /= 1.333521432163324 { // eight steps for a factor of ten
		out = append(out, Point{100 - rest, float64(h.ValueAtQuantile(100-rest)) / 1e6})
	}
	if n > 0 {
		out = append(out, Point{100, float64(h.Max()) / 1e6})
	}
	return out
}
