package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// active is a file with entries or slots that are not on the disk.
type active struct {
	file   *file
	disk   disk.File
	header record.IndexHeader // of all entries; mu
	arena  *disk.Buffer
	slots  []byte // nil when they are on the disk for good; mu
	from   int32  // number of the first entry in buf; mu
	buf    []byte // entries [from, header.Count); its room never moves; mu

	headed     bool               // a header with the begin time is durable; io
	written    record.IndexHeader // of the entries on the disk; io
	onDisk     record.IndexHeader // the header there; io
	slotsStale bool               // slots on the disk are older than those here; mu
	slotsFresh time.Time          // when they were written; io
}

func (x *Index) newActive(f *file, file disk.File, h record.IndexHeader) (*active, error) {
	arena, err := disk.Arena(int(x.form.slots) * record.IndexSlotBytes)
	if err != nil {
		return nil, fmt.Errorf("index slots: %w", err)
	}
	return &active{file: f, disk: file, header: h, written: h, arena: arena, slots: arena.Bytes()[:x.form.slots*record.IndexSlotBytes], from: h.Count,
		buf: make([]byte, 0, x.buffer*record.IndexEntryBytes), slotsFresh: x.clock()}, nil
}

// create makes the next file, which goes on from the end of the one before. io is held.
func (x *Index) create() (*active, error) {
	if err := x.fs.MkdirAll(x.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create index file: %w", err)
	}
	x.mu.Lock()
	after := ""
	if n := len(x.files); n > 0 {
		after = x.files[n-1].name
	}
	x.mu.Unlock()
	f := &file{}
	var file disk.File
	for {
		f.name = newName(x.clock().In(x.zone), after)
		f.path = x.dir + "/" + f.name
		var err error
		if file, err = x.fs.Open(f.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644); err == nil {
			break
		} else if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("create index file: %w", err)
		}
		after = f.name // one that was set aside
	}
	f.header = record.IndexHeader{Count: 1, BeginOffset: x.lastPhysical.Load(), BeginTimestamp: x.lastTimestamp.Load()}
	f.header.EndOffset, f.header.EndTimestamp = f.header.BeginOffset, f.header.BeginTimestamp
	err := file.Truncate(x.form.fileBytes())
	if err == nil {
		err = x.fs.SyncDir(x.dir)
	}
	if err == nil {
		err = x.fs.SyncDir(path.Dir(x.dir))
	}
	var a *active
	if err == nil {
		a, err = x.newActive(f, file, f.header)
	}
	if err != nil {
		_ = file.Close()
		_ = x.fs.Remove(f.path)
		return nil, fmt.Errorf("create index file: %w", err)
	}
	x.mu.Lock()
	x.files = append(x.files[:len(x.files):len(x.files)], f)
	x.active = a
	x.mu.Unlock()
	return a, nil
}

func (a *active) slot(i int64) int32 {
	return int32(binary.BigEndian.Uint32(a.slots[i*record.IndexSlotBytes:]))
}

func (a *active) setSlot(i int64, n int32) {
	binary.BigEndian.PutUint32(a.slots[i*record.IndexSlotBytes:], uint32(n))
}

// add appends an entry; there is room for it. mu is held.
func (a *active) add(slot int64, hash int32, physical, timestamp int64) {
	h := &a.header
	previous := a.slot(slot)
	if previous <= 0 || previous >= h.Count {
		previous = 0
		h.UsedSlots++
	}
	e := record.IndexEntry{KeyHash: hash, Offset: physical, TimeDiffSec: timeDiff(h.BeginTimestamp, timestamp), Previous: previous}
	a.buf = e.Append(a.buf)
	a.setSlot(slot, h.Count)
	if h.Count <= 1 {
		h.BeginOffset, h.BeginTimestamp = physical, timestamp
	}
	h.Count++
	h.EndOffset, h.EndTimestamp = physical, timestamp
	a.slotsStale = true
}

// timeDiff is the time an entry holds, in seconds.
func timeDiff(begin, timestamp int64) int32 {
	d := (timestamp - begin) / 1000
	if begin <= 0 || d < 0 {
		return 0
	}
	return int32(min(d, 1<<31-1))
}
