package replica

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// slave is one connection to a master's HA port, perhaps of something that is no slave at all. One goroutine reads it, a second one sends
// once it has reported.
type slave struct {
	l    *Leader
	conn *net.TCPConn
	addr string
	ours bool
	// aside: whoever makes a backup. What it acknowledges counts as no copy, and it gives its place to any slave.
	aside bool
	id    uint64 // says which slave this is, over its connections; 0: unknown. Others may read it once it has reported
	came  time.Duration
	wake  chan struct{} // one token: there is something to send, or all of a pinned segment was acknowledged

	healing healing

	// guarded by Leader.mu
	reported bool
	leaving  bool
	replaced bool // the same slave has another connection since
	silent   bool // it never spoke as a slave does
	progress progress
	why      error // it left
	meter    meter

	hung   sync.Once
	pinned atomic.Int64 // end of the oldest segment that the sender holds; math.MaxInt64: it holds none
}

// serve is the connection's life.
func (s *slave) serve() {
	defer s.l.done.Done()
	defer s.l.leave(s)
	defer s.conn.Close()
	start, ok := s.greet()
	if !ok {
		return
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		s.send(start)
	}()
	s.left(s.listen())
	s.hangUp()
	poke(s.wake)
	<-sent
}

// hangUp ends a connection that is sent the log; it is over when this returns. Where the whole leader ends, the slave gets what the kernel has still
// to bring it: no segment becomes anything else then.
func (s *slave) hangUp() {
	s.hung.Do(func() {
		s.l.mu.Lock()
		ends := s.l.closed
		s.l.mu.Unlock()
		if ends {
			_ = s.conn.Close()
			return
		}
		s.reset()
	})
}

// reset ends a connection, and the kernel drops what it has not brought to the slave: pages of segments that nobody pins any more may become
// other bytes before it would send them. Any goroutine.
func (s *slave) reset() {
	_ = s.conn.SetLinger(0)
	_ = s.conn.Close()
}

// left notes why the connection ended; the first reason counts.
func (s *slave) left(err error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.leaving = true
	if s.why == nil {
		s.why = err
	}
}

func (s *slave) isLeaving() bool {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return s.leaving
}

var (
	errSilence   = errors.New("it said nothing for too long")
	errNoReport  = errors.New("what it said is no report")
	errNeverSent = errors.New("it acknowledged what was never sent")
)

// greet reads the first report and decides about the slave: from where it is sent the log.
func (s *slave) greet() (start int64, ok bool) {
	var b [helloBytes]byte
	_ = s.conn.SetReadDeadline(time.Now().Add(s.l.o.HousekeepingTime))
	if _, err := io.ReadFull(s.conn, b[:reportBytes]); err != nil {
		s.speechless()
		return 0, false
	}
	first := binary.BigEndian.Uint64(b[:])
	if first == helloMagic {
		if _, err := io.ReadFull(s.conn, b[reportBytes:]); err != nil {
			s.speechless()
			return 0, false
		}
		h, err := parseHello(b[:])
		if err != nil {
			s.speechless()
			return 0, false
		}
		s.ours, s.aside, s.id = true, h.aside, h.id
		return s.greetOurs(h)
	}
	acked := int64(first)
	if !plausibleReport(acked) {
		s.speechless()
		return 0, false
	}
	return s.greetStock(acked)
}

// isCopy says whether this is a slave, whose acknowledgements count. Leader.mu is held, or the slave is known to have reported.
func (s *slave) isCopy() bool { return s.reported && !s.aside && !s.replaced }

// what it is, for the log.
func (s *slave) what() string {
	if s.aside {
		return "backup"
	}
	return "slave"
}

// speechless notes that whoever connected is no slave.
func (s *slave) speechless() {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.silent = true
}

// greetStock starts an empty slave at the last segment, as stock does, and any other where it is.
func (s *slave) greetStock(acked int64) (start int64, ok bool) {
	low, end := s.l.store.LogMin(), s.l.store.Sendable().Load()
	start = acked
	if acked == 0 {
		start = max(low, end-end%s.l.store.SegmentBytes())
	}
	switch {
	case acked > end:
		s.l.refuse(s, slaveAhead, acked)
		return 0, false
	case start < low:
		s.l.refuse(s, slaveBehind, acked)
		return 0, false
	}
	s.l.join(s, acked, start)
	return start, true
}

// greetOurs answers a slave of ours: an empty one, and one that is further behind than the log goes back, starts where the log begins.
func (s *slave) greetOurs(h hello) (start int64, ok bool) {
	low, end := s.l.store.LogMin(), s.l.store.Sendable().Load()
	w := welcome{version: helloVersion, start: h.end, end: end, min: low, segmentBytes: s.l.store.SegmentBytes(), aside: h.aside, history: s.l.store.History()}
	switch {
	case h.compare && h.aside: // it wants to know how far this log is
	case h.segmentBytes != w.segmentBytes:
		w.refusal = segmentsDiffer
	case h.compare: // no slave: nobody is to hear of it here
	case h.end > end:
		w.refusal = slaveAhead
	case h.end < low:
		w.start = low
	case h.sumFrom < h.end && h.sumFrom >= low:
		sum, err := sumOf(s.l.store, h.sumFrom, h.end)
		if err != nil {
			s.l.logger.Warn("slave cannot be compared", "slave", s.addr, "from", h.sumFrom, "to", h.end, "error", err)
			return 0, false
		}
		if sum != h.sum {
			same, err := s.examine(h)
			if errors.Is(err, errExamining) { // anybody may make that happen again and again
				s.l.turnAway(s.conn.RemoteAddr(), err)
				return 0, false
			}
			if err != nil {
				s.l.logger.Warn("slave cannot be compared", "slave", s.addr, "from", h.sumFrom, "to", h.end, "error", err)
				return 0, false
			}
			if !same {
				w.refusal = bytesDiffer
			}
		}
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.l.o.HousekeepingTime))
	if _, err := s.conn.Write(w.append(nil)); err != nil {
		return 0, false
	}
	if w.refusal != accepted {
		if !h.compare {
			s.l.refuse(s, w.refusal, h.end)
		}
		return 0, false
	}
	if h.compare {
		s.serveAsks()
		return 0, false
	}
	s.l.join(s, h.end, w.start)
	return w.start, true
}

