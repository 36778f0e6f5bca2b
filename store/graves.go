package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
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
	mu  sync.Mutex                       // one burial at a time; holds does not take it
	m   atomic.Pointer[map[string]int64] // never changed, replaced; nil while there are none

	run     uint64        // of this process
	edition atomic.Uint64 // raised with each change, after it
}

// gravesFile has its topics where version 1 had them, without a checksum: what knows no other refuses it rather than finding none.
type gravesFile struct {
	FormatVersion int             `json:"formatVersion"`
	Checksum      uint32          `json:"crc32c"` // of the version and of the bytes of Topics as they are in the file
	Topics        json.RawMessage `json:"topics"`
}

const (
	gravesName    = "deleted.json"
	gravesVersion = 2
)

var errGravesDamaged = errors.New(gravesName + " is damaged")

func gravesSum(topics []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte{gravesVersion}, castagnoli), castagnoli, topics)
}

// ParseGraves reads the file of deleted topics: where the log was when each was deleted.
func ParseGraves(b []byte) (topics map[string]int64, err error) {
	var file gravesFile
	if json.Unmarshal(b, &file) != nil {
		return nil, errGravesDamaged
	}
	whole := file.Checksum == gravesSum(file.Topics)
	switch v := file.FormatVersion; {
	case !whole && v > gravesVersion:
		return nil, fmt.Errorf("%s has format version %d, of another release: start that one, or a later one; without what it says messages of deleted topics would come back", gravesName, v)
	case !whole && v != 1, json.Unmarshal(file.Topics, &topics) != nil, topics == nil:
		return nil, errGravesDamaged
	}
	return topics, nil
}

// load reads what was deleted. One flipped bit must not move a grave over records of a topic that was made again: a file that is not whole is
// kept under another name and not believed, and what was deleted may then come back.
func (g *graves) load(f disk.FS, dir string, logger *slog.Logger) error {
	g.fs, g.dir, g.run = f, dir, rand.Uint64()
	name := dir + "/" + gravesName
	b, err := readWhole(f, name, maxDocumentBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var topics map[string]int64
	if err == nil {
		topics, err = ParseGraves(b)
	}
	if errors.Is(err, errGravesDamaged) || errors.Is(err, errTooLong) {
		logger.Error("which topics were deleted cannot be read: their messages may come back; the file is kept as .unreadable", "file", name, "error", err)
		return f.Rename(name, name+".unreadable")
	}
	if err != nil {
		return fmt.Errorf("read deleted topics: %w", err)
	}
	if !bytes.Contains(b, []byte(`"crc32c"`)) { // of version 1
		return g.replace(topics)
	}
	g.publish(topics)
	return nil
}

// publish shows a map that nobody changes any more.
func (g *graves) publish(m map[string]int64) {
	defer g.edition.Add(1)
	if len(m) == 0 {
		g.m.Store(nil)
		return
	}
	g.m.Store(&m)
}

// holds says whether a record of topic at a physical offset was deleted with its topic. It never waits.
func (g *graves) holds(topic []byte, physical int64) bool {
	m := g.m.Load()
	if m == nil {
		return false
	}
	end, ok := (*m)[string(topic)]
	return ok && physical < end
}

// topics lists what was deleted.
func (g *graves) topics() []string {
	m := g.m.Load()
	if m == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(*m))
}

// behind is where the records of a topic begin that count, in a log that begins at low.
func (g *graves) behind(topic string, low int64) int64 {
	if m := g.m.Load(); m != nil {
		return max(low, (*m)[topic])
	}
	return low
}

// bury makes durable that topic was deleted when the log ended at end. Graves before low, where the log now begins, go.
// After an error nothing has changed, but that the file may say so already.
func (g *graves) bury(topic string, end, low int64) error {
	return g.buryAll(map[string]int64{topic: end}, low)
}

// buryAll is bury for several topics, each with its end. Graves become no smaller.
func (g *graves) buryAll(ends map[string]int64, low int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := maps.Clone(ends)
	if m := g.m.Load(); m != nil {
		for t, e := range *m {
			next[t] = max(next[t], e)
		}
	}
	maps.DeleteFunc(next, func(_ string, e int64) bool { return e <= low })
	return g.replace(next)
}

// clamp makes durable that no grave reaches behind end, where the log was cut: what comes there belongs to topics created
// later. Before the log takes records.
func (g *graves) clamp(end int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.m.Load()
	if m == nil {
		return nil
	}
	next, cut := make(map[string]int64, len(*m)), false
	for t, e := range *m {
		cut = cut || e > end
		next[t] = min(e, end)
	}
	if !cut {
		return nil
	}
	return g.replace(next)
}

// replace makes next durable and shows it. mu is held.
func (g *graves) replace(next map[string]int64) error {
	topics, err := json.Marshal(next)
	if err != nil {
		panic(err) // texts and numbers only
	}
	b, err := json.Marshal(gravesFile{FormatVersion: gravesVersion, Checksum: gravesSum(topics), Topics: topics})
	if err != nil {
		panic(err)
	}
	if err := replaceWhole(g.fs, g.dir, gravesName, b); err != nil {
		return fmt.Errorf("write deleted topics: %w", err)
	}
	g.publish(next)
	return nil
}
