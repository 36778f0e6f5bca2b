package meta

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

const rw = remoting.PermRead | remoting.PermWrite

func TestTopicsChange(t *testing.T) {
	told := 0
	topics, err := NewTopics(nil, clock, func() { told++ })
	if err != nil {
		t.Fatal(err)
	}
	begin := topics.Version()
	if begin.Counter != 0 || begin.Timestamp != clock().UnixMilli() {
		t.Fatal(begin)
	}
	if _, created := topics.Ensure(remoting.NewTopicConfig("A", 4, rw)); !created {
		t.Fatal("not created")
	}
	if c, created := topics.Ensure(remoting.NewTopicConfig("A", 8, rw)); created || c.WriteQueueNums != 4 {
		t.Fatal("created twice", c)
	}
	topics.Put(remoting.NewTopicConfig("B", 1, rw), remoting.NewTopicConfig("C", 1, rw))
	if topics.Version().Counter != 2 || topics.Len() != 3 {
		t.Fatal(topics.Version(), topics.Len())
	}
	before, _ := topics.Get([]byte("A"))
	changed := *before
	changed.ReadQueueNums = 9
	if ok, err := topics.Alter([]remoting.TopicConfig{changed}, []string{""}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if before.ReadQueueNums != 4 {
		t.Fatal("a configuration that was handed out has changed")
	}
	if ok, err := topics.Alter([]remoting.TopicConfig{changed}, []string{""}); ok || err != nil {
		t.Fatal("no change is no change", ok, err)
	}
	topics.Widen([]remoting.TopicConfig{remoting.NewTopicConfig("A", 6, rw), remoting.NewTopicConfig("none", 6, rw)})
	if a, _ := topics.Lookup("A"); a.ReadQueueNums != 9 || a.WriteQueueNums != 6 || before.WriteQueueNums != 4 || topics.Len() != 3 || topics.Version().Counter != 4 {
		t.Fatal(a, before, topics.Len(), topics.Version())
	}
	topics.Widen([]remoting.TopicConfig{remoting.NewTopicConfig("A", 6, rw)}) // changes nothing
	if !topics.Delete("B") || topics.Delete("B") {
		t.Fatal("delete")
	}
	if _, ok := topics.Get([]byte("B")); ok || topics.Len() != 2 || len(topics.All()) != 2 {
		t.Fatal("still there")
	}
	if told != 5 {
		t.Fatal(told)
	}
}

// TestTopicsUnsaved: a topic is unsaved from when it is made until a version that has it is on disk; altering it changes nothing.
func TestTopicsUnsaved(t *testing.T) {
	doc, _ := encode(topicsFile{TopicConfigTable: map[string]*remoting.TopicConfig{"Old": {}}})
	topics, err := NewTopics(doc, clock, noTopics)
	if err != nil {
		t.Fatal(err)
	}
	check := func(want ...string) {
		t.Helper()
		var got []string
		for _, name := range []string{"A", "B", "C", "Old"} {
			if topics.Unsaved([]byte(name)) {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatal(got)
		}
	}
	topics.Put(remoting.NewTopicConfig("A", 1, rw), remoting.NewTopicConfig("Old", 2, rw))
	topics.Ensure(remoting.NewTopicConfig("B", 1, rw))
	check("A", "B")
	topics.Saved(1)
	check("B")
	if _, err := topics.Alter([]remoting.TopicConfig{remoting.NewTopicConfig("A", 2, rw)}, []string{""}); err != nil {
		t.Fatal(err)
	}
	if _, err := topics.Alter([]remoting.TopicConfig{remoting.NewTopicConfig("C", 2, rw)}, []string{""}); err != nil {
		t.Fatal(err)
	}
	check("B", "C")
	topics.Delete("B")
	check("C")
	topics.Saved(topics.Version().Counter)
	check()
	topics.Ensure(remoting.NewTopicConfig("B", 1, rw))
	check("B")
}

// TestTopicsSince: what was altered after a version, taken in by whoever had it, gives the version that comes along.
func TestTopicsSince(t *testing.T) {
	topics, err := NewTopics(nil, clock, noTopics)
	if err != nil {
		t.Fatal(err)
	}
	check := func(since int64, version int64, whole bool, want ...string) {
		t.Helper()
		some, v, all := topics.Since(since)
		if got := slices.Sorted(maps.Keys(some)); v.Counter != version || all != whole || !slices.Equal(got, want) {
			t.Fatal(since, got, v.Counter, all)
		}
	}
	check(0, 0, false)
	topics.Put(remoting.NewTopicConfig("A", 1, rw), remoting.NewTopicConfig("B", 1, rw))
	topics.Put(remoting.NewTopicConfig("C", 1, rw))
	topics.Put(remoting.NewTopicConfig("A", 2, rw))
	check(0, 3, false, "A", "B", "C")
	check(1, 3, false, "A", "C")
	check(3, 3, false)
	if some, _, _ := topics.Since(2); some["A"].WriteQueueNums != 2 {
		t.Fatal(some["A"])
	}
	check(-1, 3, true, "A", "B", "C") // a version from before what is remembered
	check(4, 3, true, "A", "B", "C")
	topics.Delete("B")
	check(3, 4, true, "A", "C")
	check(4, 4, false)
	topics.Touch()
	check(4, 5, true, "A", "C")
	for range 2 * maxRecent {
		topics.Put(remoting.NewTopicConfig("C", 1, rw))
	}
	at := topics.Version().Counter
	check(5, at, true, "A", "C")
	check(at-maxRecent/2, at, false, "C")
}

func TestTopicsRefuseBrokenDocument(t *testing.T) {
	for _, doc := range []string{"{", "[]", `{"topicConfigTable":3}`} {
		if _, err := NewTopics([]byte(doc), clock, noTopics); err == nil || !strings.Contains(err.Error(), "topics.json") {
			t.Errorf("%s: %v", doc, err)
		}
		if _, err := NewGroups([]byte(doc), clock, yes, roomy, none); doc != `{"topicConfigTable":3}` && err == nil {
			t.Errorf("groups %s", doc)
		}
	}
}

func TestManyTopicsAreNotQuadratic(t *testing.T) {
	if raced {
		t.Skip("times mean nothing under the race detector")
	}
	const many = 20_000
	topics, err := NewTopics(nil, clock, noTopics)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i := range many {
		topics.Ensure(remoting.NewTopicConfig(groupName(i), 4, rw))
	}
	// One map of all would copy 200 million entries here, which takes many seconds.
	if d := time.Since(began); d > 5*time.Second {
		t.Fatalf("%d topics in %v", many, d)
	}
	if topics.Len() != many || len(topics.All()) != many {
		t.Fatal(topics.Len())
	}
}

func TestReadersBesideWriters(t *testing.T) {
	topics, err := NewTopics(nil, clock, noTopics)
	if err != nil {
		t.Fatal(err)
	}
	topics.Put(remoting.NewTopicConfig("always", 4, rw))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				name := fmt.Sprint("t", w, "-", i%17)
				if i%3 == 0 {
					topics.Delete(name)
				} else {
					topics.Put(remoting.NewTopicConfig(name, 1, rw))
				}
				if _, ok := topics.Get([]byte("always")); !ok {
					t.Error("lost")
				}
				if _, err := topics.Document(); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	if got := topics.Version().Counter; got < 1+4*133 {
		t.Fatal(got)
	}
}

func TestLookUpsDoNotAllocate(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	topics, _ := NewTopics(nil, clock, noTopics)
	topics.Put(remoting.NewTopicConfig("T", 4, rw))
	groups, _ := NewGroups([]byte(`{"forbiddenTable":{"g":{"T":4}}}`), clock, yes, roomy, none)
	offsets, _ := NewOffsets(nil, clock)
	topic, group := []byte("T"), []byte("g")
	groups.Find(group)
	offsets.Commit(group, topic, 0, 1)
	offsets.Pulled(group, topic, 0, Pull{Offset: 1})
	n := int64(1)
	for name, fn := range map[string]func(){
		"Topics.Get":        func() { topics.Get(topic) },
		"Groups.Find":       func() { groups.Find(group) },
		"Groups.Forbidden":  func() { groups.Forbidden("g", topic) },
		"Offsets.Commit":    func() { n++; offsets.Commit(group, topic, 0, n) },
		"Offsets.Pulled":    func() { offsets.Pulled(group, topic, 0, Pull{Offset: n}) },
		"Offsets.Query":     func() { offsets.Query(group, topic, 0) },
		"Offsets.TakeReset": func() { offsets.TakeReset(group, topic, 0) },
		"CheckTopicName":    func() { CheckTopicName(topic) },
		"IsNotForSend":      func() { IsNotForSend(topic) },
		"IsSystemTopicName": func() { IsSystemTopicName(topic) },
	} {
		if allocs := testing.AllocsPerRun(200, fn); allocs != 0 {
			t.Errorf("%s allocates %v times", name, allocs)
		}
	}
}

func TestAlterAttributes(t *testing.T) {
	for _, c := range []struct {
		current map[string]string
		text    string
		isNew   bool
		want    map[string]string
		err     string
	}{
		{nil, "", true, map[string]string{}, ""},
		{nil, "+message.type=FIFO,+queue.type=BatchCQ", true, map[string]string{"message.type": "FIFO", "queue.type": "BatchCQ"}, ""},
		{map[string]string{"message.type": "FIFO"}, "+message.type=DELAY", false, map[string]string{"message.type": "DELAY"}, ""},
		{map[string]string{"message.type": "FIFO"}, "-message.type", false, map[string]string{}, ""},
		{nil, "+reserve.time=-1", true, map[string]string{"reserve.time": "-1"}, ""},
		{nil, "-message.type", true, nil, "only add attribute is supported while creating topic. key: message.type"},
		{nil, "-message.type", false, nil, "attempt to delete a nonexistent key: message.type"},
		{nil, "+no.such=1", true, nil, "unsupported key: no.such"},
		{nil, "+queue.type=BatchCQ", false, nil, "attempt to update an unchangeable attribute. key: queue.type"},
		{nil, "+message.type=WRONG", true, nil, "value is not in set: [UNSPECIFIED, MIXED, TRANSACTION, FIFO, DELAY, NORMAL]"},
		{nil, "+queue.type=x", true, nil, "value is not in set: [SimpleCQ, BatchCQ]"},
		{nil, "+reserve.time=-2", true, nil, "value is not in range(-1, 9223372036854775807)"},
		{nil, "+reserve.time=soon", true, nil, `For input string: "soon"`},
		{nil, "message.type=FIFO", true, nil, "add/alter attribute format is wrong: message.type"},
		{nil, "message.type", true, nil, "delete attribute format is wrong: message.type"},
		{nil, "+message.type=FIFO,+message.type=DELAY", true, nil, "key duplication: +message.type"},
		{nil, "+message.type=FIFO,-message.type", true, nil, "alter duplication key. key: message.type"},
		{nil, "++message.type=FIFO", true, nil, "kv string format wrong."},
		{nil, "+=FIFO", true, nil, "kv string format wrong."},
	} {
		kept := fmt.Sprint(c.current)
		got, err := AlterAttributes(c.current, c.text, c.isNew)
		switch {
		case c.err == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
			t.Errorf("%q: %v %v", c.text, got, err)
		case c.err != "" && (err == nil || err.Error() != c.err):
			t.Errorf("%q: %v, want %s", c.text, err, c.err)
		case fmt.Sprint(c.current) != kept:
			t.Errorf("%q: the current attributes were changed", c.text)
		}
	}
}

func FuzzAttributes(f *testing.F) {
	f.Add("+message.type=FIFO,-queue.type", true)
	f.Add("=,+,-,++=-", false)
	f.Fuzz(func(t *testing.T, text string, isNew bool) {
		got, err := AlterAttributes(map[string]string{"message.type": "FIFO"}, text, isNew)
		for name := range got {
			if _, known := topicAttributes[name]; err == nil && !known {
				t.Fatalf("%q made %q", text, name)
			}
		}
	})
}

func TestNames(t *testing.T) {
	long := strings.Repeat("x", 127)
	for name, want := range map[string]string{
		"T": "", "%RETRY%g": "", "a|b-c_9": "", long: "", " ": "The specified topic is blank.", "": "The specified topic is blank.",
		"a b":      "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$",
		"ä":        "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$",
		long + "x": "The specified topic is longer than topic max length.",
	} {
		if got := CheckTopicName([]byte(name)); got != want {
			t.Errorf("%q: %s", name, got)
		}
	}
	for name, good := range map[string]bool{"g": true, strings.Repeat("x", 255): true, strings.Repeat("x", 256): false, "": false, "g@h": false} {
		if got := CheckGroupName(name) == ""; got != good {
			t.Errorf("%q: %v", name, got)
		}
	}
	for name, want := range map[string]bool{WheelTimerTopic: true, ScheduleTopic: true, HalfTopic: true, SelfTestTopic: true, AutoCreateTopic: false, "T": false} {
		if got := IsNotForSend([]byte(name)); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSystem(t *testing.T) {
	s := System{Cluster: "DefaultCluster", Broker: "broker-a", AutoCreate: true, AutoQueues: 8, ClusterTopic: true, BrokerTopic: true, Trace: true, TraceName: "MyTrace", ScheduleLevels: 18}
	want := map[string][3]int32{ // read queues, write queues, perm
		"SELF_TEST_TOPIC": {1, 1, 6}, "TBW102": {8, 8, 7}, "BenchmarkTest": {1024, 1024, 6}, "DefaultCluster": {16, 16, 7}, "broker-a": {1, 1, 7},
		"OFFSET_MOVED_EVENT": {1, 1, 6}, "SCHEDULE_TOPIC_XXXX": {18, 18, 6}, "MyTrace": {1, 1, 6}, "DefaultCluster_REPLY_TOPIC": {1, 1, 6},
		"rmq_sys_REVIVE_LOG_DefaultCluster": {8, 8, 6}, "rmq_sys_SYNC_BROKER_MEMBER_broker-a": {1, 1, 1},
		"RMQ_SYS_TRANS_HALF_TOPIC": {1, 1, 6}, "RMQ_SYS_TRANS_OP_HALF_TOPIC": {1, 1, 6}, "rmq_sys_wheel_timer": {1, 1, 6},
	}
	for _, c := range s.Topics() {
		if got := [3]int32{c.ReadQueueNums, c.WriteQueueNums, c.Perm}; got != want[c.TopicName] {
			t.Errorf("%s: %v, want %v", c.TopicName, got, want[c.TopicName])
		}
		if !s.Has(c.TopicName) || !slices.Contains(s.Names(), c.TopicName) {
			t.Errorf("%s is not the system's", c.TopicName)
		}
		delete(want, c.TopicName)
	}
	if len(want) != 0 {
		t.Error("missing:", want)
	}
	if s.Has("T") || !slices.Contains(s.Names(), CheckMaxTopic) {
		t.Error("names", s.Names())
	}
}
