package metrics

import (
	"io"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"ringmq/broker/stats"
)

// BenchmarkScrape is one look at a broker with so many topics, each with a group.
func BenchmarkScrape(b *testing.B) {
	for _, topics := range []int{10, 1000, 100_000} {
		b.Run(strconv.Itoa(topics), func(b *testing.B) {
			s := busy()
			for i := range topics {
				name := []byte("topic-" + strconv.Itoa(i))
				p := s.stats.Puts(name)
				p.Add(stats.Normal, int64(i+1), 100*int64(i+1))
				p.Flush()
				s.stats.Get([]byte("group"), name, 1, 1)
			}
			c, err := New(Options{TopK: 1000}, s)
			if err != nil {
				b.Fatal(err)
			}
			r := prometheus.NewRegistry()
			r.MustRegister(c)
			b.ReportAllocs()
			for b.Loop() {
				families, err := r.Gather()
				if err != nil {
					b.Fatal(err)
				}
				for _, f := range families {
					if _, err := expfmt.MetricFamilyToText(io.Discard, f); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
