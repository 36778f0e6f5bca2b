package push

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// TestDeltasOutliveAnIncompleteLook: what a look did not bring, because something failed in it, is not counted a second time by the next.
func TestDeltasOutliveAnIncompleteLook(t *testing.T) {
	s, e, c := newShown(), &fake{}, &clock{noon}
	broken := errors.New("a collector is broken")
	var without func(f *dto.MetricFamily) bool // nil: nothing fails
	g := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		all, err := s.Gather()
		if without == nil {
			return all, err
		}
		var some []*dto.MetricFamily
		for _, f := range all {
			if !without(f) {
				some = append(some, f)
			}
		}
		return some, broken
	})
	p := newPusher(g, e, c, true)
	for minute, lacks := range []func(f *dto.MetricFamily) bool{
		nil,
		func(f *dto.MetricFamily) bool { return f.GetName() == "rocketmq_messages_in_total" },
		func(f *dto.MetricFamily) bool {
			if f.GetName() == "rocketmq_messages_in_total" {
				f.Metric = f.Metric[:1] // topic T of T and U
			}
			return f.GetName() == "rocketmq_rpc_latency_milliseconds"
		},
		nil,
	} {
		c.now, without = noon.Add(time.Duration(minute+1)*time.Minute), lacks
		s.in.WithLabelValues("T").Add(1)
		s.in.WithLabelValues("U").Add(10)
		s.rpc.WithLabelValues("send").Observe(0.5)
		if err := p.round(); lacks == nil && err != nil || lacks != nil && err != broken {
			t.Fatal(minute, err)
		}
	}
	const inU = `rocketmq_messages_in_total{cluster="c",node_id="a",node_type="broker",topic="U"}`
	at := e.last()
	if valueOf(t, at, inT) != 1 || valueOf(t, at, inU) != 30 || at[inU].Number.GetStartTimeUnixNano() != nanos(noon.Add(time.Minute)) {
		t.Error(at[inT].Number, at[inU].Number)
	}
	if h := at[rpcS].Hist; h.GetCount() != 2 || h.GetStartTimeUnixNano() != nanos(noon.Add(2*time.Minute)) {
		t.Error(h)
	}
	// A series that a whole look does not bring is gone.
	s.in.DeleteLabelValues("U")
	if err := p.round(); err != nil || len(p.counted["rocketmq_messages_in_total"]) != 1 {
		t.Error(err, p.counted["rocketmq_messages_in_total"])
	}
}
