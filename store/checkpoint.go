package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// A mark says from where a start has to look at the log again: every record before ReplayFrom has its queue entries
// synced. ReplayFrom is the beginning of a record, so that a start can tell whether the mark belongs to this log.
//
//	ReplayFrom <= offset up to which queues are durable, and <= offset up to which the log is
type mark struct {
	Physic     int64 `json:"physicMsgTimestamp"` // store time of the last record that is durable, ms
	Logics     int64 `json:"logicsMsgTimestamp"` // store time of the last record whose queue entry is durable, ms
	Index      int64 `json:"indexMsgTimestamp"`  // store time of the last record in the index, ms
	ReplayFrom int64 `json:"replayFrom"`         // -1: nothing known
	End        int64 `json:"end"`                // end of the record at ReplayFrom
	// Sealed holds the store time of the last record of full segments, by segment: of the newest maxSealed, for older ones see lastStored.
	Sealed map[int64]int64 `json:"sealed,omitempty"`
}

const (
	marksName   = "replay.json"
	marksFormat = 2 // 1 had no checksum
	// maxSealed bounds what every move of the checkpoint writes, whatever the log's length.
	maxSealed = 2048
	// maxMarksBytes bounds what a start reads. Older versions wrote the times of all segments.
	maxMarksBytes = 16 << 20
)

// marksFile is the content of <root>/ringmq/replay.json.
type marksFile struct {
	Marks []mark `json:"marks"` // newest first: the current one and the one before
}

// checkpoint keeps two files that move together: RocketMQ's own checkpoint (see docs/DISK.md), by which a stock broker
// recovers, and marks beside it with exact offsets. A mark counts only while the checkpoint holds its three times: after
// a stock broker wrote to the store they differ, and the checkpoint alone decides.
type checkpoint struct {
	fs      disk.FS
	name    string // of the checkpoint
	dir     string // of our own state
	stock   record.Checkpoint
	present bool
	current mark
}

func openCheckpoint(f disk.FS, root string, logger *slog.Logger) (*checkpoint, error) {
	c := &checkpoint{fs: f, name: root + "/checkpoint", dir: root + "/ringmq", current: mark{ReplayFrom: -1}}
	b, err := readWhole(f, c.name, 1<<20)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read checkpoint: %w", err)
	default:
		c.stock.Parse(b)
		c.present = true
	}
	b, err = readWhole(f, c.marksName(), maxMarksBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, nil
	case errors.Is(err, errTooLong):
		logger.Warn("a file is passed over", "file", marksName, "why", err)
		return c, nil
	case err != nil:
		return nil, fmt.Errorf("read marks: %w", err)
	}
	var m marksFile
	if !unseal(b, marksFormat, &m) || len(m.Marks) > 2 {
		sayPassedOver(logger, marksName, b, marksFormat)
		return c, nil
	}
	for _, k := range m.Marks {
		if c.present && k.matches(c.stock) {
			c.current = k
			break
		}
	}
	return c, nil
}

func (c *checkpoint) marksName() string { return c.dir + "/" + marksName }

func (m mark) matches(c record.Checkpoint) bool {
	return m.ReplayFrom >= 0 && m.Physic == c.PhysicTimestamp && m.Logics == c.LogicsTimestamp && m.Index == c.IndexTimestamp
}

// foreign says that the checkpoint is not ours as we left it: a stock broker may have written to the store since.
func (c *checkpoint) foreign() bool { return c.present && c.current.ReplayFrom < 0 }

// safeTime is the store time (ms) up to which log and queues were durable, less the three seconds a stock broker takes
// off for records that were reordered; 0 when nothing is known.
func (c *checkpoint) safeTime() int64 {
	if !c.present {
		return 0
	}
	return max(0, min(c.stock.PhysicTimestamp, c.stock.LogicsTimestamp)-3000)
}

// move makes m durable. The marks go first: a crash between the two writes leaves the old checkpoint, which the mark
// before still matches.
func (c *checkpoint) move(m mark) error {
	marks := []mark{m}
	if c.current.ReplayFrom >= 0 {
		marks = append(marks, c.current)
		marks[1].Sealed = nil
	}
	if err := replaceWhole(c.fs, c.dir, marksName, seal(marksFormat, marksFile{Marks: marks})); err != nil {
		return fmt.Errorf("write marks: %w", err)
	}
	next := c.stock
	next.PhysicTimestamp, next.LogicsTimestamp, next.IndexTimestamp = m.Physic, m.Logics, m.Index
	if err := c.write(next); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	c.stock, c.present, c.current = next, true, m
	return nil
}

// write changes the checkpoint in place: its fields lie in one sector.
func (c *checkpoint) write(next record.Checkpoint) (err error) {
	f, err := c.fs.Open(c.name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if _, err := f.WriteAt(next.Append(nil), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if c.present {
		return nil
	}
	return c.fs.SyncDir(c.name[:len(c.name)-len("/checkpoint")])
}

// replaceWhole replaces a file so that a crash leaves the old or the new one.
func replaceWhole(f disk.FS, dir, name string, b []byte) error {
	tmp := dir + "/" + name + ".tmp"
	if err := writeWhole(f, tmp, b); err != nil {
		return err
	}
	if err := f.Rename(tmp, dir+"/"+name); err != nil {
		return err
	}
	return f.SyncDir(dir)
}
