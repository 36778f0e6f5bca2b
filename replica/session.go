package replica

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"ringmq/store"
)

// session is one connection to a master. One goroutine reads and appends, another one reports.
type session struct {
	f    *Follower
	conn *net.TCPConn
	addr string
	r    *bufio.Reader
	ours bool
	// empty: this slave has no log yet, so the master's first bytes say where it begins.
	empty bool
	began bool // the master's first frame came

	buf   []byte // of the log, from offset at on, not yet appended
	at    int64
	left  int // bytes of the frame at hand that are still to come
	idle  int // heartbeats since the last bytes
	cut   *cutter
	told  int64         // reported last; the reporting goroutine's own
	wants chan struct{} // one token: the master asked for bytes
	heals healing
	noted time.Time // when the read deadline was last set
	goal  int64     // of catching up; what is appended before it comes as fast as the disk takes it
	fresh int       // bytes that were appended in catching up and wait for others to be committed with
}

const (
	// readBytes is how much is read at once, and appended at the latest.
	readBytes = 1 << 20
	// gatherBytes are committed together in catching up: a sync for each MiB would cost more than it.
	gatherBytes  = 8 << 20
	controlBytes = 1 << 10 // most of a frame that is none of the log's
	spaceRetry   = time.Second
	rebaseRetry  = 20 * time.Millisecond
)

func (f *Follower) newSession(conn *net.TCPConn, addr string) *session {
	return &session{f: f, conn: conn, addr: addr, r: bufio.NewReaderSize(conn, 64<<10), buf: make([]byte, 0, 2*readBytes), cut: &f.cut,
		wants: make(chan struct{}, 1), heals: healing{st: f.store, every: f.o.HeartbeatTime}}
}

// run follows the master until the connection ends, and returns why.
func (s *session) run() error {
	ctx, cancel := context.WithCancel(s.f.stop)
	closed := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	defer closed()
	defer cancel()
	if err := s.hello(ctx); err != nil {
		return err
	}
	defer s.f.store.CatchUp(0)
	s.told = s.at
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		s.report(ctx)
	}()
	err := s.receive(ctx)
	s.heals.leave()
	s.f.store.CommitCopies() // what an error left
	_ = s.conn.Close()
	cancel()
	<-reported
	return err
}

// hello says who is here and how far its log goes. It waits until all of the log would survive: that is what a report means.
func (s *session) hello(ctx context.Context) error {
	st := s.f.store
	if err := st.Sendable().Wait(ctx, st.LogMax()); err != nil {
		return ownLogError{err}
	}
	s.at = st.LogMax()
	h := hello{version: helloVersion, id: s.f.o.ID, aside: s.f.manner.aside, segmentBytes: st.SegmentBytes(), min: st.LogMin(), sumFrom: s.at, end: s.at}
	s.empty = h.min == h.end
	if !s.empty {
		// All of one segment, so that the master has all of it or nothing.
		last := h.end - 1
		h.sumFrom = max(h.min, h.end-sumBytes, last-last%h.segmentBytes)
	}
	var err error
	if h.sum, err = sumOf(st, h.sumFrom, h.end); err != nil {
		return ownLogError{err}
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.f.o.HousekeepingTime))
	_, err = s.conn.Write(h.append(nil))
	return err
}

// receive reads frames and appends what they bring.
func (s *session) receive(ctx context.Context) error {
	for {
		var err error
		if s.left == 0 {
			err = s.frame(ctx)
		} else {
			err = s.body()
		}
		if err == nil && s.arrived() {
			err = s.end(ctx)
		}
		if err == nil && !s.goesOn() {
			err = s.drain(ctx, false)
		}
		if err != nil {
			return err
		}
	}
}

// goesOn says that more is to be read before what came is appended: what lies ready is taken along, for fewer and larger commits.
func (s *session) goesOn() bool {
	if len(s.buf) >= readBytes {
		return false
	}
	need := 1
	if s.left == 0 {
		need = headerBytes // a part of one would be waited for
	}
	return s.r.Buffered() >= need
}

// awaitBytes gives the master time to say something.
func (s *session) awaitBytes() {
	if now := time.Now(); now.Sub(s.noted) > time.Second || s.f.o.HousekeepingTime < 10*time.Second {
		s.noted = now
		_ = s.conn.SetReadDeadline(now.Add(s.f.o.HousekeepingTime))
	}
}

// body reads what has come of the frame at hand.
func (s *session) body() error {
	if len(s.buf) == cap(s.buf) {
		// A record that is not whole yet fills it.
		s.buf = append(make([]byte, 0, 2*cap(s.buf)), s.buf...)
	}
	n := len(s.buf)
	s.awaitBytes()
	k, err := s.r.Read(s.buf[n:min(cap(s.buf), n+s.left, n+readBytes)])
	s.buf, s.left = s.buf[:n+k], s.left-k
	if k > 0 {
		return nil
	}
	return s.lost(err)
}

