package meta

import (
	"maps"
	"sync"
)

// burials remembers which topics and groups were deleted, and by the table's version when: a slave that has not looked since still has
// their progress, and it must not come back for others of the same name.
type burials struct {
	mu sync.Mutex
	at map[string]int64 // by "topic@" or "@group"
}

// maxBurials bounds them. The oldest goes first: slaves look every few seconds.
const maxBurials = 4096

// bury notes that a topic or a group ("" for the other) is gone. What has a version from here on knows it.
func (o *Offsets) bury(topic, group string) {
	at := o.bump()
	b := &o.buried
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at == nil {
		b.at = map[string]int64{}
	}
	b.at[topic+"@"+group] = at
	if len(b.at) <= maxBurials {
		return
	}
	oldest := ""
	for key, n := range b.at {
		if oldest == "" || n < b.at[oldest] {
			oldest = key
		}
	}
	delete(b.at, oldest)
}

// since says that the topic or the group was deleted in a version that a table of this one does not have.
func (b *burials) since(topic, group string, counter int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return covers(b.at, topic+"@", counter) || covers(b.at, "@"+group, counter)
}

// covers: a table that was read while the deletion was under way may have its version, and the progress too.
func covers(at map[string]int64, key string, counter int64) bool {
	n, ok := at[key]
	return ok && n >= counter
}

func (b *burials) all() map[string]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.at) == 0 {
		return nil
	}
	return maps.Clone(b.at)
}

func (b *burials) set(all map[string]int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = maps.Clone(all)
}
