package store

import (
	"encoding/binary"
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"

	"ringmq/store/disk"
	"ringmq/store/queue"
	"ringmq/store/record"
)

// batchUnitBytes is the size of a batch consume queue unit (see docs/DISK.md): where a record lies, and which queue
// offsets its messages have. Records of BatchCQ topics have these instead of consume queue units.
const batchUnitBytes = 46

type batchUnit struct {
	record.QueueUnit
	storeTime int64
	base      int64 // queue offset of the first message
	count     int32
}

func (u batchUnit) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(u.Offset))
	b = binary.BigEndian.AppendUint32(b, uint32(u.Size))
	b = binary.BigEndian.AppendUint64(b, uint64(u.TagsCode))
	b = binary.BigEndian.AppendUint64(b, uint64(u.storeTime))
	b = binary.BigEndian.AppendUint64(b, uint64(u.base))
	b = binary.BigEndian.AppendUint16(b, uint16(u.count))
	return append(b, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0) // compacted offset: none; reserved
}

// parseBatchUnit reads a unit; ok is false where none was written.
func parseBatchUnit(b []byte) (u batchUnit, ok bool) {
	u.Offset, u.Size = int64(binary.BigEndian.Uint64(b)), int32(binary.BigEndian.Uint32(b[8:]))
	u.TagsCode, u.storeTime = int64(binary.BigEndian.Uint64(b[12:])), int64(binary.BigEndian.Uint64(b[20:]))
	u.base, u.count = int64(binary.BigEndian.Uint64(b[28:])), int32(int16(binary.BigEndian.Uint16(b[36:])))
	return u, u.Offset >= 0 && u.Size > 0 && u.base >= 0 && u.count > 0
}

// batchQueue is one batch consume queue. Units are found by binary search in the files: such queues are few, and their
// messages travel many to a unit.
type batchQueue struct {
	topic string
	id    int32
	dir   string
	set   *batchSet

	erased <-chan struct{} // closed when the files of an older queue of that name are gone; nil: there was none

	// io, taken before mu, is held while files are synced or closed, so that a sync does not keep put waiting.
	io      sync.Mutex
	mu      sync.Mutex
	retired bool                // its topic was deleted
	files   map[int64]disk.File // by the number of their first unit
	first   int64               // number of the first unit that is there
	next    int64               // number of the next unit
	dirty   bool
	fresh   bool // a file was created since the last sync
	last    batchUnit

	min, max atomic.Int64 // queue offsets; min is -1 while there is no unit
}

func (q *batchQueue) file(unit int64) (disk.File, error) {
	per := q.set.perFile
	start := unit - unit%per
	if f := q.files[start]; f != nil {
		return f, nil
	}
	if q.retired {
		return nil, queue.ErrDeleted
	}
	if q.erased != nil {
		<-q.erased
	}
	if err := q.set.fs.MkdirAll(q.dir, 0o755); err != nil {
		return nil, err
	}
	f, err := q.set.fs.Open(fmt.Sprintf("%s/%020d", q.dir, start*batchUnitBytes), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if size, err := f.Size(); err != nil || size != per*batchUnitBytes {
		if err == nil {
			err = f.Truncate(per * batchUnitBytes)
			q.fresh = true
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
	q.files[start] = f
	return f, nil
}

func (q *batchQueue) unit(n int64) (u batchUnit, ok bool, err error) {
	f, err := q.file(n)
	if err != nil {
		return u, false, err
	}
	var b [batchUnitBytes]byte
	if _, err := f.ReadAt(b[:], n%q.set.perFile*batchUnitBytes); err != nil {
		return u, false, err
	}
	u, ok = parseBatchUnit(b[:])
	return u, ok, nil
}

// put adds a unit unless the queue has it already.
func (q *batchQueue) put(u batchUnit) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.next > q.first && u.Offset+int64(u.Size) <= q.last.Offset+int64(q.last.Size) {
		return nil
	}
	f, err := q.file(q.next)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(u.append(nil), q.next%q.set.perFile*batchUnitBytes); err != nil {
		return err
	}
	q.next++
	q.dirty, q.last = true, u
	if q.min.Load() < 0 {
		q.min.Store(u.base)
	}
	q.max.Store(u.base + int64(u.count))
	return nil
}

// find is the number of the last unit for which before holds, first-1 if it holds for none. before must hold for a
// beginning of the queue and for nothing behind it.
func (q *batchQueue) find(before func(u batchUnit) bool) (int64, error) {
	var failed error
	n := sort.Search(int(q.next-q.first), func(i int) bool {
		u, ok, err := q.unit(q.first + int64(i))
		if err != nil {
			failed = err
		}
		return err != nil || !ok || !before(u)
	})
	return q.first + int64(n) - 1, failed
}

// end is the physical offset behind the last record, -1 if there is none.
func (q *batchQueue) end() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.next == q.first {
		return -1
	}
	return q.last.Offset + int64(q.last.Size)
}

// read copies units from the one that holds a queue offset on.
func (q *batchQueue) read(from int64, dst []batchUnit) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at, err := q.find(func(u batchUnit) bool { return u.base <= from })
	if err != nil {
		return 0, err
	}
	n := 0
	for at = max(at, q.first); n < len(dst) && at < q.next; at++ {
		u, ok, err := q.unit(at)
		if err != nil {
			return n, err
		}
		if !ok {
			break
		}
		dst[n] = u
		n++
	}
	return n, nil
}

