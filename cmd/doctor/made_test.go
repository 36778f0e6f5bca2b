package doctor

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
	"ringmq/store/disk"
)

// brokerWith is a broker that answers, with some figures.
func brokerWith(runtime, config map[string]string) *brokerSeen {
	return &brokerSeen{Name: "broker-a", Addr: "10.0.0.5:10911", Listed: true, Runtime: runtime, Config: config, Version: 479, Asked: noon}
}

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func m(pairs ...string) map[string]string {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

func fileOf(text string) *configSeen { return parseConfig("broker.conf", []byte(text), nil) }

func judged(text string) []Finding {
	c := fileOf(text)
	all := judgeFile(c, false)
	if c.Config != nil {
		all = append(all, judgeAdvertised(c, []netip.Addr{netip.MustParseAddr("10.0.0.5")})...)
	}
	return all
}

// log is a log of so many bytes that began so long ago, on a disk of 100 GiB with so much free.
func logOf(bytes int64, age time.Duration, freeGiB string) map[string]string {
	return m("earliestMessageTimeStamp", strconv.FormatInt(noon.Add(-age).UnixMilli(), 10), "commitLogMinOffset", "0", "commitLogMaxOffset", strconv.FormatInt(bytes, 10),
		"commitLogDirCapacity", "Total : 100.0 GiB, Free : "+freeGiB+" GiB.")
}

const gib = 1 << 30

// madeSetUps are made as data: what cannot be had on one machine, or not without waiting.
var madeSetUps = []struct {
	what  string
	state State
	want  string
	judge func() []Finding
}{
	{"only slaves are listed", Broken, "no-master", func() []Finding {
		n := nameServerSeen{Addr: "a:9876"}
		n.Cluster.BrokerAddrTable = map[string]*remoting.BrokerData{"b": {BrokerName: "b", BrokerAddrs: map[int64]string{1: "10.0.0.6:10911"}}}
		return judgeNames([]nameServerSeen{n})
	}},
	{"the route says loopback, the name server is elsewhere", Broken, "advertised-address-loopback", func() []Finding {
		b := brokerWith(nil, nil)
		b.Addr, b.Err = "127.0.0.1:10911", errors.New("refused")
		return judgeAddress(b, false)
	}},
	{"the same, and a broker of this machine answers", Warning, "advertised-address-loopback", func() []Finding {
		b := brokerWith(m(), m())
		b.Addr = "127.0.0.1:10911"
		return judgeAddress(b, false)
	}},
	{"access control refuses", Unknown, "access-refused", func() []Finding {
		b := brokerWith(nil, nil)
		b.AnswerErr = &ask.CodeError{Code: remoting.RespNoPermission, Remark: "no account"}
		return judgeAddress(b, false)
	}},
	{"a broker that is stopping", Broken, "broker-not-active", func() []Finding { return judgePermission(brokerWith(m("brokerActive", "false"), m())) }},
	{"releases differ", Warning, "version-skew", func() []Finding {
		old := *brokerWith(m("brokerVersionDesc", "V4_9_7"), nil)
		return judgeVersions([]nameServerSeen{{Addr: "a:9876", Version: 479}}, []brokerSeen{*brokerWith(m("brokerVersionDesc", "V5_3_3"), nil), old})
	}},
	{"builds of brokers differ", Warning, "build-skew", func() []Finding {
		return judgeBuilds(nil, []brokerSeen{*brokerWith(m("ringmqVersion", "v0.9.0"), m("diskEngine", "auto")), *brokerWith(m("ringmqVersion", "v1.0.0"), m("diskEngine", "auto"))})
	}},
	{"an older ringmq does not tell its build", Warning, "build-skew", func() []Finding {
		return judgeBuilds(nil, []brokerSeen{*brokerWith(m(), m("diskEngine", "auto")), *brokerWith(m("ringmqVersion", "v1.0.0", "diskEngine", "pwrite"), nil)})
	}},
	{"the build of a name server differs", Warning, "build-skew", func() []Finding {
		return judgeBuilds([]nameServerSeen{{Addr: "a:9876", Config: m("brokerAllowedCidrs", ""), Build: "v0.9.0"}}, []brokerSeen{*brokerWith(m("ringmqVersion", "v1.0.0"), m("diskEngine", "auto"))})
	}},
	{"the clock is a little ahead", Warning, "clock-skew", func() []Finding { return []Finding{judgeSkew("b", 3*time.Second, time.Second)} }},
	{"the clock is an hour behind", Broken, "clock-skew", func() []Finding {
		return judgeClock(brokerWith(m("bootTimestamp", strconv.FormatInt(noon.Add(-2*time.Hour).UnixMilli(), 10), "runtime", "[ 0 days, 1 hours, 0 minutes, 0 seconds ]"), nil))
	}},
	{"a container forbids io_uring", Warning, "disk-engine-fallback", func() []Finding {
		return judgeEngine(brokerWith(m("diskEngine", "pwrite", "diskEngineReason", "disk: no io_uring: operation not permitted"), m()))
	}},
	{"an older ringmq does not tell its engine", Unknown, "disk-engine-not-told", func() []Finding { return judgeEngine(brokerWith(m(), m("diskEngine", "auto"))) }},
	{"the disk is full", Broken, "disk-full", func() []Finding { return judgeSpace(brokerWith(m("commitLogDiskRatio", "0.91"), m())) }},
	{"the disk of the queues is full", Broken, "disk-full", func() []Finding {
		return judgeSpace(brokerWith(m("commitLogDiskRatio", "0.1", "consumeQueueDiskRatio", "0.95"), m()))
	}},
	{"messages go whatever their age", Warning, "disk-nearly-full", func() []Finding { return judgeSpace(brokerWith(m("commitLogDiskRatio", "0.86"), m())) }},
	{"expired messages go at any hour", Warning, "disk-cleaned-at-any-hour", func() []Finding { return judgeSpace(brokerWith(m("commitLogDiskRatio", "0.76"), m())) }},
	{"the disk is too small for the retention", Warning, "retention-does-not-fit", func() []Finding {
		return judgeRetention(brokerWith(logOf(20*gib, 10*time.Hour, "70.0"), m("fileReservedTime", "72")))
	}},
	{"a bound of the log's size that no segment fits below", Warning, "log-bound-within-a-segment", func() []Finding {
		return judgeRetention(brokerWith(logOf(100<<20, time.Minute, "90.0"), m("fileReservedTime", "72", "commitLogMaxBytes", "1073741824", "mappedFileSizeCommitLog", "1073741824")))
	}},
	{"a bound of the log's size is too small for the retention", Warning, "retention-does-not-fit", func() []Finding {
		return judgeRetention(brokerWith(logOf(gib, 10*time.Hour, "90.0"), m("fileReservedTime", "72", "commitLogMaxBytes", strconv.Itoa(2*gib))))
	}},
	{"the log has lost messages", Broken, "log-damaged", func() []Finding {
		return judgeDamage(brokerWith(m("logGaps", "3", "queueFlushFailures", "0", "queueFlushFailing", "false"), m()))
	}},
	{"queue files cannot be written", Broken, "queue-files-not-written", func() []Finding {
		return judgeDamage(brokerWith(m("logGaps", "0", "queueFlushFailures", "12", "queueFlushFailing", "true"), m()))
	}},
	{"queue files could not be written for a while", Warning, "queue-files-not-written", func() []Finding {
		return judgeDamage(brokerWith(m("logGaps", "0", "queueFlushFailures", "12", "queueFlushFailing", "false"), m()))
	}},
	{"nearly all files are open", Broken, "open-files-used-up", func() []Finding {
		return judgeProcess(brokerWith(m(), m()), processSeen{PID: 7, OpenFiles: 19_000, OpenLimit: 20_000})
	}},
	{"few files may be open", Warning, "open-files-limit-low", func() []Finding {
		return judgeProcess(brokerWith(m(), m()), processSeen{PID: 7, OpenFiles: 100, OpenLimit: 1024})
	}},
	{"a JVM has mapped all it may", Broken, "mapped-areas-used-up", func() []Finding {
		return judgeProcess(brokerWith(m(), m()), processSeen{PID: 7, OpenLimit: 1 << 20, Maps: 65_000, MapsLimit: 65_530})
	}},
	{"queues are behind the log", Warning, "dispatch-behind", func() []Finding {
		return judgeBusy(brokerWith(m("dispatchBehindBytes", strconv.Itoa(gib)), m()))
	}},
	{"sends wait for threads", Warning, "sends-wait", func() []Finding {
		return judgeBusy(brokerWith(m("sendThreadPoolQueueHeadWaitTimeMills", "250"), m()))
	}},
	{"a slave's log is not its master's", Broken, "pair-has-parted", func() []Finding {
		return judgeCopies(slaveWith(m("replicationConnected", "false", "replicationMaster", "10.0.0.5:10912", "replicationRefused", "the slave's log is longer than the master's")))
	}},
	{"the master refuses a slave that is not listed", Broken, "pair-has-parted", func() []Finding {
		return judgeCopies(brokerWith(m("replicationRefusedSlaves", "10.0.0.6: its bytes differ (its log ends at 4711)"), m()))
	}},
	{"a slave finds no master", Broken, "slave-without-master", func() []Finding {
		return judgeCopies(slaveWith(m("replicationConnected", "false", "replicationMaster", "")))
	}},
	{"nothing listens on the master's HA port", Broken, "ha-port-unreachable", func() []Finding {
		b := slaveWith(m("replicationConnected", "false", "replicationMaster", "10.0.0.5:10912", "replicationSilentMs", "-1"))
		b.Copies = copiesSeen{Dialled: b.haToTry(), DialErr: errors.New("refused")}
		return judgeCopies(b)
	}},
	{"a firewall keeps the slave from the HA port", Broken, "ha-port-closed-to-the-slave", func() []Finding {
		b := slaveWith(m("replicationConnected", "false", "replicationMaster", "10.0.0.5:10912", "replicationSilentMs", "90000"))
		b.Copies.Dialled = b.haToTry()
		return judgeCopies(b)
	}},
	{"a stock slave hears nothing", Warning, "master-is-silent", func() []Finding {
		b := slaveWith(m())
		b.Copies.HA = &remoting.HARuntimeInfo{Client: remoting.HAClientInfo{MasterAddr: "10.0.0.5:10912", LastReadTimestamp: noon.Add(-2 * time.Minute).UnixMilli()}}
		return judgeCopies(b)
	}},
	{"everybody may copy the log", Warning, "ha-port-open-to-everybody", func() []Finding {
		b := brokerWith(m("replicationListen", "10.0.0.5:10912"), m("haAllowedCidrs", ""))
		b.Copies.Dialled = b.haToTry()
		return judgeCopies(b)
	}},
	{"a synchronous master without its slave", Warning, "too-few-copies", func() []Finding {
		return judgeCopies(brokerWith(m("replicationWanted", "2", "replicationInStep", "1", "replicationEnough", "false", "replicationRefuses", "false"), m()))
	}},
	{"a synchronous master that refuses sends", Broken, "too-few-copies", func() []Finding {
		return judgeCopies(brokerWith(m("replicationWanted", "2", "replicationInStep", "1", "replicationEnough", "false", "replicationRefuses", "true"), m()))
	}},
	{"a stock master without its slave", Warning, "too-few-copies", func() []Finding {
		b := brokerWith(m(), m("brokerRole", "SYNC_MASTER", "inSyncReplicas", "2"))
		b.Copies.HA = &remoting.HARuntimeInfo{Master: true}
		return judgeCopies(b)
	}},
	{"a slave is far behind", Warning, "slave-far-behind", func() []Finding {
		b := brokerWith(m(), m())
		b.Copies.HA = &remoting.HARuntimeInfo{Master: true, HAConnectionInfo: []remoting.HAConnectionInfo{{Addr: "10.0.0.6:4711", Diff: gib, TransferredBytesPerSec: 1 << 20}}}
		return judgeCopies(b)
	}},
	{"the file is not there", Broken, "config-unreadable", func() []Finding { return judgeFile(parseConfig("broker.conf", nil, fs.ErrNotExist), false) }},
	{"the file asks for what is not built", Broken, "config-refused", func() []Finding { return judged("namesrvAddr=a:9876\nbrokerRole=SLAVE\n") }},
	{"a value is no number", Broken, "config-refused", func() []Finding { return judged("listenPort=often\n") }},
	{"brokerIP1 is a name", Broken, "config-refused", func() []Finding { return judged("brokerIP1=broker.example\n") }},
	{"a key is misspelt", Warning, "config-key-misspelt", func() []Finding { return judged("brokername=x\n") }},
	{"a key stands twice", Warning, "config-key-twice", func() []Finding { return judged("listenPort=10911\nlistenPort=10921\n") }},
	{"a feature is not built yet", Warning, "config-not-supported-yet", func() []Finding { return judged("enablePropertyFilter=true\n") }},
	{"no name server is configured", Broken, "no-name-server-configured", func() []Finding { return judged("namesrvAddr=\n") }},
	{"the file advertises loopback", Warning, "advertised-address-loopback", func() []Finding { return judged("brokerIP1=127.0.0.1\n") }},
	{"the file advertises 0.0.0.0", Broken, "advertised-address-unspecified", func() []Finding { return judged("brokerIP1=0.0.0.0\n") }},
	{"the broker listens on loopback only", Broken, "listens-on-loopback-only", func() []Finding { return judged("bindAddress=127.0.0.1\nbrokerIP1=10.0.0.5\n") }},
	{"the file is another host's", Warning, "advertised-address-of-another-host", func() []Finding { return judged("brokerIP1=10.0.0.9\n") }},
	{"the topic's broker has ended", Broken, "topic-broker-gone", func() []Finding {
		return judgeTopic(&topicSeen{Name: "T", Routes: []routeSeen{{"a:9876", &remoting.TopicRouteData{QueueDatas: []remoting.QueueData{{BrokerName: "b", Perm: 6, ReadQueueNums: 1, WriteQueueNums: 1}}}, nil}}})
	}},
	{"the broker has lost the topic", Broken, "topic-route-stale", func() []Finding {
		route := &remoting.TopicRouteData{QueueDatas: []remoting.QueueData{{BrokerName: "b", Perm: 6, ReadQueueNums: 1, WriteQueueNums: 1}}, BrokerDatas: []remoting.BrokerData{{BrokerName: "b", BrokerAddrs: map[int64]string{0: "10.0.0.6:10911"}}}}
		return judgeTopic(&topicSeen{Name: "T", Routes: []routeSeen{{"a:9876", route, nil}}, Brokers: []topicAt{{Broker: "b", Err: &ask.CodeError{Code: remoting.RespTopicNotExist}}}})
	}},
	{"the topic is nowhere, and the first send makes it", Warning, "topic-not-there", func() []Finding {
		return judgeTopic(&topicSeen{Name: "T", Auto: true, Places: [][]string{{"-c", "DefaultCluster", "-n", "10.0.0.1:9876"}, {"-c", "Other", "-n", "10.0.0.1:9876"}}})
	}},
	{"the topic is nowhere, and no broker answers", Broken, "topic-not-there", func() []Finding { return judgeTopic(&topicSeen{Name: "T"}) }},
	{"the topic may not be written, and there is no name server", Warning, "topic-not-writable", func() []Finding {
		return judgeTopic(&topicSeen{Name: "T", Brokers: []topicAt{{Broker: "b", Addr: "10.0.0.6:10911", Config: &remoting.TopicConfig{ReadQueueNums: 1, WriteQueueNums: 1, Perm: 4}}}})
	}},
	{"the test topic stays", Warning, "test-topic-left-behind", func() []Finding {
		return judgePath(&pathSeen{Broker: "b", Addr: "10.0.0.6:10911", Cluster: "C", Names: []string{"10.0.0.1:9876"}, Steps: []step{{Name: "send"}}, Left: errors.New("no")})
	}},
	{"the test topic stays, and its cluster is not known", Warning, "test-topic-left-behind", func() []Finding {
		return judgePath(&pathSeen{Broker: "b", Steps: []step{{Name: "send"}}, Left: errors.New("no")})
	}},
	{"the test topic may not be made", Unknown, "test-topic-refused", func() []Finding {
		return judgePath(&pathSeen{Broker: "b", Addr: "10.0.0.6:10911", Steps: []step{{Name: "create topic", Err: &ask.CodeError{Code: remoting.RespNoPermission}}}})
	}},
	{"the test topic cannot be made", Unknown, "test-topic-refused", func() []Finding {
		return judgePath(&pathSeen{Broker: "b", Addr: "10.0.0.6:10911", Steps: []step{{Name: "create topic", Err: &ask.CodeError{Code: remoting.RespSystemError}}}})
	}},
	{"one of two brokers is missing in the route", Broken, "topic-not-in-route", func() []Finding {
		route := &remoting.TopicRouteData{QueueDatas: []remoting.QueueData{{BrokerName: "b", Perm: 6, ReadQueueNums: 1, WriteQueueNums: 1}}, BrokerDatas: []remoting.BrokerData{{BrokerName: "b", BrokerAddrs: map[int64]string{0: "x:1"}}}}
		conf := &remoting.TopicConfig{ReadQueueNums: 1, WriteQueueNums: 1, Perm: 6}
		return judgeTopic(&topicSeen{Name: "T", Routes: []routeSeen{{"a:9876", route, nil}}, Brokers: []topicAt{{Broker: "b", Config: conf}, {Broker: "c", Config: conf}}})
	}},
	{"a member reaches one of two brokers only", Warning, "member-not-at-every-broker", func() []Finding {
		there := &remoting.ConsumerConnection{ConnectionSet: []remoting.Connection{{ClientID: "c1"}}}
		conf := &remoting.SubscriptionGroupConfig{ConsumeEnable: true}
		g := &groupSeen{Name: "G", Brokers: []groupAt{{Broker: "a", Consumers: there, Config: conf}, {Broker: "b", Consumers: &remoting.ConsumerConnection{ConnectionSet: []remoting.Connection{{ClientID: "c2"}}}, Config: conf}}}
		g.findMembers()
		return judgeGroup(g)
	}},
	{"a group is made on one of two brokers only", Warning, "group-not-at-every-broker", func() []Finding {
		return judgeGroup(&groupSeen{Name: "G", Brokers: []groupAt{{Broker: "a", Config: &remoting.SubscriptionGroupConfig{ConsumeEnable: true}}, {Broker: "b", Addr: "10.0.0.6:10911", ConfigErr: &ask.CodeError{Code: remoting.RespSubscriptionGroupNotExist}}}})
	}},
	{"a group that broadcasts and may not", Broken, "group-may-not-broadcast", func() []Finding {
		return judgeGroup(&groupSeen{Name: "G", Brokers: []groupAt{{Broker: "a", Addr: "10.0.0.5:10911", Config: &remoting.SubscriptionGroupConfig{ConsumeEnable: true}, Consumers: &remoting.ConsumerConnection{MessageModel: "BROADCASTING"}}}})
	}},
	{"a broker that does not tell how far a group is", Unknown, "group-not-told", func() []Finding {
		g := behind(100, 90, 0)
		g.Brokers[0].Stats, g.Brokers[0].StatsErr = nil, errors.New("no answer")
		return judgeGroup(g)
	}},
	{"a group that one may not look at", Unknown, "access-refused", func() []Finding {
		refusal := &ask.CodeError{Code: remoting.RespNoPermission, Remark: "no"}
		return judgeGroup(&groupSeen{Name: "G", Brokers: []groupAt{{Broker: "a", ConfigErr: refusal, ConnErr: refusal, StatsErr: refusal}}})
	}},
	{"a group that is far behind", Warning, "group-lags", func() []Finding { return judgeGroup(behind(10_000_000, 9_000_000, 0)) }},
	{"a group whose next message is old", Warning, "group-lags", func() []Finding { return judgeGroup(waiting(behind(100, 99, 0), 11*time.Minute)) }},
	{"messages that were deleted before the group came to them", Warning, "messages-expired-unread", func() []Finding { return judgeGroup(behind(100, 10, 50)) }},
	{"a segment is missing", Broken, "segment-missing", func() []Finding {
		return judgeStore(&storeSeen{LogDir: "/srv", Segments: []segmentSeen{{"0", 0, 1024}, {"2", 2048, 1024}}}, 0)
	}},
	{"a segment was cut", Broken, "segment-sizes-differ", func() []Finding {
		return judgeStore(&storeSeen{LogDir: "/srv", Segments: []segmentSeen{{"0", 0, 1024}, {"1", 1024, 1000}}}, 0)
	}},
	{"the configured size is another", Broken, "segment-size-not-configured", func() []Finding {
		return judgeStore(&storeSeen{LogDir: "/srv", Segments: []segmentSeen{{"0", 0, 1024}}}, 2048)
	}},
	{"the store was started as root once", Warning, "store-owners-differ", func() []Finding {
		return judgeStore(&storeSeen{Root: "/srv", Owners: map[uint32][]string{0: {"checkpoint"}, 1000: {"commitlog"}}}, 0)
	}},
	{"the store's disk is full", Broken, "store-disk-full", func() []Finding {
		return judgeStore(storeOn(disk.Space{TotalBytes: 100 * gib, TotalInodes: 1 << 20, FreeInodes: 1 << 19}), 0)
	}},
	{"the store's disk has no inode", Broken, "store-disk-full", func() []Finding {
		return judgeStore(storeOn(disk.Space{TotalBytes: 100 * gib, FreeBytes: 50 * gib, TotalInodes: 1 << 20}), 0)
	}},
	{"the store's disk has no room for a segment", Broken, "store-disk-full", func() []Finding {
		return judgeStore(storeOn(disk.Space{TotalBytes: 100 * gib, FreeBytes: gib - 1, TotalInodes: 1 << 20, FreeInodes: 1 << 19}), 0)
	}},
	{"the same, and one is made", Warning, "store-disk-nearly-full", func() []Finding {
		s := storeOn(disk.Space{TotalBytes: 5 * gib, FreeBytes: gib / 2, TotalInodes: 1 << 20, FreeInodes: 1 << 19})
		s.Ahead = true
		return judgeStore(s, 0)
	}},
	{"the same, before there is a segment", Broken, "store-disk-full", func() []Finding {
		s := storeOn(disk.Space{TotalBytes: 100 * gib, FreeBytes: gib - 1})
		s.Segments = nil
		return judgeStore(s, gib)
	}},
	{"the store may not be read", Unknown, "store-not-readable", func() []Finding { return judgeStore(&storeSeen{Root: "/srv", Err: fs.ErrPermission}, 0) }},
}

// storeOn is a store of one segment of 1 GiB on a disk with so much room.
func storeOn(room disk.Space) *storeSeen {
	return &storeSeen{Root: "/srv", LogDir: "/srv/commitlog", Segments: []segmentSeen{{"0", 0, gib}}, Space: room}
}

// slaveWith is brokerWith for a slave.
func slaveWith(runtime map[string]string) *brokerSeen {
	b := brokerWith(runtime, m())
	b.ID = 1
	return b
}

// TestWhichHAPortIsTried: one that a slave does not reach, and one that lets everybody in where others get to it.
func TestWhichHAPortIsTried(t *testing.T) {
	listens := m("replicationListen", "10.0.0.7:10912")
	local := brokerWith(m("replicationListen", "127.0.0.1:10912"), m("haAllowedCidrs", ""))
	local.Addr = "127.0.0.1:10911"
	for _, one := range []struct {
		b    *brokerSeen
		want string
	}{
		{brokerWith(listens, m("haAllowedCidrs", "")), "10.0.0.5:10912"},
		{brokerWith(listens, m("haAllowedCidrs", "10.0.0.0/24")), ""},
		{brokerWith(listens, nil), ""},
		{brokerWith(m(), m("haAllowedCidrs", "")), ""},
		{local, ""},
		{slaveWith(m("replicationConnected", "true", "replicationMaster", "10.0.0.5:10912")), ""},
		{slaveWith(m("replicationConnected", "false", "replicationMaster", "10.0.0.5:10912")), "10.0.0.5:10912"},
	} {
		if got := one.b.haToTry(); got != one.want {
			t.Errorf("%+v: %q, want %q", one.b.Runtime, got, one.want)
		}
	}
}

// behind is a group with one member and one queue of so many messages, consumed up to an offset, that begins at another.
func behind(end, consumed, first int64) *groupSeen {
	q := remoting.MessageQueue{Topic: "T", BrokerName: "a", QueueID: 0}
	now := noon.UnixMilli()
	at := groupAt{Broker: "a", Config: &remoting.SubscriptionGroupConfig{ConsumeEnable: true}, Consumers: &remoting.ConsumerConnection{ConnectionSet: []remoting.Connection{{ClientID: "c1"}}},
		Stats: &remoting.ConsumeStats{ConsumeTps: 3, OffsetTable: remoting.QueueTable[remoting.ConsumeOffset]{{Queue: q, Value: remoting.ConsumeOffset{BrokerOffset: end, ConsumerOffset: consumed, LastTimestamp: now - 60_000}}}},
		Min:   map[remoting.MessageQueue]int64{q: first}}
	g := &groupSeen{Name: "G", Now: noon, Brokers: []groupAt{at}}
	g.findMembers()
	g.Members[0].Info = &ask.RunningInfo{Queues: remoting.QueueTable[ask.ProcessQueue]{{Queue: q, Value: ask.ProcessQueue{CachedMessages: 5, LastConsume: now, LastPull: now}}}}
	return g
}

// waiting has the first message that a group of behind has not consumed be so old, and the last one that it has consumed an hour old.
func waiting(g *groupSeen, age time.Duration) *groupSeen {
	e := &g.Brokers[0].Stats.OffsetTable[0]
	e.Value.LastTimestamp = noon.Add(-time.Hour).UnixMilli()
	g.Brokers[0].Waiting = map[remoting.MessageQueue]int64{e.Queue: noon.Add(-age).UnixMilli()}
	return g
}

// idle has the only member of a group of behind have finished nothing for an hour, with messages in hand.
func idle(g *groupSeen) *groupSeen {
	g.Members[0].Info.Queues[0].Value.LastConsume = noon.Add(-time.Hour).UnixMilli()
	return g
}

// TestRingFix: what a unit is told to say is what the one says that is shipped.
func TestRingFix(t *testing.T) {
	text, err := os.ReadFile("../../deploy/systemd/ringmq.service")
	if err != nil {
		t.Fatal(err)
	}
	all := judgeEngine(brokerWith(m("diskEngine", "pwrite", "diskEngineReason", "disk: no io_uring: cannot allocate memory"), m()))
	limit := regexp.MustCompile(`(?m)^LimitMEMLOCK=.+$`).FindString(string(text))
	if limit == "" || !strings.Contains(all[0].Fix, limit+" ") {
		t.Errorf("the unit says %q, the fix %s", limit, all[0].Fix)
	}
}

func TestMadeSetUps(t *testing.T) {
	for _, c := range madeSetUps {
		t.Run(c.what, func(t *testing.T) { diagnosed(t, c.judge(), c.state, c.want) })
	}
}

// TestGoodSetUps: what is as it should be is not complained about.
func TestGoodSetUps(t *testing.T) {
	good := map[string][]Finding{
		"space":            judgeSpace(brokerWith(m("commitLogDiskRatio", "0.74"), m())),
		"full on purpose":  judgeSpace(brokerWith(m("commitLogDiskRatio", "0.92"), m("diskMaxUsedSpaceRatio", "95", "diskSpaceCleanForciblyRatio", "97", "diskSpaceWarningLevelRatio", "99"))),
		"retention":        judgeRetention(brokerWith(logOf(5*gib, 10*time.Hour, "90.0"), m("fileReservedTime", "72"))),
		"full circle":      judgeRetention(brokerWith(logOf(60*gib, 73*time.Hour, "30.0"), m("fileReservedTime", "72"))),
		"young log":        judgeRetention(brokerWith(logOf(gib, time.Minute, "10.0"), m("fileReservedTime", "72"))),
		"engine":           judgeEngine(brokerWith(m("diskEngine", "io_uring", "diskEngineReason", "x"), m())),
		"pwrite by choice": judgeEngine(brokerWith(m("diskEngine", "pwrite", "diskEngineReason", "configured"), m())),
		"pwrite by probe":  judgeEngine(brokerWith(m("diskEngine", "pwrite", "diskEngineReason", "synced 16 KiB write here: io_uring 50 us, pwrite 40 us"), m())),
		"stock's engine":   judgeEngine(brokerWith(m(), m("flushDiskType", "ASYNC_FLUSH"))),
		"stock beside ringmq": judgeBuilds([]nameServerSeen{{Addr: "a:9876", Config: m()}, {Addr: "b:9876", Err: errors.New("no"), Config: m("brokerAllowedCidrs", "")}},
			[]brokerSeen{*brokerWith(m("brokerVersionDesc", "V5_3_3"), m()), *brokerWith(m("ringmqVersion", "v1.0.0"), m("diskEngine", "auto"))}),
		"clock":            {judgeSkew("b", 900*time.Millisecond, time.Millisecond)},
		"no damage":        judgeDamage(brokerWith(m("logGaps", "0", "queueFlushFailures", "0", "queueFlushFailing", "false"), m())),
		"stock's files":    judgeDamage(brokerWith(m(), m())),
		"process":          judgeProcess(brokerWith(m(), m()), processSeen{PID: 7, OpenFiles: 10, OpenLimit: 1 << 20, Maps: 100, MapsLimit: 65_530}),
		"file":             judged("namesrvAddr=a:9876\nbrokerIP1=10.0.0.5\n"),
		"a slave of stock": judgeFile(fileOf("brokerRole=SLAVE\n"), true),
		"stock's keys":     judgeFile(fileOf("namesrvAddr=a:9876\nwarmMapedFileEnable=true\nenablePropertyFilter=true\n"), true),
		"route alone": judgeTopic(&topicSeen{Name: "T", Routes: []routeSeen{{"a:9876", &remoting.TopicRouteData{QueueDatas: []remoting.QueueData{{BrokerName: "b", Perm: 6, ReadQueueNums: 1, WriteQueueNums: 1}},
			BrokerDatas: []remoting.BrokerData{{BrokerName: "b", BrokerAddrs: map[int64]string{0: "x:1"}}}}, nil}}}),
		"a slave is no master": judgePermission(slaveWith(m("brokerActive", "false"))),
		"a slave that follows": judgeCopies(slaveWith(m("replicationConnected", "true", "replicationMaster", "10.0.0.5:10912"))),
		"a master alone":       judgeCopies(brokerWith(m("replicationWanted", "1", "replicationInStep", "1", "replicationEnough", "true", "replicationRefuses", "false"), m())),
		"a small lag":          judgeGroup(behind(100, 90, 0)),
		"new after a pause":    judgeGroup(waiting(behind(100, 99, 0), time.Second)),
		"and just in hand":     judgeGroup(idle(waiting(behind(100, 99, 0), time.Second))),
		"room":                 judgeStore(storeOn(disk.Space{TotalBytes: 100 * gib, FreeBytes: gib, TotalInodes: 1 << 20, FreeInodes: 1}), 0),
		"no inodes counted":    judgeStore(storeOn(disk.Space{TotalBytes: 100 * gib, FreeBytes: gib}), 0),
		"a disk untold":        judgeStore(storeOn(disk.Space{}), 0),
		"segments":             judgeSegments(&storeSeen{Segments: []segmentSeen{{"0", 0, 1024}, {"1", 1024, 1024}, {"2", 2048, 0}}}, 1024),
	}
	for what, all := range good {
		for _, f := range all {
			if f.State != OK || f.Seen == "" {
				t.Errorf("%s: %+v", what, f)
			}
		}
	}
}

// TestEnough: there are as many different diagnoses as the issue asks for.
func TestEnough(t *testing.T) {
	names := map[string]bool{}
	for _, c := range liveSetUps {
		names[c.want] = true
	}
	for _, c := range groupSetUps {
		names[c.want] = true
	}
	for _, c := range madeSetUps {
		names[c.want] = true
	}
	if len(names) < 25 {
		t.Error(len(names), "diagnoses")
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0 B": 0, "12 B": 12, "1.0 KiB": 1024, "1.5 MiB": 3 << 19, "2.0 TiB": 2 << 40} {
		if got, ok := sizeOf(text); !ok || got != want || sizeText(want) != text {
			t.Error(text, got, ok, sizeText(want))
		}
	}
	for _, text := range []string{"", "x", "1.0 XB", "-1 B", "1e99 GiB", "NaN B", "1.0 iB"} {
		if got, ok := sizeOf(text); ok {
			t.Error(text, got)
		}
	}
	if got := spread(100, 5); !slices.Equal(got, []int{0, 24, 49, 74, 99}) {
		t.Error(got)
	}
	if got := spread(3, 5); !slices.Equal(got, []int{0, 1, 2}) {
		t.Error(got)
	}
}
