package broker

import (
	"ringmq/broker/quota"
	"ringmq/broker/stats"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// knownTopic is what a send needs to know of its topic, found once.
type knownTopic struct {
	name     string
	config   *remoting.TopicConfig
	sysFlag  int32 // bits that every message gets
	needsKey bool
	batches  bool // kept as they are
	puts     *stats.Puts
}

// sysFlagMultiTags is the bit of a message in a topic with several tags a message.
const sysFlagMultiTags = 0x2

func newKnownTopic(b *Broker, config *remoting.TopicConfig) *knownTopic {
	t := &knownTopic{
		name: config.TopicName, config: config, needsKey: config.Attributes["cleanup.policy"] == "COMPACTION", batches: keepsBatches(config),
		puts: b.stats.Puts([]byte(config.TopicName)),
	}
	if config.TopicFilterType == "MULTI_TAG" {
		t.sysFlag = sysFlagMultiTags
	}
	return t
}

// topicMemo are the topics that a loop stores messages in: there, allowed to be sent to, and settled. A loop's own.
//
// All of them were found when topics and stats had the editions kept here; when either changes they are found anew, so that a topic
// that is altered, or deleted and made again, is never taken for what it was.
type topicMemo struct {
	b             *Broker
	topics, stats uint64 // editions
	last          *knownTopic
	all           map[string]*knownTopic
	waiting       *knownTopic // the topic in which delayed messages wait: only counted in, never sent to
}

// maxKnownTopics bounds a loop's memory of topics.
const maxKnownTopics = 4096

// find returns a topic that is known, nil for another. No allocation.
func (m *topicMemo) find(name []byte) *knownTopic {
	if topics, figures := m.b.topics.Edition(), m.b.stats.Edition(); topics != m.topics || figures != m.stats || m.all == nil {
		m.topics, m.stats, m.last, m.all, m.waiting = topics, figures, nil, map[string]*knownTopic{}, nil
	}
	if m.last != nil && m.last.name == string(name) {
		return m.last
	}
	t := m.all[string(name)]
	if t != nil {
		m.last = t
	}
	return t
}

// add keeps a topic that was looked up after find did not know it.
func (m *topicMemo) add(config *remoting.TopicConfig) *knownTopic {
	if len(m.all) >= maxKnownTopics {
		clear(m.all)
	}
	t := newKnownTopic(m.b, config)
	m.all[t.name], m.last = t, t
	return t
}

// countedIn is the topic in whose figures a send shows: as in stock, a delayed message counts where it waits, and in its own topic when
// it is delivered. find comes before it.
func (m *topicMemo) countedIn(t *knownTopic, delayed bool) *knownTopic {
	if !delayed {
		return t
	}
	if m.waiting == nil {
		m.waiting = &knownTopic{name: store.DelayTopic, puts: m.b.stats.Puts([]byte(store.DelayTopic))}
	}
	return m.waiting
}

// count counts what was stored in a topic, by the client of the send at hand. It shows at the end of the turn.
func (l *loopState) count(t *knownTopic, kind stats.Kind, messages, bytes int64) {
	l.used(l.user, quota.Counts{quota.SendMessages: messages, quota.SendBytes: bytes})
	if t.puts.Add(kind, messages, bytes) {
		l.counted = append(l.counted, t)
	}
}
