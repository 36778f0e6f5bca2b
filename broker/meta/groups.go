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

// Groups is the table of consumer groups, subscriptionGroup.json on disk. What was handed out is never changed.
type Groups struct {
	mu        sync.Mutex
	table     atomic.Pointer[map[string]*remoting.SubscriptionGroupConfig]
	forbidden map[string]map[string]int32
	version   remoting.DataVersion
	clock     func() time.Time
	changed   func()
	auto      func() bool // autoCreateSubscriptionGroup
}

// NewGroups reads the document (nil: none yet) and adds the groups that always exist.
func NewGroups(doc []byte, clock func() time.Time, auto func() bool, changed func()) (*Groups, error) {
	var f remoting.GroupTable
	if len(doc) > 0 {
		if err := remoting.Unmarshal(doc, &f); err != nil {
			return nil, fmt.Errorf("subscriptionGroup.json: %w", err)
		}
	}
	table := make(map[string]*remoting.SubscriptionGroupConfig, len(f.SubscriptionGroupTable))
	for name, c := range f.SubscriptionGroupTable {
		if c != nil {
			c.GroupName = name
			table[name] = c
		}
	}
	for _, name := range bornGroups {
		if table[name] == nil {
			c := remoting.NewSubscriptionGroupConfig(name)
			table[name] = &c
		}
	}
	g := &Groups{version: f.DataVersion, clock: clock, auto: auto, changed: changed, forbidden: f.ForbiddenTable}
	if g.forbidden == nil {
		g.forbidden = map[string]map[string]int32{}
	}
	if g.version.Timestamp == 0 {
		g.version.Timestamp = clock().UnixMilli()
	}
	g.table.Store(&table)
	return g, nil
}

// Find returns a group's configuration and creates it where that is allowed; nil if there is none. No allocation for a known one.
func (g *Groups) Find(name []byte) *remoting.SubscriptionGroupConfig {
	if c, ok := (*g.table.Load())[string(name)]; ok {
		return c
	}
	s := string(name)
	if !g.auto() && !IsSystemGroup(s) || CheckGroupName(s) != "" {
		return nil
	}
	c := remoting.NewSubscriptionGroupConfig(s)
	var got *remoting.SubscriptionGroupConfig
	g.update(func(table map[string]*remoting.SubscriptionGroupConfig) {
		if table[s] == nil {
			table[s] = &c
		}
		got = table[s]
	})
	return got
}

// Lookup returns a group's configuration without creating it.
func (g *Groups) Lookup(name string) (*remoting.SubscriptionGroupConfig, bool) {
	c, ok := (*g.table.Load())[name]
	return c, ok
}

// All returns the table, which must not be changed.
func (g *Groups) All() map[string]*remoting.SubscriptionGroupConfig { return *g.table.Load() }

// Put creates or replaces groups.
func (g *Groups) Put(all ...remoting.SubscriptionGroupConfig) {
	g.update(func(table map[string]*remoting.SubscriptionGroupConfig) {
		for i := range all {
			c := all[i]
			table[c.GroupName] = &c
		}
	})
}

// Delete removes a group and reports whether it was there.
func (g *Groups) Delete(name string) bool {
	if _, ok := g.Lookup(name); !ok {
		return false
	}
	g.update(func(table map[string]*remoting.SubscriptionGroupConfig) {
		delete(table, name)
		delete(g.forbidden, name)
	})
	return true
}

func (g *Groups) update(change func(table map[string]*remoting.SubscriptionGroupConfig)) {
	g.mu.Lock()
	table := maps.Clone(*g.table.Load())
	change(table)
	g.version.Counter++
	g.version.Timestamp = g.clock().UnixMilli()
	g.table.Store(&table)
	g.mu.Unlock()
	g.changed()
}

// Forbidden says whether a group may not read a topic.
func (g *Groups) Forbidden(group string, topic []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	const read = 0
	return g.forbidden[group][string(topic)]&(1<<read) != 0
}

// Table is the whole state as requests and the file show it.
func (g *Groups) Table() remoting.GroupTable {
	g.mu.Lock()
	defer g.mu.Unlock()
	return remoting.GroupTable{DataVersion: g.version, ForbiddenTable: maps.Clone(g.forbidden), SubscriptionGroupTable: *g.table.Load()}
}

// Document is the content of subscriptionGroup.json.
func (g *Groups) Document() ([]byte, error) { return json.MarshalIndent(g.Table(), "", "\t") }
