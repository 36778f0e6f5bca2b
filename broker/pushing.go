package broker

import (
	"github.com/prometheus/client_golang/prometheus"

	"ringmq/broker/config"
	"ringmq/broker/metrics"
	"ringmq/broker/push"
)

// startPush hands metrics on as the keys say, if they do: to a collector what a scraper of the registry sees, to the log what is the broker's
// own of it.
func (b *Broker) startPush(keys *config.Push, c *metrics.Collector, registry *prometheus.Registry) {
	if keys == nil {
		return
	}
	o := push.Options{Gatherer: registry, Common: c.Common(), Delta: keys.Delta, Interval: keys.Interval, Began: b.began, Logger: b.logger}
	if keys.Target != "" {
		o.Exporter = push.NewOTLP(push.OTLPOptions{Target: keys.Target, Header: keys.Header, Timeout: keys.Timeout, Agent: "ringmq/" + b.o.Version})
	} else {
		own := prometheus.NewRegistry()
		own.MustRegister(c)
		o.Gatherer, o.Exporter = own, push.Log{Logger: b.logger}
	}
	b.pusher = push.New(o)
	b.pusher.Start()
}
