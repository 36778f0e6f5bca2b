package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// push is what the keys say of handing metrics on; nil: they are not. New has looked at them.
func (c *Config) push() *Push {
	millis := func(key string) time.Duration { return time.Duration(c.Int(key)) * time.Millisecond }
	switch c.exporter() {
	case "OTLP_GRPC":
		target, _ := parseTarget(c.Text("metricsGrpcExporterTarget"))
		header, _ := parseHeader(c.Text("metricsGrpcExporterHeader"))
		return &Push{Target: target, Header: header, Timeout: millis("metricGrpcExporterTimeOutInMills"), Interval: millis("metricGrpcExporterIntervalInMills"), Delta: c.Bool("metricsInDelta")}
	case "LOG":
		return &Push{Interval: millis("metricLoggingExporterIntervalInMills"), Delta: c.Bool("metricsInDelta")}
	}
	return nil
}

func (c *Config) checkPush() error {
	if c.exporter() != "OTLP_GRPC" {
		return nil
	}
	const target, header = "metricsGrpcExporterTarget", "metricsGrpcExporterHeader"
	if _, err := parseTarget(c.Text(target)); err != nil {
		return fmt.Errorf("%s: %s=%s %w", c.Where(target), target, c.Text(target), err)
	}
	if _, err := parseHeader(c.Text(header)); err != nil {
		return fmt.Errorf("%s: %s: %w", c.Where(header), header, err) // its value may be a secret
	}
	return nil
}

// parseTarget is a collector's URL. As in stock, one without a scheme is meant to be spoken to by TLS.
func parseTarget(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", errors.New("is empty, and metricsExporterType=OTLP_GRPC pushes there")
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("is not of the form host:port, http://host:port or https://host:port")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "", errors.New("has no port between 1 and 65535")
		}
	}
	return u.Scheme + "://" + u.Host, nil
}

// parseHeader reads name:value,name:value. An error says which pair it is about and nothing of what it holds.
func parseHeader(text string) (map[string]string, error) {
	all := map[string]string{}
	for i, pair := range strings.Split(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || name == "" || strings.ContainsFunc(name, isNoHeaderName) {
			return nil, fmt.Errorf("pair %d is not of the form name:value", i+1)
		}
		if strings.HasPrefix(name, "grpc-") || slices.Contains(headersOfHTTP[:], name) {
			return nil, fmt.Errorf("pair %d: the header %s is the connection's own", i+1, name)
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, fmt.Errorf("pair %d: the header %s has a value that is not plain ASCII", i+1, name)
		}
		all[name] = value
	}
	return all, nil
}

// headersOfHTTP are those that say how a call is made.
var headersOfHTTP = [...]string{"connection", "content-encoding", "content-length", "content-type", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"}

func isNoHeaderName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}
