package meta

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ringmq/netpoll/remoting"
)

// OffsetsDoc is a table of progress as it lies on disk and as brokers tell it each other (43).
type OffsetsDoc struct {
	DataVersion   remoting.DataVersion       `json:"dataVersion"`
	GroupTopicMap map[string][]string        `json:"groupTopicMap"`
	OffsetTable   map[string]map[int32]int64 `json:"offsetTable"`
	Ours          *OffsetsMore               `json:"ringmq,omitempty"` // nil: a stock broker's, or there is nothing to say
}

// OffsetsMore is what brokers of this kind add, and stock brokers pass over.
type OffsetsMore struct {
	Run    string                     `json:"run,omitempty"`    // process of the master that made the version
	Loaded int64                      `json:"loaded,omitempty"` // counter of the version that this process began with
	Resets map[string]map[int32]int64 `json:"resets,omitempty"` // counter of the version in which progress was set on purpose last
	Local  map[string]map[int32]int64 `json:"local,omitempty"`  // on a slave: what was committed there, with what the master had before, -1 for nothing
	// Deleted: counter of the version in which all progress in a topic ("topic@") or of a group ("@group") went with it.
	Deleted map[string]int64 `json:"deleted,omitempty"`
}

// ParseOffsets reads a table in either dialect of JSON.
func ParseOffsets(doc []byte) (*OffsetsDoc, error) {
	t := new(OffsetsDoc)
	if err := remoting.Unmarshal(doc, t); err != nil {
		return nil, fmt.Errorf("consumerOffset.json: %w", err)
	}
	return t, nil
}

func (t *OffsetsDoc) ours() OffsetsMore {
	if t.Ours == nil {
		return OffsetsMore{}
	}
	return *t.Ours
}

// cutKey parts the key of a table. A broadcast consumer's key has a third part, which stays with the group.
func cutKey(key string) (topic, group string, ok bool) { return strings.Cut(key, "@") }

// Document is the content of consumerOffset.json. Progress is read part by part: a commit that comes in between is in this document or in
// the next one.
func (o *Offsets) Document() ([]byte, error) {
	t := o.snapshot()
	if !o.slave && t.Ours.Resets == nil && t.Ours.Deleted == nil {
		t.Ours = nil
	} else if !o.slave {
		t.Ours.Run, t.Ours.Loaded = "", 0 // the next process says which it is
	}
	return encode(t)
}

// Answer is the answer to 43: as stock gives it or, to a broker of this kind, with what such brokers add.
func (o *Offsets) Answer(toOurs bool) ([]byte, error) {
	t := o.snapshot()
	if !toOurs {
		t.Ours = nil
	}
	return encode(t)
}

// Unchanged says that nothing was committed since the table had a version. False is no proof of the contrary.
func (o *Offsets) Unchanged(since remoting.DataVersion) bool {
	return !o.dirty.Load() && o.Version() == since
}

// snapshot is the table with a version that is higher than that of every snapshot with less in it.
func (o *Offsets) snapshot() *OffsetsDoc {
	if o.dirty.Swap(false) {
		o.bump()
	}
	t := &OffsetsDoc{GroupTopicMap: map[string][]string{}, OffsetTable: map[string]map[int32]int64{}, Ours: &OffsetsMore{Run: o.run, Loaded: o.loaded}}
	o.mu.Lock()
	t.DataVersion = o.version
	if o.slave {
		t.Ours.Run, t.Ours.Loaded = o.master, 0
	}
	o.mu.Unlock()
	t.Ours.Deleted = o.buried.all()
	var bytes int64
	defer func() { o.bytes.Store(bytes) }()
	o.each(func(group, topic string, q *progress) {
		key := topic + "@" + group
		bytes += progressBytes(group, topic) + int64(len(q.committed)+len(q.resets)+len(q.local))*queueProgressBytes
		t.OffsetTable[key] = maps.Clone(q.committed)
		t.GroupTopicMap[group] = append(t.GroupTopicMap[group], topic)
		t.Ours.Resets = withQueues(t.Ours.Resets, key, q.resets)
		t.Ours.Local = withQueues(t.Ours.Local, key, q.local)
	})
	for _, topics := range t.GroupTopicMap {
		slices.Sort(topics)
	}
	return t
}

func withQueues(all map[string]map[int32]int64, key string, queues map[int32]int64) map[string]map[int32]int64 {
	if len(queues) == 0 {
		return all
	}
	if all == nil {
		all = map[string]map[int32]int64{}
	}
	all[key] = maps.Clone(queues)
	return all
}
