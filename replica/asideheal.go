package replica

import (
	"bytes"
	"context"
	"fmt"

	"ringmq/store"
)

// HealAside has gaps of a backup's log back from the master of ours at addr: ranges are those of Store.Gaps, each from and to. What comes is written
// where the store takes it. same are the ranges in which the master's log has the very bytes that the backup has, so that nothing better is to be
// had; left are those that stay damaged though they are not the same there. After an error left has what was not looked at, too.
// It waits for the disk and for the master.
func HealAside(ctx context.Context, st *store.Store, addr string, ranges [][2]int64) (same, left [][2]int64, err error) {
	conn, hangUp, err := dialMaster(ctx, addr)
	if err != nil {
		return nil, ranges, err
	}
	defer hangUp()
	h := asideHeal{c: comparison{st: st, conn: conn, cut: cutterFor(st)}}
	w, err := h.c.reach()
	if err == nil && (w.refusal != accepted || w.segmentBytes != st.SegmentBytes()) {
		err = errFrame
	}
	for i, r := range ranges {
		if err == nil {
			err = h.heal(r[0], r[1])
		}
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return h.same, append(h.left, ranges[i:]...), fmt.Errorf("replica: heal at %d: %w", r[0], err)
		}
	}
	return h.same, h.left, nil
}

// asideHeal is one HealAside.
type asideHeal struct {
	c          comparison
	same, left [][2]int64
}

// heal asks for one range, in pieces that can be asked for. An error is one of the connection.
func (h *asideHeal) heal(from, to int64) error {
	st := h.c.st
	for at := from; at < to; {
		end := min(to, at-at%st.SegmentBytes()+st.SegmentBytes(), at+maxAskBytes)
		theirs, err := h.c.askFor(at, end)
		if err != nil {
			return err
		}
		mine, unread := h.c.mine(at, end)
		equal := unread == nil && len(theirs) > 0 && bytes.Equal(mine, theirs)
		n := h.c.cut.whole(theirs, at)
		switch {
		case n > 0 && st.Heal(at, theirs[:n]) == nil: // where they are equal too: a queue may lack the entry
			end = at + int64(n)
		case !equal:
			h.left = append(h.left, [2]int64{at, to})
			return nil
		}
		if equal {
			h.same = append(h.same, [2]int64{at, end})
		}
		at = end
	}
	return nil
}
