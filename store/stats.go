package store

import (
	"sync/atomic"
	"time"

	"ringmq/store/commitlog"
	"ringmq/store/disk"
	"ringmq/store/queue"
	"ringmq/store/tally"
)

// putBuckets are the upper bounds of Stats.PutDistribution; what is longer falls into the last one.
var putBuckets = [12]time.Duration{0, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second,
	5 * time.Second, 10 * time.Second}

// putCounters count what was stored since the store was opened; what went into queues is counted there (see counter).
type putCounters struct {
	messages, bytes, failures atomic.Int64
	longest                   atomic.Int64 // ms
	distribution              [13]atomic.Int64
}

// Stats are numbers about a store, for the runtime figures of a broker.
type Stats struct {
	Engine              string // io_uring or pwrite
	EngineReason        string
	EngineOps           disk.RingCounts // of the engine that writes the log
	CommitsRung         int64           // batches of the log by the way they went to the disk; see commitlog.Way
	CommitsWaited       int64
	CommitsHandedOver   int64
	BootTimestamp       int64 // ms
	RecoveredBytes      int64 // log read again by the last start
	RecoveryMs          int64
	CommitLogMin        int64
	CommitLogMax        int64
	Visible             int64
	Dispatched          int64
	DispatchBehindBytes int64
	EarliestMessageTime int64   // ms, -1: none
	CommitLogDiskRatio  float64 // used, 0..1
	ConsumeQueueRatio   float64
	DiskTotalBytes      int64
	DiskFreeBytes       int64
	UnflushedBytes      int64 // reserved but not yet durable
	Segments            int
	UnzeroedRolls       int64 // segments that were needed before they had been zeroed
	Queues              int
	PutMessages         int64
	PutBytes            int64
	PutFailures         int64
	PutEntireTimeMaxMs  int64
	PutDistribution     [13]int64 // put times: <=0 ms, 0-10 ms, 10-50, 50-100, 100-200, 200-500, 500 ms-1 s, 1-2 s, 2-3, 3-4, 4-5, 5-10, over 10 s
	Gaps                int
	HealedGaps          int64 // taken off that list since a copy had what was lost
	HealedRecords       int64 // that were written again so
	IndexBehindBytes    int64
	IndexLastTimestamp  int64
	IndexLastPhysical   int64
	IndexWaits          int64 // times the dispatcher waited for the index's disk
	DeletedSegments     int64
	QueueFlushFailures  int64
	QueueFlushFailing   bool  // the last try failed, the next comes within a second
	QueueStalls         int64 // times the dispatcher had to write queue files itself
	WarmReadBytes       int64 // of the log that event loops took from the page cache
	WorkerReadBytes     int64 // of the log that workers read for pulls
	ColdReadBytes       int64 // of those, what was not in the page cache
	ResidentBytes       int64 // of the log that were in the page cache at the last ScanResident; -1: there was none, or the kernel does not tell
}

