package queue

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"ringmq/store/record"
)

const (
	// walkFiles is how many of the newest files are looked through where nothing is known to be durable.
	walkFiles = 3
	// aloneQueues is up to how many queues are looked at one after the other; beyond, so many lookers wait for a cold disk at a time.
	aloneQueues = 64
	lookers     = 32
	sectorBytes = 512
)

// Recover finds the end of every queue and returns the physical offset behind the last record any of them has, -1 if
// there is none. Entries are taken as far as they are whole and in the order of the log; what lies behind is cut. A file
// shorter than it should be is filled with zeros. An error means that the files do not fit these Options.
// Once, before anything else.
func (s *Set) Recover() (maxPhysical int64, err error) {
	all := slices.DeleteFunc(s.all(), func(q *Queue) bool { return q.trusted })
	// All files are looked at before one is changed: with a wrong file size, none may be.
	if err := eachAtOnce(all, (*Queue).listFiles); err != nil {
		return -1, err
	}
	if err := eachAtOnce(all, (*Queue).recover); err != nil {
		return -1, err
	}
	maxPhysical = -1
	for _, q := range s.all() {
		maxPhysical = max(maxPhysical, q.MaxPhysical())
	}
	return maxPhysical, nil
}

// eachAtOnce calls fn for every queue, for many on several goroutines.
func eachAtOnce(all []*Queue, fn func(*Queue) error) error {
	workers := 1
	if len(all) > aloneQueues {
		workers = max(lookers, 2*runtime.GOMAXPROCS(0))
	}
	var next atomic.Int64
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for errs[w] == nil {
				i := next.Add(1) - 1
				if i >= int64(len(all)) {
					return
				}
				errs[w] = fn(all[i])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (q *Queue) recover() error {
	if err := q.takeFiles(); err != nil {
		return fmt.Errorf("recover consume queue %s/%d: %w", q.topic, q.id, err)
	}
	q.dirMade = true
	if q.noFiles {
		return nil
	}
	first := q.firstFile / q.set.unitBytes
	// While looking, everything up to the end of the files counts as written.
	q.written = q.endFile / q.set.unitBytes
	q.max.Store(q.written)
	q.ring.from = q.written
	end, err := q.findEnd(first, q.written)
	if err != nil {
		return fmt.Errorf("recover consume queue %s/%d: %w", q.topic, q.id, err)
	}
	if end, err = q.checkTail(first, end); err != nil {
		return fmt.Errorf("recover consume queue %s/%d: %w", q.topic, q.id, err)
	}
	q.written, q.ring.from = end, end
	q.max.Store(end)
	q.min.Store(first)
	at := end * q.set.unitBytes
	last := max(at-at%q.set.fileBytes, q.firstFile)
	for q.endFile-q.set.fileBytes > last {
		start := q.endFile - q.set.fileBytes
		q.set.logger.Warn("consume queue file lies behind the end of its queue: removed", "topic", q.topic, "queue", q.id, "file", start, "end", end)
		if err := q.removeFile(start); err != nil {
			return fmt.Errorf("recover consume queue %s/%d: %w", q.topic, q.id, err)
		}
		q.endFile -= q.set.fileBytes
	}
	return q.learnPhysical(first, end)
}

// learnPhysical sets what is known of the records at both ends.
func (q *Queue) learnPhysical(first, end int64) error {
	if first == end {
		return nil
	}
	lastAt, last, err := q.lastRecord(first, end)
	if err != nil {
		return fmt.Errorf("recover consume queue: %w", err)
	}
	if lastAt >= 0 {
		q.maxPhysical.Store(last.End())
	}
	at, u, err := q.nextRecord(first, end)
	if err != nil {
		return fmt.Errorf("recover consume queue: %w", err)
	}
	q.min.Store(at)
	if at < end {
		q.minPhysical.Store(u.Offset + 1)
	}
	if other := q.set.belongsElsewhere; other != nil && lastAt >= 0 {
		if other(q, at, u) {
			q.misplaced = at + 1
		} else if lastAt > at && other(q, lastAt, last) {
			q.misplaced = lastAt + 1
		}
	}
	return nil
}

// foundFile is a file as it was found.
type foundFile struct{ start, size int64 }

// listFiles learns which files there are, and whether they can be files of the configured size: their names tell. One that is
// shorter was left so by a crash, unless it has the size that was configured before. It changes nothing.
func (q *Queue) listFiles() error {
	dir, size := q.dirOf(), q.set.fileBytes
	entries, err := q.set.fs.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("recover consume queue %s/%d: %w", q.topic, q.id, err)
	}
	for _, e := range entries {
		start, ok := record.ParseFileName(e.Name())
		if !ok || e.IsDir() {
			q.set.logger.Warn("not a consume queue file", "file", dir+"/"+e.Name())
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if has := info.Size(); start%size != 0 || has > size || has > 0 && has != size && has == q.set.fileWas {
			return fmt.Errorf("consume queue file %s/%s has %d bytes, they are configured with %d (mappedFileSizeConsumeQueue)", dir, e.Name(), has, size)
		}
		q.found = append(q.found, foundFile{start, info.Size()})
	}
	slices.SortFunc(q.found, func(a, b foundFile) int { return cmp.Compare(a.start, b.start) })
	return nil
}

// takeFiles takes those files that follow each other up to the newest, and brings them to their size.
func (q *Queue) takeFiles() error {
	found := q.found
	q.found = nil
	if n := len(found); n > 0 && found[n-1].size == 0 { // the newest may be empty, which is as good as none
		if err := q.removeFile(found[n-1].start); err != nil {
			return err
		}
		found = found[:n-1]
	}
	if len(found) == 0 {
		return nil
	}
	for _, f := range found {
		if err := q.fitSize(f); err != nil {
			return err
		}
	}
	i := len(found) - 1
	for i > 0 && found[i-1].start == found[i].start-q.set.fileBytes {
		i--
	}
	if i > 0 {
		q.set.logger.Error("consume queue files are missing: those before are not used", "topic", q.topic, "queue", q.id, "before", found[i].start)
	}
	q.firstFile, q.endFile, q.noFiles = found[i].start, found[len(found)-1].start+q.set.fileBytes, false
	return nil
}

// fitSize brings a file to its full size: a crash may have left it shorter.
func (q *Queue) fitSize(f foundFile) error {
	if f.size == q.set.fileBytes {
		return nil
	}
	key := fileKey{q, f.start}
	q.set.logger.Warn("consume queue file is too short: filled with zeros", "file", key.path(), "bytes", f.size)
	h, err := q.set.cache.open(key)
	if err != nil {
		return err
	}
	defer q.set.cache.release(h)
	q.set.markUnsynced(key)
	if err := h.file.Truncate(f.size - f.size%q.set.unitBytes); err != nil {
		return err
	}
	return h.file.Truncate(q.set.fileBytes)
}

// findEnd returns the entry behind the last one that is whole, in [first, end).
func (q *Queue) findEnd(first, end int64) (int64, error) {
	from, err := q.durableEnd(first, end)
	if err != nil {
		return 0, err
	}
	if from == first && q.set.durableTo == 0 {
		from = max(first, end-walkFiles*q.set.fileUnits)
	}
	for {
		at, err := q.walk(from, end)
		if err == nil && at > from && q.tearable(at-1) {
			q.suspect = at - 1
		}
		if err != nil || at > from || from == first || q.set.durableTo > 0 {
			return at, err
		}
		end, from = from, max(first, from-walkFiles*q.set.fileUnits) // nothing there: the end is further back
	}
}

// tearable says whether an entry lies across a boundary of sectors: a disk writes sectors whole, but not together.
func (q *Queue) tearable(at int64) bool {
	return at*q.set.unitBytes%q.set.fileBytes%sectorBytes > sectorBytes-q.set.unitBytes
}

// walk returns the entry behind the last one from `from` on that is whole and goes on in the log.
func (q *Queue) walk(from, end int64) (int64, error) {
	page := pages.Get().(*[pageBytes]byte)
	defer pages.Put(page)
	last := int64(0) // physical end of the last record
	for step := int64(64); from < end; step = q.set.pageUnits {
		b := page[:min(step, end-from, q.set.fileUnits-from%q.set.fileUnits)*q.set.unitBytes]
		if err := q.rawAt(from, b); err != nil {
			return 0, err
		}
		for at := 0; at < len(b); at += int(q.set.unitBytes) {
			u := record.ParseQueueUnit(b[at:])
			if !q.sane(u, last, q.set.logEnd) {
				return from, nil
			}
			if !u.IsBlank() {
				last = u.End()
			}
			from++
		}
	}
	return end, nil
}

// durableEnd finds by bisection how far the entries reach whose records lie before durableTo: none of them can be missing.
func (q *Queue) durableEnd(first, end int64) (int64, error) {
	durable := func(at int64) (bool, error) {
		var b [record.QueueUnitBytes]byte
		if err := q.rawAt(at, b[:]); err != nil {
			return false, err
		}
		u := record.ParseQueueUnit(b[:])
		return q.sane(u, 0, q.set.logEnd) && u.Offset < q.set.durableTo, nil
	}
	if q.set.durableTo <= 0 {
		return first, nil
	}
	// Most queues are short: a first look close to the beginning of the newest file spares most of the bisection.
	low, high := first, end
	if newest := end - q.set.fileUnits; newest > first {
		if ok, err := durable(newest); err != nil {
			return 0, err
		} else if ok {
			low = newest + 1
		} else {
			high = newest
		}
	}
	for step := int64(1); low+step < high; step *= 8 {
		ok, err := durable(low + step)
		if err != nil {
			return 0, err
		}
		if !ok {
			high = low + step
			break
		}
		low += step + 1
	}
	for low < high {
		mid := low + (high-low)/2
		ok, err := durable(mid)
		if err != nil {
			return 0, err
		}
		if ok {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, nil
}

// rawAt reads the bytes of entries that lie in one file as they are.
func (q *Queue) rawAt(from int64, b []byte) error {
	at := from * q.set.unitBytes
	start := at - at%q.set.fileBytes
	h, err := q.set.cache.open(fileKey{q, start})
	if err != nil {
		return err
	}
	defer q.set.cache.release(h)
	_, err = h.file.ReadAt(b, at-start)
	return err
}
