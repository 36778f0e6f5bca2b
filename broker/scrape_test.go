package broker

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmq/broker/metrics"
	"ringmq/broker/web"
	"ringmq/netpoll/remoting"
)

// scrapes looks at the metrics of an address; a key is a name with its labels, those apart that all have.
func scrapes(t testing.TB, s *web.Server) map[string]float64 {
	t.Helper()
	r, err := (&http.Client{Timeout: patience}).Get("http://" + s.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatal(r.Status, string(b), err)
	}
	all := map[string]float64{}
	common := strings.NewReplacer(`cluster="DefaultCluster",`, "", `node_id="broker-a",node_type="broker"`, "", `,otel_scope_name="broker-meter"`, "", ",,", ",", "{,", "{", ",}", "}", "{}", "")
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			t.Fatal(line)
		}
		all[common.Replace(common.Replace(line[:at]))] = v
	}
	return all
}

// TestScrape: what was sent, handed out, given back and asked for shows with stock's names and labels.
func TestScrape(t *testing.T) {
	r := newRig(t, "adminHttpAddress=127.0.0.1:0", "metricsExporterType=prom", "metricsPromExporterPort=0", "messageDelayLevel="+strings.Repeat("0s ", 18))
	b, c := r.broker, r.dial()
	waiting := c.start(pullOf("G", "T", 0, 0, "*", time.Minute)) // no topic yet
	await(t, waiting)
	want(t, c.call(sendTo("T", 0, "TAGS\x01A\x02", "one")), 0, "")
	r.visibleMax("T", 0, 1)
	want(t, c.call(request(remoting.CodeUpdateConsumerOffset, "consumerGroup", "G", "topic", "T", "queueId", 0, "commitOffset", 0)), 0, "")
	raw := c.call(pullOf("G", "T", 0, 0, "*", 0)).Body
	held := c.start(pullOf("G", "T", 0, 1, "*", time.Minute))
	r.heldNow(1)
	want(t, c.call(sendTo("T", 0, "__SHARDINGKEY\x01s\x02", strings.Repeat("x", 5000))), 0, "")
	want(t, await(t, held), 0, "FOUND")
	want(t, c.call(sendTo("T", 1, "DELAY\x011\x02", "later")), 0, "")
	r.delivered(1, 1)
	want(t, c.giveBack(t, raw, -1), 0, "")
	want(t, c.call(beat("c1", "G", "T", "*", 1)), 0, "")
	c.call(request(1999))
	at := scrapes(t, b.web.admin)
	rpc := `rocketmq_rpc_latency_milliseconds_count{is_long_polling="%s",protocol_type="remoting",request_code="%s",response_code="%s",result="success"}`
	for name, want := range map[string]float64{
		`rocketmq_messages_in_total{is_system="false",message_type="normal",topic="T"}`:                                                                               1,
		`rocketmq_messages_in_total{is_system="false",message_type="fifo",topic="T"}`:                                                                                 1,
		`rocketmq_messages_in_total{is_system="false",message_type="delay",topic="T"}`:                                                                                1,
		`rocketmq_messages_in_total{is_system="true",message_type="delay",topic="SCHEDULE_TOPIC_XXXX"}`:                                                               1,
		`rocketmq_message_size_bucket{is_system="false",message_type="fifo",topic="T",le="4096"}`:                                                                     0,
		`rocketmq_message_size_bucket{is_system="false",message_type="fifo",topic="T",le="524288"}`:                                                                   1,
		`rocketmq_messages_out_total{consumer_group="G",is_system="false",topic="T"}`:                                                                                 2,
		`rocketmq_send_to_dlq_messages_total{consumer_group="G",is_system="false",topic="T"}`:                                                                         1,
		`rocketmq_consumer_lag_messages{consumer_group="G",is_retry="false",is_system="false",topic="T"}`:                                                             2,
		`rocketmq_consumer_connections{consume_mode="push",consumer_group="G",is_system="false",language="java",protocol_type="remoting",version="` + "v5_3_3" + `"}`: 1,
		`rocketmq_consumer_inflight_messages{consumer_group="G",is_retry="false",is_system="false",topic="T"}`:                                                        2,
		fmt.Sprintf(rpc, "false", "send_message_v2", "success"):                                                                                                       3,
		fmt.Sprintf(rpc, "false", "pull_message", "success"):                                                                                                          1,
		fmt.Sprintf(rpc, "true", "pull_message", "success"):                                                                                                           1,
		fmt.Sprintf(rpc, "false", "consumer_send_msg_back", "success"):                                                                                                1,
		fmt.Sprintf(rpc, "false", "heart_beat", "success"):                                                                                                            1,
		fmt.Sprintf(rpc, "false", "pull_message", "topic_not_exist"):                                                                                                  1,
		fmt.Sprintf(rpc, "false", "unknown", "request_code_not_supported"):                                                                                            1,
		`ringmq_pulls_found_total{source="memory"}`:                                                                                                                   2,
		`rocketmq_broker_permission`:   6,
		`ringmq_connections`:           1,
		`ringmq_broker_active`:         1,
		`ringmq_messages_stored_total`: 5,
	} {
		if got, ok := at[name]; !ok || got != want {
			t.Errorf("%s is %v %v, want %v", name, got, ok, want)
		}
	}
	if age := at[`rocketmq_consumer_lag_latency_milliseconds{consumer_group="G",is_retry="false",is_system="false",topic="T"}`]; age < 0 || age > float64(patience.Milliseconds()) {
		t.Error("age of the oldest message:", age)
	}
	if n := at[`ringmq_commit_duration_seconds_count`]; n == 0 || n != at[`ringmq_commit_size_bytes_count`] {
		t.Error(n, "commits")
	}
	if t.Failed() {
		for name, v := range at {
			if strings.HasPrefix(name, "rocketmq_") && !strings.Contains(name, "_bucket") {
				t.Log(name, v)
			}
		}
	}
	stock := scrapes(t, b.web.metrics)
	if len(stock) < len(at) {
		t.Errorf("%d series where stock has them, %d on the operator's address", len(stock), len(at))
	}
}

