package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"ringmq/store/record"
)

// A stock master compares nothing. It goes on at whatever offset a slave reports; where its own log is shorter it is silent until that has grown past
// there, and then sends what has come to lie there. So this side asks it for the one piece of the log that tells, its own newest one. A master that
// has the same bytes in the same place has what is before them too: a record has its place, the time it was stored, and its place in a queue.

// askTime is how long a master may take to say what it has at an offset.
const askTime = 5 * time.Second

// newest finds the last whole record before end of a log that begins at low, or the blank right behind that: where it lies, and its bytes, of a blank only those that
// mean something. nil: there is none. It reads a MiB and as much as a record can have, and further back only where the log ends in damage or a blank.
func (c cutter) newest(l log, low, end int64) (at int64, raw []byte, err error) {
	for to := end; to > low; {
		from := max(low, to-sumBytes)
		// A record that begins before to is whole in it, and so is the head of what follows.
		b, err := bytesOf(l, from, min(end, to+int64(c.maxRecord)+record.BlankBytes))
		if err != nil {
			return 0, nil, err
		}
		if spans := c.wholeSpans(b, from); len(spans) > 0 {
			last := spans[len(spans)-1]
			next := b[last.to-from:]
			if len(next) >= record.BlankBytes && c.lookHead(next, last.to, last.to-last.to%c.segmentBytes+c.segmentBytes) == isBlank {
				return last.to, next[:record.BlankBytes], nil
			}
			return last.from, b[last.from-from : last.to-from], nil
		}
		to = from
	}
	return 0, nil, nil
}

// agrees makes sure, before anything is taken, that a master which does not speak the extension has this slave's log. An error where it has not, and
// where it does not say.
func (s *session) agrees(ctx context.Context) error {
	has, st := s.f.o.MasterHas, s.f.store
	if has == nil || s.empty {
		return nil
	}
	at, mine, err := cutterFor(st).newest(st, st.LogMin(), s.at)
	if err != nil {
		return ownLogError{err}
	}
	if mine == nil {
		return s.refuses("no record of this slave's log is whole, so that nothing of it can be compared with the master's: empty its store")
	}
	ctx, cancel := context.WithTimeout(ctx, min(askTime, s.f.o.HousekeepingTime))
	defer cancel()
	theirs, found, err := has(ctx, at)
	switch {
	case err != nil:
		return fmt.Errorf("the master does not say what it has at %d, where the newest of this slave's log lies: %w", at, err)
	case s.f.o.Master() != s.addr:
		return errors.New("another master was asked: there is a new one now")
	case !found:
		return s.refuses(fmt.Sprintf("%s, or ends before that begins: the master has nothing at %d, where the newest of this slave's log lies", slaveAhead, at))
	case !bytes.HasPrefix(theirs, mine): // a record says its length in its first bytes
		return s.refuses(fmt.Sprintf("%s: the master has other bytes at %d, where the newest of this slave's log lies", bytesDiffer, at))
	}
	return nil
}

// refuses is for a stock master whose log is not this slave's. It is not tried soon again: while a slave is connected a stock master counts what it
// reports.
func (s *session) refuses(why string) error {
	s.f.change(func(*FollowerState) { s.f.stock = true })
	return refusedError(why)
}
