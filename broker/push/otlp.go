package push

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	collectorpb "go.opentelemetry.io/proto/slim/otlp/collector/metrics/v1"
	metricspb "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	"google.golang.org/protobuf/proto"
)

// OTLPOptions of a collector.
type OTLPOptions struct {
	Target  string            // http://host:port, or https:// for TLS
	Header  map[string]string // metadata of every call, names in lower case
	Timeout time.Duration     // of a call, the connection's opening included
	Agent   string            // user-agent
	TLS     *tls.Config       // nil: the certificates that the host trusts
}

// OTLP is an Exporter to a collector, over one connection.
type OTLP struct{ caller *caller }

// NewOTLP makes one; nothing is dialled yet.
func NewOTLP(o OTLPOptions) *OTLP { return &OTLP{newCaller(o)} }

// Rejected is what a collector received and did not want.
type Rejected struct {
	Points int64
	Why    string
}

// Error implements error.
func (r *Rejected) Error() string {
	return fmt.Sprintf("the collector rejects %d points: %.*s", r.Points, maxText, r.Why)
}

const exportMethod = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

// Export implements Exporter.
func (o *OTLP) Export(ctx context.Context, scopes []*metricspb.ScopeMetrics) error {
	// As a stock broker's, the resource says nothing: all there is to say is on the points.
	m := &collectorpb.ExportMetricsServiceRequest{ResourceMetrics: []*metricspb.ResourceMetrics{{Resource: &resourcepb.Resource{}, ScopeMetrics: scopes}}}
	frame := make([]byte, frameHead, frameHead+proto.Size(m))
	frame, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(frame, m)
	if err != nil {
		return err
	}
	answer, err := o.caller.call(ctx, exportMethod, frame)
	if err != nil {
		return err
	}
	var r collectorpb.ExportMetricsServiceResponse
	if err := proto.Unmarshal(answer, &r); err != nil {
		return errors.New("the collector's answer is none of OTLP")
	}
	if p := r.GetPartialSuccess(); p.GetRejectedDataPoints() > 0 {
		return &Rejected{p.GetRejectedDataPoints(), p.GetErrorMessage()}
	}
	return nil
}

// Close implements Exporter.
func (o *OTLP) Close() { o.caller.close() }

// String implements Exporter.
func (o *OTLP) String() string { return o.caller.base }