// serveAsks gives bytes of the log to somebody who compares, until the connection ends.
func (s *slave) serveAsks() {
	var b [headerBytes]byte
	for {
		_ = s.conn.SetDeadline(time.Now().Add(s.l.o.HousekeepingTime))
		if _, err := io.ReadFull(s.conn, b[:]); err != nil {
			return
		}
		f := parseHeader(b[:])
		if uint64(f.offset) != askMagic {
			return
		}
		body, err := s.healing.read(s.conn, f)
		if err != nil {
			return
		}
		a, err := parseAsk(body)
		if err != nil {
			return
		}
		err = s.healing.answer(a, func(b []byte) error {
			_, err := s.conn.Write(b)
			return err
		})
		if err != nil {
			return
		}
	}
}

// sumOf is the CRC-32C of a range of the log, which may lie in several segments.
func sumOf(l log, from, to int64) (sum uint32, err error) {
	err = eachPiece(l, from, to, func(b []byte) error {
		sum = crc32.Update(sum, castagnoli, b)
		return nil
	})
	return sum, err
}

// eachPiece reads a range of the log a little at a time.
func eachPiece(l log, from, to int64, fn func(b []byte) error) error {
	buf := make([]byte, min(to-from, 256<<10))
	for from < to {
		r, err := l.Region(from, int(min(to-from, int64(len(buf)))))
		if err == nil && r.Bytes == 0 {
			err = fmt.Errorf("replica: the log ends at %d", from)
		}
		if err != nil {
			return err
		}
		p := buf[:r.Bytes]
		err = r.Read(p, 0)
		r.Release()
		if err == nil {
			err = fn(p)
		}
		if err != nil {
			return err
		}
		from += int64(len(p))
	}
	return nil
}

// listen reads until the connection ends. It returns why.
func (s *slave) listen() error {
	if s.ours {
		return s.listenOurs()
	}
	return s.listenStock()
}

// listenStock reads reports.
func (s *slave) listenStock() error {
	var b [4096]byte
	n := 0
	for {
		_ = s.conn.SetReadDeadline(time.Now().Add(s.l.o.HousekeepingTime))
		k, err := s.conn.Read(b[n:])
		if err != nil {
			return silence(err)
		}
		n += k
		whole := n - n%reportBytes
		if whole == 0 {
			continue
		}
		// The latest one says what those before it said.
		acked := int64(binary.BigEndian.Uint64(b[whole-reportBytes:]))
		n = copy(b[:], b[whole:n])
		if err := s.takeReport(acked); err != nil {
			return err
		}
	}
}

func silence(err error) error {
	if timedOut(err) {
		return errSilence
	}
	return err
}

// takeReport takes one report.
func (s *slave) takeReport(acked int64) error {
	if !plausibleReport(acked) {
		return errNoReport
	}
	if !s.acknowledge(acked) {
		return fmt.Errorf("%w: %d", errNeverSent, acked)
	}
	if acked >= s.pinned.Load() {
		poke(s.wake)
	}
	return nil
}

// listenOurs reads reports, and between them wishes for bytes and bytes that were wished for.
func (s *slave) listenOurs() error {
	r := bufio.NewReaderSize(s.conn, 4096)
	var b [headerBytes]byte
	for {
		_ = s.conn.SetReadDeadline(time.Now().Add(s.l.o.HousekeepingTime))
		if _, err := io.ReadFull(r, b[:reportBytes]); err != nil {
			return silence(err)
		}
		first := binary.BigEndian.Uint64(b[:])
		if first != askMagic && first != bytesMagic {
			if err := s.takeReport(int64(first)); err != nil {
				return err
			}
			continue
		}
		if _, err := io.ReadFull(r, b[reportBytes:]); err != nil {
			return silence(err)
		}
		body, err := s.healing.read(r, parseHeader(b[:]))
		if err != nil {
			return err
		}
		if first == askMagic {
			if err := s.healing.asked(body, s.wake); err != nil {
				return err
			}
		} else if err := s.healing.answered(body, s.wake); err != nil {
			return err
		}
	}
}

// acknowledge counts a report; false: it cannot be true.
func (s *slave) acknowledge(to int64) bool {
	l := s.l
	l.mu.Lock()
	ok := s.progress.ack(to, l.Uptime())
	changed := ok && l.judge()
	l.unlock()
	l.tell(changed)
	return ok
}
