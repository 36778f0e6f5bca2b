package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// Query appends to dst the physical offsets of records that carry key in topic and were stored in [begin, end] (ms, as
// exact as whole seconds), the newest first, at most `limit`. Keys with the same hash come along: the caller compares. It
// blocks on the disk; any goroutine.
func (x *Index) Query(topic, key []byte, limit int, begin, end int64, dst []int64) ([]int64, error) {
	hash := record.IndexHash(topic, key)
	x.mu.Lock()
	files := x.files // never changed in place
	x.mu.Unlock()
	start := len(dst)
	for i := len(files) - 1; i >= 0 && len(dst)-start < limit; i-- {
		s := x.search(files[i])
		h, before := s.header, len(dst)
		var err error
		if s.timeless || overlaps(h, begin, end) {
			dst, err = s.walk(hash, limit-(len(dst)-start), begin, end, dst)
		}
		s.close()
		if errors.Is(err, fs.ErrNotExist) {
			dst = dst[:before]
			continue // deleted meanwhile
		}
		if err != nil {
			return dst[:start], fmt.Errorf("query key index: %w", err)
		}
	}
	return dst, nil
}

func overlaps(h record.IndexHeader, begin, end int64) bool {
	return begin <= h.EndTimestamp && end >= h.BeginTimestamp
}

// search is a query's view of one file.
type search struct {
	x      *Index
	path   string
	live   *active   // nil: all is on the disk
	file   disk.File // opened when it is first needed: a new file may not be there yet, with all entries in memory
	header record.IndexHeader
	// timeless: the file's last record was stored before its first one, from which the times in entries are counted: the clock was set back in
	// between. Times are asked of the records then.
	timeless bool
}

func (x *Index) search(f *file) search {
	x.mu.Lock()
	s := search{x: x, path: f.path, header: f.header}
	for _, a := range []*active{x.active, x.sealing} {
		if a != nil && a.file == f {
			s.live, s.header = a, a.header
		}
	}
	x.mu.Unlock()
	s.timeless = x.storeTime != nil && s.header.EndTimestamp < s.header.BeginTimestamp
	return s
}

func (s *search) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

func (s *search) readAt(b []byte, at int64) error {
	if s.file == nil {
		file, err := s.x.fs.Open(s.path, openFlags, 0o644)
		if err != nil {
			return err
		}
		s.file = file
	}
	_, err := s.file.ReadAt(b, at)
	return err
}

// walk follows the chain of hash, the newest entry first. A chain goes down, so it ends whatever the file holds.
func (s *search) walk(hash int32, limit int, begin, end int64, dst []int64) ([]int64, error) {
	n, err := s.slot(int64(hash) % s.x.form.slots)
	if err != nil {
		return dst, err
	}
	for above := s.header.Count; n > 0 && n < above && limit > 0; {
		e, err := s.entry(n)
		if err != nil {
			return dst, err
		}
		if e.TimeDiffSec < 0 {
			break
		}
		t := s.header.BeginTimestamp + int64(e.TimeDiffSec)*1000
		if s.timeless && e.KeyHash == hash {
			t, _ = s.x.storeTime(e.Offset)
		}
		if e.KeyHash == hash && t >= begin && t <= end {
			dst = append(dst, e.Offset)
			limit--
		}
		if t < begin && !s.timeless {
			break
		}
		above, n = n, e.Previous
	}
	return dst, nil
}

func (s *search) slot(i int64) (int32, error) {
	if s.live != nil {
		s.x.mu.Lock()
		if s.live.slots != nil {
			n := s.live.slot(i)
			// Keys may have been added since the header was read: the view grows with them.
			s.header = s.live.header
			s.x.mu.Unlock()
			return n, nil
		}
		s.x.mu.Unlock()
	}
	var b [record.IndexSlotBytes]byte
	if err := s.readAt(b[:], s.x.form.slotAt(i)); err != nil {
		return 0, err
	}
	return int32(binary.BigEndian.Uint32(b[:])), nil
}

func (s *search) entry(n int32) (record.IndexEntry, error) {
	var b [record.IndexEntryBytes]byte
	if s.live != nil {
		s.x.mu.Lock()
		if s.live.ring.bytes != nil && s.live.ring.holds(n, s.live.header.Count) {
			e := record.ParseIndexEntry(s.live.ring.at(n))
			s.x.mu.Unlock()
			return e, nil
		}
		s.x.mu.Unlock()
	}
	if err := s.readAt(b[:], s.x.form.entryAt(int64(n))); err != nil {
		return record.IndexEntry{}, err
	}
	return record.ParseIndexEntry(b[:]), nil
}
