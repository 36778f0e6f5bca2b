package replica

import (
	"context"
	"encoding/binary"
	"time"
)

// report tells the master how far the log is safe here: once a commit, and now and then.
func (s *session) report(ctx context.Context) {
	beat := time.NewTicker(s.f.o.HeartbeatTime)
	defer beat.Stop()
	for {
		due := false
		select {
		case <-ctx.Done():
			return
		case <-s.wants:
		case <-s.f.grown:
		case <-beat.C:
			due = true
			s.f.store.CommitCopies() // what waits for more to come
			if s.f.o.Master() != s.addr {
				_ = s.conn.Close() // there is another master now
				return
			}
		}
		if s.tellEnd(due) != nil || !s.heal() {
			return
		}
	}
}

// tellEnd reports how far the log is safe, if that is news or due.
func (s *session) tellEnd(due bool) error {
	to := s.f.store.Sendable().Load()
	if to <= s.told && !due {
		return nil
	}
	s.told = to
	var b [reportBytes]byte
	return s.tell(binary.BigEndian.AppendUint64(b[:0], uint64(to)))
}

// talksOurs says whether the master has answered the hello.
func (s *session) talksOurs() bool {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	return s.f.state.Connected && s.f.state.Ours
}

// heal answers what the master asked for, and asks it for what is damaged here; false: the connection is over.
func (s *session) heal() bool {
	for {
		a, ok := s.heals.take()
		if !ok {
			break
		}
		if s.heals.answer(a, s.tell) != nil {
			_ = s.conn.Close()
			return false
		}
	}
	if !s.talksOurs() {
		return true
	}
	a, ok := s.heals.next(time.Now())
	return !ok || s.tell(a.append(nil)) == nil
}

// tell sends. After an error the connection is over.
func (s *session) tell(b []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.f.o.HousekeepingTime))
	_, err := s.conn.Write(b)
	if err != nil {
		_ = s.conn.Close()
	}
	return err
}
