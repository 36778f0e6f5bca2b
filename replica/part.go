package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"ringmq/store"
)

// This file is an operator's: what to do when two logs have parted. Nothing calls it by itself. A slave that is ahead of its master has
// records that the master lost: either the master takes them (Adopt, with the slave's store served by Lead for that while), or the slave
// cuts them (store.CutTail, at the master's end). A slave whose bytes differ cuts at where Compare says that they part.

// adoptLook is how often Adopt looks whether it is done.
const adoptLook = 10 * time.Millisecond

// Adopt has a store take what another of ours has behind its end, and ends. o.Master names where that other one is served by Lead;
// nothing may be appended to either meanwhile, and Store has no Leader of its own. It fails, and takes nothing, where the other log is
// shorter or differs, or begins behind the store's end. It returns where the log ended before, and where it ends now.
func Adopt(ctx context.Context, o FollowerOptions) (from, to int64, err error) {
	from = o.Store.LogMax()
	f := newFollower(o, manner{keeps: true})
	defer f.Close()
	tick := time.NewTicker(adoptLook)
	defer tick.Stop()
	for {
		s := f.State()
		switch {
		case s.Refused != "":
			return from, o.Store.LogMax(), errors.New("replica: " + s.Refused)
		case s.Connected && !s.Ours:
			return from, o.Store.LogMax(), errors.New("replica: the other side is not ours, its end is not known")
		case s.Connected && s.Offset >= s.MasterOffset:
			return from, s.Offset, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return from, o.Store.LogMax(), ctx.Err()
		}
	}
}

// ErrNotOurs: the other side does not speak the extension, so its log cannot be asked for.
var ErrNotOurs = errors.New("it is no broker of ours, whose log can be compared")

// Parting is where two logs part.
type Parting struct {
	Same        int64 // both are the same up to here: where a record begins, or the shorter one's end
	Mine, Other Tail  // what the store's log and the other one have behind that
}

// Compare asks the master of ours at addr for its log and says where a store's parts from it. Damage on one side is no difference. The
// store takes nothing meanwhile. Before where they part it reads a few MiB of each log, however long they are: what lies
// before the last place that is the same is taken to be so.
func Compare(ctx context.Context, st *store.Store, addr string) (p Parting, err error) {
	conn, hangUp, err := dialMaster(ctx, addr)
	if err != nil {
		return p, err
	}
	defer hangUp()
	c := &comparison{st: st, conn: conn, cut: cutterFor(st)}
	if err := c.hello(); err != nil {
		return p, fmt.Errorf("replica: compare: %w", err)
	}
	if p.Same, err = c.search(); err != nil {
		return p, fmt.Errorf("replica: compare: %w", err)
	}
	if p.Mine, err = tailOf(c.cut, p.Same, c.end, c.mine); err == nil {
		p.Other, err = tailOf(c.cut, p.Same, c.theirEnd, c.theirs)
	}
	if err != nil {
		return p, fmt.Errorf("replica: compare: %w", err)
	}
	return p, nil
}

func (c *comparison) mine(from, to int64) ([]byte, error) { return bytesOf(c.st, from, to) }

// theirs is a range of the other log, all of it.
func (c *comparison) theirs(from, to int64) ([]byte, error) {
	b, err := c.askFor(from, to)
	if err == nil && len(b) != int(to-from) {
		err = errFrame
	}
	return b, err
}

// askFor asks for a range of the other log; nothing where it does not have all of it.
func (c *comparison) askFor(from, to int64) ([]byte, error) {
	if _, err := c.conn.Write(ask{from: from, n: int32(to - from)}.append(nil)); err != nil {
		return nil, err
	}
	b, err := c.frame(bytesMagic, bytesBytes+int(to-from))
	if err != nil {
		return nil, err
	}
	a, err := parseAnswer(b)
	if err == nil && (a.from != from || len(a.b) != 0 && len(a.b) != int(to-from)) {
		err = errFrame
	}
	return a.b, err
}

// dialMaster connects to the HA service at addr until hangUp is called, or ctx ends.
func dialMaster(ctx context.Context, addr string) (conn net.Conn, hangUp func(), err error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	if conn, err = dialer.DialContext(ctx, "tcp", addr); err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, func() { stop(); _ = conn.Close() }, nil
}

// comparison is a connection to a master of ours whose log is asked about and for: by Compare, Reach or HealAside.
type comparison struct {
	st        *store.Store
	conn      net.Conn
	cut       cutter
	low, high int64 // both have everything in between
	end       int64 // of this log
	theirEnd  int64
}

