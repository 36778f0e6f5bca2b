package push

import (
	"bytes"
	"log/slog"
	"math"
	"testing"
	"time"
)

// TestLog: a line for every series, whole.
func TestLog(t *testing.T) {
	var b bytes.Buffer
	s, c := newShown(), &clock{noon.Add(time.Minute)}
	s.in.WithLabelValues("T").Add(3)
	s.rpc.WithLabelValues("send").Observe(0.5)
	s.rpc.WithLabelValues("send").Observe(70)
	s.lag.WithLabelValues("T").Set(250)
	s.disk.Set(math.Inf(1))
	handler := slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	if err := newPusher(s, Log{slog.New(handler)}, c, false).round(); err != nil {
		t.Fatal(err)
	}
	const common = "labels.cluster=c labels.node_id=a labels.node_type=broker"
	want := "level=INFO msg=metric name=ringmq_recovery_seconds type=gauge unit=s " + common + " value=+Inf\n" +
		"level=INFO msg=metric name=rocketmq_consumer_lag_latency type=gauge unit=milliseconds " + common + " labels.topic=T value=250\n" +
		"level=INFO msg=metric name=rocketmq_messages_in_total type=counter " + common + " labels.topic=T value=3\n" +
		"level=INFO msg=metric name=rocketmq_rpc_latency type=histogram unit=milliseconds " + common + " labels.request_code=send count=2 sum=70.5 buckets=\"1:1 +Inf:1\"\n"
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}
