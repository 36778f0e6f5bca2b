package push

import (
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"ringmq/broker/metrics"
)

// sum is what a series has counted: a counter, or a histogram.
type sum struct {
	value   float64 // of a histogram the sum of what it saw
	count   uint64
	buckets []uint64 // each with those below it, as Prometheus has them; the last bound is the last given, not infinity
	at      time.Time
}

// sumOf is what a counter or a histogram says; nobody may change its buckets.
func sumOf(m *dto.Metric, at time.Time) sum {
	if c := m.GetCounter(); c != nil {
		return sum{value: c.GetValue(), at: at}
	}
	h := m.GetHistogram()
	s := sum{value: h.GetSampleSum(), count: h.GetSampleCount(), at: at, buckets: make([]uint64, len(h.GetBucket()))}
	for i, b := range h.GetBucket() {
		s.buckets[i] = b.GetCumulativeCount()
	}
	return s
}

// since is what was counted after old. What is less than it was has begun again: all of it is new.
func (s sum) since(old sum) sum {
	if s.value < old.value || s.count < old.count || len(s.buckets) != len(old.buckets) {
		return s
	}
	d := sum{value: s.value - old.value, count: s.count - old.count, buckets: make([]uint64, len(s.buckets)), at: s.at}
	for i, n := range s.buckets {
		if n < old.buckets[i] {
			return s
		}
		d.buckets[i] = n - old.buckets[i]
	}
	return d
}

// inBuckets are the counts bucket by bucket, the one above the last bound included.
func (s sum) inBuckets() []uint64 {
	all, below := make([]uint64, len(s.buckets)+1), uint64(0)
	for i, n := range s.buckets {
		all[i], below = n-below, n
	}
	all[len(s.buckets)] = s.count - below
	return all
}

// keyOf tells series of a metric apart.
func keyOf(m *dto.Metric) string {
	var b strings.Builder
	for _, l := range m.GetLabel() {
		b.WriteString(l.GetName())
		b.WriteByte(0)
		b.WriteString(l.GetValue())
		b.WriteByte(0)
	}
	return b.String()
}

// hasOthers says whether a metric had a series of all that have none of their own. A series that comes after that was counted there before.
func hasOthers(counted map[string]sum) bool {
	for key := range counted {
		if strings.Contains(key, "\x00"+metrics.Others+"\x00") {
			return true
		}
	}
	return false
}
