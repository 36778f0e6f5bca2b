package queue

import "ringmq/store/record"

const firstRingUnits = 4

// ring holds entries [from, Max) as they will lie in the file. Its length is a power of two of units. from is the
// owner's to move; put never looks at what it overwrites.
type ring struct {
	from  int64
	bytes []byte
}

func (r *ring) units() int64 { return int64(len(r.bytes) / record.QueueUnitBytes) }

// full says whether an entry at `at` would take the place of the oldest.
func (r *ring) full(at int64) bool { return at-r.from >= r.units() }

func (r *ring) slot(at int64) []byte {
	i := int(at&(r.units()-1)) * record.QueueUnitBytes
	return r.bytes[i : i+record.QueueUnitBytes]
}

func (r *ring) put(at int64, u record.QueueUnit) { u.Append(r.slot(at)[:0]) }

func (r *ring) get(at int64) record.QueueUnit { return record.ParseQueueUnit(r.slot(at)) }

// copyTo copies entries [at, at+len(dst)/20) to dst.
func (r *ring) copyTo(dst []byte, at int64) {
	for len(dst) > 0 {
		i := int(at&(r.units()-1)) * record.QueueUnitBytes
		n := copy(dst, r.bytes[i:])
		dst = dst[n:]
		at += int64(n / record.QueueUnitBytes)
	}
}

// grownUnits is the length after this one.
func (r *ring) grownUnits() int64 {
	if n := r.units(); n > 0 {
		return 2 * n
	}
	return firstRingUnits
}

// grow moves entries [from, max) into a ring of n units.
func (r *ring) grow(n, max int64) {
	grown := ring{from: r.from, bytes: make([]byte, n*record.QueueUnitBytes)}
	for at := r.from; at < max; at++ {
		copy(grown.slot(at), r.slot(at))
	}
	*r = grown
}
