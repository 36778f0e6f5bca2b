package meta

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll/remoting"
)

// Offsets is the progress of consumer groups, consumerOffset.json on disk: per topic and group, the next queue offset of each
// queue. Groups are spread over parts with a lock each; committing to a known queue allocates nothing.
type Offsets struct {
	parts   [tableParts]offsetPart
	commits atomic.Int64
	resets  atomic.Int64 // that wait to be told, over all groups
	clock   func() time.Time
	buried  burials
	run     string       // names this process among those that have the table
	loaded  int64        // the version's counter when it began
	bytes   atomic.Int64 // of the document, about: as the last snapshot found it, and what came since
	dirty   atomic.Bool  // something was committed since the version was raised
	slave   bool         // the table is a master's: see Mirror

	mu      sync.Mutex // of the version; taken last
	version remoting.DataVersion
	master  string // on a slave: run of the master whose table it took last; "": it was a stock master's
}

type offsetPart struct {
	mu     sync.RWMutex
	groups map[string]map[string]*progress // group -> topic
}

// progress is one group's in one topic.
type progress struct {
	committed map[int32]int64
	pulled    map[int32]Pull  // the newest pull; not kept on disk
	pending   map[int32]int64 // resets that the next pull of the queue is told
	resets    map[int32]int64 // counter of the version in which progress was set on purpose last
	local     map[int32]int64 // on a slave: committed here, what the master had before, -1 for nothing
}

func (q *progress) has(queue int32) bool {
	_, ok := q.committed[queue]
	return ok
}

// commitsPerVersion is how many commits raise the table's version by one.
const commitsPerVersion = 500

// NewOffsets reads the document (nil: none yet).
func NewOffsets(doc []byte, clock func() time.Time) (*Offsets, error) {
	o := &Offsets{clock: clock, run: strconv.FormatUint(rand.Uint64(), 36)}
	for i := range o.parts {
		o.parts[i].groups = map[string]map[string]*progress{}
	}
	o.version.Timestamp = clock().UnixMilli()
	if len(doc) == 0 {
		return o, nil
	}
	t, err := ParseOffsets(doc)
	if err != nil {
		return nil, err
	}
	o.version, o.loaded = t.DataVersion, t.DataVersion.Counter
	ours := t.ours()
	for key, queues := range t.OffsetTable {
		topic, group, ok := cutKey(key)
		if !ok {
			continue
		}
		q := o.part(group).make([]byte(group), []byte(topic))
		maps.Copy(q.committed, queues)
		q.resets, q.local = maps.Clone(ours.Resets[key]), maps.Clone(ours.Local[key])
	}
	o.master = ours.Run
	o.buried.set(ours.Deleted)
	return o, nil
}

func (o *Offsets) part(group string) *offsetPart { return &o.parts[partOf(group)] }

// find returns the progress of a group in a topic, nil if none. Under the part's lock.
func (p *offsetPart) find(group, topic []byte) *progress {
	return p.groups[string(group)][string(topic)]
}

// make is find that makes it. Under the part's lock for writing.
func (p *offsetPart) make(group, topic []byte) *progress {
	topics := p.groups[string(group)]
	if topics == nil {
		topics = map[string]*progress{}
		p.groups[string(group)] = topics
	}
	q := topics[string(topic)]
	if q == nil {
		q = &progress{committed: map[int32]int64{}, pulled: map[int32]Pull{}}
		topics[string(topic)] = q
	}
	return q
}

// Commit stores progress, even backwards. It is refused while a reset of the queue waits to be told, and in a queue that the group has
// none in when the table is full.
func (o *Offsets) Commit(group, topic []byte, queue int32, offset int64) bool {
	p := &o.parts[partOf(group)]
	p.mu.Lock()
	if q := p.find(group, topic); q == nil || !q.has(queue) {
		if o.IsFull() {
			p.mu.Unlock()
			return false
		}
		if o.bytes.Add(queueProgressBytes); q == nil {
			o.bytes.Add(progressBytes(group, topic))
		}
	}
	q := p.make(group, topic)
	if _, reset := q.pending[queue]; reset {
		p.mu.Unlock()
		return false
	}
	if o.slave {
		q.keepLocal(queue, offset)
	}
	q.committed[queue] = offset
	p.mu.Unlock()
	if !o.dirty.Load() {
		o.dirty.Store(true)
	}
	if o.commits.Add(1)%commitsPerVersion == 0 {
		o.bump()
	}
	return true
}

// bump makes the next version and returns its counter. A slave's table has its master's.
func (o *Offsets) bump() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.slave {
		o.version.Counter++
		o.version.Timestamp = o.clock().UnixMilli()
	}
	return o.version.Counter
}

// Version returns the table's version.
func (o *Offsets) Version() remoting.DataVersion {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.version
}

