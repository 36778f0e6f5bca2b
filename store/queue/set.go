package queue

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// Options of a Set. Zero values mean the defaults.
type Options struct {
	Dir          string // .../consumequeue
	FS           disk.FS
	UnitBytes    int // of an entry, which begins with a record.QueueUnit; 20, and no more than 512
	FileBytes    int // size of a file, rounded up to whole units; 6,000,000
	FileWas      int // FileBytes of the last run, 0 if that is not known
	MaxOpenFiles int // 4096; of more queues entries are written without keeping their files open
	BufferBytes  int // bound for entries in memory, all queues together; 64 MiB
	HotEntries   int // entries of a queue kept in memory after they were written; 2048. More wait there if need be
	// DurableTo is a physical offset: the entries of all records before it are known to be durable. Recover then looks
	// for the end of a queue from there on. math.MaxInt64 after an orderly end, 0 if nothing is known.
	DurableTo int64
	LogEnd    int64 // where the log's last segment ends: no entry found by Recover can point beyond; 0: not known
	MinRecord int32 // least size of a record
	// SyncAllFrom is how many files and folders Sync leaves to the file system as a whole, where that can be relied upon; 256.
	SyncAllFrom int
	// BelongsElsewhere is asked of the first and the last entry of a queue that Recover looks at, on several goroutines: whether the log
	// proves that the message it points at has another place in its queue. nil: nobody can tell.
	BelongsElsewhere func(q *Queue, at int64, u record.QueueUnit) bool
	Logger           *slog.Logger
}

const (
	defaultFileBytes    = 6_000_000
	defaultMaxOpenFiles = 4096
	defaultBufferBytes  = 64 << 20
	defaultHotEntries   = 2048
	defaultSyncAllFrom  = 256
	shardCount          = 64
)

// ErrDeleted is returned by operations on a queue whose topic was deleted.
var ErrDeleted = errors.New("queue: its topic was deleted")

// Set is all consume queues of a store.
type Set struct {
	dir       string
	fs        disk.FS
	unitBytes int64
	pageUnits int64 // entries that one read or write of a file moves at most
	fileBytes int64
	fileWas   int64
	fileUnits int64
	hot       int64 // entries
	durableTo int64

	belongsElsewhere func(q *Queue, at int64, u record.QueueUnit) bool
	logEnd           int64
	minRecord        int32
	damaged          func(q *Queue, at int64) bool // OnDamage
	logger           *slog.Logger
	seed             maphash.Seed
	shards           [shardCount]shard
	cache            cache
	budget           budget

	dirtyMu  sync.Mutex
	dirty    []*Queue             // queues with entries that are not in files
	pressing []*Queue             // those of them that should be written soon
	grown    []*Queue             // queues whose ring may be longer than HotEntries
	unsynced map[fileKey]struct{} // files written since the last Sync
	names    map[string]struct{}  // directories with names not yet durable

	crowded atomic.Bool   // the last Flush had more queues than there may be descriptors: to keep those of files just written is no use
	wake    chan struct{} // one token: WritePressing has something to do
	stalls  atomic.Int64
	puts    atomic.Int64 // entries put
	flushed atomic.Int64 // of which so many surely are in files

	flushMu sync.Mutex // one Flush at a time
	syncMu  sync.Mutex // one Sync at a time
	lost    error      // a sync failed: what it covered may be gone, and no later one can vouch for it
	whole   whole
}

// shard is a part of the table of topics.
type shard struct {
	mu     sync.RWMutex
	topics map[string][]*Queue // by queue id, ascending
	// erasing topics were forgotten while their files are still there; the channel is closed when those are gone.
	erasing map[string]chan struct{}
}