// TestBuckets: what is counted falls into the buckets that the table of metrics has, and the document with it.
func TestBuckets(t *testing.T) {
	r := newRig(t, "adminHttpAddress=127.0.0.1:0")
	c := r.dial()
	want(t, c.call(request(remoting.CodeUpdateAndCreateTopic, "topic", "T", "readQueueNums", 1, "writeQueueNums", 1, "perm", 6, "topicFilterType", "SINGLE_TAG")), 0, made.Remark)
	want(t, c.call(withText(remoting.CodeUpdateAndCreateSubscriptiongroup, `{"groupName":"g"}`)), 0, "")
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	bounds := map[string]map[float64]bool{} // by metric
	look := func() {
		for series := range scrapes(t, r.broker.web.admin) {
			name, labels, ok := strings.Cut(series, "_bucket{")
			if !ok {
				continue
			}
			_, le, _ := strings.Cut(labels, `le="`)
			bound, err := strconv.ParseFloat(strings.TrimSuffix(le, `"}`), 64)
			if err != nil {
				t.Fatal(series, err)
			}
			if bounds[name] == nil {
				bounds[name] = map[float64]bool{}
			}
			bounds[name][bound] = true
		}
	}
	for _, m := range metrics.Table {
		if m.Kind != metrics.Histogram {
			continue
		}
		until(t, m.Name+" is shown", func() bool { look(); return bounds[m.Name] != nil })
		var wanted []float64
		for _, text := range strings.Fields(m.Buckets) {
			bound, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(m.Name, err)
			}
			wanted = append(wanted, bound)
		}
		if got := slices.Sorted(maps.Keys(bounds[m.Name])); !slices.Equal(got, append(wanted, math.Inf(1))) {
			t.Errorf("%s has the buckets %v, the table says %v", m.Name, got, wanted)
		}
	}
}

// TestNothingOverHTTPUnlessAsked: no port is opened that nobody asked for.
func TestNothingOverHTTPUnlessAsked(t *testing.T) {
	r := newRig(t)
	if r.broker.web != (webServers{}) {
		t.Fatal("it listens")
	}
}

// TestPortOfMetricsInUse: the broker does not start, says which key it is about, and leaves nothing behind.
func TestPortOfMetricsInUse(t *testing.T) {
	first := newRig(t, "adminHttpAddress=127.0.0.1:0")
	taken := first.broker.web.admin.Addr()
	for key, setting := range map[string][]string{
		"adminHttpAddress":        {"adminHttpAddress=" + taken.String()},
		"metricsPromExporterPort": {"metricsExporterType=PROM", "metricsPromExporterPort=" + strconv.Itoa(int(taken.Port()))},
		"metricsLabel":            {"metricsExporterType=PROM", "metricsPromExporterPort=0", "metricsLabel=topic:x"},
	} {
		r := &rig{t: t, root: t.TempDir(), routes: first.routes}
		b, err := New(Options{Config: r.config(setting...), Logger: slog.New(slog.DiscardHandler), Loops: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Start(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestPullsAreCountedByWhereTheyAreRead: memory, page cache, disk.
func TestPullsAreCountedByWhereTheyAreRead(t *testing.T) {
	r := newRig(t, "tailCacheBytes=1048576", "adminHttpAddress=127.0.0.1:0")
	c := r.dial()
	body := strings.Repeat("b", 64<<10)
	for range 300 {
		want(t, c.call(sendTo("Cold", 0, "", body)), 0, "")
	}
	r.visibleMax("Cold", 0, 300)
	c.call(pullOf("G", "Cold", 0, 0, "*", 0))
	c.call(pullOf("G", "Cold", 0, 299, "*", 0))
	at := scrapes(t, r.broker.web.admin)
	memory, cache, disk := at[`ringmq_pulls_found_total{source="memory"}`], at[`ringmq_pulls_found_total{source="page_cache"}`], at[`ringmq_pulls_found_total{source="disk"}`]
	if memory != 1 || cache+disk != 1 {
		t.Error(memory, cache, disk)
	}
	if read := at[`ringmq_log_read_bytes_total{by="loop",source="page_cache"}`] + at[`ringmq_log_read_bytes_total{by="worker",source="page_cache"}`] +
		at[`ringmq_log_read_bytes_total{by="worker",source="disk"}`]; read < 64<<10 {
		t.Error(read)
	}
}
