package meta

import (
	"maps"
	"sync/atomic"
)

const tableParts = 64

// table is a map from names to values that are never changed once they are in it. Readers take no lock and allocate nothing; a
// writer replaces one part by a changed copy, so that making n entries one by one costs n*n/64 at most, not n*n. Writers take
// turns under a lock of their own.
type table[V any] struct {
	parts [tableParts]atomic.Pointer[map[string]*V]
	count atomic.Int64
	bytes atomic.Int64 // of the text of all, about
	size  func(*V) int64
}

// newTable makes a table; size says how long the text of an entry is, about, and 0 for nil.
func newTable[V any](all map[string]*V, size func(*V) int64) *table[V] {
	t := &table[V]{size: size}
	for _, v := range all {
		t.bytes.Add(size(v))
	}
	parts := [tableParts]map[string]*V{}
	for i := range parts {
		parts[i] = map[string]*V{}
	}
	for name, v := range all {
		parts[partOf(name)][name] = v
	}
	for i := range parts {
		t.parts[i].Store(&parts[i])
	}
	t.count.Store(int64(len(all)))
	return t
}

// Hash spreads names over parts of a table; FNV-1a.
func Hash[T []byte | string](name T) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h
}

func partOf[T []byte | string](name T) uint32 { return Hash(name) % tableParts }

func (t *table[V]) get(name []byte) *V { return (*t.parts[partOf(name)].Load())[string(name)] }

func (t *table[V]) lookup(name string) *V { return (*t.parts[partOf(name)].Load())[name] }

// set puts a value, or removes the name where v is nil.
func (t *table[V]) set(name string, v *V) {
	part := &t.parts[partOf(name)]
	next := maps.Clone(*part.Load())
	before := len(next)
	t.bytes.Add(t.size(v) - t.size(next[name]))
	if v == nil {
		delete(next, name)
	} else {
		next[name] = v
	}
	part.Store(&next)
	t.count.Add(int64(len(next) - before))
}

// setAll puts many values at the price of one copy of each part they are in.
func (t *table[V]) setAll(all map[string]*V) {
	parts := map[uint32]map[string]*V{}
	for name, v := range all {
		n := partOf(name)
		if parts[n] == nil {
			parts[n] = maps.Clone(*t.parts[n].Load())
		}
		t.bytes.Add(t.size(v) - t.size(parts[n][name]))
		parts[n][name] = v
	}
	for n, next := range parts {
		t.count.Add(int64(len(next) - len(*t.parts[n].Load())))
		t.parts[n].Store(&next)
	}
}

// all is a copy of the whole table.
func (t *table[V]) all() map[string]*V {
	m := make(map[string]*V, t.count.Load())
	for i := range t.parts {
		maps.Copy(m, *t.parts[i].Load())
	}
	return m
}

// each calls fn with every name, and copies nothing. What changes meanwhile may be among them or not.
func (t *table[V]) each(fn func(name string)) {
	for i := range t.parts {
		for name := range *t.parts[i].Load() {
			fn(name)
		}
	}
}

// replace puts other values in place of all.
func (t *table[V]) replace(all map[string]*V) {
	next := newTable(all, t.size)
	for i := range t.parts {
		t.parts[i].Store(next.parts[i].Load())
	}
	t.count.Store(int64(len(all)))
	t.bytes.Store(next.bytes.Load())
}

// with is what bytes will be with other values.
func (t *table[V]) with(all map[string]*V) int64 {
	n := t.bytes.Load()
	for name, v := range all {
		n += t.size(v) - t.size(t.lookup(name))
	}
	return n
}

// fits says whether other values may be put: the table does not become longer than maxTableBytes by them.
func (t *table[V]) fits(all map[string]*V) bool {
	n := t.with(all)
	return n <= maxTableBytes || n <= t.bytes.Load()
}
