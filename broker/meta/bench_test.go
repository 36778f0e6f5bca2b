package meta

import (
	"testing"

	"ringmq/netpoll/remoting"
)

// BenchmarkTopicsDocument is what a change costs among ten thousand topics.
func BenchmarkTopicsDocument(b *testing.B) {
	topics, err := NewTopics(nil, clock, noTopics)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		topics.Ensure(remoting.NewTopicConfig(groupName(i), 4, rw))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := topics.Document(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTopicsGet(b *testing.B) {
	topics, err := NewTopics(nil, clock, noTopics)
	if err != nil {
		b.Fatal(err)
	}
	topics.Put(remoting.NewTopicConfig("T", 4, rw))
	name := []byte("T")
	b.ReportAllocs()
	for b.Loop() {
		topics.Get(name)
	}
}

func BenchmarkCommit(b *testing.B) {
	o, err := NewOffsets(nil, clock)
	if err != nil {
		b.Fatal(err)
	}
	group, topic := []byte("group"), []byte("topic")
	b.ReportAllocs()
	for n := int64(0); b.Loop(); n++ {
		o.Commit(group, topic, int32(n&7), n)
	}
}
