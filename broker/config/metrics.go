package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Metrics is what the keys of metrics say.
type Metrics struct {
	Prometheus string            // host:port that metrics are shown on as a stock broker does; "": nowhere
	Admin      string            // host:port for operators; "": none
	TopK       int               // series of topics and groups that a metric has at most
	Labels     map[string]string // on every series
	Hidden     map[string]bool   // switches of metrics that are off, named after enable...Metrics
	Push       *Push             // nil: they are shown and not handed on
}

// Push is where metrics are handed on to, and when.
type Push struct {
	Target   string            // URL of a collector, without a path; "": the broker's log
	Header   map[string]string // of every call, names in lower case
	Timeout  time.Duration     // of a call
	Interval time.Duration
	Delta    bool // what was counted since the last time, where it is what was counted since the start otherwise
}

// exporters are the values of metricsExporterType, by the number that stands for each.
var exporters = [...]string{"DISABLE", "OTLP_GRPC", "PROM", "LOG"}

// exporter is metricsExporterType by name; "" for what is none.
func (c *Config) exporter() string {
	v := strings.TrimSpace(c.Text("metricsExporterType"))
	for i, name := range exporters {
		if strings.EqualFold(v, name) || v == strconv.Itoa(i) {
			return name
		}
	}
	return ""
}

// metricSwitches are the switches of metrics, by their keys.
var metricSwitches = map[string]string{
	"enableStatsMetrics": "Stats", "enableRequestMetrics": "Request", "enableConnectionMetrics": "Connection", "enableLagAndDlqMetrics": "LagAndDlq",
	"enableRemotingMetrics": "Remoting", "enableMessageStoreMetrics": "MessageStore",
}

// Metrics returns what the keys of metrics say.
func (c *Config) Metrics() Metrics {
	m := Metrics{Admin: c.Text("adminHttpAddress"), TopK: min(c.Int("metricsTopK"), c.Int("metricsOtelCardinalityLimit")), Labels: map[string]string{}, Hidden: map[string]bool{}}
	m.Push = c.push()
	if c.exporter() == "PROM" {
		host := strings.TrimSpace(c.Text("metricsPromExporterHost"))
		if host == "" {
			host = c.Text("brokerIP1")
		}
		m.Prometheus = net.JoinHostPort(host, strconv.Itoa(c.Int("metricsPromExporterPort")))
	}
	// As in stock, a pair that is none is passed over.
	for _, pair := range strings.Split(c.Text("metricsLabel"), ",") {
		if name, value, ok := strings.Cut(pair, ":"); ok && name != "" && !strings.Contains(value, ":") {
			m.Labels[name] = value
		}
	}
	if c.Bool("metricsInDelta") {
		m.Labels["aggregation"] = "delta"
	}
	for key, name := range metricSwitches {
		if !c.Bool(key) {
			m.Hidden[name] = true
		}
	}
	return m
}

func (c *Config) checkMetrics() error {
	if c.exporter() == "" {
		return fmt.Errorf("%s: metricsExporterType=%s is none of %s", c.Where("metricsExporterType"), c.Text("metricsExporterType"), strings.Join(exporters[:], ", "))
	}
	if err := c.CheckListen("adminHttpAddress"); err != nil {
		return err
	}
	return c.checkPush()
}
