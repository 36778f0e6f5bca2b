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
)

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
		return a
	}
}
