package stats

import (
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll/remoting"
)

// item is one figure and its windows. Adding is free of locks; the samples belong to the sampler and to readers, under mu.
type item struct {
	value, times atomic.Int64

	mu     sync.Mutex
	minute window // 10 s apart
	hour   window // 10 min apart
	day    window // 1 h apart
}

type sample struct {
	at           time.Time
	value, times int64
}

// window is the newest samples, oldest first.
type window []sample

func (i *item) add(value, times int64) {
	i.value.Add(value)
	i.times.Add(times)
}

// Windows: how far apart their samples are, and how many are kept.
const (
	minuteStep, minuteSamples = 10 * time.Second, 7
	hourStep, hourSamples     = 10 * time.Minute, 7
	dayStep, daySamples       = time.Hour, 25
)

// take adds a sample. The first one is preceded by a zero one step earlier.
func (w *window) take(s sample, step time.Duration, keep int) {
	if len(*w) == 0 {
		*w = append(make(window, 0, keep+1), sample{at: s.at.Add(-step)})
	}
	*w = append(*w, s)
	if len(*w) > keep {
		*w = append((*w)[:0], (*w)[1:]...)
	}
}

// snapshot is what happened between the first and the last sample.
func (w window) snapshot() remoting.StatsSnapshot {
	if len(w) == 0 {
		return remoting.StatsSnapshot{}
	}
	first, last := w[0], w[len(w)-1]
	out := remoting.StatsSnapshot{Sum: last.value - first.value}
	if d := last.at.Sub(first.at); d > 0 {
		out.Tps = remoting.Double(float64(out.Sum) * 1000 / float64(d.Milliseconds()))
	}
	if times := last.times - first.times; times > 0 {
		out.Avgpt = remoting.Double(float64(out.Sum) / float64(times))
	}
	return out
}

func (i *item) sample(now time.Time, minute, hour, day bool) {
	s := sample{at: now, value: i.value.Load(), times: i.times.Load()}
	i.mu.Lock()
	defer i.mu.Unlock()
	if minute {
		i.minute.take(s, minuteStep, minuteSamples)
	}
	if hour {
		i.hour.take(s, hourStep, hourSamples)
	}
	if day {
		i.day.take(s, dayStep, daySamples)
	}
}

func (i *item) data() remoting.BrokerStatsData {
	i.mu.Lock()
	defer i.mu.Unlock()
	return remoting.BrokerStatsData{StatsMinute: i.minute.snapshot(), StatsHour: i.hour.snapshot(), StatsDay: i.day.snapshot()}
}
