package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ringmq/store"
)

// StoreOptions are the options that the configuration gives a store. StoreHost, Logger, Clock and BatchTopic are the caller's.
func (c *Config) StoreOptions() store.Options {
	o := store.DefaultOptions(c.Text("storePathRootDir"))
	if o.CommitLogDir = c.Text("storePathCommitLog"); o.CommitLogDir == "" {
		o.CommitLogDir = filepath.Join(o.Root, "commitlog")
	}
	o.Engine = c.Text("diskEngine")
	o.SegmentBytes = c.Int64("mappedFileSizeCommitLog")
	o.QueueFileBytes = c.Int("mappedFileSizeConsumeQueue")
	o.BatchQueueBytes = c.Int("mapperFileSizeBatchConsumeQueue")
	o.IndexEnabled = c.Bool("messageIndexEnable")
	o.IndexSlots, o.IndexEntries = c.Int("maxHashSlotNum"), c.Int("maxIndexNum")
	o.SyncFlush = c.SyncFlush()
	o.AppendPropCRC = c.Bool("enabledAppendPropCRC")
	o.MaxMessageBytes = c.Int("maxMessageSize")
	o.TailBytes = c.Int("tailCacheBytes")
	o.ColdReadMinBytes = c.Int64("coldReadMinBytesPerSecond")
	o.FlushIntervalMs = c.Int64("flushIntervalConsumeQueue")
	o.Limits = store.Limits{
		BytesInMemory: c.Int("maxTransferBytesOnMessageInMemory"), CountInMemory: c.Int("maxTransferCountOnMessageInMemory"),
		BytesOnDisk: c.Int("maxTransferBytesOnMessageInDisk"), CountOnDisk: c.Int("maxTransferCountOnMessageInDisk"),
		MemoryRatio: c.Int("accessMessageInMemoryMaxRatio"),
	}
	o.Retention = c.Retention()
	// New has looked at the levels.
	o.DelayLevels, _ = ParseDelayLevels(c.Text("messageDelayLevel"))
	return o
}

// Retention says when old segments go. Its keys may change at run time: hand the new value to Store.SetRetention.
func (c *Config) Retention() store.Retention {
	return store.Retention{
		ReservedHours: c.Int("fileReservedTime"), DeleteWhen: c.Text("deleteWhen"), MaxUsedRatio: c.Int("diskMaxUsedSpaceRatio"),
		CleanForciblyRatio: c.Int("diskSpaceCleanForciblyRatio"), WarningRatio: c.Int("diskSpaceWarningLevelRatio"),
		KeepUnexpired: !c.Bool("cleanFileForciblyEnable"), CheckIntervalMs: c.Int64("cleanResourceInterval"),
		DeleteIntervalMs: c.Int64("deleteCommitLogFilesInterval"), CommitLogMaxBytes: c.Int64("commitLogMaxBytes"),
	}
}

// SyncFlush says whether a send is answered only when its message is on disk.
func (c *Config) SyncFlush() bool { return c.Text("flushDiskType") == "SYNC_FLUSH" }

// ParseDelayLevels reads messageDelayLevel: times in s, m, h or d, parted by blanks. Level n is element n-1.
func ParseDelayLevels(text string) ([]time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	var levels []time.Duration
	for _, word := range strings.Fields(text) {
		n, err := strconv.ParseInt(word[:len(word)-1], 10, 32)
		unit := units[word[len(word)-1]]
		if err != nil || unit == 0 || n < 0 {
			return nil, fmt.Errorf("%q is no time like 10s, 5m, 2h or 1d", word)
		}
		levels = append(levels, time.Duration(n)*unit)
	}
	if len(levels) == 0 {
		return nil, errors.New("no level at all")
	}
	return levels, nil
}
