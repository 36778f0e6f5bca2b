package stats

import (
	"strings"
	"sync"
	"sync/atomic"

	"ringmq/broker/meta"
)

// entry is what is counted together under one key: how many messages, and how many bytes.
type entry struct {
	nums, size item
	kinds      byKind // of a topic's messages
}

const shards = 32

// maxEntries bounds a set: keys come from clients, and topics and groups, each of which there may be tens of thousands of, make many more
// pairs. An entry with all of its windows is 4 KiB.
const maxEntries = 1 << 16

// set is a table of entries by key.
type set struct {
	n      atomic.Int64 // of all entries; a few more than max when several are made at once
	max    int64
	others []byte // key of the entry of all that came when the set was full
	parts  [shards]struct {
		mu sync.RWMutex
		m  map[string]*entry
	}
}

// Keys of those entries: no topic or group has such a name.
const (
	others     = "(others)"
	otherPairs = others + "@" + others
)

func newSet(others string) *set {
	s := &set{max: maxEntries, others: []byte(others)}
	for i := range s.parts {
		s.parts[i].m = map[string]*entry{}
	}
	return s
}

func slot(key []byte) uint32 { return meta.Hash(key) % shards }

// find returns the entry of a key, nil if there is none.
func (s *set) find(key []byte) *entry {
	p := &s.parts[slot(key)]
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.m[string(key)]
}

// get returns the entry of a key and makes it if needed; in a full set a new key shares one. No allocation for a known key.
func (s *set) get(key []byte) *entry {
	if e := s.find(key); e != nil {
		return e
	}
	if s.n.Load() >= s.max {
		key = s.others
	}
	p := &s.parts[slot(key)]
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.m[string(key)]
	if e == nil {
		e = new(entry)
		p.m[string(key)] = e
		s.n.Add(1)
	}
	return e
}

func (s *set) each(fn func(key string, e *entry)) {
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		for key, e := range p.m {
			fn(key, e)
		}
		p.mu.RUnlock()
	}
}

// pairs calls fn with every entry of keys topic@group.
func (s *set) pairs(fn func(Outlet)) {
	s.each(func(key string, e *entry) {
		fn(Outlet{Key: key, Messages: e.nums.value.Load(), Bytes: e.size.value.Load()})
	})
}

// drop removes the entries whose key fn wants gone.
func (s *set) drop(fn func(key string) bool) {
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.Lock()
		for key := range p.m {
			if fn(key) {
				delete(p.m, key)
				s.n.Add(-1)
			}
		}
		p.mu.Unlock()
	}
}

// ofTopic and ofGroup tell keys of the form topic@group.
func ofTopic(topic string) func(string) bool {
	return func(key string) bool { return key == topic || strings.HasPrefix(key, topic+"@") }
}

func ofGroup(group string) func(string) bool {
	return func(key string) bool { return strings.HasSuffix(key, "@"+group) }
}
