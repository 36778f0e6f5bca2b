package config

import (
	_ "embed"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"ringmq/netpoll/remoting/settings"
)

//go:embed keys.tsv
var keys string

// Keys is the broker's table of configuration keys. ip is the default of brokerIP1 and brokerIP2, as a rule LocalIP().
func Keys(ip string) *settings.Table { return settings.ParseTable(keys, settings.Host(ip)) }

// Config is a broker's configuration in force: the values by key, which any goroutine may read, and what they mean together.
// Keys without the mark r are read once, at start; setting them later changes only what is shown and written to the file.
type Config struct {
	*settings.Values
}

// New checks values against each other. An error names the key, its value, and the file and line (or the flag, or the variable)
// where it was set.
func New(v *settings.Values) (*Config, error) {
	c := &Config{Values: v}
	if err := c.check(); err != nil {
		return nil, err
	}
	c.derive()
	return c, nil
}

// Change sets values while the broker runs: all of them or, if the broker could not be started with them, none. It returns the
// keys that it was given.
func (c *Config) Change(all []settings.Setting) ([]string, error) {
	next, err := c.With(all)
	if err != nil {
		return nil, err
	}
	if err := (&Config{Values: next}).check(); err != nil {
		return nil, err
	}
	return c.Values.Change(all)
}

// check looks at the values together.
func (c *Config) check() error {
	v := c.Values
	if err := v.Refuse(refused); err != nil {
		return err
	}
	for _, check := range []struct {
		key      string
		from, to int64
	}{
		{"listenPort", 0, 65535}, {"haListenPort", 0, 65535}, {"mappedFileSizeCommitLog", 4096, 1 << 40}, {"mappedFileSizeConsumeQueue", 20, 1 << 30},
		{"maxMessageSize", 1, 1 << 24}, {"defaultTopicQueueNums", 1, 65536}, {"maxHashSlotNum", 1, 1 << 28}, {"maxIndexNum", 2, 1 << 28},
		{"brokerPermission", 0, 15}, {"inSyncReplicas", 0, 128}, {"minInSyncReplicas", 0, 128}, {"slaveTimeout", 1, 1 << 31}, {"haMaxGapNotInSync", 1, 1 << 40},
		{"haSendHeartbeatInterval", 1, 1 << 31}, {"haHousekeepingInterval", 1, 1 << 31}, {"syncFlushTimeout", 1, 1 << 31}, {"tailCacheBytes", 1 << 20, 1 << 30}, {"coldReadMinBytesPerSecond", 1 << 20, 1 << 40}, {"fileReservedTime", 0, 1 << 31},
		{"metricsPromExporterPort", 0, 65535}, {"metricsTopK", 1, 100_000}, {"metricsOtelCardinalityLimit", 1, 1 << 31},
		{"metricGrpcExporterIntervalInMills", 100, 1 << 31}, {"metricGrpcExporterTimeOutInMills", 1, 1 << 31}, {"metricLoggingExporterIntervalInMills", 100, 1 << 31}, {"slowLogThresholdMs", 0, 1 << 31},
		{"diskMaxUsedSpaceRatio", 1, 100}, {"diskSpaceCleanForciblyRatio", 1, 100}, {"diskSpaceWarningLevelRatio", 1, 100},
		{"flushIntervalConsumeQueue", 1, 1 << 31}, {"cleanResourceInterval", 1, 1 << 31}, {"serverChannelMaxIdleTimeSeconds", 1, 1 << 31},
		{"timerColdDataCheckIntervalMs", 1, 1 << 31}, {"mapperFileSizeBatchConsumeQueue", 46, 1 << 30}, {"flushConsumerOffsetInterval", 1, 1 << 31},
		{"maxConnections", 0, 1 << 30}, {"maxConnectionsPerHost", 0, 1 << 30},
		{"clientSendMaxMessagesPerSecond", 0, 1 << 50}, {"clientSendMaxBytesPerSecond", 0, 1 << 50}, {"clientPullMaxBytesPerSecond", 0, 1 << 50},
		{"lagAlarmMessages", 0, 1 << 62}, {"lagAlarmBehindMs", 0, 1 << 50}, {"lagAlarmClearPercent", 1, 100}, {"lagAlarmHoldMs", 0, 1 << 31},
	} {
		if n := v.Int64(check.key); n < check.from || n > check.to {
			return fmt.Errorf("%s: %s=%d is not between %d and %d", v.Where(check.key), check.key, n, check.from, check.to)
		}
	}
	for _, key := range []string{"adminAllowedCidrs", "haAllowedCidrs"} {
		if _, err := v.Prefixes(key); err != nil {
			return err
		}
	}
	if err := c.checkRole(); err != nil {
		return err
	}
	if err := c.checkMetrics(); err != nil {
		return err
	}
	if strings.ContainsAny(v.Text("storePathCommitLog"), ",") {
		return fmt.Errorf("%s: storePathCommitLog=%s: several directories are not supported", v.Where("storePathCommitLog"), v.Text("storePathCommitLog"))
	}
	if _, err := ParseDelayLevels(v.Text("messageDelayLevel")); err != nil {
		return fmt.Errorf("%s: messageDelayLevel=%s: %w", v.Where("messageDelayLevel"), v.Text("messageDelayLevel"), err)
	}
	if _, err := netip.ParseAddr(v.Text("brokerIP1")); err != nil {
		return fmt.Errorf("%s: brokerIP1=%s is no IP address; clients are told this address, so it cannot be a name", v.Where("brokerIP1"), v.Text("brokerIP1"))
	}
	if strings.TrimSpace(v.Text("storePathRootDir")) == "" {
		return fmt.Errorf("%s: storePathRootDir= is empty; it is the data directory", v.Where("storePathRootDir"))
	}
	for _, a := range c.NameServers() {
		if !settings.IsHostPort(a) {
			return fmt.Errorf("%s: namesrvAddr=%s: %q is not of the form host:port", v.Where("namesrvAddr"), v.Text("namesrvAddr"), a)
		}
	}
	if hook := v.Text("lagAlarmWebhook"); hook != "" {
		if u, err := url.Parse(hook); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("%s: lagAlarmWebhook=%s is no URL of the form http://host/path", v.Where("lagAlarmWebhook"), hook)
		}
	}
	for _, hour := range strings.Split(v.Text("deleteWhen"), ";") {
		if n, err := strconv.Atoi(strings.TrimSpace(hour)); err != nil || n < 0 || n > 23 {
			return fmt.Errorf("%s: deleteWhen=%s: %q is no hour of the day", v.Where("deleteWhen"), v.Text("deleteWhen"), hour)
		}
	}
	return nil
}
