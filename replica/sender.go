package replica

import (
	"errors"
	"fmt"
	"io"
	"math"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ringmq/store"
)

// log is what is copied of.
type log interface {
	Region(from int64, maxBytes int) (store.Region, error)
	Sendable() *store.Watermark
}

// sendFrom is how large a piece must be so that it goes from the file to the socket without coming by.
const sendFrom = 64 << 10

// sender sends the log to one slave, on a goroutine of its own: whatever the slave does, nobody waits for it but this one.
//
//	at <= Sendable
type sender struct {
	s     *slave
	at    int64
	piece int
	buf   []byte
	raw   syscall.RawConn
	wrote time.Time // last, or a heartbeat
	gone  time.Time // since when the oldest segment that it holds is deleted; zero: it is not
	// pins hold the segments that the slave has not acknowledged: the kernel may still send from them.
	pins  []pinned
	paced paced
}

type pinned struct {
	r  store.Region
	to int64 // end of its segment
}

// send sends from start on until the connection ends, and ends it.
func (s *slave) send(start int64) {
	t := &sender{s: s, at: start, piece: s.l.o.piece(s.ours), wrote: time.Now(), paced: paced{perSecond: s.l.o.MaxBytesPerSec}}
	t.buf = make([]byte, 0, headerBytes+min(t.piece, sendFrom))
	if err := t.run(); err != nil {
		s.left(err)
	}
	s.hangUp()
	t.unpin(math.MaxInt64)
}

// run returns why it ends.
func (t *sender) run() (err error) {
	s := t.s
	if t.raw, err = s.conn.SyscallConn(); err != nil {
		return err
	}
	beat := time.NewTicker(s.l.o.HeartbeatTime)
	defer beat.Stop()
	if s.ours {
		s.healing.join(s.wake)
		defer s.healing.leave()
	}
	for !s.isLeaving() {
		select {
		case <-beat.C:
			if err := t.heartbeat(); err != nil {
				return err
			}
		default:
		}
		if err := t.heal(); err != nil {
			return err
		}
		if t.holdsTooLong(time.Now()) {
			return errHolds
		}
		spared := t.spares()
		if spared {
			if wait := s.l.sparing.wait(time.Now()); wait > 0 {
				if err := t.rest(false, wait, beat.C); err != nil {
					return err
				}
				continue
			}
		}
		n, err := t.next()
		if err != nil {
			return err
		}
		if spared {
			s.l.sparing.count(n)
		}
		wait := t.paced.wait(n)
		if n > 0 && wait == 0 {
			continue
		}
		if err := t.rest(n == 0, wait, beat.C); err != nil {
			return err
		}
	}
	return nil
}

