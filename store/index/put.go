package index

import (
	"fmt"

	"ringmq/store/record"
)

// Put adds one key of the record at physical, stored at storeTimestamp (ms). Records that lie before the last one indexed
// are skipped, so that a replay of the log is harmless. A nil error does not mean that anything is on the disk: see Flush.
// Writer only. It touches the disk when the buffer or the file is full; after an error the same Put may be tried again.
func (x *Index) Put(topic, key []byte, physical, storeTimestamp int64) error {
	hash := record.IndexHash(topic, key)
	slot := int64(hash) % x.form.slots
	for tries := 0; ; tries++ {
		x.mu.Lock()
		a := x.active
		switch {
		case !x.recovered:
			x.mu.Unlock()
			return ErrNotRecovered
		case x.known(physical, hash):
			x.mu.Unlock()
			return nil
		case a != nil && int64(a.header.Count) < x.form.entries && len(a.buf) < cap(a.buf):
			a.add(slot, hash, physical, storeTimestamp)
			x.lastPhysical.Store(physical)
			x.lastTimestamp.Store(storeTimestamp)
			x.mu.Unlock()
			return nil
		}
		x.mu.Unlock()
		if err := x.makeRoom(); err != nil {
			return fmt.Errorf("index key of record at %d: %w", physical, err)
		}
	}
}

// known says whether a key was indexed before: its record lies before the last one, or it is one of those that a start
// found of the last record. mu is held.
func (x *Index) known(physical int64, hash int32) bool {
	if physical < x.lastPhysical.Load() {
		return true
	}
	if physical != x.tailAt || x.tail[hash] == 0 {
		return false
	}
	x.tail[hash]--
	return true
}

// makeRoom writes the buffer, or begins a new file where the active one is full. The full one is sealed by the next Flush,
// not here: that takes a while, and the writer has better things to do.
func (x *Index) makeRoom() error {
	x.io.Lock()
	defer x.io.Unlock()
	x.mu.Lock()
	a := x.active
	full := a != nil && int64(a.header.Count) >= x.form.entries
	x.mu.Unlock()
	if a != nil && !full {
		return x.writeEntries(a)
	}
	if err := x.seal(); err != nil { // only if one file was filled while the one before still waits
		return err
	}
	if full {
		if err := x.writeEntries(a); err != nil {
			return err
		}
		x.mu.Lock()
		x.sealing, x.active = a, nil
		x.mu.Unlock()
	}
	_, err := x.create()
	return err
}
