package store

import (
	"log/slog"
	"net/netip"
	"time"

	"ringmq/store/commitlog"
	"ringmq/store/disk"
	"ringmq/store/index"
	"ringmq/store/record"
)

// Options say where a store lives and how it behaves. Begin with DefaultOptions: booleans are taken as they are;
// numbers, texts and interfaces left at their zero value get the default. The key of broker.conf is named beside each.
type Options struct {
	Root         string // storePathRootDir; must be set
	CommitLogDir string // storePathCommitLog; "" is Root/commitlog
	FS           disk.FS
	Engine       string // auto, io_uring or pwrite

	SegmentBytes     int64                   // mappedFileSizeCommitLog, 1 GiB
	QueueFileBytes   int                     // mappedFileSizeConsumeQueue, 6,000,000; rounded up to a multiple of 20
	BatchQueueBytes  int                     // mapperFileSizeBatchConsumeQueue, 13,800,000; a multiple of 46
	IndexEnabled     bool                    // messageIndexEnable, true
	IndexSlots       int                     // maxHashSlotNum, 5,000,000
	IndexEntries     int                     // maxIndexNum, 20,000,000
	BatchTopic       func(topic []byte) bool // topics with attribute queue.type=BatchCQ; asked of topics.json while the store is opened, or where it is nil
	SyncFlush        bool                    // flushDiskType = SYNC_FLUSH; true here
	AppendPropCRC    bool                    // enabledAppendPropCRC; true here
	MaxMessageBytes  int                     // maxMessageSize, 4 MiB: limit of a body
	TailBytes        int                     // append buffer and tail cache, 32 MiB
	QueueBufferBytes int                     // queue entries waiting to be written, 64 MiB
	MaxOpenFiles     int                     // descriptors for queue files, 4,096 and never more than a quarter of what the process may have open
	HotEntries       int                     // newest entries of a queue kept in memory, 2,048; those that wait to be written come on top
	Spares           int                     // segments prepared ahead, 1
	ColdReadMinBytes int64                   // coldReadMinBytesPerSecond, 16 MiB: what readers get from the disk however long commits take beside that

	StoreHost   netip.AddrPort  // used for messages that name none
	DelayLevels []time.Duration // messageDelayLevel; level n is element n-1
	Limits      Limits
	Retention   Retention

	FlushIntervalMs  int64 // flushIntervalConsumeQueue, 1,000: dirty queues are written this often, unless there are more than MaxOpenFiles
	SyncIntervalMs   int64 // queues and checkpoint become durable at least this often while there is traffic, 10,000
	SyncBytes        int64 // and at the latest after this much log, 256 MiB; of very many queues after 2 GiB. Bounds what a start after a crash reads again
	MemoryBytes      int64 // physical memory, for what counts as in memory; 0: asked of the host
	DisableRetention bool  // nothing is ever deleted by itself

	cut         *tailCut // CutTail
	syncAllFrom int      // queue.Options.SyncAllFrom

	Clock    func() time.Time // time.Now
	Location *time.Location   // of deleteWhen and of index file names; time.Local
	Logger   *slog.Logger     // slog.Default
}

// Limits bound one answer to a pull. They may be changed while the store runs.
type Limits struct {
	BytesInMemory int // maxTransferBytesOnMessageInMemory, 262,144
	CountInMemory int // maxTransferCountOnMessageInMemory, 32
	BytesOnDisk   int // maxTransferBytesOnMessageInDisk, 65,536
	CountOnDisk   int // maxTransferCountOnMessageInDisk, 8
	MemoryRatio   int // accessMessageInMemoryMaxRatio, 40: percent of physical memory counted as in memory
}

// Retention says when old segments are deleted. It may be changed while the store runs.
type Retention struct {
	ReservedHours       int    // fileReservedTime, 72
	DeleteWhen          string // deleteWhen, "04": hours of the day, separated by semicolons
	MaxUsedRatio        int    // diskMaxUsedSpaceRatio, 75: from here on expired segments go at any hour
	CleanForciblyRatio  int    // diskSpaceCleanForciblyRatio, 85: from here on segments go whatever their age
	WarningRatio        int    // diskSpaceWarningLevelRatio, 90: from here on nothing is stored
	KeepUnexpired       bool   // cleanFileForciblyEnable = false
	CheckIntervalMs     int64  // cleanResourceInterval, 10,000
	DeleteIntervalMs    int64  // deleteCommitLogFilesInterval, 100: pause between two deletions
	CommitLogMaxBytes   int64  // 0: the log's size is not bounded
	MaxSegmentsPerRound int    // 10
}

