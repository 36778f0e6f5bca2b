package config

import (
	"maps"
	"strings"
	"testing"
)

func TestMetricsKeys(t *testing.T) {
	for _, c := range []struct{ text, prometheus, admin string }{
		{"", "", ""}, {"metricsExporterType=DISABLE", "", ""}, {"metricsExporterType=0", "", ""}, {"metricsExporterType=LOG", "", ""},
		{"metricsExporterType=PROM", "10.1.2.3:5557", ""}, {"metricsExporterType=2", "10.1.2.3:5557", ""}, {"metricsExporterType=prom\nmetricsPromExporterHost=::1\nmetricsPromExporterPort=1", "[::1]:1", ""},
		{"metricsPromExporterPort=1\nadminHttpAddress=127.0.0.1:8080", "", "127.0.0.1:8080"}, {"adminHttpAddress=localhost:0", "", "localhost:0"},
	} {
		if m := must(t, c.text).Metrics(); m.Prometheus != c.prometheus || m.Admin != c.admin || m.TopK != 1000 || len(m.Labels)+len(m.Hidden) != 0 {
			t.Errorf("%q: %+v", c.text, m)
		}
	}
	m := must(t, "metricsLabel=zone:a,room:b,none,x:y:z,:v\nmetricsInDelta=true\nenableLagAndDlqMetrics=false\nenableStatsMetrics=false\nmetricsTopK=7").Metrics()
	if !maps.Equal(m.Labels, map[string]string{"zone": "a", "room": "b", "aggregation": "delta"}) || !maps.Equal(m.Hidden, map[string]bool{"LagAndDlq": true, "Stats": true}) || m.TopK != 7 {
		t.Errorf("%+v", m)
	}
}

// TestMetricsKeysRefused: a broker that was to show its metrics does not start without.
func TestMetricsKeysRefused(t *testing.T) {
	for text, want := range map[string]string{
		"metricsExporterType=PROMETHEUS":  "broker.conf:1: metricsExporterType=PROMETHEUS is none of DISABLE, OTLP_GRPC, PROM, LOG",
		"metricsPromExporterPort=70000":   "broker.conf:1: metricsPromExporterPort=70000 is not between 0 and 65535",
		"metricsTopK=0":                   "broker.conf:1: metricsTopK=0 is not between 1 and 100000",
		"slowLogThresholdMs=-1":           "broker.conf:1: slowLogThresholdMs=-1 is not between 0 and",
		"adminHttpAddress=8080":           "broker.conf:1: adminHttpAddress=8080 is not of the form host:port",
		"adminHttpAddress=127.0.0.1:http": "broker.conf:1: adminHttpAddress=127.0.0.1:http is not of the form host:port",
	} {
		if _, err := parse(t, text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	c := must(t, "metricsExporterType=OTLP_GRPC")
	if got := strings.Join(c.Unsupported(), " "); got != "metricsExporterType=OTLP_GRPC" {
		t.Error(got)
	}
	for _, key := range []string{"adminHttpAddress", "metricsPromExporterHost", "metricsPromExporterPort", "metricsExporterType"} {
		if !c.BlackListed(key) {
			t.Errorf("%s can be set by a request", key)
		}
	}
}