// Stats may be called by any goroutine; it may do a little I/O: that of EarliestMessageTime.
func (s *Store) Stats() Stats {
	queued, ways := s.counters.total(), s.log.Ways()
	t := Stats{
		Engine: s.ring.Name(), EngineReason: s.engine, EngineOps: s.ring.Counts(),
		CommitsRung: ways[commitlog.Rung], CommitsWaited: ways[commitlog.Waited], CommitsHandedOver: ways[commitlog.HandedOver],
		BootTimestamp:  s.boot.UnixMilli(),
		RecoveredBytes: s.recovered.bytes, RecoveryMs: s.recovered.took.Milliseconds(),
		CommitLogMin: s.log.Min(), CommitLogMax: s.log.Max(), Visible: s.log.Visible().Load(), Dispatched: s.dispatch.at.Load(),
		DispatchBehindBytes: s.DispatchBehindBytes(), EarliestMessageTime: s.EarliestMessageTime(),
		CommitLogDiskRatio: s.logRatio(), ConsumeQueueRatio: s.queueRatio(),
		DiskTotalBytes: s.space.total.Load(), DiskFreeBytes: s.space.free.Load(),
		UnflushedBytes: max(0, s.log.Max()-s.log.Durable().Load()), Segments: len(s.log.Segments()), UnzeroedRolls: s.log.UnzeroedRolls(),
		PutMessages: s.puts.messages.Load() + queued.messages, PutBytes: s.puts.bytes.Load() + queued.bytes, PutFailures: s.puts.failures.Load(), HealedGaps: s.gaps.healings(), HealedRecords: s.gaps.records.Load(),
		PutEntireTimeMaxMs: s.puts.longest.Load(), Gaps: s.gaps.count(),
		DeletedSegments: s.deletedSegments.Load(), QueueFlushFailures: s.flushFailures.Load(), QueueFlushFailing: s.flushFailing.Load(),
		QueueStalls: s.queues.Stalls() + s.batches.units.Stalls(), WarmReadBytes: s.reads.warm.Load(), WorkerReadBytes: s.reads.workers.Load(), ColdReadBytes: s.reads.cold.Load(),
		ResidentBytes: s.reads.resident.Load() - 1,
	}
	t.PutDistribution = s.PutDistribution()
	s.queues.Each(func(*queue.Queue) { t.Queues++ })
	if s.index != nil {
		t.IndexLastTimestamp, t.IndexLastPhysical = s.index.LastTimestamp(), s.index.LastPhysical()
		t.IndexWaits = s.index.Waits()
		if !s.indexing.live.Load() {
			t.IndexBehindBytes = max(0, t.Dispatched-s.indexing.at.Load())
		}
	}
	return t
}

// Commits are figures of the batches of the log that went to the disk: their bytes, and the microseconds that the disk had them. Any
// goroutine.
func (s *Store) Commits() (bytes, micros tally.Counts) { return s.log.Commits() }

// Committed says when the record that ends at an offset of the log went to the disk and when the disk had it, to about a millisecond;
// false if it has not, or that is seconds ago. Any goroutine.
func (s *Store) Committed(end int64) (began, ended time.Time, ok bool) { return s.log.Committed(end) }

// ScanResident asks the kernel how much of the log is in its page cache, for Stats. About a millisecond a GiB; any goroutine.
func (s *Store) ScanResident() {
	sum := int64(0)
	for _, g := range s.log.Segments() {
		n, known := s.log.Resident(g.Start, int(g.Bytes))
		if !known {
			s.reads.resident.Store(0)
			return
		}
		sum += n
	}
	s.reads.resident.Store(sum + 1)
}

// NotePutTime counts the time between a send's arrival and its answer. Any goroutine, no allocation.
func (s *Store) NotePutTime(d time.Duration) {
	d = d.Truncate(time.Millisecond)
	for {
		old := s.puts.longest.Load()
		if d.Milliseconds() <= old || s.puts.longest.CompareAndSwap(old, d.Milliseconds()) {
			break
		}
	}
	for i, limit := range putBuckets {
		if d <= limit {
			s.puts.distribution[i].Add(1)
			return
		}
	}
	s.puts.distribution[len(putBuckets)].Add(1)
}

// PutDistribution is that of Stats. Any goroutine.
func (s *Store) PutDistribution() (counts [13]int64) {
	for i := range counts {
		counts[i] = s.puts.distribution[i].Load()
	}
	return counts
}

// Queues lists the queues that exist on disk or in memory, in no order.
func (s *Store) Queues() []QueueID {
	var list []QueueID
	s.queues.Each(func(q *queue.Queue) { list = append(list, QueueID{Topic: q.Topic(), QueueID: q.ID()}) })
	_ = s.batches.each(func(q *batchQueue) error {
		list = append(list, QueueID{Topic: q.topic, QueueID: q.id})
		return nil
	})
	return list
}
