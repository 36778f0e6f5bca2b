package push

import (
	"context"
	"fmt"
	"testing"

	metricspb "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
)

// nowhere takes everything.
type nowhere struct{}

func (nowhere) Export(context.Context, []*metricspb.ScopeMetrics) error { return nil }
func (nowhere) Close()                                                  {}
func (nowhere) String() string                                          { return "nowhere" }

// BenchmarkRound is one push of so many topics, each with a counter, a gauge and a histogram, without the way to the collector.
func BenchmarkRound(b *testing.B) {
	for _, topics := range []int{10, 1000} {
		for _, delta := range []bool{false, true} {
			b.Run(fmt.Sprintf("topics=%d/delta=%v", topics, delta), func(b *testing.B) {
				s := newShown()
				for i := range topics {
					name := fmt.Sprint("topic-", i)
					s.in.WithLabelValues(name).Add(1)
					s.lag.WithLabelValues(name).Set(1)
					s.rpc.WithLabelValues(name).Observe(1)
				}
				p := newPusher(s, nowhere{}, &clock{noon}, delta)
				b.ReportAllocs()
				for b.Loop() {
					if err := p.round(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
