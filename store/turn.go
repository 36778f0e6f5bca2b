package store

import "ringmq/store/commitlog"

// Turn gathers the appends of one event loop between two waits for its sockets: End has all of them committed together. Where
// the engine rings, End and Rung start and finish the commits on the loop itself, without another goroutine and without
// waiting. One goroutine at a time uses it.
type Turn struct {
	s        *Store
	bell     func() int
	appended bool
}

// NewTurn makes the turn of an event loop. bell returns the stream socket that gets a byte when a commit is over, whereupon the
// loop calls Rung; or NoBell while the loop hears none. The socket stays open until the store is closed.
func (s *Store) NewTurn(bell func() int) *Turn { return &Turn{s: s, bell: bell} }

// NoBell stands for a bell that nobody hears.
const NoBell = commitlog.NoBell

// Append is Store.Append, committed by End.
func (t *Turn) Append(m *Message) (Placed, error) {
	p, err := t.s.append(m)
	t.appended = t.appended || err == nil
	return p, err
}

// AppendBatch is Store.AppendBatch, committed by End.
func (t *Turn) AppendBatch(envelope *Message, items []byte, dst []Placed) ([]Placed, error) {
	dst, err := t.s.appendBatch(envelope, items, dst)
	t.appended = t.appended || err == nil
	return dst, err
}

// AppendInner is Store.AppendInner, committed by End.
func (t *Turn) AppendInner(envelope *Message, items []byte) (Placed, int32, error) {
	p, count, err := t.s.appendInner(envelope, items)
	t.appended = t.appended || err == nil
	return p, count, err
}

// End has what was appended committed.
func (t *Turn) End() {
	if !t.appended {
		return
	}
	t.appended = false
	if bell := t.bell(); bell != NoBell && t.s.log.Rings() {
		t.s.log.CommitRinging(bell)
		return
	}
	t.s.log.Commit()
}

// Rung ends the commit that the bell rang for. What watches Visible runs inside.
func (t *Turn) Rung() { t.s.log.Collect() }
