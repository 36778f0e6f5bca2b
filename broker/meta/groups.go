package meta

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll/remoting"
)

// Groups is the table of consumer groups, subscriptionGroup.json on disk. What was handed out is never changed.
type Groups struct {
	mu        sync.Mutex // of writers, and of the version
	table     *table[remoting.SubscriptionGroupConfig]
	forbidden atomic.Pointer[map[string]map[string]int32] // group -> topic -> bits; replaced as a whole
	version   remoting.DataVersion
	clock     func() time.Time
	changed   func()
	auto      func() bool            // autoCreateSubscriptionGroup
	may       func(bytes int64) bool // may clients make a group with which all have so many bytes?
}

// NewGroups reads the document (nil: none yet) and adds the groups that always exist. auto and may are asked before a group is made for
// a client: whether that is done at all, and whether all groups may take so many bytes.
func NewGroups(doc []byte, clock func() time.Time, auto func() bool, may func(bytes int64) bool, changed func()) (*Groups, error) {
	f, err := readGroups(doc)
	if err != nil {
		return nil, err
	}
	all := make(map[string]*remoting.SubscriptionGroupConfig, len(f.SubscriptionGroupTable))
	for name, c := range f.SubscriptionGroupTable {
		if c != nil {
			c.GroupName = name
			if c.Attributes == nil {
				c.Attributes = map[string]string{}
			}
			all[name] = c
		}
	}
	for _, name := range bornGroups {
		if all[name] == nil {
			c := remoting.NewSubscriptionGroupConfig(name)
			all[name] = &c
		}
	}
	g := &Groups{table: newTable(all, groupBytes), version: f.DataVersion, clock: clock, auto: auto, may: may, changed: changed}
	if f.ForbiddenTable == nil {
		f.ForbiddenTable = map[string]map[string]int32{}
	}
	g.forbidden.Store(&f.ForbiddenTable)
	if g.version.Timestamp == 0 {
		g.version.Timestamp = clock().UnixMilli()
	}
	return g, nil
}

func readGroups(doc []byte) (f remoting.GroupTable, err error) {
	if len(doc) > 0 {
		if err = remoting.Unmarshal(doc, &f); err != nil {
			err = fmt.Errorf("subscriptionGroup.json: %w", err)
		}
	}
	return f, err
}

// Find returns a group's configuration and creates it where that is allowed; nil if there is none. No allocation and no lock
// for a known one.
func (g *Groups) Find(name []byte) *remoting.SubscriptionGroupConfig {
	if c := g.table.get(name); c != nil {
		return c
	}
	s := string(name)
	if !g.auto() && !IsSystemGroup(s) || CheckGroupName(s) != "" {
		return nil
	}
	g.mu.Lock()
	got := g.table.lookup(s)
	if got != nil {
		g.mu.Unlock()
		return got
	}
	c := remoting.NewSubscriptionGroupConfig(s)
	if !g.may(g.Bytes() + groupBytes(&c)) {
		g.mu.Unlock()
		return nil
	}
	g.table.set(s, &c)
	g.bump()
	g.mu.Unlock()
	g.changed()
	return &c
}

// FindAll is Find for many names: those that are missing are created in one change.
func (g *Groups) FindAll(names []string) []*remoting.SubscriptionGroupConfig {
	found := make([]*remoting.SubscriptionGroupConfig, len(names))
	missing := map[string]*remoting.SubscriptionGroupConfig{}
	look := func() {
		clear(missing)
		bytes := g.Bytes()
		for i, name := range names {
			found[i] = g.table.lookup(name)
			if found[i] != nil || !g.auto() && !IsSystemGroup(name) || CheckGroupName(name) != "" {
				continue
			}
			if missing[name] == nil {
				c := remoting.NewSubscriptionGroupConfig(name)
				more := groupBytes(&c)
				if !g.may(bytes + more) {
					continue
				}
				missing[name] = &c
				bytes += more
			}
			found[i] = missing[name]
		}
	}
	if look(); len(missing) == 0 {
		return found
	}
	g.mu.Lock()
	if look(); len(missing) == 0 {
		g.mu.Unlock()
		return found
	}
	g.table.setAll(missing)
	g.bump()
	g.mu.Unlock()
	g.changed()
	return found
}

