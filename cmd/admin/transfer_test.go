package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// planSeen is a row of an import's plan.
type planSeen struct{ What, State, Broker, Name, Detail string }

// imports runs an import with an answer in JSON, and returns its plan by what and name.
func (r *rig) imports(words string) (map[string]planSeen, error) {
	r.t.Helper()
	text, err := r.run("import " + words + " --output json")
	var left *EndError
	if err != nil && !errors.As(err, &left) {
		return nil, err
	}
	var all struct{ Plan []planSeen }
	if no := json.Unmarshal([]byte(text), &all); no != nil {
		r.t.Fatalf("%v: %s", no, text)
	}
	plan := map[string]planSeen{}
	for _, p := range all.Plan {
		plan[p.What+" "+p.Name] = p
	}
	return plan, err
}

func (r *rig) mustRun(words string) string {
	r.t.Helper()
	text, err := r.run(words)
	if err != nil {
		r.t.Fatal(words, err)
	}
	return text
}

// wantPlan compares the states of a plan, what and name: state.
func wantPlan(t *testing.T, plan map[string]planSeen, want map[string]stepState) {
	t.Helper()
	for name, state := range want {
		if got := plan[name]; got.State != string(state) {
			t.Errorf("%s: %+v, want %s", name, got, state)
		}
	}
	if len(plan) != len(want) {
		t.Errorf("%d steps, want %d: %v", len(plan), len(want), plan)
	}
}

// progressOf is how far a group is in a queue; -1: it has no progress there.
func (r *rig) progressOf(group, topic string, queue int32) int64 {
	r.t.Helper()
	s := newSession(r.o)
	defer s.ask.Close()
	all, err := s.allProgress(r.t.Context(), r.addr())
	if err != nil {
		r.t.Fatal(err)
	}
	if offset, there := all[topic+"@"+group][queue]; there {
		return offset
	}
	return -1
}

// source is a broker with an ordered topic T of two queues with five messages each, each of a millisecond of its own, and a group G
// that has consumed three of the first queue and all of the second.
func source(t *testing.T) (r *rig, file string) {
	t.Helper()
	r = newRig(t)
	r.mustRun("updateTopic -c DefaultCluster -t T -r 2 -w 2 -o true -a +message.type=NORMAL")
	r.mustRun("updateTopic -c DefaultCluster -t Other")
	r.mustRun("updateSubGroup -c DefaultCluster -g G -r 3 -m true")
	m := r.dial(nil)
	for i := range 10 {
		for now := time.Now().UnixMilli(); time.Now().UnixMilli() == now; {
			runtime.Gosched()
		}
		m.send("T", i%2, "x")
	}
	m.commit("G", "T", 0, 3)
	m.commit("G", "T", 1, 5)
	file = filepath.Join(t.TempDir(), "all.json")
	r.mustRun("export -c DefaultCluster --to " + file)
	return r, file
}

