package queue

import "ringmq/store/record"

const firstRingUnits = 4

// ring holds entries [from, Max) as they will lie in the file. Its length is a power of two of units. from is the
// owner's to move; put never looks at what it overwrites.
type ring struct {
	from  int64
	unit  int   // bytes of an entry
	n     int64 // entries that there is room for
	bytes []byte
}

func (r *ring) units() int64 { return r.n }

// full says whether an entry at `at` would take the place of the oldest.
func (r *ring) full(at int64) bool { return at-r.from >= r.units() }

func (r *ring) slot(at int64) []byte {
	i := int(at&(r.units()-1)) * r.unit
	return r.bytes[i : i+r.unit]
}

// put writes an entry: the unit and the bytes behind it.
func (r *ring) put(at int64, u record.QueueUnit, rest []byte) { fill(r.slot(at), u, rest) }

// fill makes b, which is as long as an entry, that of a unit and the bytes behind it; what is not given of them is zero.
func fill(b []byte, u record.QueueUnit, rest []byte) {
	u.Append(b[:0])
	if b = b[record.QueueUnitBytes:]; len(b) > 0 {
		clear(b[copy(b, rest):])
	}
}

func (r *ring) get(at int64) record.QueueUnit { return record.ParseQueueUnit(r.slot(at)) }

// copyTo copies entries from at on to dst, as many as fill it.
func (r *ring) copyTo(dst []byte, at int64) {
	for len(dst) > 0 {
		i := int(at&(r.units()-1)) * r.unit
		n := copy(dst, r.bytes[i:])
		dst = dst[n:]
		at += int64(n / r.unit)
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
	grown := ring{from: r.from, unit: r.unit, n: n, bytes: make([]byte, n*int64(r.unit))}
	for at := r.from; at < max; at++ {
		copy(grown.slot(at), r.slot(at))
	}
	*r = grown
}