// byTime is a queue offset by store time, as a stock broker's batch queues answer: the first message of the first unit
// stored at or after ts (of the last unit when there is none); upper: of the last unit stored at or before ts.
func (q *batchQueue) byTime(ts int64, upper bool) (int64, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.next == q.first {
		return 0, nil
	}
	at, err := q.find(func(u batchUnit) bool { return u.storeTime < ts || upper && u.storeTime == ts })
	if err != nil {
		return 0, err
	}
	if !upper {
		at = min(at+1, q.next-1)
	}
	u, _, err := q.unit(max(at, q.first))
	return u.base, err
}

// recover finds the end of the queue in its files.
func (q *batchQueue) recover(names []int64) error {
	per := q.set.perFile
	q.first, q.next = names[0]/batchUnitBytes, names[0]/batchUnitBytes
	for i := len(names) - 1; i >= 0; i-- {
		start := names[i] / batchUnitBytes
		q.next = start
		for n := start; n < start+per; n++ {
			u, ok, err := q.unit(n)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			q.last, q.next = u, n+1
		}
		if q.next > start {
			break
		}
	}
	return q.bounds()
}

// bounds sets min and max from the units at both ends.
func (q *batchQueue) bounds() error {
	q.min.Store(-1)
	q.max.Store(0)
	if q.next == q.first {
		return nil
	}
	u, ok, err := q.unit(q.first)
	if err != nil {
		return err
	}
	if ok {
		q.min.Store(u.base)
	}
	q.max.Store(q.last.base + int64(q.last.count))
	return nil
}

// truncate drops the units of records at or behind a physical offset.
func (q *batchQueue) truncate(physical int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	zero := make([]byte, batchUnitBytes)
	for q.next > q.first && q.last.Offset+int64(q.last.Size) > physical {
		f, err := q.file(q.next - 1)
		if err != nil {
			return err
		}
		if _, err := f.WriteAt(zero, (q.next-1)%q.set.perFile*batchUnitBytes); err != nil {
			return err
		}
		q.next--
		q.dirty, q.last = true, batchUnit{}
		if q.next > q.first {
			if q.last, _, err = q.unit(q.next - 1); err != nil {
				return err
			}
		}
	}
	return q.bounds()
}

// correctMin moves the minimum to the first unit whose record is still in the log, and deletes files before it.
func (q *batchQueue) correctMin(logMin int64) error {
	q.io.Lock()
	defer q.io.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	at, err := q.find(func(u batchUnit) bool { return u.Offset < logMin })
	if err != nil || at < q.first {
		return err
	}
	if at+1 == q.next { // nothing is left to read; the last file stays for the numbers
		q.min.Store(q.max.Load())
	} else if u, _, err := q.unit(at + 1); err != nil {
		return err
	} else {
		q.min.Store(u.base)
	}
	per := q.set.perFile
	for start, f := range q.files {
		if start+per <= at+1 && start+per < q.next {
			f.Close()
			delete(q.files, start)
			if err := q.set.fs.Remove(f.Name()); err != nil {
				return err
			}
			q.first = max(q.first, start+per)
		}
	}
	return nil
}

func (q *batchQueue) sync() error {
	q.io.Lock()
	defer q.io.Unlock()
	q.mu.Lock()
	var files []disk.File
	fresh := q.fresh
	if q.dirty {
		for _, f := range q.files {
			files = append(files, f)
		}
	}
	q.dirty, q.fresh = false, false
	q.mu.Unlock()
	err := q.syncFiles(files, fresh)
	if err != nil {
		q.mu.Lock()
		q.dirty, q.fresh = true, q.fresh || fresh
		q.mu.Unlock()
	}
	return err
}

// syncFiles makes files durable, and their names where some are fresh. io is held.
func (q *batchQueue) syncFiles(files []disk.File, fresh bool) error {
	for _, f := range files {
		if err := f.Datasync(); err != nil {
			return err
		}
	}
	if !fresh {
		return nil
	}
	topic := q.set.dir + "/" + q.topic
	for _, dir := range []string{q.dir, topic, q.set.dir, q.set.dir + "/.."} {
		if err := q.set.fs.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// retire closes the files of a queue whose topic was deleted; it makes none any more.
func (q *batchQueue) retire() error {
	q.mu.Lock()
	q.retired = true
	q.mu.Unlock()
	return q.close()
}

func (q *batchQueue) close() error {
	q.io.Lock()
	defer q.io.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	var first error
	for start, f := range q.files {
		if err := f.Close(); first == nil {
			first = err
		}
		delete(q.files, start)
	}
	return first
}

func unitNumbers(entries []os.DirEntry) []int64 {
	var list []int64
	for _, e := range entries {
		if n, err := strconv.ParseInt(e.Name(), 10, 64); err == nil && n >= 0 && len(e.Name()) == 20 {
			list = append(list, n)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
	return list
}
