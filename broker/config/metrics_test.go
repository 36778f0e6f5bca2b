package config

import (
	"maps"
	"strings"
	"testing"
	"time"
)

func TestMetricsKeys(t *testing.T) {
	for _, c := range []struct{ text, prometheus, admin string }{
		{"", "", ""}, {"metricsExporterType=DISABLE", "", ""}, {"metricsExporterType=0", "", ""}, {"metricsExporterType=LOG", "", ""},
		{"metricsExporterType=PROM", "10.1.2.3:5557", ""}, {"metricsExporterType=2", "10.1.2.3:5557", ""}, {"metricsExporterType=prom\nmetricsPromExporterHost=::1\nmetricsPromExporterPort=1", "[::1]:1", ""},
		{"metricsPromExporterPort=1\nadminHttpAddress=127.0.0.1:8080", "", "127.0.0.1:8080"}, {"adminHttpAddress=localhost:0", "", "localhost:0"},
		{"adminHttpAddress=:8080", "", ":8080"},
	} {
		if m := must(t, c.text).Metrics(); m.Push != nil && !strings.Contains(c.text, "LOG") || m.Prometheus != c.prometheus || m.Admin != c.admin || m.TopK != 1000 || len(m.Labels)+len(m.Hidden) != 0 {
			t.Errorf("%q: %+v", c.text, m)
		}
	}
	m := must(t, "metricsLabel=zone:a,room:b,none,x:y:z,:v\nmetricsInDelta=true\nenableLagAndDlqMetrics=false\nenableStatsMetrics=false\nmetricsTopK=7").Metrics()
	if !maps.Equal(m.Labels, map[string]string{"zone": "a", "room": "b", "aggregation": "delta"}) || !maps.Equal(m.Hidden, map[string]bool{"LagAndDlq": true, "Stats": true}) || m.TopK != 7 {
		t.Errorf("%+v", m)
	}
}

// TestPushKeys: where metrics are handed on to. A target without a scheme is spoken to by TLS, as by a stock broker.
func TestPushKeys(t *testing.T) {
	for text, want := range map[string]*Push{
		"metricsExporterType=LOG": {Interval: 10 * time.Second},
		"metricsExporterType=3\nmetricsInDelta=true\nmetricLoggingExporterIntervalInMills=500": {Interval: 500 * time.Millisecond, Delta: true},
		otlp + "collector:4317":        {Target: "https://collector:4317", Interval: time.Minute, Timeout: 3 * time.Second},
		otlp + "http://10.0.0.1:4317/": {Target: "http://10.0.0.1:4317", Interval: time.Minute, Timeout: 3 * time.Second},
		otlp + "https://[::1]:4317\nmetricGrpcExporterTimeOutInMills=1\nmetricGrpcExporterIntervalInMills=100\nmetricsInDelta=true": {Target: "https://[::1]:4317", Interval: 100 * time.Millisecond, Timeout: time.Millisecond, Delta: true},
		otlp + "http://c\n" + header + "Authorization: Basic dXNlcjpwYXNz, x-url:http://a:1,,":                                      {Target: "http://c", Interval: time.Minute, Timeout: 3 * time.Second, Header: map[string]string{"authorization": "Basic dXNlcjpwYXNz", "x-url": "http://a:1"}},
		"metricsExporterType=PROM\nmetricsGrpcExporterTarget=tcp://c\n" + header + "x":                                              nil, // nobody reads them
	} {
		got := must(t, text).Metrics().Push
		if got == nil || want == nil {
			if got != want {
				t.Errorf("%q: %+v", text, got)
			}
			continue
		}
		if got.Target != want.Target || got.Interval != want.Interval || got.Timeout != want.Timeout || got.Delta != want.Delta || !maps.Equal(got.Header, want.Header) {
			t.Errorf("%q: %+v", text, got)
		}
	}
	if m := must(t, "metricsOtelCardinalityLimit=20").Metrics(); m.TopK != 20 {
		t.Error(m.TopK)
	}
}

