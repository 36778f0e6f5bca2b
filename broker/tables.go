package broker

import (
	"math/rand/v2"
	"os"
	"time"

	"ringmq/broker/member"
	"ringmq/broker/meta"
	"ringmq/broker/stats"
	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/record"
)

// documents are the persister's numbers.
type documents struct{ topics, groups, offsets int }

// openTables reads the documents and makes what must exist.
func (b *Broker) openTables() error {
	b.registrar = newRegistrar(b)
	topicsFrom, err := b.readTables()
	if err != nil {
		return err
	}
	b.persister = meta.NewPersister(b.logger)
	save := func(d store.Doc) func([]byte) error {
		return func(doc []byte) error { return b.store.SaveDoc(d, doc) }
	}
	b.documents.topics = b.addTopicsDocument(save(store.DocTopics))
	b.documents.groups = b.persister.Add("groups", b.groups.Document, save(store.DocGroups))
	b.documents.offsets = b.persister.Add("consumer offsets", b.offsets.Document, save(store.DocConsumerOffsets))
	b.system = meta.System{
		Cluster: b.cluster, Broker: b.name, AutoCreate: b.c.Bool("autoCreateTopicEnable"),
		AutoQueues: int32(b.c.Int("defaultTopicQueueNums")), ClusterTopic: b.c.Bool("clusterTopicEnable"), BrokerTopic: b.c.Bool("brokerTopicEnable"),
		Trace: b.c.Bool("traceTopicEnable"), TraceName: b.c.Text("msgTraceTopicName"), ScheduleLevels: int32(b.maxLevel),
	}
	for _, c := range b.system.Topics() {
		b.topics.Ensure(c)
	}
	b.warnOfLostTopics(topicsFrom)
	b.declared.Store(b.topics)
	b.groupsChanged()
	if b.slave {
		b.offsets.BeSlave()
	} else {
		b.offsets.BeMaster()
	}
	b.members, b.locks, b.notices = member.New(time.Now), member.NewLocks(time.Now), member.NewNotices(b.notify)
	b.stats = stats.New(b.cluster, time.Now)
	b.uniqKeys = record.NewUniqKeys(b.advertise.Addr(), os.Getpid(), rand.Uint32(), time.Now)
	return nil
}

// readTables makes the tables of what is on disk, and says where the topics came from.
func (b *Broker) readTables() (topicsFrom store.DocFrom, err error) {
	auto := func() bool { return b.c.Bool("autoCreateSubscriptionGroup") }
	topicsFrom, err = b.store.ReadDoc(store.DocTopics, func(doc []byte) (err error) {
		b.topics, err = meta.NewTopics(doc, time.Now, b.topicsChanged)
		return err
	})
	if err != nil {
		return topicsFrom, err
	}
	_, err = b.store.ReadDoc(store.DocGroups, func(doc []byte) (err error) {
		b.groups, err = meta.NewGroups(doc, time.Now, auto, b.mayMakeGroup, b.groupsChanged)
		return err
	})
	if err != nil {
		return topicsFrom, err
	}
	_, err = b.store.ReadDoc(store.DocConsumerOffsets, func(doc []byte) (err error) {
		b.offsets, err = meta.NewOffsets(doc, time.Now)
		return err
	})
	return topicsFrom, err
}

// declareTopics has the store know the topics' kinds while it looks at what the last run left: before the tables are there.
func (b *Broker) declareTopics(so store.Options) {
	doc, err := store.PeekDoc(so, store.DocTopics)
	if err == nil {
		var topics *meta.Topics
		if topics, err = meta.NewTopics(doc, time.Now, func() {}); err == nil {
			b.declared.Store(topics)
		}
	}
	if err != nil {
		b.logger.Warn("topics are not known while the store is opened", "error", err)
	}
}

// delivered counts a delayed message that has come to its topic.
func (b *Broker) delivered(topic []byte, bytes int64) {
	if b.c.Bool("enableScheduleMessageStats") {
		b.stats.Delivered(topic, bytes)
	}
}

// addTopicsDocument has the topics written, and tells them how far they are on disk.
func (b *Broker) addTopicsDocument(save func([]byte) error) int {
	var counter int64 // of a version that the content at hand has; the persister's own
	content := func() ([]byte, error) {
		counter = b.topics.Version().Counter
		return b.topics.Document()
	}
	return b.persister.Add("topics", content, func(doc []byte) error {
		err := save(doc)
		if err == nil {
			b.topics.Saved(counter)
		}
		return err
	})
}

// isBatchTopic says that a topic keeps batches as they are.
func (b *Broker) isBatchTopic(topic []byte) bool {
	topics := b.declared.Load()
	if topics == nil {
		return false
	}
	t, ok := topics.Get(topic)
	return ok && keepsBatches(t)
}

func keepsBatches(t *remoting.TopicConfig) bool { return t.Attributes["queue.type"] == "BatchCQ" }

func (b *Broker) topicsChanged() {
	if b.documents.ready(b.persister) {
		b.persister.Mark(b.documents.topics, nil)
	}
	b.registrar.poke()
}

func (b *Broker) groupsChanged() {
	if b.documents.ready(b.persister) {
		b.persister.Mark(b.documents.groups, nil)
	}
}

// ready is false while the tables are being read: what is made then is marked when the documents are registered.
func (d documents) ready(p *meta.Persister) bool { return p != nil && d.offsets != 0 }
