package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"syscall"
	"time"

	"ringmq/store"
)

// This file is for whoever makes a backup: a copy of the log that is brought up to an offset, and counts for nothing meanwhile. A
// master of ours is asked for that in the hello, and grants it in its welcome; one that does not is left at once.

var (
	// ErrTurnedAway: the master closed the connection as it came.
	ErrTurnedAway = errors.New("the master closed the connection as it came: its haAllowedCidrs does not have the address of this machine, or slaves in step have all its places")

	errCounts = errors.New("the master would count a backup as a copy: it is a stock broker, or of an older release of ringmq")
)

// Extent is how far a master's log reaches.
type Extent struct {
	Min, End     int64 // End is what the master promises to keep, and a record ends there
	SegmentBytes int64
}

// Reach asks the master of ours at addr how far its log reaches. ErrTurnedAway; an error too where it would count a backup as a copy.
func Reach(ctx context.Context, addr string) (Extent, error) {
	conn, hangUp, err := dialMaster(ctx, addr)
	if err != nil {
		return Extent{}, err
	}
	defer hangUp()
	c := &comparison{conn: conn}
	w, err := c.reach()
	switch {
	case ctx.Err() != nil:
		return Extent{}, ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Extent{}, ErrTurnedAway
	case errors.Is(err, errFrame):
		return Extent{}, errCounts
	case err != nil:
		return Extent{}, fmt.Errorf("replica: %w", err)
	case !w.aside || w.refusal != accepted:
		return Extent{}, errCounts
	}
	return Extent{Min: w.min, End: w.end, SegmentBytes: w.segmentBytes}, nil
}

// reach is the hello of Reach. One that compares is no slave, to older releases either.
func (c *comparison) reach() (welcome, error) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(answerTime))
	if _, err := c.conn.Write(hello{version: helloVersion, compare: true, aside: true, segmentBytes: 1}.append(nil)); err != nil {
		return welcome{}, err
	}
	b, err := c.frame(welcomeMagic, welcomeBytes)
	if err != nil {
		return welcome{}, err
	}
	return parseWelcome(b)
}

// AsideOptions of a copy that counts for nothing.
type AsideOptions struct {
	Store    *store.Store    // that grows; nothing else is appended to it
	Addr     string          // host:port of the master's HA service
	To       int64           // where the copy ends: an End of Reach, so that a record ends there
	Patience time.Duration   // a master that gives nothing for so long is given up; 0: a minute
	Progress func(end int64) // called on the caller's goroutine, ten times a second; nil: nobody looks
	// Opaque is called before a range is appended that is no whole records on the master, on another goroutine; an error ends the copy. nil: nobody
	// wants to know.
	Opaque func(from, to int64) error
	Logger *slog.Logger
}

const (
	asidePatience = time.Minute
	asideLook     = 10 * time.Millisecond
	asideTell     = 100 * time.Millisecond
)

// CopyAside brings a store up to o.To of its master's log and returns when that would survive. A connection that is lost is made again. It fails where
// the two logs are not one, where the master no longer has what follows, and where nothing can be written here; what has come by then stays, and
// the next call goes on behind it.
func CopyAside(ctx context.Context, o AsideOptions) error {
	if o.Patience <= 0 {
		o.Patience = asidePatience
	}
	if have := o.Store.LogMax(); have > o.To {
		return fmt.Errorf("replica: %s", slaveAhead)
	}
	f := newFollower(FollowerOptions{Store: o.Store, Master: func() string { return o.Addr }, Logger: o.Logger}, manner{aside: true, until: o.To, opaque: o.Opaque})
	defer f.Close()
	tick := time.NewTicker(asideLook)
	defer tick.Stop()
	at, moved, told := o.Store.LogMax(), time.Now(), time.Time{}
	for {
		s := f.State()
		now := time.Now()
		if s.Offset > at {
			at, moved = s.Offset, now
		}
		if o.Progress != nil && now.Sub(told) >= asideTell {
			told = now
			o.Progress(at)
		}
		switch err := o.Store.Sendable().Err(); {
		case s.Refused != "":
			return errors.New("replica: " + s.Refused)
		case err != nil:
			return fmt.Errorf("replica: the copy's log: %w", err)
		case f.accepted.Load() && at >= o.To:
			return nil
		case now.Sub(moved) > o.Patience:
			return fmt.Errorf("replica: nothing came for %s: %s", o.Patience, f.lastError())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lastError is what was last wrong with the connection.
func (f *Follower) lastError() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failing == "" {
		return "the master is connected and silent"
	}
	return f.failing
}

// errArrived ends a connection whose follower has all that it wants.
var errArrived = errors.New("all that is wanted is here")

// arrived says that the place is reached behind which nothing is wanted.
func (s *session) arrived() bool {
	until := s.f.manner.until
	return until > 0 && s.began && s.at+int64(len(s.buf)) >= until
}

// end appends what lies before that place.
func (s *session) end(ctx context.Context) error {
	s.buf = s.buf[:max(0, s.f.manner.until-s.at)]
	if err := s.drain(ctx, true); err != nil {
		return err
	}
	s.f.store.CommitCopies()
	return errArrived
}
