package broker

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"io"

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

	// peerZipKey in a request says that the body of the answer may be compressed, and in the answer that it is.
	peerZipKey = "ringmqZip"
	peerZlib   = "zlib"
)

const (
	zipFrom          = 64 << 10  // bytes of a body that are compressed
	maxInflatedBytes = 128 << 20 // what a compressed body may grow to
)

// zipped compresses a body for a peer.
func zipped(body []byte) []byte {
	var out bytes.Buffer
	w, err := zlib.NewWriterLevel(&out, zlib.BestSpeed)
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // memory takes everything
	}
	return out.Bytes()
}

// inflate reads a compressed body, limit bytes of it at most. It grows with what is there.
func inflate(body []byte, limit int64) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("compressed answer: %w", err)
	}
	defer z.Close()
	out, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err == nil && int64(len(out)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	if err != nil {
		return nil, fmt.Errorf("compressed answer: %w", err)
	}
	return out, nil
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
		if how, _ := req.Get(peerZipKey); string(how) == peerZlib && len(a.Body) > zipFrom {
			a.Body = zipped(a.Body)
			a.Fields = append(a.Fields, answerField{peerZipKey, peerZlib})
		}
		return a
	}
}
