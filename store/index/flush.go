package index

import (
	"fmt"

	"ringmq/store/record"
)

const (
	pieceBytes     = 1 << 20
	slotPieceBytes = 256 << 10 // copied at once while the writer has to wait
)

// Flush writes what is in memory: entries and header always, the slots when they have been only in memory for a while,
// and seals a file that became full. Any goroutine; it blocks on the disk.
func (x *Index) Flush() error { return x.flush(false) }

// Close writes everything, makes it durable and gives the memory back. The Index takes no more keys.
func (x *Index) Close() error {
	err := x.flush(true)
	x.io.Lock()
	defer x.io.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.recovered = false
	x.dropPrepared()
	for _, a := range []*active{x.active, x.sealing} {
		if a == nil {
			continue
		}
		a.file.header = a.header
		if e := a.disk.Close(); e != nil && err == nil {
			err = fmt.Errorf("close key index: %w", e)
		}
		a.free()
	}
	x.active, x.sealing = nil, nil
	return err
}

// free gives the slots back; queries read them from the disk from then on. mu is held.
func (a *active) free() {
	if a.slots != nil {
		a.slots = nil
		a.arena.Free()
		a.ring.bytes = nil
	}
}

func (x *Index) flush(all bool) error {
	x.io.Lock()
	defer x.io.Unlock()
	if err := x.seal(); err != nil {
		return err
	}
	x.mu.Lock()
	a := x.active
	if a != nil && int64(a.header.Count) >= x.form.entries && x.sealing == nil {
		x.sealing, x.active = a, nil
		x.mu.Unlock()
		return x.seal()
	}
	stale := a != nil && a.slotsStale
	if a != nil {
		x.shrink(a)
	}
	x.mu.Unlock()
	if a == nil {
		return nil
	}
	if err := x.writeEntries(a); err != nil {
		return err
	}
	if !stale || !all && x.clock().Sub(a.slotsFresh) < x.slotGap {
		return x.writeHeader(a)
	}
	x.mu.Lock()
	durable := a.header.EndTimestamp
	x.mu.Unlock()
	if err := x.writeSlots(a); err != nil {
		return err
	}
	if err := x.writeEntries(a); err != nil { // those that came while the slots were written
		return err
	}
	if err := x.writeHeader(a); err != nil {
		return err
	}
	if err := a.disk.Datasync(); err != nil {
		return fmt.Errorf("sync index file: %w", err)
	}
	if a.onDisk == a.written {
		x.durable.Store(durable)
	}
	return nil
}

// shrink gives memory back that entries took while the disk was slow. mu is held.
func (x *Index) shrink(a *active) {
	waiting := int64(a.header.Count - a.ring.from)
	if room := a.ring.room(); room > x.firstRoom && a.peak <= room/4 {
		a.ring.resize(max(x.firstRoom, room/2), a.header.Count)
	}
	a.peak = waiting
}

// seal makes the full file durable, its header last. io is held.
func (x *Index) seal() error {
	x.mu.Lock()
	a := x.sealing
	x.mu.Unlock()
	if a == nil {
		return nil
	}
	if err := x.writeEntries(a); err != nil {
		return err
	}
	if err := x.writeSlots(a); err != nil {
		return err
	}
	if err := a.disk.Datasync(); err != nil {
		return fmt.Errorf("sync index file: %w", err)
	}
	if err := x.putHeader(a, a.written); err != nil {
		return err
	}
	if err := a.disk.Datasync(); err != nil {
		return fmt.Errorf("sync index file: %w", err)
	}
	x.mu.Lock()
	a.file.header = a.header
	a.free()
	x.sealing = nil
	x.mu.Unlock()
	x.durable.Store(a.header.EndTimestamp)
	if err := a.disk.Close(); err != nil {
		return fmt.Errorf("close index file: %w", err)
	}
	return nil
}

// writeEntries writes the entries that wait. io is held.
func (x *Index) writeEntries(a *active) error {
	x.mu.Lock()
	written, waiting := a.header, a.ring.from < a.header.Count
	x.mu.Unlock()
	if !waiting {
		return nil
	}
	if err := x.head(a, written); err != nil {
		return err
	}
	for {
		x.mu.Lock()
		b, from := a.ring.stretch(written.Count), a.ring.from
		x.mu.Unlock()
		if len(b) == 0 {
			break
		}
		// The writer may add entries behind b meanwhile; what is in b does not change.
		if _, err := a.disk.WriteAt(b, x.form.entryAt(int64(from))); err != nil {
			return fmt.Errorf("write index entries: %w", err)
		}
		x.mu.Lock()
		a.ring.from += int32(len(b) / record.IndexEntryBytes)
		x.mu.Unlock()
	}
	a.written = written
	return nil
}

// head makes durable, before a file's first entry is written, where the file is and when it begins. io is held.
func (x *Index) head(a *active, h record.IndexHeader) error {
	if a.headed {
		return nil
	}
	if err := x.place(a); err != nil {
		return err
	}
	h.Count = 1
	if err := x.putHeader(a, h); err != nil {
		return err
	}
	if err := a.disk.Datasync(); err != nil {
		return fmt.Errorf("sync index file: %w", err)
	}
	a.headed = true
	return nil
}

// writeHeader writes the header of the entries that are on the disk, unless it says that the file is full: that one is
// for seal to write. io is held.
func (x *Index) writeHeader(a *active) error {
	if a.onDisk == a.written || int64(a.written.Count) >= x.form.entries {
		return nil
	}
	return x.putHeader(a, a.written)
}

func (x *Index) putHeader(a *active, h record.IndexHeader) error {
	var b [record.IndexHeaderBytes]byte
	if _, err := a.disk.WriteAt(h.Append(b[:0]), 0); err != nil {
		return fmt.Errorf("write index header: %w", err)
	}
	a.onDisk = h
	return nil
}

// writeSlots writes all slots, piece by piece, while keys may be added: a slot may be newer than the header, which is why
// readers take a number the header does not know for an empty slot. Entries that come meanwhile are written between two
// pieces, so that they need not wait for long. io is held.
func (x *Index) writeSlots(a *active) error {
	x.mu.Lock()
	a.slotsStale = false
	x.mu.Unlock()
	piece := make([]byte, min(slotPieceBytes, len(a.arena.Bytes())))
	total := x.form.slots * record.IndexSlotBytes
	for at := int64(0); at < total; at += int64(len(piece)) {
		x.mu.Lock()
		n := copy(piece, a.slots[at:])
		live := x.active
		x.mu.Unlock()
		_, err := a.disk.WriteAt(piece[:n], x.form.slotAt(0)+at)
		if err == nil && live != nil && total > int64(len(piece)) {
			err = x.writeEntries(live)
		}
		if err != nil {
			x.mu.Lock()
			a.slotsStale = true
			x.mu.Unlock()
			return fmt.Errorf("write index slots: %w", err)
		}
	}
	a.slotsFresh = x.clock()
	return nil
}
