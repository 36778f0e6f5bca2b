package metrics

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"ringmq/broker/quota"
	"ringmq/broker/stats"
	"ringmq/netpoll"
	"ringmq/store"
	"ringmq/store/tally"
)

var update = flag.Bool("update", false, "write what is compared with")

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fake is a broker that says what it is told.
type fake struct {
	f      Figures
	stats  *stats.Stats
	lags   []Lag
	others Lag

	unattended       []Unattended
	othersUnattended int64
}

func (f *fake) Figures() Figures      { return f.f }
func (f *fake) Stats() *stats.Stats   { return f.stats }
func (f *fake) Lags(int) ([]Lag, Lag) { return f.lags, f.others }

func (f *fake) Unattended(int) ([]Unattended, int64) { return f.unattended, f.othersUnattended }

func counts(bounds []int64, values ...int64) tally.Counts {
	h := tally.New(bounds...)
	for _, v := range values {
		h.Add(v)
	}
	return h.Counts()
}

// used are clients with the amounts that they used: as many messages as bytes a second, ten times as many bytes.
func used(clients ...any) func(func(string, int64, *quota.Counts)) {
	return func(fn func(string, int64, *quota.Counts)) {
		for i := 0; i < len(clients); i += 2 {
			n := int64(clients[i+1].(int))
			fn(clients[i].(string), n, &quota.Counts{n, 10 * n, 20 * n})
		}
	}
}

// busy is a broker of which everything can be said.
func busy() *fake {
	s := stats.New("c", func() time.Time { return noon })
	put := func(topic string, k stats.Kind, messages, bytes int64) {
		p := s.Puts([]byte(topic))
		p.Add(k, messages, bytes)
		p.Flush()
	}
	put("Orders", stats.Normal, 3, 3000)
	put("Orders", stats.Fifo, 1, 5000)
	put("Few", stats.Delay, 1, 100)
	put("Fewer", stats.Delay, 1, 100)
	s.Get([]byte("billing"), []byte("Orders"), 2, 2000)
	s.DeadLetter("billing", "Orders")
	for i, group := range []string{"billing", "audit", "reports", "search", "mail"} {
		for range 9 - i {
			s.SendBack(group, "Orders")
		}
	}
	s.Rpc(stats.RpcKey{Request: 310}).Add(1500)
	s.Rpc(stats.RpcKey{Request: 11, LongPolling: true}).Add(2_000_001)
	s.Rpc(stats.RpcKey{Request: stats.UnknownRequest, Response: 3}).Add(1)
	s.Created(stats.Creation{Topic: true}, 11_000)
	s.Created(stats.Creation{Failed: true}, 1_000)
	b := &fake{stats: s, lags: []Lag{{Group: "billing", Topic: "Orders", Messages: 7, Inflight: 2, Ready: 5, Timed: true, LagMs: 900, QueueingMs: 300}},
		others: Lag{Messages: 4}, unattended: []Unattended{{Group: "reports", Topic: "Orders", Messages: 12}}, othersUnattended: 5,
		f: Figures{
			Permission: 6, Topics: 2, Groups: 1, Waiting: map[string]int{"send": 3},
			Producers: []Clients{{Language: "JAVA", Version: 479, Count: 1}, {Language: "JAVA", Version: 479, Count: 1}, {Language: "GO", Version: 9999, Count: 1}, {Language: "GO", Version: 10000, Count: 1}},
			Consumers: []Clients{{Group: "billing", Language: "JAVA", Version: 399, ConsumeType: "CONSUME_PASSIVELY", Count: 2}, {Group: "a", Language: "GO", Version: 1, ConsumeType: "CONSUME_ACTIVELY", Count: 1},
				{Group: "b", Language: "GO", Version: 480, ConsumeType: "CONSUME_POP", Count: 1}, {Group: "c", Language: "GO", Version: 480, ConsumeType: "CONSUME_POP", Count: 1}},
			Store: store.Stats{Engine: "pwrite", EngineReason: `a "reason"`, CommitsRung: 9, CommitsWaited: 5, CommitsHandedOver: 4,
				DiskTotalBytes: 1000, DiskFreeBytes: 400, UnflushedBytes: 10, EarliestMessageTime: noon.UnixMilli() - 5000, ResidentBytes: 77},
			CommitBytes: counts([]int64{1024}, 10, 2000), CommitMicros: counts([]int64{25, 50}, 25, 26, 1_000_000), Written: 20, Durable: 10,
			Loops: []Loop{{Turns: counts([]int64{100}, 99), Parked: 3}}, Reads: map[string]int64{"memory": 8, "disk": 1}, SlowSends: 2,
			Net: netpoll.Stats{Connections: 3, TurnedAway: 4, TurnedAwayOfHost: 5}, EachClient: used("10.0.0.7@1", 5, "10.0.0.8@1", 4, "10.0.0.9@1", 3, "(odd) \xff", 2, "last", 1),
			OverQuota: map[string]int64{"send_messages": 1, "send_bytes": 0, "pull_bytes": 0}, QuotaWaits: map[string]int64{"send": 6, "pull": 0},
			NameServers: map[string]bool{"10.0.0.3:9876": true, "10.0.0.4:9876": false},
			LagAlarms:   []LagAlarm{{"billing", "Orders", "consumer-stuck", 7}, {"audit", "Orders", "no-consumer", 9}}, LagAlarmsBegun: 3, LagAlarmsEnded: 1,
			Copying: Copying{Slaves: []SlaveCopy{{Addr: "10.0.0.2:5", InStep: true, LagBytes: 3, SentOffset: 9, BytesPerSecond: 1}}, InStep: 2, Wanted: 2, Enough: true, Confirmed: 9}, Active: true, Pushes: Pushes{On: true, Done: 7, Failed: 1},
		}}
	ops := &b.f.Store.EngineOps
	ops.Submitted, ops.InFlight, ops.Redone, ops.Refused = 40, 2, 3, 1
	return b
}

