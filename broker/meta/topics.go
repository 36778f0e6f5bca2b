package meta

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll/remoting"
)

// Topics is the table of topics, topics.json on disk. A *remoting.TopicConfig that was handed out is never changed.
type Topics struct {
	mu      sync.Mutex // of writers, and of the version
	table   *table[remoting.TopicConfig]
	version remoting.DataVersion
	recent  []alteration     // the newest, one for every number of the version's counter
	unsaved map[string]int64 // topics made that are in no document on disk -> counter of the version that has them
	unsafe  atomic.Int64     // len(unsaved)
	edition atomic.Uint64
	clock   func() time.Time
	changed func() // called under no lock after a change
}

// alteration says what one step of the version changed; no names: what cannot be said by topics, a deletion for example.
type alteration struct{ names []string }

// maxRecent bounds the alterations that are remembered.
const maxRecent = 4096

type topicsFile struct {
	DataVersion      remoting.DataVersion             `json:"dataVersion"`
	TopicConfigTable map[string]*remoting.TopicConfig `json:"topicConfigTable"`
}

// NewTopics reads the document (nil: none yet). changed is told of every change.
func NewTopics(doc []byte, clock func() time.Time, changed func()) (*Topics, error) {
	var f topicsFile
	if len(doc) > 0 {
		if err := remoting.Unmarshal(doc, &f); err != nil {
			return nil, fmt.Errorf("topics.json: %w", err)
		}
	}
	all := make(map[string]*remoting.TopicConfig, len(f.TopicConfigTable))
	for name, c := range f.TopicConfigTable {
		if c == nil {
			continue
		}
		if c.Attributes == nil {
			c.Attributes = map[string]string{}
		}
		c.TopicName = name
		all[name] = c
	}
	t := &Topics{table: newTable(all, topicBytes), version: f.DataVersion, clock: clock, changed: changed}
	if t.version.Timestamp == 0 {
		t.version.Timestamp = clock().UnixMilli()
	}
	return t, nil
}

// Get finds a topic. Any goroutine, no allocation, no lock.
func (t *Topics) Get(name []byte) (*remoting.TopicConfig, bool) {
	c := t.table.get(name)
	return c, c != nil
}

// Lookup is Get for a name that is a string.
func (t *Topics) Lookup(name string) (*remoting.TopicConfig, bool) {
	c := t.table.lookup(name)
	return c, c != nil
}

// All returns a copy of the table.
func (t *Topics) All() map[string]*remoting.TopicConfig { return t.table.all() }

// Snapshot returns a copy of the table and the version that belongs to it.
func (t *Topics) Snapshot() (map[string]*remoting.TopicConfig, remoting.DataVersion) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.table.all(), t.version
}

// Since returns the topics that were altered after the version of a counter, with the version that they belong to: whoever has the
// table as it was then and takes them in has the table of that version. whole: it is all topics, because what happened cannot be said
// by some.
func (t *Topics) Since(counter int64) (_ map[string]*remoting.TopicConfig, _ remoting.DataVersion, whole bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	some := map[string]*remoting.TopicConfig{}
	missing := t.version.Counter - counter
	if missing < 0 || missing > int64(len(t.recent)) {
		return t.table.all(), t.version, true
	}
	for _, a := range t.recent[len(t.recent)-int(missing):] {
		if a.names == nil {
			return t.table.all(), t.version, true
		}
		for _, name := range a.names {
			some[name] = t.table.lookup(name)
		}
	}
	return some, t.version, false
}

// Len is how many topics there are.
func (t *Topics) Len() int { return int(t.table.count.Load()) }

// Version returns the table's version.
func (t *Topics) Version() remoting.DataVersion {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.version
}

// Edition changes with every change of the table, before the call that made the change returns: what was looked up after it was read
// holds while it stays the same. Any goroutine, no lock.
func (t *Topics) Edition() uint64 { return t.edition.Load() }

// Touch raises the version although no topic changed, as stock does when the broker's permission changes.
func (t *Topics) Touch() {
	t.mu.Lock()
	t.bump(nil)
	t.mu.Unlock()
	t.changed()
}

// Put creates or replaces topics.
func (t *Topics) Put(all ...remoting.TopicConfig) {
	t.mu.Lock()
	next := make(map[string]*remoting.TopicConfig, len(all))
	for i := range all {
		c := all[i]
		next[c.TopicName] = &c
	}
	t.put(next)
	t.mu.Unlock()
	t.changed()
}

// Alter creates or replaces topics as an operator asks for it, all in one change or none; attributes are changes as in
// AlterAttributes, one text for each topic. Errors have stock's words for the answer to 17. changed is false when all were like that
// before.
func (t *Topics) Alter(all []remoting.TopicConfig, attributes []string) (changed bool, err error) {
	t.mu.Lock()
	next := map[string]*remoting.TopicConfig{}
	for i := range all {
		c := all[i]
		old := next[c.TopicName]
		if old == nil {
			old = t.table.lookup(c.TopicName)
		}
		var current map[string]string
		if old != nil {
			current = old.Attributes
		}
		if c.Attributes, err = AlterAttributes(current, attributes[i], old == nil); err != nil {
			t.mu.Unlock()
			return false, err
		}
		if old == nil || !SameTopic(old, &c) {
			next[c.TopicName] = &c
		}
	}
	if len(next) == 0 {
		t.mu.Unlock()
		return false, nil
	}
	if !t.table.fits(next) {
		t.mu.Unlock()
		return false, fullError("topics")
	}
	t.put(next)
	t.mu.Unlock()
	t.changed()
	return true, nil
}

