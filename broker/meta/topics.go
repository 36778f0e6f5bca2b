package meta

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll/remoting"
)

// Topics is the table of topics, topics.json on disk. A *remoting.TopicConfig that was handed out is never changed.
type Topics struct {
	mu      sync.Mutex // of writers
	table   atomic.Pointer[map[string]*remoting.TopicConfig]
	version remoting.DataVersion
	clock   func() time.Time
	changed func(names []string) // called under no lock after a change; nil names: everything may have changed
}

type topicsFile struct {
	DataVersion      remoting.DataVersion             `json:"dataVersion"`
	TopicConfigTable map[string]*remoting.TopicConfig `json:"topicConfigTable"`
}

// NewTopics reads the document (nil: none yet). changed is told of every change.
func NewTopics(doc []byte, clock func() time.Time, changed func(names []string)) (*Topics, error) {
	var f topicsFile
	if len(doc) > 0 {
		if err := remoting.Unmarshal(doc, &f); err != nil {
			return nil, fmt.Errorf("topics.json: %w", err)
		}
	}
	table := make(map[string]*remoting.TopicConfig, len(f.TopicConfigTable))
	for name, c := range f.TopicConfigTable {
		if c == nil {
			continue
		}
		if c.Attributes == nil {
			c.Attributes = map[string]string{}
		}
		c.TopicName = name
		table[name] = c
	}
	t := &Topics{version: f.DataVersion, clock: clock, changed: changed}
	if t.version.Timestamp == 0 {
		t.version.Timestamp = clock().UnixMilli()
	}
	t.table.Store(&table)
	return t, nil
}

// Get finds a topic. Any goroutine, no allocation.
func (t *Topics) Get(name []byte) (*remoting.TopicConfig, bool) {
	c, ok := (*t.table.Load())[string(name)]
	return c, ok
}

// Lookup is Get for a name that is a string.
func (t *Topics) Lookup(name string) (*remoting.TopicConfig, bool) {
	c, ok := (*t.table.Load())[name]
	return c, ok
}

// All returns the table, which must not be changed.
func (t *Topics) All() map[string]*remoting.TopicConfig { return *t.table.Load() }

// Version returns the table's version.
func (t *Topics) Version() remoting.DataVersion {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.version
}

// Put creates or replaces topics.
func (t *Topics) Put(all ...remoting.TopicConfig) {
	names := make([]string, len(all))
	t.update(func(table map[string]*remoting.TopicConfig) {
		for i := range all {
			c := all[i]
			table[c.TopicName] = &c
			names[i] = c.TopicName
		}
	})
	t.changed(names)
}

// Ensure creates a topic unless it is there, and reports whether it did.
func (t *Topics) Ensure(c remoting.TopicConfig) (_ *remoting.TopicConfig, created bool) {
	if old, ok := t.Lookup(c.TopicName); ok {
		return old, false
	}
	got := &c
	t.update(func(table map[string]*remoting.TopicConfig) {
		if old, ok := table[c.TopicName]; ok {
			got = old
			return
		}
		table[c.TopicName], created = &c, true
	})
	if created {
		t.changed([]string{c.TopicName})
	}
	return got, created
}

// Delete removes a topic and reports whether it was there.
func (t *Topics) Delete(name string) bool {
	if _, ok := t.Lookup(name); !ok {
		return false
	}
	t.update(func(table map[string]*remoting.TopicConfig) { delete(table, name) })
	t.changed(nil)
	return true
}

// update replaces the table by a changed copy. Thousands of new topics come in groups (see Put), so the copy is no burden.
func (t *Topics) update(change func(table map[string]*remoting.TopicConfig)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := maps.Clone(*t.table.Load())
	change(table)
	t.version.Counter++
	t.version.Timestamp = t.clock().UnixMilli()
	t.table.Store(&table)
}

// Document is the content of topics.json.
func (t *Topics) Document() ([]byte, error) {
	t.mu.Lock()
	f := topicsFile{DataVersion: t.version, TopicConfigTable: *t.table.Load()}
	t.mu.Unlock()
	return json.MarshalIndent(f, "", "\t")
}
