package index

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// Recover makes the newest file take entries. orderly: the store was closed in order, and slots and header are as they
// should be; otherwise entries are taken as far as they are sane and the slots are made from them, which may take a
// second or two. Once; the caller then goes on with the record at LastPhysical.
func (x *Index) Recover(orderly bool) error {
	x.io.Lock()
	defer x.io.Unlock()
	x.mu.Lock()
	done := x.recovered
	x.mu.Unlock()
	if done {
		return nil
	}
	if err := x.fs.Remove(x.preparedPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("recover key index: %w", err)
	}
	if err := x.recover(orderly, math.MaxInt64); err != nil {
		return fmt.Errorf("recover key index: %w", err)
	}
	x.poke()
	return nil
}

// Truncate drops the entries of records that begin at or behind physical, the end of the log. Queries meanwhile may miss
// records. Writer only, after Recover.
func (x *Index) Truncate(physical int64) error {
	if x.lastPhysical.Load() < physical {
		return nil
	}
	if err := x.Close(); err != nil {
		return fmt.Errorf("cut key index: %w", err)
	}
	x.io.Lock()
	defer x.io.Unlock()
	if err := x.recover(false, physical); err != nil {
		return fmt.Errorf("cut key index: %w", err)
	}
	return nil
}

// recover reads the newest files until one is found that needs nothing more: it is full and durable, or it is the one
// that goes on. Entries of records at or behind limit are dropped. io is held.
func (x *Index) recover(orderly bool, limit int64) error {
	for {
		files := x.files
		n := len(files)
		if n == 0 {
			x.settle(record.IndexHeader{}, nil)
			return nil
		}
		f := files[n-1]
		if n > 1 && !orderly {
			whole, err := x.sealedBefore(files[n-2], limit)
			if err != nil {
				return err
			}
			if !whole {
				x.logger.Warn("index file follows one that is not whole: removed", "file", f.path)
				if err := x.removeFile(f); err != nil {
					return err
				}
				continue
			}
		}
		return x.resume(f, orderly, limit)
	}
}

// sealedBefore says whether a file that is not the newest is full, and makes it durable if it is but nobody knows.
func (x *Index) sealedBefore(f *file, limit int64) (bool, error) {
	if f.header.EndOffset >= limit {
		return false, nil
	}
	if int64(f.header.Count) >= x.form.entries {
		return true, nil
	}
	a, err := x.rebuild(f, limit)
	if err != nil {
		return false, err
	}
	full := int64(a.header.Count) >= x.form.entries
	if !full {
		x.discard(a)
		return false, nil
	}
	x.mu.Lock()
	x.sealing = a
	x.mu.Unlock()
	return true, x.seal()
}

func (x *Index) discard(a *active) {
	_ = a.disk.Close()
	x.mu.Lock()
	a.free()
	x.mu.Unlock()
}

// resume makes f, the newest file, the active one.
func (x *Index) resume(f *file, orderly bool, limit int64) error {
	var a *active
	var err error
	if orderly {
		a, err = x.load(f)
	} else {
		a, err = x.rebuild(f, limit)
	}
	if err != nil {
		return err
	}
	h := a.header
	tail, err := x.keysOfLast(h)
	if err != nil {
		x.discard(a)
		return err
	}
	x.mu.Lock()
	f.header = h
	x.active = a
	x.mu.Unlock()
	x.settle(h, tail)
	return nil
}

// settle says what the last record indexed is.
func (x *Index) settle(h record.IndexHeader, tail map[int32]int) {
	x.mu.Lock()
	x.recovered = true
	x.tail, x.tailAt = tail, h.EndOffset
	x.mu.Unlock()
	x.lastPhysical.Store(h.EndOffset)
	x.lastTimestamp.Store(h.EndTimestamp)
	x.durable.Store(min(x.durable.Load(), h.EndTimestamp))
}

// keysOfLast returns the key hashes that the last record has in the index; they may lie in two files. h is the header of
// the newest file, all of whose entries are on the disk.
func (x *Index) keysOfLast(h record.IndexHeader) (map[int32]int, error) {
	hashes, last := map[int32]int{}, h.EndOffset
	for i := len(x.files) - 1; i >= 0; i-- {
		file, err := x.fs.Open(x.files[i].path, openFlags, 0o644)
		if err != nil {
			return nil, err
		}
		more := true
		for n := int64(h.Count) - 1; n > 0 && more && err == nil; n-- {
			var b [record.IndexEntryBytes]byte
			_, err = file.ReadAt(b[:], x.form.entryAt(n))
			e := record.ParseIndexEntry(b[:])
			if more = e.Offset == last; more && err == nil {
				hashes[e.KeyHash]++
			}
		}
		_ = file.Close()
		if err != nil || !more || i == 0 {
			return hashes, err
		}
		h = x.files[i-1].header
	}
	return hashes, nil
}

