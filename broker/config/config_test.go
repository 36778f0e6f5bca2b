package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringmq/interop/golden"
	"ringmq/netpoll/remoting/settings"
)

func parse(t *testing.T, text string) (*Config, error) {
	t.Helper()
	all, err := settings.ParseProperties("broker.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := Keys("10.1.2.3").Merge(all)
	if err != nil {
		return nil, err
	}
	return New(v)
}

func must(t *testing.T, text string) *Config {
	t.Helper()
	c, err := parse(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEveryKeyAccepted sets every key of the table to its own default, as a file written by a request does.
func TestEveryKeyAccepted(t *testing.T) {
	c := must(t, "")
	n := 0
	for key, value := range c.All() {
		n++
		again, err := parse(t, key+"="+strings.ReplaceAll(value, `\`, `\\`)+"\n")
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if got := again.Text(key); got != value {
			t.Errorf("%s: %q became %q", key, value, got)
		}
	}
	if n < 440 {
		t.Errorf("only %d keys", n)
	}
	again := must(t, c.Properties())
	if again.Properties() != c.Properties() {
		t.Error("the whole configuration, written and read again, differs")
	}
}

// TestStockFiles: the configuration files of recorded stock brokers are understood without exception.
func TestStockFiles(t *testing.T) {
	for _, name := range golden.Stores(t) {
		var text strings.Builder
		for k, v := range golden.StoreConf(t, name) {
			text.WriteString(k + "=" + v + "\n")
		}
		c := must(t, text.String())
		for key := range golden.StoreConf(t, name) {
			if !c.Known(key) {
				t.Errorf("%s: key %s is not in the table", name, key)
			}
		}
		o := c.StoreOptions()
		if o.SegmentBytes != 1<<20 || o.QueueFileBytes != 4000 || o.BatchQueueBytes != 920 || o.IndexSlots != 500 || o.IndexEntries != 800 ||
			o.SyncFlush != (golden.StoreConf(t, name)["flushDiskType"] == "SYNC_FLUSH") {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// TestStockKeys: every key that a recorded stock broker answered is known, has its default, and its whole configuration is
// accepted.
func TestStockKeys(t *testing.T) {
	var stock []byte
	for _, e := range golden.Scenario(t, "mqadmin-getBrokerConfig") {
		if e.Name == "GET_BROKER_CONFIG" {
			stock = e.Response[len(e.Response)-*e.ResponseBody:]
		}
	}
	all, err := settings.ParseProperties("stock", stock)
	if err != nil {
		t.Fatal(err)
	}
	c := must(t, "")
	differs := map[string]string{}
	for why, keys := range map[string]string{
		"set in the file of the recorded broker": `diskMaxUsedSpaceRatio enablePropertyFilter mappedFileSizeCommitLog namesrvAddr recallMessageEnable
			rocketmqHome storePathCommitLog storePathRootDir traceTopicEnable transactionCheckInterval transactionMetricFlushInterval transactionTimeOut`,
		"depends on the host":          "brokerIP1 brokerIP2 brokerName",
		"computed there while running": "bitMapLengthConsumeQueueExt",
		"safer here":                   "enabledAppendPropCRC flushDiskType",
	} {
		for _, key := range strings.Fields(keys) {
			differs[key] = why
		}
	}
	for _, s := range all {
		if !c.Known(s.Key) {
			t.Errorf("key %s is not in the table", s.Key)
		} else if got := c.Text(s.Key); got != s.Value && differs[s.Key] == "" {
			t.Errorf("%s: stock %q, ours %q", s.Key, s.Value, got)
		}
	}
	must(t, string(stock))
	if len(all) < 400 {
		t.Errorf("only %d keys", len(all))
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"# a comment\nbrokerRole=SLAVE", "broker.conf:2: brokerRole=SLAVE needs a brokerId above 0, it is 0"},
		{"brokerRole=SLAVE\nbrokerId=-1", "broker.conf:1: brokerRole=SLAVE needs a brokerId above 0, it is -1"},
		{"haMasterAddress=a", "broker.conf:1: haMasterAddress=a is not of the form host:port"},
		{"slaveTimeout=0", "broker.conf:1: slaveTimeout=0 is not between 1 and"},
		{"coldReadMinBytesPerSecond=0", "broker.conf:1: coldReadMinBytesPerSecond=0 is not between 1048576 and"},
		{"\n\nauthenticationEnabled = true", "broker.conf:3: authenticationEnabled=true is refused: access control"},
		{"authorizationEnabled = TRUE", "broker.conf:1: authorizationEnabled=TRUE is refused: access control"},
		{"enableControllerMode=true", "broker.conf:1: enableControllerMode=true is refused: election"},
		{"enableDLegerCommitLog=true", "broker.conf:1: enableDLegerCommitLog=true is refused: a log"},
		{"\naclEnable=true", "broker.conf:2: aclEnable=true is refused: access control"},
		{"useTLS=true", "broker.conf:1: useTLS=true is refused: TLS"},
		{"tls.enable=true", "broker.conf:1: tls.enable=true is refused: TLS"},
		{"tls.server.mode=enforcing", "broker.conf:1: tls.server.mode=enforcing is refused: TLS"},
		{"storeType=defaultRocksDB", "broker.conf:1: storeType=defaultRocksDB is refused: only the store in files"},
		{"configManagerVersion=v2", "broker.conf:1: configManagerVersion=v2 is refused: topics"},
		{"messageStorePlugIn=org.apache.rocketmq.tieredstore.TieredMessageStore", "broker.conf:1: messageStorePlugIn=org.apache.rocketmq.tieredstore.TieredMessageStore is refused"},
		{"listenPort=65536", "broker.conf:1: listenPort=65536 is not between 0 and 65535"},
		{"listenPort=many", `broker.conf:1: listenPort: "many" is no whole number`},
		{"flushDiskType=SOMETIMES", `broker.conf:1: flushDiskType: "SOMETIMES" is none of SYNC_FLUSH, ASYNC_FLUSH`},
		{"brokerIP1=my.host", "broker.conf:1: brokerIP1=my.host is no IP address"},
		{"namesrvAddr=10.0.0.1:9876;10.0.0.2", `broker.conf:1: namesrvAddr=10.0.0.1:9876;10.0.0.2: "10.0.0.2" is not of the form host:port`},
		{"namesrvAddr=127.0.0.1:abc", `broker.conf:1: namesrvAddr=127.0.0.1:abc: "127.0.0.1:abc" is not of the form host:port`},
		{"namesrvAddr=a:99999", `broker.conf:1: namesrvAddr=a:99999: "a:99999" is not of the form host:port`},
		{"namesrvAddr=:9876", `broker.conf:1: namesrvAddr=:9876: ":9876" is not of the form host:port`},
		{"namesrvAddr=300.0.0.1:9876", `broker.conf:1: namesrvAddr=300.0.0.1:9876: "300.0.0.1:9876" is not of the form host:port`},
		{"namesrvAddr=a b:9876", `broker.conf:1: namesrvAddr=a b:9876: "a b:9876" is not of the form host:port`},
		{"storePathRootDir=", "broker.conf:1: storePathRootDir= is empty"},
		{"messageDelayLevel=1s 5x", `broker.conf:1: messageDelayLevel=1s 5x: "5x" is no time`},
		{"messageDelayLevel=", "broker.conf:1: messageDelayLevel=: no level at all"},
		{"deleteWhen=04;24", `broker.conf:1: deleteWhen=04;24: "24" is no hour`},
		{"storePathCommitLog=/a,/b", "broker.conf:1: storePathCommitLog=/a,/b: several directories"},
		{"flushIntervalConsumeQueue=-1", "broker.conf:1: flushIntervalConsumeQueue=-1 is not between 1 and"},
		{"cleanResourceInterval=0", "broker.conf:1: cleanResourceInterval=0 is not between 1 and"},
		{"serverChannelMaxIdleTimeSeconds=-1", "broker.conf:1: serverChannelMaxIdleTimeSeconds=-1 is not between 1 and"},
		{"mapperFileSizeBatchConsumeQueue=0", "broker.conf:1: mapperFileSizeBatchConsumeQueue=0 is not between 46 and"},
		{"maxConnections=-1", "broker.conf:1: maxConnections=-1 is not between 0 and"},
		{"clientSendMaxBytesPerSecond=-1", "broker.conf:1: clientSendMaxBytesPerSecond=-1 is not between 0 and"},
		{"clientQuotaAction=refuse", `broker.conf:1: clientQuotaAction: "refuse" is none of log, limit`},
		{"diskMaxUsedSpaceRatio=101", "broker.conf:1: diskMaxUsedSpaceRatio=101 is not between 1 and 100"},
	} {
		if _, err := parse(t, c.text); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s...", c.text, err, c.want)
		}
	}
}

// TestUnsupported: what a broker can start without is named as asked for, and not once more as without effect. Stock's own value is
// nobody's wish unless the file says it.
func TestUnsupported(t *testing.T) {
	c := must(t, "timerWheelEnable=true\nenablePropertyFilter=true\nenableSlaveActingMaster=false\ninSyncReplicas=2\nwarmMapedFileEnable=true\nuseTLS=false\nstoreType=default\nwhat=1")
	if got := strings.Join(c.Unsupported(), " "); got != "timerWheelEnable=true enablePropertyFilter=true" {
		t.Error(got)
	}
	if got := strings.Join(c.WithoutEffect(), " "); got != "warmMapedFileEnable what" {
		t.Error(got)
	}
	if got := must(t, "").Unsupported(); got != nil {
		t.Error(got)
	}
}

func TestStoreOptions(t *testing.T) {
	o := must(t, "storePathRootDir=/data/mq").StoreOptions()
	if o.Root != "/data/mq" || o.CommitLogDir != "" && o.CommitLogDir != "/data/mq/commitlog" {
		t.Errorf("root %q, commit log %q", o.Root, o.CommitLogDir)
	}
	if o.SegmentBytes != 1<<30 || o.QueueFileBytes != 6_000_000 || o.TailBytes != 24<<20 || !o.SyncFlush || !o.AppendPropCRC || !o.IndexEnabled || o.Engine != "auto" {
		t.Errorf("defaults: %+v", o)
	}
	if len(o.DelayLevels) != 18 || o.DelayLevels[0] != time.Second || o.DelayLevels[17] != 2*time.Hour {
		t.Errorf("delay levels: %v", o.DelayLevels)
	}
	o = must(t, `storePathRootDir=/a
storePathCommitLog=/b
flushDiskType=ASYNC_FLUSH
enabledAppendPropCRC=false
messageIndexEnable=false
diskEngine=pwrite
messageDelayLevel=2s 1d
fileReservedTime=1
deleteWhen=03;04
diskMaxUsedSpaceRatio=50
cleanFileForciblyEnable=false
commitLogMaxBytes=5000000000
maxTransferBytesOnMessageInMemory=1000
maxTransferCountOnMessageInDisk=3
maxMessageSize=1000000
tailCacheBytes=8388608
coldReadMinBytesPerSecond=2000000
`).StoreOptions()
	r := o.Retention
	switch {
	case o.CommitLogDir != "/b", o.SyncFlush, o.AppendPropCRC, o.IndexEnabled, o.Engine != "pwrite", o.TailBytes != 8<<20, o.ColdReadMinBytes != 2_000_000, o.MaxMessageBytes != 1_000_000,
		o.DelayLevels[1] != 24*time.Hour, o.Limits.BytesInMemory != 1000, o.Limits.CountOnDisk != 3,
		r.ReservedHours != 1, r.DeleteWhen != "03;04", r.MaxUsedRatio != 50, !r.KeepUnexpired, r.CommitLogMaxBytes != 5_000_000_000:
		t.Errorf("%+v", o)
	}
}

func TestAddresses(t *testing.T) {
	c := must(t, "listenPort=20911\nnamesrvAddr= a:9876; b:9877 ;")
	if c.Advertised() != netip.MustParseAddrPort("10.1.2.3:20911") || c.FastPort() != 20909 || c.BindAddress() != "0.0.0.0" {
		t.Errorf("%v, fast port %d, bound to %s", c.Advertised(), c.FastPort(), c.BindAddress())
	}
	if got := c.NameServers(); len(got) != 2 || got[0] != "a:9876" || got[1] != "b:9877" {
		t.Errorf("name servers %q", got)
	}
	if c.Cluster() != "DefaultCluster" || c.Name() == "" || c.ID() != 0 || c.Permission() != 6 {
		t.Errorf("%s, %s, %d, %d", c.Cluster(), c.Name(), c.ID(), c.Permission())
	}
	for _, l := range []struct{ addrs, want string }{
		{"127.0.0.1 192.168.1.2 10.0.0.5 10.0.0.6", "10.0.0.5"},
		{"127.0.0.1 ::1 fe80::1 192.168.1.2", "192.168.1.2"},
		{"127.0.0.1 fe80::1 2001:db8::7", "2001:db8::7"},
		{"127.0.0.1 169.254.1.1", "127.0.0.1"},
		{"", "127.0.0.1"},
	} {
		var all []netip.Addr
		for _, a := range strings.Fields(l.addrs) {
			all = append(all, netip.MustParseAddr(a))
		}
		if got := chooseIP(all); got != l.want {
			t.Errorf("of %q %s was chosen, not %s", l.addrs, got, l.want)
		}
	}
	if _, err := netip.ParseAddr(LocalIP()); err != nil {
		t.Error(err)
	}
}

// TestBlackListIsNotNegotiable: a shorter list in the file does not open the keys that decide where we write.
func TestBlackListIsNotNegotiable(t *testing.T) {
	c := must(t, "configBlackList=brokerName; msgTraceTopicName")
	for _, key := range []string{"brokerName", "msgTraceTopicName", "brokerConfigPath", "rocketmqHome", "configBlackList", "storePathRootDir", "storePathCommitLog",
		"storePathEpochFile", "adminAllowedCidrs", "haAllowedCidrs", "listenPort", "bindAddress", "namesrvListenPort", "haListenPort", "haServicePort", "mappedFileSizeCommitLog"} {
		if !c.BlackListed(key) {
			t.Errorf("%s can be set by a request", key)
		}
	}
	for _, key := range []string{"fileReservedTime", "maxConnections", "maxConnectionsPerHost", "clientSendMaxMessagesPerSecond", "clientSendMaxBytesPerSecond",
		"clientPullMaxBytesPerSecond", "clientQuotaAction"} {
		if c.BlackListed(key) || !c.AtRuntime(key) {
			t.Errorf("%s cannot be set by a request", key)
		}
	}
}

// TestRuntimeChange: what a request sets is in force at once for the keys read through.
func TestRuntimeChange(t *testing.T) {
	c := must(t, "fileReservedTime=48\nbrokerPermission=6")
	set := func(key, value string) error {
		_, err := c.Change([]settings.Setting{{Key: key, Value: value}})
		return err
	}
	if err := set("fileReservedTime", "7"); err != nil || c.Retention().ReservedHours != 7 {
		t.Errorf("%v, %d hours", err, c.Retention().ReservedHours)
	}
	if err := set("brokerPermission", "4"); err != nil || c.Permission() != 4 {
		t.Errorf("%v, permission %d", err, c.Permission())
	}
	if err := set("brokerPermission", "all"); err == nil || c.Permission() != 4 {
		t.Errorf("%v, permission %d", err, c.Permission())
	}
}
