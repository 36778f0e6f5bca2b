package broker

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"ringmq/netpoll/remoting"
)

// A level of delayed messages counts as come further on a master as soon as the copy that was delivered has its place in the log, before that is
// written, and before anybody else has it. A slave that took such progress and became the master without the copies would never deliver those
// messages. So a master's document of progress waits until this slave's log has, on disk, what the master's had when the document was made. One that is
// taken too late delivers again, one too early loses.

// delayDoc is a master's document of how far the delivery of delayed messages has come.
type delayDoc struct {
	text []byte
	end  int64     // of the master's log when it had made the document; unknownEnd: it has not said yet
	came time.Time // when it answered
}

const (
	unknownEnd = -1
	notCopied  = -1 // of a slave's log: it is not known to be a copy of the master's

	// bufferedTime is after a stock master's answer. What it stored just before may lie in a buffer (transientStorePoolEnable) that
	// the end of its log, as it tells it, does not count until it is committed, which it is every 200 ms.
	bufferedTime = time.Second
)

// within says whether a log that is copied up to have has all that the document speaks of.
func (d *delayDoc) within(have int64) bool {
	return d != nil && d.end != unknownEnd && d.end <= have
}

// heldDelays keeps a document until it may be taken. A newer one does not take its place: under steady traffic a slave is always a little
// behind the newest, and would never take any.
type heldDelays struct {
	waits *delayDoc // nil: none
	took  []byte    // text of the one taken last
}

// next gets a document that came when this slave's log was copied up to have, and returns the text of the one that may be taken now, nil for
// none.
func (h *heldDelays) next(d *delayDoc, have int64) (take []byte) {
	if h.waits.within(have) {
		take, h.waits = h.waits.text, nil
	}
	if d.within(have) {
		take, h.waits = d.text, nil
	}
	if take != nil {
		h.took = take
	}
	if h.waits == nil && !bytes.Equal(d.text, h.took) {
		h.waits = d
	}
	return take
}

// delayProgress takes over how far the delivery of delayed messages has come.
func (s *synchronizer) delayProgress(ctx context.Context) error {
	// Looked at first. A master that answers after that has been there since it was dialled, so what is copied is its own log.
	have := s.copied()
	if w := s.delays.waits; w != nil && w.end == unknownEnd && have != notCopied && time.Since(w.came) >= bufferedTime {
		end, err := s.masterEnd(ctx)
		if err != nil {
			return err
		}
		w.end = end
	}
	resp, _, err := s.ask(ctx, remoting.NewRequest(remoting.CodeGetAllDelayOffset), nil)
	if err != nil {
		return err
	}
	d := &delayDoc{text: resp.Body, end: unknownEnd, came: time.Now()}
	end, told, err := resp.Int64(peerEndKey)
	if err != nil {
		return err
	}
	if told {
		d.end = end
	}
	text := s.delays.next(d, have)
	if text == nil {
		return nil
	}
	return s.b.delay.TakeOver(text)
}

// copied is how far this slave's log, on disk, is a copy of the log of the master whose tables are asked for; notCopied: it is not known to be.
func (s *synchronizer) copied() int64 {
	r := &s.b.replication
	if r.follower == nil || r.group.master().addr != s.addr {
		return notCopied
	}
	st := r.follower.State()
	// What was read before the master was dialled may be of a process before that one, which may have lost the end of its log since.
	if !st.Connected || st.Refused != "" || st.Master != s.b.masterHA() || !st.LastRead.After(s.dialled) {
		return notCopied
	}
	return s.b.store.Durable().Load()
}

// masterEnd asks how far the log of a master goes that does not say so with its progress.
func (s *synchronizer) masterEnd(ctx context.Context) (int64, error) {
	resp, err := askPeer(ctx, s.client, remoting.NewRequest(remoting.CodeGetBrokerRuntimeInfo), nil)
	if err != nil {
		return 0, err
	}
	var info remoting.KVTable
	if err := remoting.Unmarshal(resp.Body, &info); err != nil {
		return 0, fmt.Errorf("the end of the master's log: %w", err)
	}
	end, err := strconv.ParseInt(info.Table["commitLogMaxOffset"], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the end of the master's log: %w", err)
	}
	return max(end, 0), nil
}
