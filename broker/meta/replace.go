package meta

import (
	"maps"

	"ringmq/netpoll/remoting"
)

// Replace makes the table that of a master, with its version: what the master does not have is gone. The values are the table's from
// then on. It returns the edition that the table has so; while Edition says the same, the table is the master's.
func (t *Topics) Replace(all map[string]*remoting.TopicConfig, version remoting.DataVersion) (edition uint64) {
	named := make(map[string]*remoting.TopicConfig, len(all))
	for name, c := range all {
		if c == nil {
			continue
		}
		if c.Attributes == nil {
			c.Attributes = map[string]string{}
		}
		c.TopicName = name
		named[name] = c
	}
	t.mu.Lock()
	t.table.replace(named)
	// What was altered before says nothing of this version.
	t.version, t.recent = version, nil
	clear(t.unsaved)
	t.unsafe.Store(0)
	edition = t.edition.Add(1)
	t.mu.Unlock()
	t.changed()
	return edition
}

// Replace makes the table that of a master, with its version, as Topics.Replace does. Groups that exist everywhere stay.
func (g *Groups) Replace(m remoting.GroupTable) {
	all := maps.Clone(m.SubscriptionGroupTable)
	if all == nil {
		all = map[string]*remoting.SubscriptionGroupConfig{}
	}
	for name, c := range all {
		if c == nil {
			delete(all, name)
			continue
		}
		c.GroupName = name
		if c.Attributes == nil {
			c.Attributes = map[string]string{}
		}
	}
	for _, name := range bornGroups {
		if all[name] == nil {
			c := remoting.NewSubscriptionGroupConfig(name)
			all[name] = &c
		}
	}
	forbidden := m.ForbiddenTable
	if forbidden == nil {
		forbidden = map[string]map[string]int32{}
	}
	g.mu.Lock()
	g.table.replace(all)
	g.forbidden.Store(&forbidden)
	g.version = m.DataVersion
	g.mu.Unlock()
	g.changed()
}
