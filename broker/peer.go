package broker

import (
	"encoding/json"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// Brokers of this kind say so to each other with a field that stock brokers pass over: a request has remoting.PeerKey with the version that the
// asker has of what it asks for, in JSON, or nothing. The answer has it too; with peerSame nothing has changed and there is no body.
const (
	peerSame = "same"
	peerNew  = "new"

	// peerKnownKey stands in an offer of progress (15): the counter of the version of the table that the slave knows.
	peerKnownKey = "ringmqKnown"

	// peerGravesKey stands in a request for all topics (21): the edition of the list of deleted topics that the asker has, nothing if it has none.
	// The answer has the edition there is; if it is another one, the body has the list as its member of that name, topics with the offsets of
	// the log before which their records count no more.
	peerGravesKey = "ringmqGraves"

	// peerEndKey stands in the answer to a slave of this kind that asks how far delayed messages were delivered (45): the end of the log, before
	// which all copies lie that the answer counts as delivered.
	peerEndKey = "ringmqEnd"
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
		a.Fields = append(a.Fields, answerField{remoting.PeerKey, peerNew})
		a.zip(req)
	}
	a.Fields = append(a.Fields, answerField{peerGravesKey, edition})
	return a
}

// forPeer has a request of another broker of this kind answered without a body where what it has is what there is: same says so.
func forPeer(fn onWorker, same func(remoting.DataVersion) bool) onWorker {
	return func(c *netpoll.Conn, req *remoting.Command) answer {
		has, ours := req.Get(remoting.PeerKey)
		if !ours {
			return fn(c, req)
		}
		var v remoting.DataVersion
		if len(has) > 0 && json.Unmarshal(has, &v) == nil && same(v) {
			return answer{Fields: []answerField{{remoting.PeerKey, peerSame}}}
		}
		a := fn(c, req)
		a.Fields = append(a.Fields, answerField{remoting.PeerKey, peerNew})
		a.zip(req)
		return a
	}
}

// zipFrom is how many bytes a body has that is compressed.
const zipFrom = 64 << 10

// zip compresses the body if it is long and the asker said that it may be.
func (a *answer) zip(req *remoting.Command) {
	if how, _ := req.Get(remoting.PeerZipKey); string(how) == remoting.PeerZlib && len(a.Body) > zipFrom {
		a.Body = remoting.Deflate(a.Body)
		a.Fields = append(a.Fields, answerField{remoting.PeerZipKey, remoting.PeerZlib})
	}
}