// TestExportedAsItIs: the file has the configurations, the order and the times of what the group consumes next.
func TestExportedAsItIs(t *testing.T) {
	t.Parallel()
	r, file := source(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := readTransfer(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Topics) != 2 || d.Topics[1].Config.TopicName != "T" || !d.Topics[1].Config.Order || d.Topics[1].Config.Attributes["message.type"] != "NORMAL" || d.Topics[1].Broker != "broker-a" ||
		len(d.Groups) != 1 || d.Groups[0].Config.RetryMaxTimes != 3 || d.Order["T"] != "broker-a:2" || d.Source.Cluster != "DefaultCluster" || d.Source.Brokers[0].Addr != r.addr() {
		t.Errorf("%s", text)
	}
	s := newSession(r.o)
	defer s.ask.Close()
	q := queueAt{remoting.MessageQueue{Topic: "T", BrokerName: "broker-a"}, r.addr()}
	third := s.timeOf(t.Context(), q, 3)
	q.QueueID = 1
	last := s.timeOf(t.Context(), q, 4)
	want := []transferOffset{{"G", "T", "broker-a", 0, 3, third}, {"G", "T", "broker-a", 1, 5, last + 1}}
	if len(d.Offsets) != 2 || d.Offsets[0] != want[0] || d.Offsets[1] != want[1] || third == 0 || last == 0 {
		t.Errorf("%+v, want %+v", d.Offsets, want)
	}
}

// TestMovedToAnotherCluster: nothing is changed by a dry run; then topics, groups and order are made, with the names of the brokers that
// are there; and a second import finds all of it.
func TestMovedToAnotherCluster(t *testing.T) {
	t.Parallel()
	_, file := source(t)
	r := newRig(t, "brokerName=broker-b")
	all := map[string]stepState{"topic T": stepCreate, "topic Other": stepCreate, "group G": stepCreate, "order T": stepCreate}
	for range 2 {
		plan, err := r.imports(file + " -c DefaultCluster --dryRun")
		if err != nil {
			t.Fatal(err)
		}
		wantPlan(t, plan, all)
	}
	plan, err := r.imports(file + " -c DefaultCluster --offsets time")
	if err != nil {
		t.Fatal(err)
	}
	all["offset G T queue 0"], all["offset G T queue 1"] = stepCreate, stepCreate
	wantPlan(t, plan, all)
	if conf := r.mustRun("updateOrderConf -t T -m get"); !strings.Contains(conf, "[broker-b:2]") {
		t.Error(conf)
	}
	if r.progressOf("G", "T", 0) != 0 || r.progressOf("G", "T", 1) != 0 {
		t.Error("in empty queues the group begins with the first message")
	}
	if plan, err = r.imports(file + " -c DefaultCluster --offsets time"); err != nil {
		t.Fatal(err)
	}
	for name := range all {
		all[name] = stepEqual
	}
	wantPlan(t, plan, all)
	s := newSession(r.o)
	defer s.ask.Close()
	c, err := s.ask.TopicConfig(t.Context(), r.addr(), "T")
	if err != nil || c.Attributes["message.type"] != "NORMAL" || !c.Order || c.ReadQueueNums != 2 {
		t.Errorf("%v %+v", err, c)
	}
}

// TestOffsetsOfTheFile: exact offsets are set where the queue has them, those by time are found again, and nothing that a group has is
// changed unasked, or while it has members.
func TestOffsetsOfTheFile(t *testing.T) {
	t.Parallel()
	r, file := source(t)
	m := r.dial(nil)
	m.commit("G", "T", 0, 1)
	m.commit("G", "T", 1, 1)
	const exact, byTime = " -b broker-a --groups G --topics T --offsets exact", " -b broker-a --groups G --topics T --offsets time"
	rest := map[string]stepState{"topic T": stepEqual, "group G": stepEqual, "order T": stepEqual}
	plan := func(words string, state stepState, wantLeft bool) {
		t.Helper()
		got, err := r.imports(file + words)
		if (err != nil) != wantLeft {
			t.Fatal(words, err)
		}
		want := map[string]stepState{"offset G T queue 0": state, "offset G T queue 1": state}
		for k, v := range rest {
			want[k] = v
		}
		wantPlan(t, got, want)
	}
	for _, c := range []struct {
		how    string
		queues [2]int64
	}{
		{exact, [2]int64{3, 5}},
		{byTime + " --margin 0s", [2]int64{3, 3}}, // the fourth message of queue 0, and the first after it in queue 1
		{byTime, [2]int64{0, 0}},                  // a minute before it there was none
	} {
		how := c.how
		plan(how, stepKept, true)
		if r.progressOf("G", "T", 0) != 1 {
			t.Error("moved unasked")
		}
		plan(how+" --overwrite", stepChange, false)
		if a, b := r.progressOf("G", "T", 0), r.progressOf("G", "T", 1); a != c.queues[0] || b != c.queues[1] {
			t.Errorf("%s: %d and %d, want %v", how, a, b, c.queues)
		}
		plan(how, stepEqual, false)
		m.commit("G", "T", 0, 1)
		m.commit("G", "T", 1, 1)
	}
	m.beat("member", "G", "T")
	plan(exact+" --overwrite", stepLeft, true)
	if r.progressOf("G", "T", 0) != 1 {
		t.Error("moved although a member is connected")
	}
}

// TestExactOnlyWhereTheQueueHasIt: an offset beyond the end of a queue is left, and said.
func TestExactOnlyWhereTheQueueHasIt(t *testing.T) {
	t.Parallel()
	_, file := source(t)
	r := newRig(t, "brokerName=broker-b")
	r.mustRun("updateTopic -c DefaultCluster -t T -r 2 -w 2")
	m := r.dial(nil)
	for range 4 {
		m.send("T", 0, "x")
	}
	plan, err := r.imports(file + " -c DefaultCluster --offsets exact --topics T")
	if err == nil {
		t.Fatal("nothing was left")
	}
	wantPlan(t, plan, map[string]stepState{"topic T": stepKept, "group G": stepCreate, "order T": stepCreate, "offset G T queue 0": stepCreate, "offset G T queue 1": stepLeft})
	if detail := plan["offset G T queue 1"].Detail; !strings.Contains(detail, "goes from 0 to 0") {
		t.Error(detail)
	}
	if detail := plan["topic T"].Detail; !strings.Contains(detail, "order is false, in the file true") || !strings.Contains(detail, "attributes is null, in the file") {
		t.Error(detail)
	}
	if got := r.progressOf("G", "T", 0); got != 3 {
		t.Error(got)
	}
	if _, err := r.imports(file + " -c DefaultCluster --overwrite --topics T"); err != nil {
		t.Fatal(err)
	}
	if plan, err = r.imports(file + " -c DefaultCluster --topics T"); err != nil || plan["topic T"].State != string(stepEqual) {
		t.Error(err, plan)
	}
}

// TestImportGoesOn: what fails does not stop the rest.
func TestImportGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	file := filepath.Join(t.TempDir(), "all.json")
	text := `{"formatVersion":1,"topics":[
		{"broker":"broker-a","config":{"topicName":"no good name!","perm":6,"readQueueNums":1,"writeQueueNums":1}},
		{"broker":"broker-a","config":{"topicName":"TBW102","perm":6,"readQueueNums":1,"writeQueueNums":1}},
		{"broker":"broker-a","config":{"topicName":"Good","perm":6,"readQueueNums":1,"writeQueueNums":1}}],
		"offsets":[{"group":"Nobody","topic":"Good","broker":"broker-a","queueId":0,"offset":0,"storeTimestamp":1}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := r.run("import " + file + " -b {broker} --offsets exact")
	var left *EndError
	if err == nil || errors.As(err, &left) || !strings.Contains(err.Error(), "1 of 4 items failed") || !strings.Contains(got, "by itself") || !strings.Contains(got, "neither here nor in the file") {
		t.Errorf("%v\n%s", err, got)
	}
	if list := r.mustRun("topicRoute -t Good"); !strings.Contains(list, "broker-a") {
		t.Error(list)
	}
}

// TestImportOfExportMetadata: files of exportMetadata's are taken, and the one that it writes for a cluster is said to add up.
func TestImportOfExportMetadata(t *testing.T) {
	t.Parallel()
	a, _ := source(t)
	dir := t.TempDir()
	a.mustRun("exportMetadata -c DefaultCluster -f " + dir)
	r := newRig(t, "brokerName=broker-b")
	text := r.mustRun("import " + filepath.Join(dir, "metadata.json") + " -c DefaultCluster")
	if !strings.Contains(text, "added up") || !strings.Contains(text, "3 done, 0 failed") {
		t.Error(text)
	}
	if list := r.mustRun("getConsumerConfig -g G"); !strings.Contains(list, fmt.Sprintf("%-40s=  3\n", "retryMaxTimes")) {
		t.Error(list)
	}
}

// TestNamesOfBrokers: who stands for whom is the same name, the only one, or what was said.
func TestNamesOfBrokers(t *testing.T) {
	topic := func(broker, name string) transferTopic {
		c := remoting.NewTopicConfig(name, 2, 6)
		return transferTopic{broker, &c}
	}
	doc := &transfer{Topics: []transferTopic{topic("a", "OnA"), topic("a", "OnBoth"), topic("b", "OnB"), topic("b", "OnBoth")}}
	for _, one := range []struct {
		targets []string
		given   string
		want    string // topics of every target
	}{
		{[]string{"a", "b"}, "", "a:OnA,OnBoth b:OnB,OnBoth"},
		{[]string{"a", "c"}, "", "a:OnA,OnB,OnBoth c:OnA,OnB,OnBoth"},
		{[]string{"x", "y"}, "a=x,b=y", "x:OnA,OnBoth y:OnB,OnBoth"},
		{[]string{"x"}, "a=x,b=x", "x:OnA,OnB,OnBoth"},
		{[]string{"x"}, "", "x:OnA,OnB,OnBoth"},
		{[]string{"x"}, "c=x", "the file has no broker c"},
		{[]string{"x"}, "a=z", "z is none of the brokers"},
		{[]string{"x"}, "a", "not of the form"},
	} {
		im := &importer{doc: doc}
		for _, name := range one.targets {
			im.targets = append(im.targets, &importTarget{name: name, sources: map[string]bool{}, wants: map[string]*remoting.TopicConfig{}})
		}
		got := ""
		if err := im.pair(one.given); err != nil {
			got = err.Error()
		} else {
			var words []string
			for _, target := range im.targets {
				im.planTopics(target)
			}
			for _, target := range im.targets {
				var names []string
				for _, st := range im.steps {
					if st.broker == target.name {
						names = append(names, st.name)
					}
				}
				words = append(words, target.name+":"+strings.Join(names, ","))
			}
			got = strings.Join(words, " ")
		}
		if !strings.Contains(got, one.want) {
			t.Errorf("%v %s: %s, want %s", one.targets, one.given, got, one.want)
		}
	}
}

// TestForeignFiles: what is no export is refused, with what and where.
func TestForeignFiles(t *testing.T) {
	const head = `{"formatVersion":1,"source":{"cluster":"c","time":1,"brokers":[]},`
	for text, want := range map[string]string{
		"":                      "no JSON object",
		"[]":                    "no JSON object",
		"PK\x03\x04":            "no JSON object",
		`{"formatVersion":2}`:   "this program knows 1",
		`{"formatVersion":"1"}`: "formatVersion",
		`{"topics":[]}`:         "its first key is formatVersion",
		`{}`:                    "no formatVersion",
		`{"offsetTable":{}}`:    "topicConfigTable",
		head[:len(head)-1]:      "does not end",
		head + `"queues":[]}`:   `"queues" is no part`,
		head + `"topics":{}}`:   "topics is no list",
		head + `"topics":[{}]}`: "topics[0]: it has no config",
		head + `"topics":[{"config":{"topicName":"T"}}]}`:                                                                  "topics[0]: it has no broker",
		head + "\n\n" + `"offsets":[{"group":"G","topic":"T","broker":"b","queue":0}]}`:                                    `line 3: offsets[0]: json: unknown field "queue"`,
		head + `"topics":[{"broker":"b","config":{"topicName":"T"}},{"broker":"b","config":{"topicName":"T"}}]}`:           "topics[1] is topics[0] again: T, b",
		head + `"offsets":[{"group":"G","topic":"T","broker":"b","queueId":0,"offset":-1,"storeTimestamp":0}]}`:            "none may be below 0",
		head + `"offsets":[{"group":"G","topic":"T","broker":"b","queueId":0,"offset":99999999999999999999}]}`:             "offsets[0]",
		head + `"offsets":[{"group":"` + strings.Repeat("g", 256) + `","topic":"T","broker":"b","queueId":0,"offset":0}]}`: "group has 256 bytes",
		head + `"topics":[]}` + "\n{}":                         "line 2: there is something behind",
		`{"topicConfigTable":{"T":{"topicName":"Other"}}}`:     `"T" is no topic of that name`,
		`{"subscriptionGroupTable":{"G":null}}`:                `"G" is no group of that name`,
		`{"topicConfigTable":` + strings.Repeat("[", 40) + "T": "levels",
	} {
		if _, err := readTransfer([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %s", text, err, want)
		}
	}
	long := filepath.Join(t.TempDir(), "long.json")
	if err := os.WriteFile(long, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(long, maxTransferBytes+1); err != nil {
		t.Fatal(err)
	}
	if _, err := readFile(long); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error("a file of any length is read:", err)
	}
}

// FuzzTransfer: whatever a file says, reading it does not fail; what was read is written so that it is read again as it was.
func FuzzTransfer(f *testing.F) {
	c, g := remoting.NewTopicConfig("T", 8, 6), remoting.NewSubscriptionGroupConfig("G")
	d := &transfer{FormatVersion: transferVersion, Source: transferSource{"c", 1, []transferBroker{{"b", "10.0.0.1:10911", "V5_3_3"}}}, Topics: []transferTopic{{"b", &c}},
		Order: map[string]string{"T": "b:8"}, Groups: []transferGroup{{"b", &g}}, Offsets: []transferOffset{{"G", "T", "b", 0, 7, 1_700_000_000_000}}}
	var text bytes.Buffer
	if err := d.write(&text); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Add([]byte(`{"topicConfigTable":{"T":{"topicName":"T"}},"subscriptionGroupTable":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := readTransfer(text)
		if err != nil || d.addedUp {
			return
		}
		var once, twice bytes.Buffer
		if err := d.write(&once); err != nil {
			t.Fatal(err)
		}
		again, err := readTransfer(once.Bytes())
		if err != nil {
			t.Fatalf("%v: %s", err, once.Bytes())
		}
		if err := again.write(&twice); err != nil || !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Errorf("%v: %s\n%s", err, once.Bytes(), twice.Bytes())
		}
	})
}