// load takes a file as it is.
func (x *Index) load(f *file) (*active, error) {
	file, err := x.fs.Open(f.path, openFlags, 0o644)
	if err != nil {
		return nil, err
	}
	a, err := x.newActive(f, file, f.header)
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	a.placed, a.headed, a.onDisk = true, f.header.Count > 1, f.header
	if _, err := file.ReadAt(a.slots, x.form.slotAt(0)); err != nil {
		x.discard(a)
		return nil, err
	}
	return a, nil
}

// rebuild takes the entries of a file as far as they are sane and lie before limit, and makes header and slots from them.
// What is behind becomes zeros.
func (x *Index) rebuild(f *file, limit int64) (*active, error) {
	file, err := x.fs.Open(f.path, openFlags, 0o644)
	if err != nil {
		return nil, err
	}
	a, err := x.newActive(f, file, f.header)
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	a.placed, a.onDisk = true, f.header
	if f.header.BeginTimestamp > 0 && f.header.BeginOffset < limit {
		err = x.takeEntries(a, limit)
	} else {
		err = x.beginAgain(a)
	}
	if err == nil && a.header.Count < f.header.Count {
		// Before the entries go: a header that says "full" is believed.
		if err = x.putHeader(a, a.header); err == nil {
			err = file.Datasync()
		}
	}
	if err == nil {
		err = cutBehind(file, x.form.entryAt(int64(a.header.Count)), x.form.fileBytes())
	}
	if err != nil {
		x.discard(a)
		return nil, err
	}
	if a.header.Count != f.header.Count {
		x.logger.Warn("index file: the entries decide, not the header", "file", f.path, "header", f.header.Count-1, "entries", a.header.Count-1)
	}
	a.ring.from = a.header.Count
	a.headed = a.header.Count > 1
	a.written, a.slotsStale = a.header, true
	return a, nil
}

// beginAgain empties a file whose header tells nothing: it goes on from the one before.
func (x *Index) beginAgain(a *active) error {
	a.header = record.IndexHeader{Count: 1}
	for i, f := range x.files {
		if f == a.file && i > 0 {
			before := x.files[i-1].header
			a.header.BeginOffset, a.header.BeginTimestamp = before.EndOffset, before.EndTimestamp
			a.header.EndOffset, a.header.EndTimestamp = before.EndOffset, before.EndTimestamp
		}
	}
	return nil
}

// takeEntries fills the slots of a from the entries of its file. An entry is sane if it goes on in the log and its chain
// goes on with what the slot holds: that cannot be said of what a torn write leaves.
func (x *Index) takeEntries(a *active, limit int64) error {
	piece := make([]byte, min(pieceBytes/record.IndexEntryBytes, x.form.entries)*record.IndexEntryBytes)
	claimed := a.header
	h := &a.header
	h.Count, h.UsedSlots, h.EndOffset, h.EndTimestamp = 1, 0, claimed.BeginOffset, claimed.BeginTimestamp
	for int64(h.Count) < x.form.entries {
		b := piece[:min(int64(len(piece)), (x.form.entries-int64(h.Count))*record.IndexEntryBytes)]
		if _, err := a.disk.ReadAt(b, x.form.entryAt(int64(h.Count))); err != nil {
			return err
		}
		for ; len(b) > 0; b = b[record.IndexEntryBytes:] {
			e := record.ParseIndexEntry(b)
			slot := int64(e.KeyHash) % x.form.slots
			if e == (record.IndexEntry{}) || e.KeyHash < 0 || e.TimeDiffSec < 0 || e.Offset < h.EndOffset || e.Offset >= limit || e.Previous != a.slot(slot) {
				return nil
			}
			if e.Previous == 0 {
				h.UsedSlots++
			}
			a.setSlot(slot, h.Count)
			h.Count++
			h.EndOffset = e.Offset
			if h.EndTimestamp = max(h.EndTimestamp, claimed.BeginTimestamp+int64(e.TimeDiffSec)*1000+999); h.Count == claimed.Count {
				h.EndTimestamp = claimed.EndTimestamp
			}
		}
	}
	return nil
}

// cutBehind makes zeros of everything from byte at on, durably: an old entry must never line up with new ones.
func cutBehind(f disk.File, at, size int64) error {
	if at >= size {
		return nil
	}
	if err := f.Truncate(at); err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Datasync()
}
