package bench

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"ringmq/netpoll/remoting"
)

// pullStencil is a pull of one topic with three numbers left open: opaque, queue and offset. It is kept as the pieces between them.
type pullStencil struct {
	pieces [4][]byte
	order  [3]byte // which number comes behind each of the first three pieces: o, q or p for the offset (position)
	enc    remoting.Encoding
}

const (
	markPosition  = "8642097531864"
	holdMs        = 20_000
	binaryExtSize = 8 + 17 // where the length of the fields lies in a binary frame without remark
)

// newPullStencil makes a group's pull of a topic; hold: the broker may keep it until there is something.
func newPullStencil(w *Workload, group, topic string, hold bool) *pullStencil {
	req := remoting.NewRequest(remoting.CodePullMessage)
	req.Encoding, req.Opaque = w.encoding(), firstOpaque
	flag, wait := remoting.PullSubscription, 0
	if hold {
		flag, wait = flag|remoting.PullSuspend, holdMs
	}
	for _, f := range [][2]string{
		{"consumerGroup", group}, {"topic", topic}, {"queueId", markQueue}, {"queueOffset", markPosition}, {"maxMsgNums", strconv.Itoa(w.PullMessages)},
		{"sysFlag", strconv.Itoa(int(flag))}, {"commitOffset", "0"}, {"suspendTimeoutMillis", strconv.Itoa(wait)}, {"subscription", "*"}, {"subVersion", "0"},
		{"expressionType", "TAG"},
	} {
		req.Set(f[0], f[1])
	}
	frame := remoting.AppendCommand(nil, req)
	s := &pullStencil{enc: req.Encoding}
	if s.enc == remoting.Binary {
		at := 8 + 5
		s.pieces[0], frame, s.order[0] = frame[:at], frame[at+4:], 'o'
		s.cut(1, frame, "queueId", markQueue, 'q')
		s.cut(2, s.pieces[2], "queueOffset", markPosition, 'p')
		return s
	}
	s.cut(0, frame, "queueId", markQueue, 'q')
	s.cut(1, s.pieces[1], "queueOffset", markPosition, 'p')
	rest := s.pieces[2]
	opaque := strconv.Itoa(firstOpaque)
	at := bytes.LastIndex(rest, []byte(opaque))
	s.pieces[2], s.pieces[3], s.order[2] = rest[:at], rest[at+len(opaque):], 'o'
	return s
}

// cut cuts a field's value out of rest; piece i ends before it.
func (s *pullStencil) cut(i int, rest []byte, key, value string, number byte) {
	at := fieldAt(rest, key, value, s.enc)
	before := at
	if s.enc == remoting.Binary {
		before -= 4 // its length is open too
	}
	s.pieces[i], s.pieces[i+1], s.order[i] = rest[:before], rest[at+len(value):], number
}

// fieldAt finds a field's value in a frame.
func fieldAt(frame []byte, key, value string, enc remoting.Encoding) int {
	mark := `"` + key + `":"` + value
	if enc == remoting.Binary {
		mark = string(binary.BigEndian.AppendUint32(append([]byte{0, byte(len(key))}, key...), uint32(len(value)))) + value
	}
	return bytes.Index(frame, []byte(mark)) + len(mark) - len(value)
}

// append adds the whole frame to dst. opaque is a slot; firstOpaque is added.
func (s *pullStencil) append(dst []byte, opaque int32, queue int, offset int64) []byte {
	be, at := binary.BigEndian, len(dst)
	for i, number := range s.order {
		dst = append(dst, s.pieces[i]...)
		switch {
		case number == 'q':
			dst = s.number(dst, int64(queue))
		case number == 'p':
			dst = s.number(dst, offset)
		case s.enc == remoting.Binary:
			dst = be.AppendUint32(dst, uint32(firstOpaque+opaque))
		default:
			dst = strconv.AppendInt(dst, int64(firstOpaque+opaque), 10)
		}
	}
	dst = append(dst, s.pieces[3]...)
	f := dst[at:]
	be.PutUint32(f, uint32(len(f)-4))
	be.PutUint32(f[4:], uint32(s.enc)<<24|uint32(len(f)-8))
	if s.enc == remoting.Binary {
		be.PutUint32(f[binaryExtSize:], uint32(len(f)-binaryExtSize-4))
	}
	return dst
}

// number appends a field's value, in the binary form with its length.
func (s *pullStencil) number(dst []byte, n int64) []byte {
	if s.enc != remoting.Binary {
		return strconv.AppendInt(dst, n, 10)
	}
	at := len(dst)
	dst = strconv.AppendInt(append(dst, 0, 0, 0, 0), n, 10)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}
