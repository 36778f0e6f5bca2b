package index

import (
	"fmt"

	"ringmq/store/record"
)

// Key is one key of a record.
type Key struct {
	Hash           int32 // record.IndexHash of topic and key
	Physical       int64 // offset of the record
	StoreTimestamp int64 // ms
}

// Put adds one key of the record at physical, stored at storeTimestamp (ms). It is PutAll for one key.
func (x *Index) Put(topic, key []byte, physical, storeTimestamp int64) error {
	one := [1]Key{{Hash: record.IndexHash(topic, key), Physical: physical, StoreTimestamp: storeTimestamp}}
	_, err := x.PutAll(one[:])
	return err
}

// PutAll adds keys, in the order of the log, and returns how many it took: fewer than all only with an error, after which
// the rest may be given again. Keys of records before the last one indexed are skipped, so that a replay of the log is
// harmless. A nil error does not mean that anything is on the disk: see Flush. Writer only; keys are borrowed.
//
// It does not wait for the disk as long as someone calls Tend when Wake says so: only when BufferEntries wait in memory,
// or a file was filled before the one before was sealed and the next prepared. Waits counts how often that happened.
func (x *Index) PutAll(keys []Key) (done int, err error) {
	for {
		x.mu.Lock()
		taken, err := x.take(keys[done:])
		wake := x.due()
		x.mu.Unlock()
		if wake {
			x.poke()
		}
		if done += taken; err != nil || done == len(keys) {
			return done, err
		}
		x.waits.Add(1)
		if err := x.makeRoom(); err != nil {
			return done, fmt.Errorf("index key of record at %d: %w", keys[done].Physical, err)
		}
	}
}

// warmKeys is how many slots are asked for before the first is needed: each is a miss of every cache, and together they
// take hardly longer than one.
const warmKeys = 32

// take adds keys as long as there is room, and returns how many. mu is held.
func (x *Index) take(keys []Key) (n int, err error) {
	if !x.recovered {
		return 0, ErrNotRecovered
	}
	for n < len(keys) {
		some := keys[n:min(n+warmKeys, len(keys))]
		var slots [warmKeys]uint32
		for i := range some {
			slots[i] = uint32(some[i].Hash) % uint32(x.form.slots)
		}
		if a := x.active; a != nil && len(some) > 1 {
			for i := range some {
				x.warmth += a.slot(int64(slots[i]))
			}
		}
		for i := range some {
			k := &some[i]
			if x.known(k.Physical, k.Hash) {
				n++
				continue
			}
			a := x.open()
			if a == nil {
				return n, nil
			}
			a.add(int64(slots[i]), k.Hash, k.Physical, k.StoreTimestamp)
			x.lastPhysical.Store(k.Physical)
			x.lastTimestamp.Store(k.StoreTimestamp)
			n++
		}
	}
	return n, nil
}

// open is the file that takes the next entry; nil: none can, now. mu is held.
func (x *Index) open() *active {
	a := x.active
	if a == nil || int64(a.header.Count) >= x.form.entries {
		if x.next == nil || x.sealing != nil {
			return nil
		}
		a = x.activate()
	}
	if a.ring.full(a.header.Count) {
		if a.ring.room() >= x.buffer {
			return nil
		}
		a.ring.resize(2*a.ring.room(), a.header.Count)
	}
	return a
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

// due says whether Tend has something to do. mu is held.
func (x *Index) due() bool {
	a := x.active
	if a == nil {
		return x.recovered && x.next == nil
	}
	waiting := int64(a.header.Count - a.ring.from)
	a.peak = max(a.peak, waiting)
	return waiting >= x.firstRoom/2 || x.sealing != nil || x.wantsNext()
}

// wantsNext says whether it is time to prepare the next file: an eighth of the active one is left. mu is held.
func (x *Index) wantsNext() bool {
	return x.next == nil && (x.active == nil || int64(x.active.header.Count) >= x.form.entries-x.form.entries/8)
}

func (x *Index) poke() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// Wake has a token when Tend should be called: soon, by any goroutine that may wait for the disk.
func (x *Index) Wake() <-chan struct{} { return x.wake }

// Waits counts how often the writer had to wait for the disk.
func (x *Index) Waits() int64 { return x.waits.Load() }

// BufferedBytes is the memory that entries take until they are written.
func (x *Index) BufferedBytes() int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for _, a := range []*active{x.active, x.sealing, x.next} {
		if a != nil {
			n += len(a.ring.bytes)
		}
	}
	return int64(n)
}

// Tend does what PutAll leaves undone: it writes waiting entries, seals a file that became full, and prepares the next
// one. After an error it may be called again. Any goroutine; it blocks on the disk.
func (x *Index) Tend() error {
	x.io.Lock()
	defer x.io.Unlock()
	if err := x.seal(); err != nil {
		return err
	}
	x.mu.Lock()
	a, wants := x.active, x.recovered && x.wantsNext()
	x.mu.Unlock()
	if a != nil {
		if err := x.writeEntries(a); err != nil {
			return err
		}
	}
	if wants {
		return x.prepare()
	}
	return nil
}

// makeRoom makes the writer do itself what Tend did not come to.
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
	}
	return x.prepare()
}