// frame reads one frame of a kind.
func (c *comparison) frame(kind uint64, limit int) ([]byte, error) {
	_ = c.conn.SetDeadline(time.Now().Add(answerTime))
	var b [headerBytes]byte
	if _, err := io.ReadFull(c.conn, b[:]); err != nil {
		return nil, err
	}
	f := parseHeader(b[:])
	if uint64(f.offset) != kind || f.size < 0 || int(f.size) > limit {
		return nil, errFrame
	}
	body := make([]byte, f.size)
	_, err := io.ReadFull(c.conn, body)
	return body, err
}

func (c *comparison) hello() error {
	c.end = c.st.Sendable().Load()
	h := hello{version: helloVersion, compare: true, segmentBytes: c.st.SegmentBytes(), min: c.st.LogMin(), sumFrom: c.end, end: c.end}
	if _, err := c.conn.Write(h.append(nil)); err != nil {
		return err
	}
	b, err := c.frame(welcomeMagic, welcomeBytes)
	if errors.Is(err, errFrame) {
		return ErrNotOurs
	}
	if err != nil {
		return err
	}
	w, err := parseWelcome(b)
	if err != nil {
		return err
	}
	if w.refusal != accepted {
		return errors.New(w.refusal.String())
	}
	c.theirEnd = w.end
	c.low, c.high = max(h.min, w.min), min(c.end, w.end)
	if c.low >= c.high {
		return fmt.Errorf("one log ends at %d, before the other begins at %d", c.high, c.low)
	}
	return nil
}

// both reads a range of both logs. Where it ends with the shorter one, the longer one's last record comes whole.
func (c *comparison) both(from, to int64) (mine, theirs []byte, err error) {
	mineTo, theirsTo := to, to
	if to == c.high {
		more := min(int64(c.cut.maxRecord), maxAskBytes-2*sumBytes)
		mineTo, theirsTo = min(c.end, to+more), min(c.theirEnd, to+more)
	}
	if mine, err = c.mine(from, mineTo); err != nil {
		return nil, nil, err
	}
	theirs, err = c.theirs(from, theirsTo)
	return mine, theirs, err
}

// search halves the range until the first piece of a MiB is found that differs, and looks for the record in it.
func (c *comparison) search() (int64, error) {
	piece := func(i int64) (from, to int64) {
		return c.low + i*sumBytes, min(c.low+(i+1)*sumBytes, c.high)
	}
	low, high := int64(0), (c.high-c.low+sumBytes-1)/sumBytes
	for low < high {
		mid := (low + high) / 2
		from, to := piece(mid)
		mine, theirs, err := c.both(from, to)
		if err != nil {
			return 0, err
		}
		if _, differ := c.cut.parts(mine, theirs, from, to); differ {
			high = mid
		} else {
			low = mid + 1
		}
	}
	// The record that lies across its beginning belongs to it.
	from, to := piece(low)
	if low > 0 {
		from -= sumBytes
	}
	if from >= to {
		from, to = max(c.low, c.high-sumBytes), c.high
	}
	mine, theirs, err := c.both(from, to)
	if err != nil {
		return 0, err
	}
	at, _ := c.cut.parts(mine, theirs, from, to)
	if at < 0 {
		return 0, fmt.Errorf("no record between %d and %d is whole on both sides", from, to)
	}
	return at, nil
}

// parts says where two histories part in a range: with differ where the first record begins that is not the same in both, otherwise where the range's
// last whole record ends. Both begin at offset at; the range ends at high, and they may have more behind it, so that a record that begins in the
// range is whole. -1: nothing is known, since a record that began before the range goes on in it.
func (c cutter) parts(mine, theirs []byte, at, high int64) (where int64, differ bool) {
	where = -1
	if at%c.segmentBytes == 0 {
		where = at
	}
	other := c.wholeSpans(theirs, at)
	for _, m := range c.wholeSpans(mine, at) {
		if m.from >= high {
			break
		}
		for len(other) > 0 && other[0].to <= m.from {
			where, other = max(where, other[0].to), other[1:]
		}
		if len(other) == 0 || other[0].from >= m.to {
			where = max(where, m.to) // theirs is damaged there
			continue
		}
		if other[0] != m || !sameRecord(mine[m.from-at:m.to-at], theirs[m.from-at:m.to-at]) {
			return max(where, min(m.from, other[0].from)), true
		}
		where, other = m.to, other[1:]
	}
	for _, o := range other {
		if o.from < high {
			where = max(where, o.to)
		}
	}
	return where, false
}
