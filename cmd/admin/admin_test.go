package admin

import (
	"encoding/csv"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ringmq/store/record"
)

var update = flag.Bool("update", false, "write testdata/commands.golden anew")

// plain replaces what differs from run to run by the name of its kind.
func (r *rig) plain(s string) string {
	s = strings.NewReplacer(r.addr(), "BROKER", r.ns.Addr().String(), "NAMESERVER", r.o.BodyDir, "BODIES").Replace(s)
	for _, p := range patterns {
		s = p.from.ReplaceAllString(s, p.to)
	}
	return s
}

var patterns = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "CLIENT"},
	{regexp.MustCompile(`\b7F000001[0-9A-F]{24}\b`), "ID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(,\d{3})?`), "TIME"},
	{regexp.MustCompile(`\b1[6-9]\d{11}\b`), "MS"},
	{regexp.MustCompile(`\b20\d{15}\b`), "TIME"},
	{regexp.MustCompile(`/tmp/\S+?/(metadata|configs)`), "DIR/$1"},
	{regexp.MustCompile(`\b\d+\.\d+\(0,0ms`), "RATE(0,0ms"},
	{regexp.MustCompile(`(rt=|RT: |^\S+ +\S+ +)[0-9.]+(ms)?`), "${1}RT$2"},
	{regexp.MustCompile(`("(?:meanRtMs|rtMs|inTps|outTps|tps|consumeTps|topicPutTps|hours|commitLogDiskRatio)":) ?[0-9.]+`), "${1}FIGURE"},
	{regexp.MustCompile(`(?m)(TPS: )[0-9.]+`), "${1}FIGURE"},
}

// look is what of a command is compared: the whole of what it prints where it is nil.
type look func(string) string

// few keeps headings and the keys that are named, for figures and settings.
func few(names ...string) look {
	return func(s string) string {
		var b strings.Builder
		for _, line := range strings.SplitAfter(s, "\n") {
			key, _, _ := strings.Cut(line, " ")
			if key = strings.TrimSuffix(key, ":"); strings.HasPrefix(line, "=") || slices.Contains(names, key) {
				b.WriteString(key + "\n")
			}
		}
		return b.String()
	}
}

// anyQueue forgets where a message came to lie.
func anyQueue(s string) string {
	return regexp.MustCompile(`queue(Id|Offset)=\d`).ReplaceAllString(s, "queue$1=ANY")
}

