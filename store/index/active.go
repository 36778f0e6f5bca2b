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
	ring   ring   // entries [ring.from, header.Count); mu
	peak   int64  // most entries that waited since the last Flush; mu

	placed     bool               // lies in the directory of the index; io
	headed     bool               // a header with the begin time is durable; io
	written    record.IndexHeader // of the entries on the disk; io
	onDisk     record.IndexHeader // the header there; io
	slotsStale bool               // slots on the disk are older than those here; mu
	slotsFresh time.Time          // when they were written; io
}

// BufferBytes is the memory outside of the Go heap that an index with so many slots a file takes, at most: the slots of the file that takes
// entries and, until it is sealed, of the full one before. Those of the next one cost nothing before the first entry is put into it.
func BufferBytes(slots int) int64 { return 2 * orDefault(slots, defaultSlots) * record.IndexSlotBytes }

func (x *Index) newActive(f *file, file disk.File, h record.IndexHeader) (*active, error) {
	arena, err := disk.Arena(int(x.form.slots) * record.IndexSlotBytes)
	if err != nil {
		return nil, fmt.Errorf("index slots: %w", err)
	}
	return &active{file: f, disk: file, header: h, written: h, arena: arena, slots: arena.Bytes()[:x.form.slots*record.IndexSlotBytes],
		ring: newRing(h.Count, x.firstRoom), slotsFresh: x.clock()}, nil
}

// preparedName is the next file while it waits, in the folder for state of our own: a file that lay among the others
// would be taken for the newest by the next start.
const preparedName = "index.tmp"

func (x *Index) preparedPath() string { return x.state + "/" + preparedName }

// prepare makes the next file ready, so that whoever fills the one before need not wait for the disk. io is held.
func (x *Index) prepare() error {
	x.mu.Lock()
	ready, a := x.next != nil, x.active
	x.mu.Unlock()
	if ready {
		return nil
	}
	if a != nil { // it may still be where the next one will be made
		if err := x.place(a); err != nil {
			return err
		}
	}
	for _, dir := range []string{x.dir, x.state} {
		if err := x.fs.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("create index file: %w", err)
		}
	}
	file, err := x.fs.Open(x.preparedPath(), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("create index file: %w", err)
	}
	if err = file.Truncate(x.form.fileBytes()); err == nil {
		err = file.Sync()
	}
	var next *active
	if err == nil {
		next, err = x.newActive(nil, file, record.IndexHeader{Count: 1})
	}
	if err != nil {
		_ = file.Close()
		_ = x.fs.Remove(x.preparedPath())
		return fmt.Errorf("create index file: %w", err)
	}
	x.mu.Lock()
	x.next = next
	x.mu.Unlock()
	return nil
}

// activate makes the prepared file the one that takes entries; it goes on from the end of the one before, which waits to
// be sealed. No I/O: place gives it its name on the disk before anything is written to it. mu is held.
func (x *Index) activate() *active {
	a := x.next
	now := x.clock()
	name := newName(now.In(x.zone), x.newest)
	f := &file{name: name, path: x.dir + "/" + name}
	f.header = record.IndexHeader{Count: 1, BeginOffset: x.lastPhysical.Load(), BeginTimestamp: x.lastTimestamp.Load()}
	f.header.EndOffset, f.header.EndTimestamp = f.header.BeginOffset, f.header.BeginTimestamp
	a.file, a.header, a.written, a.slotsFresh = f, f.header, f.header, now
	x.files = append(x.files[:len(x.files):len(x.files)], f)
	x.newest = name
	x.sealing, x.active, x.next = x.active, a, nil
	return a
}

// place moves a file that was prepared to where it belongs, for good. io is held.
func (x *Index) place(a *active) error {
	if a.placed {
		return nil
	}
	if err := x.fs.Rename(x.preparedPath(), a.file.path); err != nil {
		if _, there := x.fs.Stat(a.file.path); there != nil || !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("create index file: %w", err)
		}
		// The last try came as far as this.
	}
	for _, dir := range []string{x.dir, path.Dir(x.dir)} {
		if err := x.fs.SyncDir(dir); err != nil {
			return fmt.Errorf("create index file: %w", err)
		}
	}
	a.placed = true
	return nil
}

// dropPrepared gives the next file up. io and mu are held.
func (x *Index) dropPrepared() {
	if x.next == nil {
		return
	}
	_ = x.next.disk.Close()
	x.next.free()
	x.next = nil
	_ = x.fs.Remove(x.preparedPath())
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
	e.Append(a.ring.at(h.Count)[:0])
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
