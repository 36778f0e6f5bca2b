// Package metrics shows a broker's figures to Prometheus: stock's metrics under stock's names, with its labels, units and buckets, and our
// own, which begin with ringmq_. Everything is read when somebody asks; nothing here is on the way of a message.
//
// What topics and groups there are does not decide how many series there are: those with the most messages have series of their own
// (top.go), and the others have one together.
//
// Reading order: table.go (every metric, with what it means), figures.go (what a broker has to say), top.go, clients.go, collector.go, stock.go,
// ours.go, otel.go (the same metrics by OpenTelemetry's names).
package metrics