const (
	otlp   = "metricsExporterType=OTLP_GRPC\nmetricsGrpcExporterTarget="
	header = "metricsGrpcExporterHeader="
)

// TestMetricsKeysRefused: a broker that was to show its metrics does not start without.
func TestMetricsKeysRefused(t *testing.T) {
	for text, want := range map[string]string{
		"metricsExporterType=PROMETHEUS":              "broker.conf:1: metricsExporterType=PROMETHEUS is none of DISABLE, OTLP_GRPC, PROM, LOG",
		"metricsPromExporterPort=70000":               "broker.conf:1: metricsPromExporterPort=70000 is not between 0 and 65535",
		"metricsTopK=0":                               "broker.conf:1: metricsTopK=0 is not between 1 and 100000",
		"slowLogThresholdMs=-1":                       "broker.conf:1: slowLogThresholdMs=-1 is not between 0 and",
		"adminHttpAddress=8080":                       "broker.conf:1: adminHttpAddress=8080 is not of the form host:port",
		"metricsOtelCardinalityLimit=0":               "broker.conf:1: metricsOtelCardinalityLimit=0 is not between 1 and",
		"metricGrpcExporterIntervalInMills=99":        "broker.conf:1: metricGrpcExporterIntervalInMills=99 is not between 100 and",
		"metricGrpcExporterTimeOutInMills=0":          "broker.conf:1: metricGrpcExporterTimeOutInMills=0 is not between 1 and",
		"metricLoggingExporterIntervalInMills=0":      "broker.conf:1: metricLoggingExporterIntervalInMills=0 is not between 100 and",
		"metricsExporterType=OTLP_GRPC":               "default: metricsGrpcExporterTarget= is empty, and metricsExporterType=OTLP_GRPC pushes there",
		otlp + "tcp://c:4317":                         "broker.conf:2: metricsGrpcExporterTarget=tcp://c:4317 is not of the form host:port, http://host:port or https://host:port",
		otlp + "c:4317/v1/metrics":                    "broker.conf:2: metricsGrpcExporterTarget=c:4317/v1/metrics is not of the form",
		otlp + "c:otlp":                               "broker.conf:2: metricsGrpcExporterTarget=c:otlp is not of the form",
		otlp + "http://c:70000":                       "broker.conf:2: metricsGrpcExporterTarget=http://c:70000 has no port between 1 and 65535",
		otlp + "c:1\n" + header + "a:b,secret":        "broker.conf:3: metricsGrpcExporterHeader: pair 2 is not of the form name:value",
		otlp + "c:1\n" + header + "a b:secret":        "broker.conf:3: metricsGrpcExporterHeader: pair 1 is not of the form name:value",
		otlp + "c:1\n" + header + "Content-Type:x":    "broker.conf:3: metricsGrpcExporterHeader: pair 1: the header content-type is the connection's own",
		otlp + "c:1\n" + header + "grpc-timeout:1S":   "broker.conf:3: metricsGrpcExporterHeader: pair 1: the header grpc-timeout is the connection's own",
		otlp + "c:1\n" + header + "token:s\u00e9cret": "broker.conf:3: metricsGrpcExporterHeader: pair 1: the header token has a value that is not plain ASCII",
		"adminHttpAddress=127.0.0.1:http":             "broker.conf:1: adminHttpAddress=127.0.0.1:http is not of the form host:port",
	} {
		if _, err := parse(t, text); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	c := must(t, "metricsExporterType=LOG")
	if got := strings.Join(c.Unsupported(), " "); got != "" {
		t.Error(got)
	}
	for _, key := range []string{"metricsGrpcExporterTarget", "metricsGrpcExporterHeader", "adminHttpAddress", "metricsPromExporterHost", "metricsPromExporterPort", "metricsExporterType"} {
		if !c.BlackListed(key) {
			t.Errorf("%s can be set by a request", key)
		}
	}
}
