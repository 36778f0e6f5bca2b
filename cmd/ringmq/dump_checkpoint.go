package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"ringmq/store/record"
)

const lastMs = 253402300799999 // the end of the year 9999

// checkpoint prints the checkpoint of path, a file or the store's directory, and the exact offsets that our own store keeps
// beside it.
func (d *dumper) checkpoint(path string) error {
	name := below(path, "checkpoint")
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return fmt.Errorf("no checkpoint in %s", path)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if len(b) != record.CheckpointBytes {
		return fmt.Errorf("%s is no checkpoint: %d bytes instead of %d", name, len(b), record.CheckpointBytes)
	}
	var c record.Checkpoint
	c.Parse(b)
	for _, f := range []struct {
		name string
		ms   int64
	}{{"commit log", c.PhysicTimestamp}, {"consume queues", c.LogicsTimestamp}, {"key index", c.IndexTimestamp}} {
		if f.ms > lastMs {
			return fmt.Errorf("%s is no checkpoint: the time of its %s is beyond the year 9999", name, f.name)
		}
		if f.ms == 0 {
			d.ok("%s\tnothing durable yet", f.name)
			continue
		}
		d.ok("%s\tdurable up to the record stored at\t%s", f.name, timeText(f.ms))
		if f.ms < 0 {
			d.bad(f.name, "the time is negative")
		}
	}
	d.ok("master flushed\toffset\t%d", c.MasterFlushedOffset)
	d.ok("confirmed\toffset\t%d", c.ConfirmOffset)
	if filepath.Base(name) != "checkpoint" {
		return nil // a copy: what lies beside it is not its own
	}
	return d.marks(filepath.Join(filepath.Dir(name), "ringmq", "replay.json"), c)
}

// marks prints from where a start looks at the log again. A mark counts only while it has the checkpoint's times.
func (d *dumper) marks(name string, c record.Checkpoint) error {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var file struct {
		Checksum uint32          `json:"crc32c"`
		Content  json.RawMessage `json:"content"`
	}
	var content struct {
		Marks []struct {
			Physic     int64 `json:"physicMsgTimestamp"`
			Logics     int64 `json:"logicsMsgTimestamp"`
			Index      int64 `json:"indexMsgTimestamp"`
			ReplayFrom int64 `json:"replayFrom"`
		} `json:"marks"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		d.bad(name, "%v", err)
		return nil
	}
	if crc32.Checksum(file.Content, crc32.MakeTable(crc32.Castagnoli)) != file.Checksum {
		d.bad(name, "the checksum is another one")
		return nil
	}
	if file.Content == nil {
		d.ok("marks\tof an older version, they do not count")
		return nil
	}
	if err := json.Unmarshal(file.Content, &content); err != nil {
		d.bad(name, "%v", err)
		return nil
	}
	for _, m := range content.Marks {
		counts := "spare, of another checkpoint"
		if m.Physic == c.PhysicTimestamp && m.Logics == c.LogicsTimestamp && m.Index == c.IndexTimestamp {
			counts = "of this checkpoint"
		}
		d.ok("mark\treplay from\t%d\t%s", m.ReplayFrom, counts)
	}
	return nil
}
