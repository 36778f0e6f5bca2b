package broker

import (
	"sync"
	"sync/atomic"
	"testing"

	"ringmq/store/record"
)

// TestScrapesOfADiskThatHangs: each is answered all the same, without the ages that nobody knows, and no more reads hang than one. When the disk
// is back the ages come, and what stands still is not read again.
func TestScrapesOfADiskThatHangs(t *testing.T) {
	t.Parallel()
	const labels = `{consumer_group="G",is_retry="false",is_system="false",topic="Cold"}`
	r, f := coldStore(t, 100, "adminHttpAddress=127.0.0.1:0")
	c := r.dial()
	want(t, c.call(beat("the-client", "G", "Cold", "*", 1)), 0, "")
	want(t, c.call(commit("G", "Cold", 0, 3)), 0, "")
	gate, reads := make(chan struct{}), atomic.Int64{} // reads of when a message was stored
	f.OnRead(func(name string, off int64, n int) {
		if inLog(1<<30)(name, off, 0) {
			if n == record.StoreTimestampBytes {
				reads.Add(1)
			}
			<-gate
		}
	})
	release := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	// scrape says whether both ages are shown, and the age of what is not consumed.
	scrape := func(lacks float64) (ageMs float64, timed bool) {
		t.Helper()
		at := scrapes(t, r.broker.web.admin)
		if n := at["rocketmq_consumer_lag_messages"+labels]; n != lacks {
			t.Errorf("%v messages behind, want %v", n, lacks)
		}
		ageMs, timed = at["rocketmq_consumer_lag_latency_milliseconds"+labels]
		if _, both := at["rocketmq_consumer_queueing_latency_milliseconds"+labels]; both != timed {
			t.Error("one of the ages is shown alone")
		}
		return ageMs, timed
	}
	for range 6 {
		if ageMs, timed := scrape(97); timed {
			t.Errorf("%v ms behind, nobody knows", ageMs)
		}
		until(t, "a read hangs", func() bool { return reads.Load() > 0 })
	}
	if n := reads.Load(); n != 1 {
		t.Errorf("%d reads hang", n)
	}
	release()
	until(t, "the ages are known", func() bool {
		ageMs, timed := scrape(97)
		return timed && ageMs > 0
	})
	before := reads.Load()
	if _, timed := scrape(97); !timed || reads.Load() != before {
		t.Errorf("%d reads for what is known", reads.Load()-before)
	}
	want(t, c.call(commit("G", "Cold", 0, 50)), 0, "")
	until(t, "the ages of what comes next", func() bool {
		_, timed := scrape(50)
		return timed
	})
	if reads.Load() == before {
		t.Error("nothing is read of what is not known")
	}
}
