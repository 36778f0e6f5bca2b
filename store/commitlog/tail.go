package commitlog

import (
	"fmt"
	"sync"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// tail is the newest part of the log in memory outside the Go heap: a ring in which offset o lies at o modulo its size. Records
// are encoded in it, written to the file from it and read from it while they are hot.
//
// The ring is cut into pages. The appender takes a page's lock only when it enters the page for another lap; readers hold it
// while they copy. Bytes below the visible watermark are not written again within a lap, but by mend, which takes the lock, so that is all the
// locking there is.
type tail struct {
	mem   *disk.Buffer
	b     []byte // size bytes, and room behind them for a record that runs over the end
	size  int64
	page  int64
	pages []tailPage
	max   int64 // most bytes in a row
	most  int64 // of them a record may have
	head  int64 // appender's own: everything before it has a page
}

type tailPage struct {
	mu   sync.RWMutex
	base int64 // log offset of the page's first byte in this lap, -1 before the first
}

const tailPages = 64

// BufferBytes is the memory outside of the Go heap that a log takes whose Options have so many TailBytes.
func BufferBytes(tailBytes int) int64 {
	_, size, row := tailSizes(tailBytes)
	return size + row
}

// tailSizes are those of a page, of the ring, and of the most bytes in a row, for which there is room behind the ring.
func tailSizes(bytes int) (page, size, row int64) {
	page = max((int64(bytes)+tailPages-1)/tailPages, 64)
	size = page * tailPages
	return page, size, size / 2
}

func newTail(bytes int) (*tail, error) {
	t := &tail{pages: make([]tailPage, tailPages)}
	t.page, t.size, t.max = tailSizes(bytes)
	// A record that just finds no place in its segment leaves up to its own size of it, and 7 bytes, behind it. Both must fit at once: when all
	// is written nothing is left to wait for.
	t.most = (t.size - record.BlankBytes) / 2
	mem, err := disk.Arena(int(t.size + t.max))
	if err != nil {
		return nil, fmt.Errorf("commit log: append buffer: %w", err)
	}
	t.mem, t.b = mem, mem.Bytes()
	for i := range t.pages {
		t.pages[i].base = -1
	}
	return t, nil
}

// begin makes offset the place of the next byte; what lies before it is not in memory.
func (t *tail) begin(offset int64) {
	t.head = offset - offset%t.page
	t.enter(offset)
}

// enter takes every page up to offset end for this lap. Appender only, with room made sure of.
func (t *tail) enter(end int64) {
	for t.head < end {
		p := &t.pages[t.head/t.page%tailPages]
		p.mu.Lock()
		p.base = t.head
		p.mu.Unlock()
		t.head += t.page
	}
}

// slot is n contiguous bytes in which the record at offset is encoded.
func (t *tail) slot(offset int64, n int) []byte {
	at := offset % t.size
	return t.b[at : at+int64(n) : at+int64(n)]
}

// settle brings the part of a slot that ran over the ring's end to its place at the beginning.
func (t *tail) settle(offset int64, n int) {
	at := offset % t.size
	if over := at + int64(n) - t.size; over > 0 {
		copy(t.b[:over], t.b[t.size:t.size+over])
	}
}

// pieces calls fn for the one or two contiguous stretches of memory that hold [from, to).
func (t *tail) pieces(from, to int64, fn func(offset int64, b []byte)) {
	for from < to {
		at := from % t.size
		n := min(to-from, t.size-at)
		fn(from, t.b[at:at+n])
		from += n
	}
}

// read appends [offset, offset+n) to dst if all of it is still here.
func (t *tail) read(offset int64, n int, dst []byte) ([]byte, bool) {
	before := len(dst)
	for left := int64(n); left > 0; {
		p := &t.pages[offset/t.page%tailPages]
		in := offset % t.page
		part := min(left, t.page-in)
		p.mu.RLock()
		if p.base != offset-in {
			p.mu.RUnlock()
			return dst[:before], false
		}
		at := offset % t.size
		dst = append(dst, t.b[at:at+part]...)
		p.mu.RUnlock()
		offset, left = offset+part, left-part
	}
	return dst, true
}

// mend puts b in the place of what is still here of [offset, offset+len(b)), which was written to the file and is visible.
func (t *tail) mend(offset int64, b []byte) {
	for len(b) > 0 {
		p := &t.pages[offset/t.page%tailPages]
		in := offset % t.page
		part := min(int64(len(b)), t.page-in)
		p.mu.Lock()
		if p.base == offset-in {
			copy(t.b[offset%t.size:], b[:part])
		}
		p.mu.Unlock()
		offset, b = offset+part, b[part:]
	}
}
