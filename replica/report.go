package replica

import (
	"context"
	"encoding/binary"
	"time"
)

// report tells the master how far the log is safe here: once a commit, and now and then.
func (s *session) report(ctx context.Context, told int64) {
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
			if s.f.o.Master() != s.addr {
				_ = s.conn.Close() // there is another master now
				return
			}
		}
		var b []byte
		if to := s.f.store.Sendable().Load(); to > told || due {
			b, told = binary.BigEndian.AppendUint64(b, uint64(to)), to
		}
		b = s.heal(b)
		if len(b) > 0 && !s.tell(b) {
			return
		}
	}
}

// talksOurs says whether the master has answered the hello.
func (s *session) talksOurs() bool {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	return s.f.state.Connected && s.f.state.Ours
}

// heal appends what the master asked for, and what is asked of it.
func (s *session) heal(b []byte) []byte {
	for {
		a, ok := s.heals.take()
		if !ok {
			break
		}
		b = append(b, s.heals.answer(a)...)
	}
	if s.talksOurs() {
		if a, ok := s.heals.next(time.Now()); ok {
			b = a.append(b)
		}
	}
	return b
}

// tell sends; false: the connection is over.
func (s *session) tell(b []byte) bool {
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.f.o.HousekeepingTime))
	if _, err := s.conn.Write(b); err != nil {
		_ = s.conn.Close()
		return false
	}
	return true
}