// shown is what a scrape brings, without Go's runtime and the process.
func shown(t *testing.T, o Options, s Source) string {
	t.Helper()
	o.Cluster, o.Name, o.Version, o.Now = "DefaultCluster", "broker-a", "v1", func() time.Time { return noon }
	c, err := New(o, s)
	if err != nil {
		t.Fatal(err)
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; go test -update writes it, look at what changed. Now:\n%s", path, got)
	}
}

// TestExposition: names, labels, units and buckets as they leave.
func TestExposition(t *testing.T) {
	golden(t, filepath.Join("testdata", "master.txt"), shown(t, Options{TopK: 3, Labels: map[string]string{"room": "north"}}, busy()))
	slave := busy()
	slave.f.Copying = Copying{Slave: true, Connected: true, Offset: 50, MasterOffset: 60, SinceReadMs: 1500, BytesPerSec: 9}
	text := shown(t, Options{TopK: 3, Hidden: map[string]bool{"Stats": true, "Request": true, "Connection": true, "LagAndDlq": true, "Remoting": true, "MessageStore": true}}, slave)
	golden(t, filepath.Join("testdata", "slave.txt"), text)
	if strings.Contains(text, "rocketmq_") {
		t.Error("what is switched off is shown")
	}
}

// TestSeriesAreBounded: ten thousand topics, groups and clients make no more series than a few.
func TestSeriesAreBounded(t *testing.T) {
	s := busy()
	for i := range 10_000 {
		name := fmt.Sprint("T", i)
		p := s.stats.Puts([]byte(name))
		p.Add(stats.Normal, 1, 1)
		p.Flush()
		s.stats.Get([]byte("g"+name), []byte(name), 1, 1)
		s.stats.SendBack("g"+name, name)
		s.f.Consumers = append(s.f.Consumers, Clients{Group: "g" + name, Count: 1})
	}
	var clients []any
	for i := range 10_000 {
		clients = append(clients, fmt.Sprint("10.0.0.7@", i), i+1)
	}
	s.f.EachClient = used(clients...)
	for i := range 10_000 {
		s.f.LagAlarms = append(s.f.LagAlarms, LagAlarm{fmt.Sprint("g", i), "T", "consumers-slow", int64(i)})
	}
	text := shown(t, Options{TopK: 10}, s)
	if n := strings.Count(text, "\n"); n > 1000 {
		t.Error(n, "lines")
	}
	for _, line := range []string{
		`rocketmq_messages_in_total{cluster="DefaultCluster",is_system="false",message_type="normal",node_id="broker-a",node_type="broker",otel_scope_name="broker-meter",topic="(other)"} 9994`,
		`rocketmq_messages_out_total{cluster="DefaultCluster",consumer_group="(other)",is_system="false",node_id="broker-a",node_type="broker",otel_scope_name="broker-meter",topic="(other)"} 9991`,
		`ringmq_messages_given_back_total{cluster="DefaultCluster",consumer_group="billing",node_id="broker-a",node_type="broker"} 9`,
		`ringmq_messages_given_back_total{cluster="DefaultCluster",consumer_group="(other)",node_id="broker-a",node_type="broker"} 9995`,
		`ringmq_client_sent_messages_total{client="10.0.0.7@9999",cluster="DefaultCluster",node_id="broker-a",node_type="broker"} 10000`,
		`ringmq_client_sent_messages_total{client="(other)",cluster="DefaultCluster",node_id="broker-a",node_type="broker"} 4.9905045e+07`,
		`ringmq_lag_alarm{cause="consumers-slow",cluster="DefaultCluster",consumer_group="g9990",node_id="broker-a",node_type="broker",topic="T"} 1`,
		`ringmq_lag_alarm{cause="(other)",cluster="DefaultCluster",consumer_group="(other)",node_id="broker-a",node_type="broker",topic="(other)"} 9992`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Error("missing:", line)
		}
	}
}

