package broker

import (
	"ringmq/netpoll/remoting"
)

// The tables that anyone can make grow, by a send, a pull or a heartbeat, stay below what a frame holds: a stock slave copies them with
// one answer, and mqadmin and the dashboard list them with one. What administrators make may go beyond (meta has a bound of its own).
const (
	clientTopicBytes = 8 << 20  // topics made by sends
	groupTopicBytes  = 15 << 20 // with those that hold the retries and dead letters of groups
	clientGroupBytes = 12 << 20
)

// mayMakeTopic says whether a send may make a topic.
func (b *Broker) mayMakeTopic(t *remoting.TopicConfig) bool {
	bytes := b.topics.BytesWith(t)
	if isOfGroup(t.TopicName) {
		return b.mayMakeGroupTopic(bytes)
	}
	return bytes <= clientTopicBytes || b.noRoom("topic", bytes)
}

// mayMakeGroupTopic says whether a topic of a group may be made with which all take so many bytes. Where administrators made more topics
// than a frame holds it may: it is they who need it, and groups have their own bound.
func (b *Broker) mayMakeGroupTopic(bytes int64) bool {
	return bytes <= groupTopicBytes || bytes > remoting.MaxFrameBytes && bytes <= maxGroupTopicBytes || b.noRoom("topic of a group", bytes)
}

// maxGroupTopicBytes is where topics of groups end in any case.
const maxGroupTopicBytes = 48 << 20

// mayMakeGroup says whether a client may make a group with which all take so many bytes.
func (b *Broker) mayMakeGroup(bytes int64) bool {
	return bytes <= clientGroupBytes || b.noRoom("group", bytes)
}

// noRoom tells, once a second at most, that nothing more is made for clients.
func (b *Broker) noRoom(what string, bytes int64) bool {
	if b.toldRoom.Now() {
		b.logger.Warn("a client's "+what+" was not made: there are too many; administrators can make more", "bytes", bytes)
	}
	return false
}
