package index

import "ringmq/store/record"

// ring holds the newest entries of a file, from number `from` on, as they will lie in it. Its length is a power of two of
// entries. What is in it stays as it is until `from` has passed it, so that it may be written without a lock.
type ring struct {
	from  int32
	bytes []byte
}

func newRing(from int32, entries int64) ring {
	return ring{from: from, bytes: make([]byte, entries*record.IndexEntryBytes)}
}

func (r *ring) room() int64 { return int64(len(r.bytes) / record.IndexEntryBytes) }

func (r *ring) full(next int32) bool { return int64(next-r.from) >= r.room() }

// at is the place of an entry.
func (r *ring) at(n int32) []byte {
	i := int(int64(n)&(r.room()-1)) * record.IndexEntryBytes
	return r.bytes[i : i+record.IndexEntryBytes : i+record.IndexEntryBytes]
}

// holds says whether entry n, which lies before next, is in the ring.
func (r *ring) holds(n, next int32) bool { return n >= r.from && n < next }

// stretch is the longest run of entries from `from` on, before `to`, that lies in one piece.
func (r *ring) stretch(to int32) []byte {
	if to <= r.from {
		return nil
	}
	i := int64(r.from) & (r.room() - 1)
	n := min(int64(to-r.from), r.room()-i)
	return r.bytes[i*record.IndexEntryBytes : (i+n)*record.IndexEntryBytes]
}

// resize moves the entries before next into a ring with other room. The old one is left as it is: it may just be written.
func (r *ring) resize(entries int64, next int32) {
	other := newRing(r.from, entries)
	for n := r.from; n < next; n++ {
		copy(other.at(n), r.at(n))
	}
	*r = other
}
