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
}

func newTable[V any](all map[string]*V) *table[V] {
	t := new(table[V])
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

// replace puts other values in place of all.
func (t *table[V]) replace(all map[string]*V) {
	next := newTable(all)
	for i := range t.parts {
		t.parts[i].Store(next.parts[i].Load())
	}
	t.count.Store(int64(len(all)))
}
