package bench

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"ringmq/netpoll/remoting"
)

// firstOpaque: opaque numbers are this plus a slot, so that all have ten digits.
const firstOpaque = 1_000_000_000

const (
	hexDigits  = "0123456789ABCDEF"
	markQueue  = "97531"                            // replaced by as many digits as the queue has
	markBorn   = "1234567890123"                    // ms
	markUnique = "FEDCBA98765432100123456789ABCDEF" // 32 digits
	markKey    = "k0123456789abcdef"                // k and 16 digits
)

// stencil is the header of a send to one topic with the numbers left open; all have fixed places and lengths, so a frame is
// the stencil copied, patched, and a body behind it.
type stencil struct {
	frame  []byte
	opaque int // where the numbers lie in frame
	queue  int
	digits int
	born   int
	unique int // -1: a batch has none
	key    int // -1: none
}

// newStencil makes the stencil of a topic for queue ids of the given number of digits.
func newStencil(w *Workload, topic string, digits int) *stencil {
	req := remoting.NewRequest(remoting.CodeSendMessageV2)
	req.Encoding, req.Opaque = w.encoding(), firstOpaque
	batch := w.Batch > 1
	if batch {
		req.Code = remoting.CodeSendBatchMessage
	}
	if w.Oneway {
		req.Flag |= remoting.FlagOneway
	}
	properties := ""
	if !batch {
		properties = messageProperties(w)
	}
	queue := markQueue[:min(digits, len(markQueue))]
	for _, f := range [][2]string{
		{"a", w.Group}, {"b", topic}, {"c", "TBW102"}, {"d", "4"}, {"e", queue}, {"f", "0"}, {"g", markBorn}, {"h", "0"},
		{"i", properties}, {"j", "0"}, {"k", "false"}, {"m", strconv.FormatBool(batch)},
	} {
		req.Set(f[0], f[1])
	}
	s := &stencil{frame: remoting.AppendCommand(nil, req), digits: digits, unique: -1, key: -1}
	if req.Encoding == remoting.Binary {
		s.opaque = 8 + 5
	} else {
		s.opaque = bytes.Index(s.frame, []byte(strconv.Itoa(firstOpaque)))
	}
	s.queue = fieldAt(s.frame, "e", queue, req.Encoding)
	s.born = bytes.Index(s.frame, []byte(markBorn))
	if !batch {
		s.unique = bytes.Index(s.frame, []byte(markUnique))
		if w.Keys {
			s.key = bytes.Index(s.frame, []byte(markKey))
		}
	}
	return s
}

// messageProperties are those of one message, numbers left open.
func messageProperties(w *Workload) string {
	p := "UNIQ_KEY\x01" + markUnique + "\x02WAIT\x01true\x02"
	if w.Tag != "" {
		p += "TAGS\x01" + w.Tag + "\x02"
	}
	if w.Keys {
		p += "KEYS\x01" + markKey + "\x02"
	}
	if w.Property > 0 {
		p += "filler\x01" + strings.Repeat("p", w.Property) + "\x02"
	}
	return p
}

// request is what one send is about.
type request struct {
	opaque int32 // slot; firstOpaque is added
	queue  int
	bornMs int64
	serial uint64 // of the first message, unique in the run
	run    uint64 // unique among runs
}

// append adds the header to dst, body still missing; bodyBytes is how long that will be.
func (s *stencil) append(dst []byte, r *request, enc remoting.Encoding, bodyBytes int) []byte {
	at := len(dst)
	dst = append(dst, s.frame...)
	f := dst[at:]
	binary.BigEndian.PutUint32(f, uint32(len(s.frame)-4+bodyBytes))
	if enc == remoting.Binary {
		binary.BigEndian.PutUint32(f[s.opaque:], uint32(firstOpaque+r.opaque))
	} else {
		putDecimal(f[s.opaque:s.opaque+10], uint64(firstOpaque+r.opaque))
	}
	putDecimal(f[s.queue:s.queue+s.digits], uint64(r.queue))
	putDecimal(f[s.born:s.born+len(markBorn)], uint64(r.bornMs))
	if s.unique >= 0 {
		putHex(f[s.unique:s.unique+16], r.run)
		putHex(f[s.unique+16:s.unique+32], r.serial)
	}
	if s.key >= 0 {
		putHex(f[s.key+1:s.key+17], r.serial)
	}
	return dst
}

func putDecimal(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

func putHex(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = hexDigits[n&15]
		n >>= 4
	}
}
