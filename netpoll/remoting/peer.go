package remoting

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
)

// Brokers of ours and our tools tell each other with fields that stock passes over that they are. What only brokers ask each other has its fields there.
const (
	// PeerKey in a request says that whoever asks is one of ours, and in the answer that the broker is. broker/peer.go says what else it may have.
	PeerKey = "ringmq"
	// PeerZipKey in a request says that the body of the answer may be compressed, and in the answer that it is: a large table does not fit into a
	// frame otherwise.
	PeerZipKey = "ringmqZip"
	PeerZlib   = "zlib"
)

// maxPeerBytes is what a compressed body may grow to.
const maxPeerBytes = 128 << 20

// PeerBody is the body of an answer, which is compressed if it says so.
func PeerBody(resp *Command) ([]byte, error) {
	if how, _ := resp.Get(PeerZipKey); string(how) != PeerZlib {
		return resp.Body, nil
	}
	return inflate(resp.Body, maxPeerBytes)
}

// Deflate compresses a body.
func Deflate(body []byte) []byte {
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
