// Package push hands a broker's metrics on by itself, where stock's key metricsExporterType asks for it: to a collector by OTLP over gRPC, or
// to the broker's log. It looks where a scraper looks, at the same registry, so that all three say the same; nothing of it is on the way of a
// message, and a collector that is away, slow or mute holds nothing up but the next push.
//
// A metric goes by the name, unit and scope that it has in stock's OpenTelemetry (metrics.InstrumentOf). Counters and histograms go as they
// are, or with metricsInDelta as what came since the last time that they were taken.
//
// What leaves is OTLP's protobuf messages as they are generated; a unary call of gRPC is written here over net/http's HTTP/2
// (docs/adr/0011-metrics-pushed.md says why not by grpc-go).
//
// Reading order: pusher.go (when), round.go (what, of one look), delta.go (since when), otlp.go, unary.go (to a collector), log.go.
package push