// spares says that those who store come before the slave: it is far behind, nothing waits for it to acknowledge, and there are copies enough. They always
// come before a backup.
func (t *sender) spares() bool {
	l := t.s.l
	if l.store.Sendable().Load()-t.at < spareFrom || !t.s.aside && !l.agreed.Load().Enough {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !t.s.progress.inStep
}

// rest waits until there is something to do: idle, for something to send; otherwise until the pace allows it, and meanwhile answers what
// is asked and says that its master is there.
func (t *sender) rest(idle bool, wait time.Duration, beat <-chan time.Time) error {
	var due <-chan time.Time
	if !idle {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	for !t.s.isLeaving() {
		var err error
		select {
		case <-t.s.l.stop:
			return nil
		case <-due:
			return nil
		case <-t.s.wake:
			if !idle {
				err = t.heal()
			}
		case <-beat:
			err = t.heartbeat()
		}
		if err != nil || idle {
			return err
		}
	}
	return nil
}

// heartbeat tells a slave that its master is there, and one of ours how far it is.
func (t *sender) heartbeat() error {
	l := t.s.l
	b := t.buf[:0]
	if t.s.ours {
		end := l.store.Sendable().Load()
		b = status{end: end, confirmed: min(l.store.Visible().Load(), end)}.append(b)
	}
	if idle := t.at == l.store.Sendable().Load(); idle || time.Since(t.wrote) > l.o.HeartbeatTime {
		if idle || !t.s.ours { // for one of ours it says that a record ends here
			b = header{offset: t.at}.append(b)
		}
	}
	if len(b) == 0 {
		return nil
	}
	return t.write(b)
}

// heal answers what a slave of ours asked for, and asks for what is damaged here.
func (t *sender) heal() error {
	if !t.s.ours {
		return nil
	}
	for {
		a, ok := t.s.healing.take()
		if !ok {
			break
		}
		if err := t.s.healing.answer(a, t.write); err != nil {
			return err
		}
	}
	if a, ok := t.s.healing.next(time.Now()); ok {
		return t.write(a.append(nil))
	}
	return nil
}

// next sends one piece of the log, 0 bytes where there is none.
func (t *sender) next() (int, error) {
	l := t.s.l
	r, err := l.store.Region(t.at, t.piece)
	if errors.Is(err, store.ErrGone) {
		return 0, fmt.Errorf("the log from %d on was deleted before it was sent", t.at)
	}
	if err != nil || r.Bytes == 0 {
		return 0, err
	}
	n := r.Bytes
	t.started(t.at+int64(n), n)
	if err = t.ship(&r); err == nil {
		t.at += int64(n)
	}
	t.pin(r)
	return n, err
}

// started counts bytes as sent before they are: the acknowledgement may be quick.
func (t *sender) started(to int64, n int) {
	l := t.s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Uptime()
	t.s.progress.send(to, now)
	t.s.meter.count(n, now)
}

func (t *sender) acked() int64 {
	t.s.l.mu.Lock()
	defer t.s.l.mu.Unlock()
	return t.s.progress.acked
}

// pin keeps one region of each segment, until everything sent of it is acknowledged.
func (t *sender) pin(r store.Region) {
	size := t.s.l.store.SegmentBytes()
	to := r.Offset - r.Offset%size + size
	if n := len(t.pins); n > 0 && t.pins[n-1].to == to {
		r.Release()
		return
	}
	t.pins = append(t.pins, pinned{r, to})
	t.s.pinned.Store(t.pins[0].to)
}

func (t *sender) unpin(acked int64) {
	for len(t.pins) > 0 && t.pins[0].to <= acked {
		t.pins[0].r.Release()
		t.pins = append(t.pins[:0], t.pins[1:]...)
	}
	oldest := int64(math.MaxInt64)
	if len(t.pins) > 0 {
		oldest = t.pins[0].to
	}
	t.s.pinned.Store(oldest)
}

// errHolds: what is deleted takes its space as long as a slave that was sent it has not acknowledged it.
var errHolds = errors.New("it was sent what is deleted since, and does not acknowledge it")

// holdsTooLong says that a segment which is deleted could not be freed for as long as a slave may be silent.
func (t *sender) holdsTooLong(now time.Time) bool {
	t.unpin(t.acked())
	switch {
	case len(t.pins) == 0 || t.pins[0].to > t.s.l.store.LogMin():
		t.gone = time.Time{}
	case t.gone.IsZero():
		t.gone = now
	}
	return !t.gone.IsZero() && now.Sub(t.gone) >= t.s.l.o.HousekeepingTime
}

// ship sends a region with its header: a small one in one piece from memory, a large one from the file.
func (t *sender) ship(r *store.Region) error {
	h := header{offset: r.Offset, size: int32(r.Bytes)}
	file, at, ok := r.File()
	if r.Bytes >= sendFrom && ok {
		if err := t.head(h.append(t.buf[:0])); err != nil {
			return err
		}
		left, err := t.sendFile(file, at, r.Bytes)
		if left == 0 || !store.IsUnreadable(err) {
			return err
		}
		// The slave has been told how many bytes come: what the disk cannot read is damage, and goes as such.
		return t.shipFrom(r, r.Bytes-left, t.buf[:0])
	}
	return t.shipFrom(r, 0, h.append(t.buf[:0]))
}

// shipFrom sends b and the region from a place on, by way of memory.
func (t *sender) shipFrom(r *store.Region, at int, b []byte) error {
	for at < r.Bytes {
		n := min(r.Bytes-at, cap(t.buf)-len(b))
		b = b[:len(b)+n]
		if err := r.Read(b[len(b)-n:], at); err != nil {
			return err
		}
		if err := t.write(b); err != nil {
			return err
		}
		at, b = at+n, t.buf[:0]
	}
	return nil
}

func (t *sender) write(b []byte) error {
	t.deadline()
	_, err := t.s.conn.Write(b)
	return err
}

// deadline gives a slave that takes nothing as long as one that says nothing.
func (t *sender) deadline() {
	t.wrote = time.Now()
	_ = t.s.conn.SetWriteDeadline(t.wrote.Add(t.s.l.o.HousekeepingTime))
}

// head sends a header that its bytes follow at once.
func (t *sender) head(b []byte) (err error) {
	t.deadline()
	waited := t.raw.Write(func(fd uintptr) bool {
		for len(b) > 0 {
			var n int
			n, err = unix.SendmsgN(int(fd), b, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if errors.Is(err, unix.EAGAIN) {
				return false
			}
			if err != nil {
				return true
			}
			b = b[n:]
		}
		return true
	})
	return firstError(waited, err)
}

// sendFile moves n bytes from a file to the socket inside of the kernel, and says how many are left after an error.
func (t *sender) sendFile(file syscall.RawConn, at int64, n int) (left int, err error) {
	waited := t.raw.Write(func(sock uintptr) bool {
		for n > 0 {
			var k int
			closed := file.Control(func(fd uintptr) { k, err = t.s.l.o.sendfile(int(sock), int(fd), &at, n) })
			switch {
			case closed != nil:
				err = closed
				return true
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.EAGAIN):
				return false
			case err == nil && k == 0:
				err = io.ErrUnexpectedEOF
				return true
			case err != nil:
				return true
			}
			n -= max(k, 0)
		}
		err = nil
		return true
	})
	return n, firstError(waited, err)
}

func firstError(waited, err error) error {
	if waited != nil {
		return waited
	}
	return err
}