const (
	defaultSegmentBytes    = 1 << 30
	defaultQueueFileBytes  = 6_000_000
	defaultBatchQueueBytes = 13_800_000
	defaultIndexSlots      = 5_000_000
	defaultIndexEntries    = 20_000_000
	defaultMessageBytes    = 4 << 20
)

// DefaultDelayLevels are those of messageDelayLevel: 1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h.
func DefaultDelayLevels() []time.Duration {
	return []time.Duration{
		time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute, 5 * time.Minute, 6 * time.Minute,
		7 * time.Minute, 8 * time.Minute, 9 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour,
	}
}

// DefaultOptions are the options of a broker nobody configured, with its store in root.
func DefaultOptions(root string) Options {
	o := Options{Root: root, SyncFlush: true, AppendPropCRC: true, IndexEnabled: true}
	return o.withDefaults()
}

func (o Options) withDefaults() Options {
	orText(&o.CommitLogDir, o.Root+"/commitlog")
	orText(&o.Engine, "auto")
	or(&o.SegmentBytes, defaultSegmentBytes)
	or(&o.QueueFileBytes, defaultQueueFileBytes)
	or(&o.BatchQueueBytes, defaultBatchQueueBytes)
	or(&o.IndexSlots, defaultIndexSlots)
	or(&o.IndexEntries, defaultIndexEntries)
	or(&o.MaxMessageBytes, defaultMessageBytes)
	or(&o.TailBytes, 32<<20)
	// Half of the tail, less 4, bounds a record.
	o.TailBytes = max(o.TailBytes, int(min(2*int64(o.MaxMessageBytes+recordOverheadBytes+record.BlankBytes), 2*o.SegmentBytes)))
	or(&o.QueueBufferBytes, 64<<20)
	or(&o.MaxOpenFiles, 4096)
	if limit := disk.OpenFilesLimit(); limit > 0 {
		// The rest is for connections: without one left, nobody is let in.
		o.MaxOpenFiles = max(1, min(o.MaxOpenFiles, limit/4))
	}
	or(&o.HotEntries, 2048)
	or(&o.Spares, 1)
	or(&o.ColdReadMinBytes, 16<<20)
	or(&o.FlushIntervalMs, 1000)
	or(&o.SyncIntervalMs, 10_000)
	or(&o.SyncBytes, 256<<20)
	if o.DelayLevels == nil {
		o.DelayLevels = DefaultDelayLevels()
	}
	if o.FS == nil {
		o.FS = disk.OS()
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if !o.StoreHost.IsValid() {
		o.StoreHost = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 10911)
	}
	o.Limits = o.Limits.withDefaults()
	o.Retention = o.Retention.withDefaults()
	return o
}

// BufferBytes is the memory that a store with these options takes outside of the Go heap, at most: the append buffer, which is the tail cache,
// windows of the log, slots of the key index. Some MiB come on top for as long as segments are zeroed.
func (o Options) BufferBytes() int64 {
	o = o.withDefaults()
	n := commitlog.BufferBytes(o.TailBytes) + windowCount*windowBytes
	if o.IndexEnabled {
		n += index.BufferBytes(o.IndexSlots)
	}
	return n
}

func (l Limits) withDefaults() Limits {
	or(&l.BytesInMemory, 256<<10)
	or(&l.CountInMemory, 32)
	or(&l.BytesOnDisk, 64<<10)
	or(&l.CountOnDisk, 8)
	or(&l.MemoryRatio, 40)
	return l
}

func (r Retention) withDefaults() Retention {
	or(&r.ReservedHours, 72)
	orText(&r.DeleteWhen, "04")
	or(&r.MaxUsedRatio, 75)
	or(&r.CleanForciblyRatio, 85)
	or(&r.WarningRatio, 90)
	or(&r.CheckIntervalMs, 10_000)
	or(&r.DeleteIntervalMs, 100)
	or(&r.MaxSegmentsPerRound, 10)
	return r
}

func or[T int | int64](p *T, v T) {
	if *p == 0 {
		*p = v
	}
}

func orText(p *string, v string) {
	if *p == "" {
		*p = v
	}
}
