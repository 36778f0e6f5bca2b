package commitlog

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// mark is a hint: how far the log was synced, and whether it was closed in order. It is never trusted with data: it tells rot
// from a torn write, and bounds where a crash can have left bytes behind the last record.
type mark struct {
	FormatVersion int   `json:"formatVersion"`
	Durable       int64 `json:"durable"`
	Clean         bool  `json:"clean"`
	SegmentBytes  int64 `json:"segmentBytes,omitempty"` // as configured when it was written
	known         bool
}

const (
	markName    = "commitlog.mark"
	markVersion = 1
	markBytes   = 256
)

// loadMark reads the hint. One that cannot be read, or was written for more log than there is, is no hint.
func (l *Log) loadMark() mark {
	m := l.readMark()
	if m.Durable < l.Min() || m.Durable > l.Max() {
		return mark{}
	}
	return m
}

// readMark reads the hint as it is.
func (l *Log) readMark() mark {
	f, err := l.o.FS.Open(filepath.Join(l.o.StateDir, markName), os.O_RDONLY, 0)
	if err != nil {
		return mark{}
	}
	defer f.Close()
	b := make([]byte, markBytes)
	n, _ := f.ReadAt(b, 0)
	var m mark
	if json.Unmarshal(bytes.TrimRight(b[:n], "\x00 "), &m) != nil || m.FormatVersion != markVersion {
		return mark{}
	}
	m.known = true
	return m
}

// saveMark replaces the hint in place, in one sector.
func (l *Log) saveMark(m mark, sync bool) error {
	m.FormatVersion, m.SegmentBytes = markVersion, l.o.SegmentBytes
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	f, err := l.o.FS.Open(filepath.Join(l.o.StateDir, markName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	b := bytes.Repeat([]byte{' '}, markBytes)
	copy(b, text)
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if sync {
		return f.Sync()
	}
	return nil
}

// runMarker writes the hint while the log grows, at most once a second.
func (l *Log) runMarker() {
	defer l.done.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := l.durable.Load()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		if v := l.durable.Load(); v != last {
			if err := l.saveMark(mark{Durable: v}, false); err != nil {
				l.logger.Warn("commit log: mark not written", "error", err)
			}
			last = v
		}
	}
}
