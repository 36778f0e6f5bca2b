package meta

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestBytesOfTables: what a table is said to take is what its text takes, or little more, whatever was put, replaced and removed.
func TestBytesOfTables(t *testing.T) {
	topics, err := NewTopics(nil, clock, noTopics)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := NewGroups(nil, clock, yes, roomy, none)
	if err != nil {
		t.Fatal(err)
	}
	look := func(when string) {
		t.Helper()
		for what, pair := range map[string][2]any{
			"topics": {topics.Bytes(), topics.All()}, "groups": {groups.Bytes(), groups.All()},
		} {
			text, err := json.Marshal(pair[1])
			if err != nil {
				t.Fatal(err)
			}
			if n := pair[0].(int64); n < int64(len(text))-2 || n > int64(len(text))*5/4 {
				t.Errorf("%s: %s: %d for %d bytes", when, what, n, len(text))
			}
		}
	}
	for i := range 300 {
		name := fmt.Sprint("a-name-of-some-length-", i)
		topics.Ensure(remoting.NewTopicConfig(name, 65535, rw))
		groups.Find([]byte(name))
	}
	look("made one by one")
	for i := range 100 {
		name := fmt.Sprint("a-name-of-some-length-", i)
		c := remoting.NewTopicConfig(name, 1, rw)
		c.Attributes = map[string]string{"queue.type": strings.Repeat("x", i*10)}
		topics.Put(c)
		g := remoting.NewSubscriptionGroupConfig(name)
		g.SubscriptionDataSet = []remoting.SimpleSubscription{{Expression: strings.Repeat("y", 500), ExpressionType: "TAG", Topic: "T"}}
		g.GroupRetryPolicy = map[string]any{"type": "CUSTOMIZED", "customizedRetryPolicy": map[string]any{"next": []int{1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000}}}
		groups.Put(g)
	}
	look("put again")
	for i := 50; i < 150; i++ {
		topics.Delete(fmt.Sprint("a-name-of-some-length-", i))
		groups.Delete(fmt.Sprint("a-name-of-some-length-", i))
	}
	look("removed")
	topics.Replace(map[string]*remoting.TopicConfig{"T": {TopicFilterType: "SINGLE_TAG"}}, remoting.DataVersion{})
	groups.Replace(remoting.GroupTable{})
	look("replaced")
}

// TestTablesOfAdministratorsAreBounded: what would take a table beyond its bound changes nothing, what does not make it longer is done.
func TestTablesOfAdministratorsAreBounded(t *testing.T) {
	topics, _ := NewTopics(nil, clock, noTopics)
	groups, _ := NewGroups(nil, clock, yes, roomy, none)
	const long = 1 << 20
	for i := range maxTableBytes / long {
		c := remoting.NewTopicConfig(fmt.Sprint("T", i), 1, rw)
		c.Attributes = map[string]string{"a": strings.Repeat("x", long-300)}
		topics.Put(c)
		g := remoting.NewSubscriptionGroupConfig(fmt.Sprint("G", i))
		g.Attributes = c.Attributes
		groups.Put(g)
	}
	large := remoting.NewSubscriptionGroupConfig("large")
	large.SubscriptionDataSet = []remoting.SimpleSubscription{{Expression: strings.Repeat("y", long)}}
	if err := groups.Alter(large); !errors.Is(err, errTableFull) || !strings.Contains(err.Error(), "groups") {
		t.Error(err)
	}
	if _, there := groups.Lookup("large"); there {
		t.Error("it was made")
	}
	many, none := []remoting.TopicConfig{}, make([]string, 100)
	for i := range none {
		many = append(many, remoting.NewTopicConfig(strings.Repeat("n", 300+i), 1, rw))
	}
	version := topics.Version()
	if _, err := topics.Alter(many, none); !errors.Is(err, errTableFull) || topics.Version() != version {
		t.Error(err)
	}
	if changed, err := topics.Alter([]remoting.TopicConfig{remoting.NewTopicConfig("T1", 2, rw)}, []string{""}); err != nil || !changed {
		t.Error("a topic that is there:", err)
	}
}

// TestProgressIsBounded: no progress in further queues is taken, and that in known ones goes on; what is forgotten makes room.
func TestProgressIsBounded(t *testing.T) {
	o, err := NewOffsets(nil, clock)
	if err != nil {
		t.Fatal(err)
	}
	topic := []byte(strings.Repeat("t", 1<<20))
	last := -1
	for i := range 100 {
		if !o.Commit([]byte(fmt.Sprint("g", i)), topic, 0, 1) {
			break
		}
		last = i
	}
	if !o.IsFull() || last < 20 || last > 30 {
		t.Fatal("taken:", last+1)
	}
	if o.Commit([]byte("g0"), topic, 1, 1) || !o.Commit([]byte("g0"), topic, 0, 7) {
		t.Error("a further queue, or not a known one")
	}
	doc, err := o.Document()
	if err != nil || len(doc) > maxTableBytes*3/2 {
		t.Error(len(doc), err)
	}
	if !o.IsFull() {
		t.Error("a document makes room")
	}
	for i := range 10 {
		o.DeleteGroup(fmt.Sprint("g", i))
	}
	if _, err := o.Document(); err != nil || o.IsFull() || !o.Commit([]byte("new"), []byte("T"), 0, 1) {
		t.Error("no room although groups are gone")
	}
}
