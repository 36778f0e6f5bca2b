package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"ringmq/store/disk"
	"ringmq/store/record"
)

const (
	// pageUnits is how many ordinary entries one read or write of a file moves at most.
	pageUnits = 3276
	pageBytes = pageUnits * record.QueueUnitBytes // just under 64 KiB
)

var pages = sync.Pool{New: func() any { return new([pageBytes]byte) }}

// ReadHot copies entries from `from` on to dst, from memory only: no I/O, no allocation, any goroutine. ok is false
// where the entry at from is not in memory: Read gets it. Fewer entries than dst holds does not mean that there are no
// more. At or behind Max there are none: 0, true.
func (q *Queue) ReadHot(from int64, dst []record.QueueUnit) (n int, ok bool) {
	q.mu.Lock()
	max := q.max.Load()
	switch {
	case from >= max:
		q.mu.Unlock()
		return 0, true
	case from >= q.ring.from:
		n = int(min(int64(len(dst)), max-from))
		for i := range n {
			dst[i] = q.ring.get(from + int64(i))
		}
		ok = true
	case from >= q.written: // a gap that is not in the files yet
		n = int(min(int64(len(dst)), q.ring.from-from))
		for i := range n {
			dst[i] = record.BlankUnit
		}
		ok = true
	}
	q.mu.Unlock()
	if !q.used.Load() {
		q.used.Store(true)
	}
	return n, ok
}

// Read copies entries from `from` on to dst and returns how many: fewer than dst holds only at Max, none before the
// first file. Blanks among them stand for lost records. Entries that are damaged are reported to whoever called OnDamage and
// read again; where that does not help, they are blanks too. It may block on the disk; any goroutine.
func (q *Queue) Read(from int64, dst []record.QueueUnit) (int, error) {
	got := 0
	for got < len(dst) {
		n, ok := q.ReadHot(from+int64(got), dst[got:])
		if !ok {
			var err error
			if n, err = q.readWhole(from+int64(got), dst[got:]); err != nil {
				return got, err
			}
		}
		if n == 0 {
			break
		}
		got += n
	}
	return got, nil
}

// readWhole reads entries of one file, and has damaged ones put right first.
func (q *Queue) readWhole(from int64, dst []record.QueueUnit) (int, error) {
	n, bad, err := q.readFile(from, dst)
	if bad >= 0 && q.set.damaged != nil && q.set.damaged(q, from+int64(bad)) {
		n, bad, err = q.readFile(from, dst)
	}
	if bad >= 0 {
		for i := range dst[:n] {
			if !dst[i].Written() {
				dst[i] = record.BlankUnit
			}
		}
	}
	return n, err
}

// ReadRaw copies entries of one file as they are, damaged ones too. Any goroutine.
func (q *Queue) ReadRaw(from int64, dst []record.QueueUnit) (int, error) {
	n, _, err := q.readFile(from, dst)
	return n, err
}

// ReadBytes copies whole entries from `from` on to dst, as they are, damaged ones too, and returns how many: fewer than dst holds only at
// Max, none before the first file. It may block on the disk; any goroutine.
func (q *Queue) ReadBytes(from int64, dst []byte) (int, error) {
	unit, got := q.set.unitBytes, int64(0)
	for want := int64(len(dst)) / unit; got < want; {
		n := q.copyHot(from+got, dst[got*unit:want*unit])
		if n == 0 {
			p := q.place(from+got, int(want-got))
			if n = int64(p.n); n == 0 {
				break
			}
			there, err := q.fill(p, dst[got*unit:(got+n)*unit])
			if err != nil {
				return int(got), err
			}
			if !there {
				break
			}
		}
		got += n
	}
	return int(got), nil
}

// copyHot copies entries that are in the ring.
func (q *Queue) copyHot(from int64, dst []byte) (n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if from < q.ring.from || from >= q.max.Load() {
		return 0
	}
	n = min(int64(len(dst))/q.set.unitBytes, q.max.Load()-from)
	q.ring.copyTo(dst[:n*q.set.unitBytes], from)
	return n
}

// ReadNow is Read for entries of one file that are in the page cache; they are not damaged. It opens no file, and allocates nothing.
// disk.ErrWouldWait: Read gets them. Any goroutine.
func (q *Queue) ReadNow(from int64, dst []record.QueueUnit) (int, error) {
	p := q.place(from, len(dst))
	if p.n == 0 {
		return 0, nil
	}
	h := q.set.cache.find(p.key)
	if h == nil { // nor has anybody looked at files that are to be settled
		return 0, disk.ErrWouldWait
	}
	page := pages.Get().(*[pageBytes]byte)
	defer pages.Put(page)
	b := page[:int64(p.n)*q.set.unitBytes]
	there, known := h.file.Resident(p.at, int64(len(b)))
	err := error(disk.ErrWouldWait)
	if !known || there == int64(len(b)) {
		_, err = h.file.ReadNow(b, p.at)
	}
	q.set.cache.release(h)
	if err != nil {
		return 0, err
	}
	if q.parse(b, dst) >= 0 {
		return 0, disk.ErrWouldWait
	}
	return p.n, nil
}

// place is where entries lie in one file: so many of them at a byte of it.
type place struct {
	key fileKey
	at  int64
	n   int
}

// place finds entries in the files. None: they are before the first file, or behind what is written.
func (q *Queue) place(from int64, n int) place {
	at := from * q.set.unitBytes
	q.mu.Lock()
	defer q.mu.Unlock()
	end := min(q.written, from-from%q.set.fileUnits+q.set.fileUnits, from+int64(n), from+q.set.pageUnits)
	if q.noFiles || from < 0 || at < q.firstFile || end <= from {
		return place{}
	}
	start := at - at%q.set.fileBytes
	return place{key: fileKey{q, start}, at: at - start, n: int(end - from)}
}

// parse fills dst with the entries in b, and returns which is the first that is damaged, -1 if none is.
func (q *Queue) parse(b []byte, dst []record.QueueUnit) (bad int) {
	limit, last := q.maxPhysical.Load(), int64(0)
	bad = -1
	unit := int(q.set.unitBytes)
	for i := range len(b) / unit {
		u := record.ParseQueueUnit(b[i*unit:])
		if bad < 0 && !q.sane(u, last, limit) {
			bad = i
		}
		last = max(last, u.End())
		dst[i] = u
	}
	return bad
}

// readFile reads entries that lie in one file; bad is the first that is damaged, -1 if none is. None: they are before the first file, or their file is being deleted.
func (q *Queue) readFile(from int64, dst []record.QueueUnit) (n, bad int, err error) {
	p := q.place(from, len(dst))
	if p.n == 0 {
		return 0, -1, nil
	}
	page := pages.Get().(*[pageBytes]byte)
	defer pages.Put(page)
	b := page[:int64(p.n)*q.set.unitBytes]
	if there, err := q.fill(p, b); err != nil || !there {
		return 0, -1, err
	}
	return p.n, q.parse(b, dst), nil
}

// fill reads the bytes of entries that lie in one file; false: it is being deleted.
func (q *Queue) fill(p place, b []byte) (there bool, err error) {
	if err := q.Settle(); err != nil {
		return false, err
	}
	h, err := q.set.cache.open(p.key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		_, err = h.file.ReadAt(b, p.at)
		q.set.cache.release(h)
	}
	if err != nil {
		return false, fmt.Errorf("read consume queue %s/%d at byte %d of file %d: %w", q.topic, q.id, p.at, p.key.start, err)
	}
	return true, nil
}
