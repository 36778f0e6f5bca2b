package store

import (
	"context"
	"time"

	"ringmq/store/commitlog"
	"ringmq/store/record"
)

// Watermark is a number that only grows and the parties waiting for it.
type Watermark = commitlog.Watermark

// Store is an open store directory.
type Store struct{}

// Open opens the store in o.Root, which is created if it is not there: it takes the lock (ErrLocked), looks at what the
// last run left, repairs what has to be repaired, and returns when every queue agrees with the log. The key index may
// still be catching up behind it.
func Open(o Options) (*Store, error) { panic("not built") }

// Append stores one message. Any goroutine; no I/O, no allocation; m is borrowed until Append returns. The message is
// safe once Visible reaches Placed.End. Errors: ErrFull, ErrNotWritable, ErrTooLarge, ErrMalformed.
func (s *Store) Append(m *Message) (Placed, error) { panic("not built") }

// AppendBatch stores the items of a batch (the body of SEND_BATCH_MESSAGE) as messages of their own with consecutive
// queue offsets; envelope gives what they share. The places are appended to dst. All or none is stored.
// Errors as Append; ErrMalformed when the items do not add up.
func (s *Store) AppendBatch(envelope *Message, items []byte, dst []Placed) ([]Placed, error) {
	panic("not built")
}

// AppendInner stores the items of a batch as one record of a BatchCQ topic; it takes as many queue offsets as there are
// items. Placed.QueueOffset is the first.
func (s *Store) AppendInner(envelope *Message, items []byte) (p Placed, count int32, err error) {
	panic("not built")
}

// Room calls fn once, on any goroutine, when there is room again after ErrFull.
func (s *Store) Room(fn func()) { panic("not built") }

// Visible is the offset up to which records may be acknowledged and read: Durable under SyncFlush, Written otherwise.
func (s *Store) Visible() *Watermark { panic("not built") }

// Written is the offset up to which the log is in the file; Durable up to which it is synced.
func (s *Store) Written() *Watermark { panic("not built") }
func (s *Store) Durable() *Watermark { panic("not built") }

// LogMin and LogMax are the offsets of the first byte of the log and behind its last reserved one.
func (s *Store) LogMin() int64 { panic("not built") }
func (s *Store) LogMax() int64 { panic("not built") }

// Writable is nil when the store takes messages; otherwise ErrNotWritable with the reason.
func (s *Store) Writable() error { panic("not built") }

// ReadHot reads without touching the disk and without allocating, for event loops. Records are appended to dst.
// False says that the disk would be needed: dst and Found are as they were, call Read on a worker.
func (s *Store) ReadHot(w *Want, dst []byte) ([]byte, Found, bool) { panic("not built") }

// Read reads and may block on the disk. Records are appended to dst, whole and checked; entries whose record is lost are
// stepped over.
func (s *Store) Read(w *Want, dst []byte) ([]byte, Found, error) { panic("not built") }

// OnArrive adds a listener for visible queue entries. It is called by the dispatcher, in order, one entry at a time, and
// must be short. Add listeners before the first Append.
func (s *Store) OnArrive(fn func(a *Arrival)) { panic("not built") }

// HasQueue says whether a queue has ever had an entry on this store.
func (s *Store) HasQueue(topic []byte, queueID int32) bool { panic("not built") }

// MinOffset and MaxOffset are the first offset of a queue that can be read and the one behind the last visible entry; 0
// for a queue that is not there (-1 as MinOffset of an empty BatchCQ queue). Any goroutine, no I/O.
func (s *Store) MinOffset(topic []byte, queueID int32) int64 { panic("not built") }
func (s *Store) MaxOffset(topic []byte, queueID int32) int64 { panic("not built") }

// OffsetByTime finds an offset by store time (ms). Lower boundary: the first entry stored at or after ts, the maximum
// when there is none. Upper: the last entry stored at or before ts, 0 when there is none. May do I/O.
func (s *Store) OffsetByTime(topic []byte, queueID int32, ts int64, upper bool) (int64, error) {
	panic("not built")
}

// StoreTimeAt is the store time (ms) of the entry at a queue offset, -1 when there is none or its record is lost.
func (s *Store) StoreTimeAt(topic []byte, queueID int32, queueOffset int64) int64 { panic("not built") }

// EarliestTime is the store time (ms) of the first message of a queue, -1 when there is none.
func (s *Store) EarliestTime(topic []byte, queueID int32) int64 { panic("not built") }

// EarliestMessageTime is the store time (ms) of the first message of the log, -1 when there is none.
func (s *Store) EarliestMessageTime() int64 { panic("not built") }

// MessageByOffset appends the record that begins at a commit log offset. ErrNotFound when none begins there or it is not
// visible, ErrCorrupt when it is damaged. May do I/O.
func (s *Store) MessageByOffset(physicalOffset int64, dst []byte) ([]byte, error) { panic("not built") }

// Keyed is the outcome of QueryKey.
type Keyed struct {
	Records       [][]byte // newest first
	LastTimestamp int64    // ms; how far the index has come
	LastPhysical  int64
}