// Lookup returns a group's configuration without creating it.
func (g *Groups) Lookup(name string) (*remoting.SubscriptionGroupConfig, bool) {
	c := g.table.lookup(name)
	return c, c != nil
}

// All returns a copy of the table.
func (g *Groups) All() map[string]*remoting.SubscriptionGroupConfig { return g.table.all() }

// Each calls fn with the name of every group, under no lock.
func (g *Groups) Each(fn func(name string)) { g.table.each(fn) }

// Len is how many groups there are.
func (g *Groups) Len() int { return int(g.table.count.Load()) }

// Version returns the table's version.
func (g *Groups) Version() remoting.DataVersion {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.version
}

// Put creates or replaces groups.
func (g *Groups) Put(all ...remoting.SubscriptionGroupConfig) {
	next := make(map[string]*remoting.SubscriptionGroupConfig, len(all))
	for i := range all {
		c := all[i]
		if c.Attributes == nil {
			c.Attributes = map[string]string{}
		}
		next[c.GroupName] = &c
	}
	g.mu.Lock()
	g.table.setAll(next)
	g.bump()
	g.mu.Unlock()
	g.changed()
}

// Alter creates or replaces groups as an operator asks for it (200, 225), all in one change or none: their attributes are changes, with
// keys that begin with + or -. A group of this release has no attribute that could be set. Errors have stock's words.
func (g *Groups) Alter(all ...remoting.SubscriptionGroupConfig) error {
	next := make(map[string]*remoting.SubscriptionGroupConfig, len(all))
	g.mu.Lock()
	for i := range all {
		c := all[i]
		old := g.table.lookup(c.GroupName)
		var current map[string]string
		if old != nil {
			current = old.Attributes
		}
		var err error
		if c.Attributes, err = alter(nil, old == nil, current, c.Attributes); err != nil {
			g.mu.Unlock()
			return err
		}
		next[c.GroupName] = &c
	}
	if !g.table.fits(next) {
		g.mu.Unlock()
		return fullError("groups")
	}
	g.table.setAll(next)
	g.bump()
	g.mu.Unlock()
	g.changed()
	return nil
}

// CheckGroup says whether a document with this group in it can be read again.
func CheckGroup(c *remoting.SubscriptionGroupConfig) error {
	doc, err := encode(remoting.GroupTable{SubscriptionGroupTable: map[string]*remoting.SubscriptionGroupConfig{c.GroupName: c}})
	if err == nil {
		_, err = readGroups(doc)
	}
	return err
}

// Delete removes a group and reports whether it was there.
func (g *Groups) Delete(name string) bool {
	g.mu.Lock()
	if g.table.lookup(name) == nil {
		g.mu.Unlock()
		return false
	}
	g.table.set(name, nil)
	if forbidden := *g.forbidden.Load(); forbidden[name] != nil {
		next := maps.Clone(forbidden)
		delete(next, name)
		g.forbidden.Store(&next)
	}
	g.bump()
	g.mu.Unlock()
	g.changed()
	return true
}

func (g *Groups) bump() {
	g.version.Counter++
	g.version.Timestamp = g.clock().UnixMilli()
}

// readBit is the place of the read permission in the bits of the forbidden table.
const readBit = 2

// Forbidden says whether a group may not read a topic. No lock, no allocation.
func (g *Groups) Forbidden(group string, topic []byte) bool {
	bits := (*g.forbidden.Load())[group][string(topic)]
	return bits > 0 && bits&(1<<readBit) != 0
}

// Table is the whole state as requests and the file show it.
func (g *Groups) Table() remoting.GroupTable {
	g.mu.Lock()
	defer g.mu.Unlock()
	return remoting.GroupTable{DataVersion: g.version, ForbiddenTable: *g.forbidden.Load(), SubscriptionGroupTable: g.table.all()}
}

// Document is the content of subscriptionGroup.json.
func (g *Groups) Document() ([]byte, error) { return encode(g.Table()) }