func (s *session) full(b []byte) error {
	s.awaitBytes()
	_, err := io.ReadFull(s.r, b)
	return s.lost(err)
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (s *session) lost(err error) error {
	if timedOut(err) {
		return errors.New("the master said nothing for too long")
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the master closed the connection")
	}
	return err
}

// frame reads a header, and all of a frame that is none of the log's.
func (s *session) frame(ctx context.Context) error {
	var b [headerBytes]byte
	if err := s.full(b[:]); err != nil {
		return err
	}
	h := parseHeader(b[:])
	if h.size < 0 || h.size > maxPieceBytes {
		return fmt.Errorf("%w: a piece of %d bytes at %d", errFrame, h.size, h.offset)
	}
	s.heard(h)
	if h.offset < 0 {
		return s.control(ctx, h)
	}
	if s.f.manner.aside && !s.began {
		return refusedError(errCounts.Error()) // a stock master
	}
	if s.empty && h.size > 0 && s.at != h.offset {
		if err := s.rebase(ctx, welcome{start: h.offset}); err != nil {
			return err
		}
	}
	if here := s.at + int64(len(s.buf)); here != h.offset && !s.empty {
		return refusedError(fmt.Sprintf("the master goes on at %d where this slave's log ends at %d: they are not the same", h.offset, here))
	}
	if !s.began {
		if err := s.agrees(ctx); err != nil {
			return err
		}
		s.begin(false)
	}
	if h.size > 0 {
		s.left, s.idle, s.empty = int(h.size), 0, false
		return nil
	}
	s.idle++
	// A master that says it has nothing more has sent whole records: ours means it, stock may have been in the middle of one once.
	return s.drain(ctx, s.ours || s.idle > 1)
}

// heard notes what is known of the master.
func (s *session) heard(h header) {
	s.f.change(func(st *FollowerState) {
		st.LastRead = time.Now()
		if h.offset >= 0 {
			st.MasterOffset = max(st.MasterOffset, h.offset+int64(h.size))
		}
	})
}

// begin notes that the master has accepted this slave.
func (s *session) begin(ours bool) {
	s.began, s.ours = true, ours
	s.f.began(ours)
	if ours {
		s.heals.join(s.wants)
	}
	s.f.logger.Info("connected to the master", "master", s.addr, "ours", ours, "slaveEnd", s.at)
}

// control reads a frame of the extension's. One that is not known is passed over.
func (s *session) control(ctx context.Context, h header) error {
	if kind := uint64(h.offset); kind == askMagic || kind == bytesMagic {
		s.awaitBytes()
		b, err := s.heals.read(s.r, h)
		if err != nil {
			return s.lost(err)
		}
		if kind == askMagic {
			return s.heals.asked(b, s.wants)
		}
		return s.heals.answered(b, s.wants)
	}
	if h.size > controlBytes {
		return fmt.Errorf("%w: %d bytes", errFrame, h.size)
	}
	b := make([]byte, h.size)
	if err := s.full(b); err != nil {
		return err
	}
	switch uint64(h.offset) {
	case welcomeMagic:
		w, err := parseWelcome(b)
		if err != nil || s.began {
			return errFrame
		}
		return s.welcomed(ctx, w)
	case statusMagic:
		st, err := parseStatus(b)
		if err != nil {
			return err
		}
		s.f.change(func(f *FollowerState) { f.MasterOffset = st.end })
		s.catchUp(st.end)
	}
	return nil
}

// welcomed takes the master's answer: it may begin later than this slave's log ends.
func (s *session) welcomed(ctx context.Context, w welcome) error {
	s.f.change(func(st *FollowerState) { st.MasterOffset = w.end })
	if w.refusal != accepted {
		s.f.change(func(st *FollowerState) { st.Ours = true })
		return refusedError(w.refusal.String())
	}
	if s.f.manner.aside && !w.aside {
		return refusedError(errCounts.Error())
	}
	if w.start == s.at && w.min == s.at && !s.empty && w.history != s.f.store.History() {
		// What the master still has begins where this log ends, so that no byte could be compared.
		s.f.change(func(st *FollowerState) { st.Ours = true })
		return refusedError(fmt.Sprintf("the master's log begins at %d, this slave's end, and this slave was no copy of it: empty its store if it may be given up", s.at))
	}
	s.begin(true)
	if w.start < s.at {
		return fmt.Errorf("%w: the master starts at %d", errFrame, w.start)
	}
	if w.start > s.at {
		if err := s.rebase(ctx, w); err != nil {
			return err
		}
	}
	// Its newest bytes are the master's, or it has none: it is a copy of that log from here on.
	if err := s.f.store.SetHistory(w.history); err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	s.catchUp(w.end)
	return nil
}

// rebase has the log go on where the master's begins, and gives up what there is. What is given up must have been a copy of the same log:
// bytes that the master has no more cannot be compared, and a slave that is shown to another master keeps what it has.
func (s *session) rebase(ctx context.Context, w welcome) error {
	st, start := s.f.store, w.start
	if !s.empty && w.history != st.History() {
		return refusedError(fmt.Sprintf("the master's log begins at %d, behind this slave's end, and this slave was no copy of it: empty its store if it may be given up", start))
	}
	if s.f.manner.keeps || s.f.manner.aside && !s.empty {
		return refusedError(fmt.Sprintf("the other log begins at %d, behind this one's end", start))
	}
	if start%st.SegmentBytes() != 0 || start < s.at {
		return refusedError(fmt.Sprintf("the master starts at %d, where no segment of this slave's begins", start))
	}
	if !s.empty {
		s.f.logger.Error("the master's log begins behind this slave's end: this slave gives up its log and begins anew there",
			"master", s.addr, "from", st.LogMin(), "to", s.at, "begins", start)
	}
	for {
		err := st.Rebase(start)
		if err == nil {
			s.at, s.empty, s.cut.blankTo = start, true, 0
			return nil
		}
		if !errors.Is(err, store.ErrBusy) {
			return fmt.Errorf("replica: %w", err)
		}
		if err := pause(ctx, rebaseRetry); err != nil {
			return err
		}
	}
}
