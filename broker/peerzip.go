package broker

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"

	"ringmq/netpoll/remoting"
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

// zip compresses the body if it is long and the asker said that it may be.
func (a *answer) zip(req *remoting.Command) {
	if how, _ := req.Get(peerZipKey); string(how) == peerZlib && len(a.Body) > zipFrom {
		a.Body = zipped(a.Body)
		a.Fields = append(a.Fields, answerField{peerZipKey, peerZlib})
	}
}