// TestStockNames: every metric of stock's that the fact sheet has for what this broker can do is here, with its labels. What belongs to parts
// that are not built is not.
func TestStockNames(t *testing.T) {
	want := map[string]string{
		"rocketmq_processor_watermark": "processor", "rocketmq_broker_permission": "", "rocketmq_topic_number": "", "rocketmq_consumer_group_number": "",
		"rocketmq_messages_in_total": "topic message_type is_system", "rocketmq_messages_out_total": "topic consumer_group is_system",
		"rocketmq_throughput_in_total": "topic message_type is_system", "rocketmq_throughput_out_total": "topic consumer_group is_system",
		"rocketmq_message_size": "topic message_type is_system", "rocketmq_topic_create_execution_time_milliseconds": "invocation_status is_system",
		"rocketmq_consumer_group_create_execution_time_milliseconds": "invocation_status",
		"rocketmq_producer_connections":                              "language version protocol_type",
		"rocketmq_consumer_connections":                              "consumer_group language version consume_mode protocol_type is_system",
		"rocketmq_consumer_lag_messages":                             lagLabels, "rocketmq_consumer_lag_latency_milliseconds": lagLabels, "rocketmq_consumer_inflight_messages": lagLabels,
		"rocketmq_consumer_queueing_latency_milliseconds": lagLabels, "rocketmq_consumer_ready_messages": lagLabels,
		"rocketmq_send_to_dlq_messages_total": "consumer_group topic is_system",
		"rocketmq_storage_size_bytes":         disk, "rocketmq_storage_flush_behind_bytes": disk, "rocketmq_storage_dispatch_behind_bytes": disk,
		"rocketmq_storage_message_reserve_time_milliseconds": disk,
		"rocketmq_rpc_latency_milliseconds":                  "protocol_type request_code response_code is_long_polling result",
	}
	for _, m := range Table {
		if !strings.HasPrefix(m.Name, "rocketmq_") {
			continue
		}
		if w, ok := want[m.Name]; !ok || w != strings.Join(m.Labels, " ") {
			t.Errorf("%s has the labels %q, stock's are %q", m.Name, m.Labels, w)
		}
		delete(want, m.Name)
	}
	if len(want) > 0 {
		t.Error("missing:", want)
	}
}