// first keeps the head of a table, and the beginning of its rows.
func first(s string) string {
	var b strings.Builder
	for i, line := range strings.SplitAfter(s, "\n") {
		if words := strings.Fields(line); i > 0 && len(words) > 2 {
			line = strings.Join(words[:2], " ") + " ...\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// script is a day of an operator's, in the order in which it is done. Every command is in it.
var script = []struct {
	words string
	look  look
}{
	{"updateTopic -b {broker} -t T -r 2 -w 2", nil},
	{"updateTopic -c DefaultCluster -t Ordered -o true -p 6 -a +message.type=FIFO", nil},
	{"updateTopic -b broker-a -t Ordered -r 4 -w 4 -o true --output json", nil},
	{"updateOrderConf -t Ordered -m get", nil},
	{"updateOrderConf -t Ordered -m put -v broker-a:7", nil},
	{"updateOrderConf -t Ordered -m get --output csv", nil},
	{"updateOrderConf -t Ordered -m delete", nil},
	{"updateTopicList -b {broker} -f testdata/topics.json", nil},
	{"updateTopicPerm -b {broker} -t T -p 4", nil},
	{"updateTopicPerm -c DefaultCluster -t T -p 6 --output json", nil},
	{"updateSubGroup -b {broker} -g G -m true", nil},
	{"updateSubGroup -c DefaultCluster -g H -r 3 -q 2 --output json", nil},
	{"updateSubGroupList -c DefaultCluster -f testdata/groups.json", nil},
	{"getConsumerConfig -g H", nil},
	{"getConsumerConfig -g H --output json", nil},
	{"(workload)", nil},
	{"topicList", nil},
	{"topicList -c", nil},
	{"topicList --output csv", nil},
	{"topicRoute -t T", nil},
	{"topicRoute -t T -l", nil},
	{"topicRoute -t T --output json", nil},
	{"topicStatus -t T", nil},
	{"topicStatus -t T --output json", nil},
	{"topicStatus -t T --output csv", nil},
	{"topicClusterList -t T", nil},
	{"allocateMQ -t Ordered -i 10.0.0.1,10.0.0.2,10.0.0.3", nil},
	{"consumerProgress", nil},
	{"consumerProgress -g G", nil},
	{"consumerProgress -g G -t T -s true", nil},
	{"consumerProgress -g G --output json", nil},
	{"consumerProgress -g G --output csv", nil},
	{"lag -g G -w 1", first},
	{"lag -w 1 -l 100 --output json", nil},
	{"brokerConsumeStats -b {broker}", nil},
	{"brokerConsumeStats -b {broker} -l 2 --output json", nil},
	{"consumerConnection -g G", nil},
	{"consumerConnection -g G -b {broker} --output json", nil},
	{"consumerConnection -g G -b broker-a", nil},
	{"consumerStatus -g G -i member", nil},
	{"consumerStatus -g G --output json", nil},
	{"consumerStatus -g G -b broker-a --output json", nil},
	{"producerConnection -g P -t T", nil},
	{"producerConnection -g P -t T --output json", nil},
	{"producer -b {broker}", nil},
	{"queryMsgById -t T -i 7F0000010001000000010000000A0003", nil},
	{"queryMsgById -t T -i 7F0000010001000000010000000A0003 --output json", nil},
	{"queryMsgById -t T -i 7F0000010001000000010000000A0003 -g G -d member", nil},
	{"queryMsgByKey -t T -k key3", nil},
	{"queryMsgByKey -t T -k key3 --output json", nil},
	{"queryMsgByUniqueKey -t T -i 7F0000010001000000010000000A0004", nil},
	{"queryMsgByOffset -t T -b broker-a -i 1 -o 2 -f UTF-8", nil},
	{"queryMsgTraceById -i 7F0000010001000000010000000A0003", nil},
	{"queryMsgTraceById -i 7F0000010001000000010000000A0003 --output json", nil},
	{"printMsg -t T -s odd", nil},
	{"printMsg -t T -s odd --output csv", nil},
	{"printMsgByQueue -t T -a broker-a -i 0 -f true", nil},
	{"printMsgByQueue -t T -a broker-a -i 0 -p true --output json", nil},
	{"consumeMessage -t T -b broker-a -i 0 -o 3", nil},
	{"consumeMessage -t T -c 3 --output json", nil},
	{"queryCq -t T -q 0 -i 0 -c 2 -g G", nil},
	{"queryCq -t T -q 0 -i 4 -b {broker} --output json", nil},
	{"resetOffsetByTime -g G -t T -s 0", nil},
	{"resetOffsetByTime -g G -t T -s now --output json", nil},
	{"resetOffsetByTime -g G -t T -s -1 -b {broker} -q 1 -o 2", nil},
	{"skipAccumulatedMessage -g G -t T", nil},
	{"cloneGroupOffset -s G -d H -t T", nil},
	{"consumerProgress -g H -t T", nil},
	{"sendMessage -t T -p hello -k one -c blue -b broker-a -i 1", nil},
	{"sendMessage -t T -p hello -b broker-a -i 0 --output json", nil},
	{"sendMsgStatus -b broker-a -c 1 -s 10", anyQueue},
	{"checkMsgSendRT -t T -a 3", first},
	{"clusterRT -a 2", first},
	{"statsAll -t T", first},
	{"statsAll -a --output csv", func(s string) string { return strings.SplitAfter(s, "\n")[0] }},
	{"clusterList", first},
	{"clusterList -m", nil},
	{"clusterList --output json", nil},
	{"brokerStatus -b {broker}", few("brokerVersionDesc", "putTps", "commitLogMaxOffset")},
	{"brokerStatus -c DefaultCluster --output csv", func(s string) string { return strings.SplitAfter(s, "\n")[0] }},
	{"haStatus -b {broker}", nil},
	{"haStatus -c DefaultCluster --output json", nil},
	{"getBrokerEpoch -b broker-a", nil},
	{"resetMasterFlushOffset -b {broker} -o 0", nil},
	{"getBrokerConfig -b {broker}", few("brokerName", "flushDiskType")},
	{"updateBrokerConfig -b {broker} -k flushConsumerOffsetInterval -v 4000", nil},
	{"updateBrokerConfig -c DefaultCluster -k brokerConfigPath -v elsewhere", nil},
	{"getNamesrvConfig", few("listenPort", "scanNotActiveBrokerInterval")},
	{"updateNamesrvConfig -k scanNotActiveBrokerInterval -v 6000", nil},
	{"updateBrokerConfig -c DefaultCluster -k clientSendMaxMessagePerSecond -v 100", nil},
	{"updateNamesrvConfig -k maxConections -v 100", nil},
	{"updateKvConfig -s S -k a -v b", nil},
	{"deleteKvConfig -s S -k a", nil},
	{"wipeWritePerm -b broker-a", nil},
	{"topicRoute -t T -l --output csv", nil},
	{"addWritePerm -b broker-a --output json", nil},
	{"drain -b {broker} --settle 0s --timeout 1ms", exceptProducers},
	{"undrain -b {broker}", nil},
	{"undrain --brokerName broker-a --output json", nil},
	{"drain", nil},
	{"drain -b 192.0.2.1:10911", nil},
	{"drain --brokerName broker-x", nil},
	{"undrain --brokerName broker-x", nil},
	{"drain -b {broker} --settle soon", nil},
	{"updateColdDataFlowCtrGroupConfig -b {broker} -g G -v 1000", nil},
	{"getColdDataFlowCtrInfo -b {broker}", nil},
	{"removeColdDataFlowCtrGroupConfig -b {broker} -g G", nil},
	{"setCommitLogReadAheadMode -c DefaultCluster -m 1", nil},
	{"exportMetadata -c DefaultCluster -f {dir}", nil},
	{"exportConfigs -c DefaultCluster -f {dir} --output json", nil},
	{"exportMetrics -c DefaultCluster -f {dir}", nil},
	{"export -c DefaultCluster --to {dir}/all.json --groups G|H", nil},
	{"export -b {broker} --to {dir}/all.json --topics T|Ordered --groups G --output json", nil},
	{"import {dir}/all.json -c DefaultCluster --offsets exact", nil},
	{"import {dir}/all.json -b {broker} --offsets time --output json", nil},
	{"import {dir}/metadata.json -c DefaultCluster --dryRun", nil},
	{"deleteSubGroup -b {broker} -g H", nil},
	{"deleteSubGroup -c DefaultCluster -g H2 -r true", nil},
	{"deleteTopic -t Ordered -c DefaultCluster", nil},
	{"deleteTopic -t Listed -c DefaultCluster --output json", nil},
	// What cannot be done.
	{"topicRoute -t Nothing", nil},
	{"topicStatus", nil},
	{"updateTopic -t T", nil},
	{"updateTopic -t T -b {broker} -r many", nil},
	{"updateTopic -t T -c Elsewhere", nil},
	{"consumerConnection -g Nobody", nil},
	{"consumerProgress -g Nobody", nil},
	{"queryMsgByKey -t T -k nothing", nil},
	{"queryMsgByOffset -t T -b broker-a -i 0 -o 100000", nil},
	{"resetOffsetByTime -g G -t T -s yesterday", nil},
	{"updateTopicPerm -b {broker} -t T -p 6", nil},
	{"deleteTopic -t TBW102 -c DefaultCluster", nil},
	// It may come to any queue.
	{"queryMsgById -t T -i 7F0000010001000000010000000A0003 -s true", anyQueue},
}

// exceptProducers leaves out for how long nothing was sent.
func exceptProducers(s string) string {
	return regexp.MustCompile(`(?m)^producers .*\n`).ReplaceAllString(s, "")
}

func (r *rig) workload() {
	m := r.dial(telling("T", 2, nil))
	m.beat("member", "G", "T")
	for i := range 10 {
		tag := []string{"even", "odd"}[i%2]
		m.send("T", i%2, "body "+string(rune('0'+i)), "UNIQ_KEY", "7F0000010001000000010000000A000"+string(rune('0'+i)), "KEYS", "key"+string(rune('0'+i)), "TAGS", tag)
	}
	m.commit("G", "T", 0, 3)
	m.commit("G", "T", 1, 4)
	id := "7F0000010001000000010000000A0003"
	trace := strings.Join([]string{"Pub", "1700000000000", "DefaultRegion", "P", "T", id, "odd", "key3", "127.0.0.1:1", "6", "2", "0", "x", "true", "10.0.0.9"}, "\x01") + "\x02"
	trace += strings.Join([]string{"SubAfter", "request", id, "7", "true", "key3", "0", "1700000000100", "G"}, "\x01") + "\x02"
	m.send("RMQ_SYS_TRACE_TOPIC", 0, trace, "KEYS", id, "UNIQ_KEY", "7F0000010001000000010000000B0001")
	deadline := time.Now().Add(patience)
	for {
		_, err1 := r.run("queryMsgByKey -t RMQ_SYS_TRACE_TOPIC -k " + id)
		_, err2 := r.run("queryMsgByKey -t T -k key9")
		if err1 == nil && err2 == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatal("the messages are not in the index: ", err1, err2)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestCommands runs every command against a broker of ours, and compares what each prints with testdata/commands.golden.
func TestCommands(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := t.TempDir()
	var got strings.Builder
	seen := map[string]bool{}
	for _, line := range script {
		if line.words == "(workload)" {
			r.workload()
			continue
		}
		seen[strings.Fields(line.words)[0]] = true
		text, err := r.run(strings.ReplaceAll(line.words, "{dir}", dir))
		if err != nil {
			text += "error: " + err.Error() + "\n"
		}
		if err == nil && strings.HasSuffix(line.words, "--output json") && !json.Valid([]byte(text)) {
			t.Errorf("%s: no JSON: %s", line.words, text)
		}
		if err == nil && strings.HasSuffix(line.words, "--output csv") {
			if _, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil {
				t.Errorf("%s: no CSV: %v", line.words, err)
			}
		}
		text = strings.ReplaceAll(text, dir, "DIR")
		if line.look != nil {
			text = line.look(text)
		}
		got.WriteString("$ " + line.words + "\n" + r.plain(text) + "\n")
	}
	for _, c := range All() {
		if !seen[c.Name] {
			t.Errorf("%s is not in the script", c.Name)
		}
	}
	file := filepath.Join("testdata", "commands.golden")
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wants, gots := strings.Split(string(want), "\n$ "), strings.Split(got.String(), "\n$ ")
	if len(wants) != len(gots) {
		t.Fatalf("%d commands in the file, %d were run; look at the difference after -update", len(wants), len(gots))
	}
	for i := range wants {
		if wants[i] != gots[i] {
			t.Errorf("prints\n%s\nthe file has\n%s", gots[i], wants[i])
		}
	}
	for name, key := range map[string]string{"metadata.json": "subscriptionGroupTable", "configs.json": "brokerConfigs"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		var v map[string]any
		if err != nil || json.Unmarshal(text, &v) != nil || v[key] == nil {
			t.Errorf("%s: %v %s", name, err, text)
		}
	}
	body, err := os.ReadFile(filepath.Join(r.o.BodyDir, "7F0000010001000000010000000A0003"))
	if err != nil || string(body) != "body 3" {
		t.Errorf("body of a message looked up: %q %v", body, err)
	}
}

// TestQuick: an answer of a command takes less than 50 ms. The fastest of some counts, of many where others use the machine too.
func TestQuick(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, words := range []string{"updateTopic -b {broker} -t T", "topicList", "clusterList", "consumerProgress", "sendMessage -t T -p hello", "printMsg -t T"} {
		best := time.Hour
		for end := time.Now().Add(patience); time.Now().Before(end) && best > 50*time.Millisecond; {
			began := time.Now()
			if _, err := r.run(words); err != nil {
				t.Fatal(words, err)
			}
			best = min(best, time.Since(began))
		}
		if best > 50*time.Millisecond {
			t.Errorf("%s takes %s", words, best)
		}
	}
}

// TestKnown: completion finds what there is.
func TestKnown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.dial(nil).beat("member", "G", "TBW102")
	for n, want := range map[Names]string{Topics: "TBW102", Groups: "G", Clusters: "DefaultCluster", BrokerNames: "broker-a", BrokerAddrs: r.addr()} {
		for began := time.Now(); ; time.Sleep(5 * time.Millisecond) { // the group's topic is registered a little later
			all := Known(t.Context(), r.o, n)
			if slices.Contains(all, want) {
				break
			}
			if time.Since(began) > patience {
				t.Fatalf("kind %d: %v without %s", n, all, want)
			}
		}
	}
	if all := Known(t.Context(), Options{NameServers: []string{"127.0.0.1:1"}, Timeout: time.Second}, Topics); len(all) != 0 {
		t.Error("from nowhere:", all)
	}
}

// TestMapText: properties are printed in the order of stock's clients; the sample is theirs.
func TestMapText(t *testing.T) {
	t.Parallel()
	pairs := []pair{{"KEYS", "key0"}, {"UNIQ_KEY", "u"}, {"CLUSTER", "DefaultCluster"}, {"WAIT", "true"}, {"TAGS", "even"}, {"MSG_REGION", "DefaultRegion"}, {"TRACE_ON", "true"},
		{record.PropertyCRC, "4674629330"}, {"MIN_OFFSET", "0"}, {"MAX_OFFSET", "5"}}
	const want = "{MSG_REGION=DefaultRegion, UNIQ_KEY=u, CLUSTER=DefaultCluster, __CRC32#=4674629330, MIN_OFFSET=0, TAGS=even, KEYS=key0, WAIT=true, TRACE_ON=true, MAX_OFFSET=5}"
	if got := mapText(pairs, javaProperties); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := mapText([]pair{{"a", "1"}, {"a", "2"}}, 16); got != "{a=2}" {
		t.Error(got)
	}
}

func TestVersionName(t *testing.T) {
	t.Parallel()
	for ordinal, want := range map[int32]string{479: "V5_3_3", 478: "V5_3_3_SNAPSHOT", 413: "V5_0_0", 401: "V4_9_4", 213: "V4_0_0", 3: "ordinal 3", -1: "ordinal -1"} {
		if got := versionName(ordinal); got != want {
			t.Errorf("%d: %s, want %s", ordinal, got, want)
		}
	}
}

func TestMoment(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_123)
	for text, want := range map[string]int64{"now": now.UnixMilli(), "-1": -1, "0": 0, now.Format("2006-01-02#15:04:05:") + "123": now.UnixMilli()} {
		if got, err := parseMoment(text, now); err != nil || got != want {
			t.Errorf("%s: %d %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "2020-01-01", "12:00"} {
		if _, err := parseMoment(text, now); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// FuzzTrace: whatever a trace says, reading it does not fail.
func FuzzTrace(f *testing.F) {
	f.Add("Pub\x011\x01r\x01g\x01t\x01id\x01tag\x01k\x01h\x016\x012\x010\x01x\x01true\x02SubAfter\x01r\x01id\x011\x01true\x02")
	f.Fuzz(func(t *testing.T, body string) {
		for _, v := range parseTrace(body, "id", "h") {
			if v.kind != "Pub" && v.kind != "SubAfter" {
				t.Error(v.kind)
			}
		}
	})
}

var someHost = netip.MustParseAddrPort("127.0.0.1:10911")

// FuzzMessages: whatever a broker answers, reading it does not fail.
func FuzzMessages(f *testing.F) {
	f.Add(record.Append(nil, &record.Record{Topic: []byte("T"), Body: []byte("b"), Properties: []byte("KEYS\x01k\x02"), BornHost: someHost, StoreHost: someHost}, false))
	f.Fuzz(func(t *testing.T, body []byte) {
		all, _ := parseMessages(body)
		for _, m := range all {
			m.text(0, 1)
			m.row(true)
		}
	})
}