// EnsureAll creates the topics that are not there, in one change, as long as there is room for them: may is asked for each with the
// length that all would have then.
func (t *Topics) EnsureAll(all []remoting.TopicConfig, may func(bytes int64) bool) {
	missing := map[string]*remoting.TopicConfig{}
	look := func() {
		clear(missing)
		bytes := t.Bytes()
		for i := range all {
			if t.table.lookup(all[i].TopicName) != nil || missing[all[i].TopicName] != nil {
				continue
			}
			c := all[i]
			if more := topicBytes(&c); may(bytes + more) {
				missing[c.TopicName] = &c
				bytes += more
			}
		}
	}
	if look(); len(missing) == 0 {
		return
	}
	t.mu.Lock()
	if look(); len(missing) == 0 {
		t.mu.Unlock()
		return
	}
	t.put(missing)
	t.mu.Unlock()
	t.changed()
}

// Ensure creates a topic unless it is there, and reports whether it did.
func (t *Topics) Ensure(c remoting.TopicConfig) (_ *remoting.TopicConfig, created bool) {
	if old, ok := t.Lookup(c.TopicName); ok {
		return old, false
	}
	t.mu.Lock()
	if old := t.table.lookup(c.TopicName); old != nil {
		t.mu.Unlock()
		return old, false
	}
	t.put(map[string]*remoting.TopicConfig{c.TopicName: &c})
	t.mu.Unlock()
	t.changed()
	return &c, true
}

// Widen gives topics that are there as many queues as these have, in one change. None is made, and none has fewer then.
func (t *Topics) Widen(all []remoting.TopicConfig) {
	t.mu.Lock()
	next := map[string]*remoting.TopicConfig{}
	for i := range all {
		old := t.table.lookup(all[i].TopicName)
		if old == nil {
			continue
		}
		c := *old
		c.ReadQueueNums, c.WriteQueueNums = max(c.ReadQueueNums, all[i].ReadQueueNums), max(c.WriteQueueNums, all[i].WriteQueueNums)
		if !SameTopic(old, &c) {
			next[c.TopicName] = &c
		}
	}
	if len(next) == 0 {
		t.mu.Unlock()
		return
	}
	t.put(next)
	t.mu.Unlock()
	t.changed()
}

// Delete removes a topic and reports whether it was there.
func (t *Topics) Delete(name string) bool {
	t.mu.Lock()
	if t.table.lookup(name) == nil {
		t.mu.Unlock()
		return false
	}
	t.table.set(name, nil)
	delete(t.unsaved, name)
	t.unsafe.Store(int64(len(t.unsaved)))
	t.bump(nil)
	t.mu.Unlock()
	t.changed()
	return true
}

// put enters topics as one change of the version; under mu. One that is new is unsaved before anyone can find it.
func (t *Topics) put(all map[string]*remoting.TopicConfig) {
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
		if t.table.lookup(name) != nil {
			continue
		}
		if t.unsaved == nil {
			t.unsaved = map[string]int64{}
		}
		t.unsaved[name] = t.version.Counter + 1
	}
	t.unsafe.Store(int64(len(t.unsaved)))
	t.table.setAll(all)
	t.bump(names)
}

// Unsaved says that a topic was made and a crash would forget it. Any goroutine; no allocation, and no lock while there is no such
// topic.
func (t *Topics) Unsaved(name []byte) bool {
	if t.unsafe.Load() == 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.unsaved[string(name)]
	return ok
}

// Saved says that the document of the version with this counter, or a later one, is on disk.
func (t *Topics) Saved(counter int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.unsaved, func(_ string, made int64) bool { return made <= counter })
	t.unsafe.Store(int64(len(t.unsaved)))
}

// bump makes the next version. The last entry of recent is that of the version.
func (t *Topics) bump(names []string) {
	t.version.Counter++
	t.version.Timestamp = t.clock().UnixMilli()
	if len(t.recent) == maxRecent {
		t.recent = append(t.recent[:0], t.recent[maxRecent/2:]...)
	}
	t.recent = append(t.recent, alteration{names})
	t.edition.Add(1)
}

// Document is the content of topics.json.
func (t *Topics) Document() ([]byte, error) {
	all, version := t.Snapshot()
	return encode(topicsFile{DataVersion: version, TopicConfigTable: all})
}

// SameTopic says whether two configurations of one topic are equal.
func SameTopic(a, b *remoting.TopicConfig) bool {
	return a.Perm == b.Perm && a.ReadQueueNums == b.ReadQueueNums && a.WriteQueueNums == b.WriteQueueNums && a.Order == b.Order &&
		a.TopicSysFlag == b.TopicSysFlag && a.TopicFilterType == b.TopicFilterType && maps.Equal(a.Attributes, b.Attributes)
}