// TestEveryMetricIsShown by one of the two brokers, and is in the document.
func TestEveryMetricIsShown(t *testing.T) {
	master, err1 := os.ReadFile(filepath.Join("testdata", "master.txt"))
	slave, err2 := os.ReadFile(filepath.Join("testdata", "slave.txt"))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for _, m := range Table {
		if head := "# TYPE " + m.Name + " " + string(m.Kind) + "\n"; !strings.Contains(string(master)+string(slave), head) {
			t.Errorf("%s is shown by neither", m.Name)
		}
	}
}

const documentMark = "<!-- the table below is made of broker/metrics/table.go: go test ./broker/metrics -update -->\n"

// TestDocument: docs/METRICS.md has every name, unit and label.
func TestDocument(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "METRICS.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(text), documentMark)
	if !ok {
		t.Fatal("the mark is missing:", documentMark)
	}
	var b strings.Builder
	b.WriteString(before + documentMark + "\n| name | type | unit | labels | buckets | what |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, m := range Table {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", m.Name, m.Kind, m.Unit, strings.Join(m.Labels, ", "), m.Buckets, m.Help)
	}
	golden(t, path, b.String())
}

func TestLabelsThatCannotBe(t *testing.T) {
	for _, name := range []string{"topic", "le", "2x", "", "otel_scope_name", "__name__", "a-b"} {
		if _, err := New(Options{TopK: 1, Labels: map[string]string{name: "x"}}, busy()); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	if _, err := New(Options{TopK: 1, Labels: map[string]string{"cluster": "x", "zone": "y"}}, busy()); err != nil {
		t.Error(err)
	}
}

// TestLagsOfTheSystem: stock's metrics go by the topic, and by how the group's name begins, in letters of either case.
func TestLagsOfTheSystem(t *testing.T) {
	s := busy()
	s.lags = []Lag{{Group: "cid_RMQ_sys_x", Topic: "Orders", Messages: 1}, {Group: "g", Topic: "rmq_sys_x", Messages: 2}, {Group: "TOOLS_CONSUMER", Topic: "Orders", Messages: 3}}
	text := shown(t, Options{TopK: 10}, s)
	for i, system := range []bool{true, true, false} {
		l := s.lags[i]
		line := fmt.Sprintf(`rocketmq_consumer_lag_messages{cluster="DefaultCluster",consumer_group=%q,is_retry="false",is_system="%t",node_id="broker-a",node_type="broker",otel_scope_name="broker-meter",topic=%q} %d`,
			l.Group, system, l.Topic, l.Messages)
		if !strings.Contains(text, line+"\n") {
			t.Error("missing:", line)
		}
	}
}

func TestVersions(t *testing.T) {
	for ordinal, want := range map[int32]string{479: "v5_3_3", 478: "v5_3_3_snapshot", 399: "v4_9_3", 373: "v4_8_0", 317: "v4_5_2", 413: "v5_0_0", 213: "v4_0_0", 212: "before_v4_0_0", 611: "v5_9_9", 612: "higher_version", -1: "before_v4_0_0"} {
		if got := version(ordinal); got != want {
			t.Errorf("%d: %s, want %s", ordinal, got, want)
		}
	}
}

// TestOddNames: a name that cannot be shown leaves the others.
func TestOddNames(t *testing.T) {
	s := busy()
	s.lags = slices.Insert(s.lags, 0, Lag{Group: "\xff", Topic: "Orders", Messages: 1})
	if text := shown(t, Options{TopK: 10}, s); !strings.Contains(text, `consumer_group="billing"`) || strings.Contains(text, "\xff") {
		t.Error(text)
	}
}
