package broker

import (
	"encoding/json"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// Brokers of this kind say so to each other with a field that stock brokers pass over: a request has peerKey with the version that the
// asker has of what it asks for, in JSON, or nothing. The answer has it too; with peerSame nothing has changed and there is no body.
const (
	peerKey  = "ringmq"
	peerSame = "same"
	peerNew  = "new"

	// peerKnownKey stands in an offer of progress (15): the counter of the version of the table that the slave knows.
	peerKnownKey = "ringmqKnown"

	// peerGravesKey stands in a request for all topics (21): the edition of the list of deleted topics that the asker has, nothing if it has none.
	// The answer has the edition there is; if it is another one, the body has the list as its member of that name, topics with the offsets of
	// the log before which their records count no more.
	peerGravesKey = "ringmqGraves"

	// peerZipKey in a request says that the body of the answer may be compressed, and in the answer that it is.
	peerZipKey = "ringmqZip"
	peerZlib   = "zlib"
)

// topicsWithGraves is the body of 21 for a slave of this kind that does not have the list of deleted topics.
type topicsWithGraves struct {
	remoting.TopicConfigTable
	Graves map[string]int64 `json:"ringmqGraves"`
}

// copiedTopics serves 21: to a slave of this kind with the topics deleted.
func (b *Broker) copiedTopics(c *netpoll.Conn, req *remoting.Command) answer {
	plain := forPeer(b.allTopics, func(v remoting.DataVersion) bool { return v == b.topics.Version() })
	has, asked := req.Get(peerGravesKey)
	if !asked {
		return plain(c, req)
	}
	edition, graves := b.store.Graves() // before the topics: what is deleted meanwhile comes the next time
	var a answer
	if string(has) == edition {
		a = plain(c, req)
	} else {
		a = jsonBody(topicsWithGraves{b.topicTable(), graves})
		a.Fields = append(a.Fields, answerField{peerKey, peerNew})
		a.zip(req)
	}
	a.Fields = append(a.Fields, answerField{peerGravesKey, edition})
	return a
}

// forPeer has a request of another broker of this kind answered without a body where what it has is what there is: same says so.
func forPeer(fn onWorker, same func(remoting.DataVersion) bool) onWorker {
	return func(c *netpoll.Conn, req *remoting.Command) answer {
		has, ours := req.Get(peerKey)
		if !ours {
			return fn(c, req)
		}
		var v remoting.DataVersion
		if len(has) > 0 && json.Unmarshal(has, &v) == nil && same(v) {
			return answer{Fields: []answerField{{peerKey, peerSame}}}
		}
		a := fn(c, req)
		a.Fields = append(a.Fields, answerField{peerKey, peerNew})
		a.zip(req)
		return a
	}
}
