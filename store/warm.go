package store

import (
	"errors"
	"slices"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// maxWindowed is the largest record that is taken from windows; it lies in two of them at most. Larger ones are read alone.
const maxWindowed = windowBytes / 2

// heldWindows is how many windows one read holds at a time.
const heldWindows = 8

// held are the windows that one read uses.
type held struct {
	list [heldWindows]*window
	n    int
}

// at is the window that begins at from, with `need` bytes; nil: it is not among them.
func (h *held) at(from int64, need int) *window {
	for i := h.n - 1; i >= 0; i-- {
		if w := h.list[i]; w.start == from && w.n >= need {
			return w
		}
	}
	return nil
}

// keep adds a window that the caller holds, and gives the oldest one back where there is no room.
func (h *held) keep(c *windows, w *window) {
	if h.n == heldWindows {
		c.release(h.list[0])
		copy(h.list[:], h.list[1:])
		h.n--
	}
	h.list[h.n] = w
	h.n++
}

// release gives all of them back.
func (h *held) release(c *windows) {
	for _, w := range h.list[:h.n] {
		c.release(w)
	}
	h.n = 0
}

// warm appends the record of u to dst, out of windows and the page cache: no wait for the disk, no allocation. What needs a check was
// checked. False: a worker has to look.
func (r *reading) warm(u record.QueueUnit, dst []byte) ([]byte, bool) {
	n := len(dst)
	if r.w.Warm == nil {
		return dst, false
	}
	dst, ok := r.warmBytes(u, dst)
	if !ok || !r.sound(u, dst[n:]) {
		return dst[:n], false
	}
	return dst, true
}

func (r *reading) warmBytes(u record.QueueUnit, dst []byte) ([]byte, bool) {
	c, end := &r.s.windows, u.End()
	if u.Size > maxWindowed {
		return r.readNow(u, dst)
	}
	for at := u.Offset; at < end; {
		from, to := c.bounds(at)
		part := min(to, end)
		w := r.held.at(from, int(part-from))
		if w == nil {
			var loading bool
			if w, loading = c.take(from, int(part-from)); loading {
				return dst, false
			}
			if w == nil && at == u.Offset && !c.worth(from, to, r.wantedIn(u, to)) {
				return r.readNow(u, dst)
			}
			if w == nil {
				w = r.loadNow(from, to)
			}
			if w == nil {
				return dst, false
			}
			r.held.keep(c, w)
		}
		dst = append(dst, w.b[at-from:part-from]...)
		at = part
	}
	return dst, true
}

// wantedIn is how many bytes of records this read is going to ask for up to an offset in the log, u's among them.
func (r *reading) wantedIn(u record.QueueUnit, to int64) int {
	bytes := int(u.Size)
	for _, v := range r.units[min(r.next, r.known):r.known] {
		if v.Offset >= to {
			break
		}
		if v.Size > 0 && v.Size <= maxWindowed && (r.w.Match == nil || r.w.Match(v.TagsCode)) {
			bytes += int(v.Size)
		}
	}
	return min(bytes, windowBytes)
}

// loadNow reads a window from the page cache, if all of it is there; nil: it is not, or this turn has read enough.
func (r *reading) loadNow(from, to int64) *window {
	n := int(min(to, r.logMax) - from)
	if !r.mayReadNow(from, n) {
		return nil
	}
	w := r.s.windows.claim(from)
	if w == nil {
		return nil
	}
	if err := r.s.log.ReadNow(from, w.b[:n]); err != nil {
		r.cold = errors.Is(err, disk.ErrWouldWait)
		r.s.windows.done(w, 0)
		return nil
	}
	r.s.windows.done(w, n)
	r.s.reads.warm.Add(int64(n))
	return w
}

// readNow appends a record that is read alone.
func (r *reading) readNow(u record.QueueUnit, dst []byte) ([]byte, bool) {
	n, size := len(dst), int(u.Size)
	if !r.mayReadNow(u.Offset, size) {
		return dst, false
	}
	dst = slices.Grow(dst, size)[:n+size]
	if err := r.s.log.ReadNow(u.Offset, dst[n:]); err != nil {
		r.cold = errors.Is(err, disk.ErrWouldWait)
		return dst[:n], false
	}
	r.s.reads.warm.Add(int64(size))
	return dst, true
}

// mayReadNow takes n bytes from what the caller's turn may still read, if they are in the page cache. A read of what is not there
// would make the kernel begin to bring it in, on the caller's time.
func (r *reading) mayReadNow(offset int64, n int) bool {
	if *r.w.Warm < n {
		return false
	}
	if there, known := r.s.log.Resident(offset, n); known && there < int64(n) {
		r.cold = true
		return false
	}
	*r.w.Warm -= n
	return true
}