// Open finds the queues under o.Dir. Nothing is read from their files: Recover does, and must come before anything else.
func Open(o Options) (*Set, error) {
	s := &Set{dir: o.Dir, fs: o.FS, logger: o.Logger, seed: maphash.MakeSeed(), durableTo: max(o.DurableTo, 0), logEnd: o.LogEnd, minRecord: o.MinRecord, belongsElsewhere: o.BelongsElsewhere,
		unsynced: map[fileKey]struct{}{}, names: map[string]struct{}{}, wake: make(chan struct{}, 1)}
	size := int64(orDefault(o.FileBytes, defaultFileBytes))
	unit := int64(orDefault(o.UnitBytes, record.QueueUnitBytes))
	s.unitBytes, s.pageUnits = unit, pageBytes/unit
	s.fileUnits = (size + unit - 1) / unit
	s.fileWas = (int64(o.FileWas) + unit - 1) / unit * unit
	s.fileBytes = s.fileUnits * unit
	s.hot = int64(orDefault(o.HotEntries, defaultHotEntries))
	s.budget.limit = int64(orDefault(o.BufferBytes, defaultBufferBytes))
	s.cache.init(s.fs, orDefault(o.MaxOpenFiles, defaultMaxOpenFiles))
	s.whole.from = orDefault(o.SyncAllFrom, defaultSyncAllFrom)
	if s.logEnd <= 0 {
		s.logEnd = math.MaxInt64
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	for i := range s.shards {
		s.shards[i].topics = map[string][]*Queue{}
	}
	topics, err := s.fs.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open consume queues: %w", err)
	}
	if err := s.whole.watch(s); err != nil {
		return nil, err
	}
	for _, t := range topics {
		if !t.IsDir() {
			continue
		}
		if err := s.findQueues(t.Name()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Set) findQueues(topic string) error {
	ids, err := s.fs.ReadDir(s.dir + "/" + topic)
	if err != nil {
		return fmt.Errorf("open consume queues: %w", err)
	}
	for _, e := range ids {
		id, err := strconv.ParseInt(e.Name(), 10, 32)
		if err != nil || !e.IsDir() {
			s.logger.Warn("not a consume queue", "dir", s.dir+"/"+topic+"/"+e.Name())
			continue
		}
		s.Queue(topic, int32(id))
	}
	return nil
}

func orDefault(n, d int) int {
	if n <= 0 {
		return d
	}
	return n
}

// Lookup returns a queue, nil if there is none. It does not allocate.
func (s *Set) Lookup(topic []byte, id int32) *Queue {
	sh := &s.shards[maphash.Bytes(s.seed, topic)%shardCount]
	sh.mu.RLock()
	list := sh.topics[string(topic)]
	sh.mu.RUnlock()
	return find(list, id)
}

// find looks in a list that is never changed once it was published.
func find(list []*Queue, id int32) *Queue {
	low, high := 0, len(list)
	for low < high {
		mid := (low + high) / 2
		if list[mid].id < id {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(list) && list[low].id == id {
		return list[low]
	}
	return nil
}

// Queue returns a queue and makes it if there is none: in memory, its files come with its first entries.
func (s *Set) Queue(topic string, id int32) *Queue {
	sh := s.shardOf(topic)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	list := sh.topics[topic]
	if q := find(list, id); q != nil {
		return q
	}
	q := &Queue{set: s, topic: topic, id: id, noFiles: true, suspect: -1, ring: ring{unit: int(s.unitBytes)}, erased: sh.erasing[topic]}
	if len(list) > 0 {
		q.topic = list[0].topic // one copy of the name
	}
	at := sort.Search(len(list), func(i int) bool { return list[i].id > id })
	grown := make([]*Queue, 0, len(list)+1)
	grown = append(append(append(grown, list[:at]...), q), list[at:]...)
	sh.topics[q.topic] = grown
	return q
}

// Topic returns the queues of a topic by ascending id; the slice is the caller's to read, not to change.
func (s *Set) Topic(topic string) []*Queue {
	sh := s.shardOf(topic)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.topics[topic]
}

// Topics lists the topics that have queues, in no order.
func (s *Set) Topics() []string {
	var all []string
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		all = slices.AppendSeq(all, maps.Keys(sh.topics))
		sh.mu.RUnlock()
	}
	return all
}

// Each calls fn for every queue there is at the beginning, in no order. fn may use the Set.
func (s *Set) Each(fn func(*Queue)) {
	for _, q := range s.all() {
		fn(q)
	}
}

func (s *Set) all() []*Queue {
	var all []*Queue
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		for _, list := range sh.topics {
			all = append(all, list...)
		}
		sh.mu.RUnlock()
	}
	return all
}

func (s *Set) shardOf(topic string) *shard {
	return &s.shards[maphash.String(s.seed, topic)%shardCount]
}

// Close closes the descriptors. It writes nothing: Flush and Sync come before it.
func (s *Set) Close() error { return errors.Join(s.whole.close(), s.cache.close()) }

// dirOf is where a queue's files are.
func (q *Queue) dirOf() string {
	return q.set.dir + "/" + q.topic + "/" + strconv.Itoa(int(q.id))
}
