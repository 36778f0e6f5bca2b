package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"ringmq/store/disk"
)

// graves remembers deleted topics and where the log was when each was deleted: records of the topic before that place
// have no queue any more, and must not get one again when a start reads them another time. A topic of the same name
// created later begins its queues at 0 behind that place.
type graves struct {
	fs  disk.FS
	dir string
	mu  sync.Mutex
	any atomic.Bool
	m   map[string]int64
}

type gravesFile struct {
	FormatVersion int              `json:"formatVersion"`
	Topics        map[string]int64 `json:"topics"`
}

const gravesName = "deleted.json"

func (g *graves) load(f disk.FS, dir string) error {
	g.fs, g.dir, g.m = f, dir, make(map[string]int64)
	b, err := readWhole(f, dir+"/"+gravesName, 64<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read deleted topics: %w", err)
	}
	var file gravesFile
	if json.Unmarshal(b, &file) == nil && file.FormatVersion == 1 && file.Topics != nil {
		g.m = file.Topics
		g.any.Store(len(g.m) > 0)
	}
	return nil
}

// holds says whether a record of topic at a physical offset was deleted with its topic.
func (g *graves) holds(topic []byte, physical int64) bool {
	if !g.any.Load() {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	end, ok := g.m[string(topic)]
	return ok && physical < end
}

// bury makes durable that topic was deleted when the log ended at end. Graves before low, where the log now begins, go.
func (g *graves) bury(topic string, end, low int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.m[topic] = end
	for t, e := range g.m {
		if e <= low {
			delete(g.m, t)
		}
	}
	g.any.Store(len(g.m) > 0)
	b, err := json.Marshal(gravesFile{FormatVersion: 1, Topics: g.m})
	if err != nil {
		panic(err) // texts and numbers only
	}
	if err := replaceWhole(g.fs, g.dir, gravesName, b); err != nil {
		return fmt.Errorf("write deleted topics: %w", err)
	}
	return nil
}