// QueryKey finds up to max records by topic and key (hash equality, as the index has it), stored between begin and end
// (ms). May do I/O.
func (s *Store) QueryKey(topic, key []byte, max int, begin, end int64) (Keyed, error) {
	panic("not built")
}

// QueueUnits reads up to count queue entries from a queue offset on. May do I/O.
func (s *Store) QueueUnits(topic []byte, queueID int32, from int64, count int) ([]record.QueueUnit, error) {
	panic("not built")
}

// FirstInMemory says whether a queue's first message counts as still in memory: not further behind the end of the log
// than Limits.MemoryRatio percent of physical memory. True for a queue without messages.
func (s *Store) FirstInMemory(topic []byte, queueID int32) bool { panic("not built") }

// InMemory says the same of a queue offset; false when it is not there.
func (s *Store) InMemory(topic []byte, queueID int32, queueOffset int64) bool { panic("not built") }

// QueueID names one queue of the store.
type QueueID struct {
	Topic   string
	QueueID int32
}

// Queues lists the queues that exist on disk or in memory, in no order.
func (s *Store) Queues() []QueueID { panic("not built") }

// DeleteTopic deletes the queues of a topic; its messages stay in the log until their segment goes. May do I/O.
func (s *Store) DeleteTopic(topic string) error { panic("not built") }

// SetLimits and SetRetention change what may be changed while the store runs.
func (s *Store) SetLimits(l Limits)       { panic("not built") }
func (s *Store) SetRetention(r Retention) { panic("not built") }

// CleanNow deletes what retention may delete, whatever the hour, and returns how many bytes of log went. May take long.
func (s *Store) CleanNow(ctx context.Context) (int64, error) { panic("not built") }

// Gap is a part of the log whose record is lost.
type Gap struct {
	From, To int64  // commit log offsets; To 0: one record of unknown size
	Kind     string // "rot" below what was known to be synced, "torn" above it
	Found    time.Time
}

// Gaps lists what was found lost since the store was opened, oldest first; at most 1,000 are kept.
func (s *Store) Gaps() []Gap { panic("not built") }

// DispatchBehindBytes is how much of the visible log the queues do not know yet.
func (s *Store) DispatchBehindBytes() int64 { panic("not built") }

// Stats are numbers about a store, for the runtime figures of a broker.
type Stats struct {
	Engine              string // io_uring or pwrite
	EngineReason        string
	BootTimestamp       int64 // ms
	RecoveredBytes      int64 // log read again by the last start
	RecoveryMs          int64
	CommitLogMin        int64
	CommitLogMax        int64
	Visible             int64
	Dispatched          int64
	DispatchBehindBytes int64
	EarliestMessageTime int64 // ms, -1: none
	CommitLogDiskRatio  float64
	ConsumeQueueRatio   float64
	DiskTotalBytes      int64
	DiskFreeBytes       int64
	UnflushedBytes      int64 // reserved but not yet visible
	Segments            int
	Queues              int
	PutMessages         int64
	PutBytes            int64
	PutFailures         int64
	PutEntireTimeMaxMs  int64
	PutDistribution     [13]int64 // put times: <=0 ms, 0-10, 10-50, 50-100, 100-200, 200-500, 500 ms-1 s, 1-2 s, 2-3, 3-4, 4-5, 5-10, >10 s
	Gaps                int
	IndexBehindBytes    int64
	IndexLastTimestamp  int64
	IndexLastPhysical   int64
	DeletedSegments     int64
	QueueFlushFailures  int64
}

// Stats may be called by any goroutine; it may do a little I/O.
func (s *Store) Stats() Stats { panic("not built") }

// NotePutTime counts the time between a send's arrival and its answer.
func (s *Store) NotePutTime(d time.Duration) { panic("not built") }

// Doc names one of the JSON documents under config/.
type Doc int

const (
	DocTopics          Doc = iota // topics.json
	DocGroups                     // subscriptionGroup.json
	DocConsumerOffsets            // consumerOffset.json
	DocDelayOffsets               // delayOffset.json
	DocConsumerFilter             // consumerFilter.json
	DocConsumerOrder              // consumerOrderInfo.json
	DocQueueMapping               // topicQueueMapping.json
	DocRequestMode                // messageRequestMode.json
	docCount
)

// LoadDoc returns a document: the file, or its .bak when the file is absent, empty or not JSON (bare numeric keys are
// allowed). nil, nil when there is neither. May do I/O.
func (s *Store) LoadDoc(d Doc) ([]byte, error) { panic("not built") }

// SaveDoc replaces a document and returns when the new one is durable. At every moment a crash leaves a readable old or
// new document. Blocking; any goroutine; calls for one document are made one after the other.
func (s *Store) SaveDoc(d Doc, b []byte) error { panic("not built") }

// Close refuses new messages, makes everything stored durable, lets the dispatcher come to its end, writes queues, index
// and checkpoint, removes the abort file and releases the lock. When ctx ends first, or anything fails, the abort file
// stays and the next start looks at the log again.
func (s *Store) Close(ctx context.Context) error { panic("not built") }