// Query returns progress, or a reset that waits to be told; ok is false when the group has none in the queue.
func (o *Offsets) Query(group, topic []byte, queue int32) (offset int64, ok bool) {
	p := &o.parts[partOf(group)]
	p.mu.RLock()
	defer p.mu.RUnlock()
	q := p.find(group, topic)
	if q == nil {
		return 0, false
	}
	if offset, ok = q.pending[queue]; ok {
		return offset, true
	}
	offset, ok = q.committed[queue]
	return offset, ok
}

// Queues is a copy of a group's progress in a topic by queue; nil when it has none.
func (o *Offsets) Queues(group, topic string) map[int32]int64 {
	p := o.part(group)
	p.mu.RLock()
	defer p.mu.RUnlock()
	if q := p.find([]byte(group), []byte(topic)); q != nil {
		return maps.Clone(q.committed)
	}
	return nil
}

// Pull is a group's newest pull of a queue.
type Pull struct {
	Offset int64         // where it ended: what it was told to go on with
	Conn   uint64        // number of the connection that asked
	At     time.Duration // when it was answered, by the broker's uptime
}

// Pulled notes a group's newest pull of a queue that it has progress in. What a group may have of the latter is bounded. No allocation.
func (o *Offsets) Pulled(group, topic []byte, queue int32, pull Pull) {
	p := &o.parts[partOf(group)]
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.find(group, topic); q != nil && q.has(queue) {
		q.pulled[queue] = pull
	}
}

// LastPull returns what Pulled noted.
func (o *Offsets) LastPull(group, topic []byte, queue int32) (pull Pull, ok bool) {
	p := &o.parts[partOf(group)]
	p.mu.RLock()
	defer p.mu.RUnlock()
	if q := p.find(group, topic); q != nil {
		pull, ok = q.pulled[queue]
	}
	return pull, ok
}

// PullOffset returns where the newest pull ended.
func (o *Offsets) PullOffset(group, topic []byte, queue int32) (offset int64, ok bool) {
	pull, ok := o.LastPull(group, topic, queue)
	return pull.Offset, ok
}

// Reset sets progress and has the next pull of the queue told of it. What of the table has a higher version than the reset holds it.
func (o *Offsets) Reset(group, topic []byte, queue int32, offset int64) {
	at := o.bump()
	p := &o.parts[partOf(group)]
	p.mu.Lock()
	q := p.make(group, topic)
	if q.pending == nil {
		q.pending = map[int32]int64{}
	}
	if _, waits := q.pending[queue]; !waits {
		o.resets.Add(1)
	}
	if q.resets == nil {
		q.resets = map[int32]int64{}
	}
	q.pending[queue], q.committed[queue], q.resets[queue] = offset, offset, at
	p.mu.Unlock()
	o.bump()
}

// TakeReset returns a waiting reset, once. No allocation, and next to nothing while there is none.
func (o *Offsets) TakeReset(group, topic []byte, queue int32) (offset int64, ok bool) {
	if o.resets.Load() == 0 {
		return 0, false
	}
	p := &o.parts[partOf(group)]
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.find(group, topic)
	if q == nil {
		return 0, false
	}
	if offset, ok = q.pending[queue]; ok {
		delete(q.pending, queue)
		o.resets.Add(-1)
	}
	return offset, ok
}

// TopicsOf lists the topics a group has progress in.
func (o *Offsets) TopicsOf(group string) []string {
	p := o.part(group)
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Sorted(maps.Keys(p.groups[group]))
}

// GroupsOf lists the groups that have progress in a topic.
func (o *Offsets) GroupsOf(topic string) []string {
	var names []string
	o.each(func(group, t string, _ *progress) {
		if t == topic && !strings.Contains(group, "@") {
			names = append(names, group)
		}
	})
	slices.Sort(names)
	return names
}

// each calls fn with everything, part by part under its lock.
func (o *Offsets) each(fn func(group, topic string, q *progress)) {
	for i := range o.parts {
		p := &o.parts[i]
		p.mu.RLock()
		for group, topics := range p.groups {
			for topic, q := range topics {
				fn(group, topic, q)
			}
		}
		p.mu.RUnlock()
	}
}

// DeleteTopic forgets a topic's progress in all groups.
func (o *Offsets) DeleteTopic(topic string) {
	o.bury(topic, "")
	for i := range o.parts {
		p := &o.parts[i]
		p.mu.Lock()
		for group, topics := range p.groups {
			o.drop(topics, topic)
			if len(topics) == 0 {
				delete(p.groups, group)
			}
		}
		p.mu.Unlock()
	}
	o.bump()
}

// DeleteGroup forgets a group's progress.
func (o *Offsets) DeleteGroup(group string) {
	o.bury("", group)
	p := o.part(group)
	p.mu.Lock()
	for topic := range p.groups[group] {
		o.drop(p.groups[group], topic)
	}
	delete(p.groups, group)
	p.mu.Unlock()
	o.bump()
}

func (o *Offsets) drop(topics map[string]*progress, topic string) {
	if q := topics[topic]; q != nil {
		o.resets.Add(-int64(len(q.pending)))
		delete(topics, topic)
	}
}
