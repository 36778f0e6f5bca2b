package replica

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"ringmq/store/record"
)

// span is [from, to) of the log.
type span struct{ from, to int64 }

// wholeSpans lists the whole, unharmed records of b, which lies at an offset and may begin in the middle of one.
func (c cutter) wholeSpans(b []byte, at int64) (list []span) {
	c.blankTo, c.maxRun = 0, 1 // a record at a time
	for len(b) > 0 {
		n, opaque := c.cut(b, at, true)
		blank := at < c.blankTo
		if !opaque && !blank {
			list = append(list, span{at, at + int64(n)})
		}
		at, b = at+int64(n), b[n:]
	}
	return list
}

// sameButRot says whether two logs that differ somewhere in a range are one all the same: where they differ, one of them has a whole
// record and the other damage. mine goes on behind the range, so that a record which begins in it is whole. Two whole records in one
// place are two histories, and so is a range in which nothing agrees.
func (c cutter) sameButRot(mine, theirs []byte, at int64) bool {
	end := at + int64(len(theirs))
	if len(mine) < len(theirs) {
		return false
	}
	agree := false
	other := c.wholeSpans(theirs, at)
	for _, m := range c.wholeSpans(mine, at) {
		if m.from >= end {
			break
		}
		for len(other) > 0 && other[0].to <= m.from {
			other = other[1:]
		}
		if m.to > end {
			return false // theirs ends where no record of mine does
		}
		if len(other) == 0 || other[0].from >= m.to {
			continue // damaged there
		}
		if other[0] != m {
			return false
		}
		one, two := mine[m.from-at:m.to-at], theirs[m.from-at:m.to-at]
		if !sameRecord(one, two) {
			return false
		}
		agree = agree || bytes.Equal(one, two)
	}
	return agree
}

// sameRecord says whether two whole records of one place are one.
func sameRecord(one, two []byte) bool { return bytes.Equal(one, two) || sealed(one) != sealed(two) }

// sealed says whether a whole record has the checksum of all of it. Where only one of two has, the other has lost the property's name,
// which the body's checksum does not cover.
func sealed(raw []byte) bool {
	present, _ := record.VerifyPropCRC(raw)
	return present
}

var errExamining = errors.New("another one is just being compared")

// examineTime is how long a slave may take to send what it compared.
const examineTime = 5 * time.Second

// examine has the slave send what it compared, since sums do not tell rot on one side from another history.
func (s *slave) examine(h hello) (same bool, err error) {
	st := s.l.store
	c := cutterFor(st)
	// One at a time: it takes memory, and anybody may connect. Nobody waits for his turn: a connection that was given up would wait too.
	if !s.l.examining.TryLock() {
		return false, errExamining
	}
	defer s.l.examining.Unlock()
	mine, err := bytesOf(st, h.sumFrom, min(st.Sendable().Load(), h.end+int64(c.maxRecord)))
	if err != nil {
		return false, err
	}
	s.healing.mu.Lock()
	s.healing.out = ask{from: h.sumFrom, n: int32(h.end - h.sumFrom)}
	a := s.healing.out
	s.healing.mu.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.l.o.HousekeepingTime))
	if _, err := s.conn.Write(a.append(nil)); err != nil {
		return false, err
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(min(s.l.o.HousekeepingTime, examineTime)))
	var b [headerBytes]byte
	for binary.BigEndian.Uint64(b[:]) != bytesMagic { // reports may come first
		if _, err := io.ReadFull(s.conn, b[:reportBytes]); err != nil {
			return false, silence(err)
		}
	}
	if _, err := io.ReadFull(s.conn, b[reportBytes:]); err != nil {
		return false, silence(err)
	}
	body, err := s.healing.read(s.conn, parseHeader(b[:]))
	if err != nil {
		return false, err
	}
	s.healing.mu.Lock()
	s.healing.out = ask{}
	s.healing.mu.Unlock()
	theirs, err := parseAnswer(body)
	if err != nil {
		return false, err
	}
	if theirs.from != a.from || len(theirs.b) != int(a.n) {
		return false, errFrame
	}
	same = c.sameButRot(mine, theirs.b, h.sumFrom)
	s.l.logger.Warn("a slave's newest bytes differ", "slave", s.addr, "from", h.sumFrom, "to", h.end, "damageOnly", same)
	return same, nil
}
