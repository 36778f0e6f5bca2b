package commitlog

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"ringmq/store/record"
)

// mark is a hint: how far the log was synced, and whether it was closed in order. It is never trusted with data: it tells rot
// from a torn write, and bounds where a crash can have left bytes behind the last record. Those bounds are of what this program writes, so a
// mark counts only while the log is the one that it was written for, and nobody else has written to it since.
type mark struct {
	FormatVersion int    `json:"formatVersion"`
	Durable       int64  `json:"durable"`
	Clean         bool   `json:"clean"`
	SegmentBytes  int64  `json:"segmentBytes,omitempty"` // as configured when it was written
	Proof         *proof `json:"proof,omitempty"`        // nil: the mark is older than proofs, or none could be had
	// Torn are the stretches in which crashes left damage, oldest first. They lie before Durable since the start that stepped over it.
	Torn  []stretch `json:"torn,omitempty"`
	known bool
}

// stretch is where the damage of one crash begins and ends, with what is whole in between.
type stretch [2]int64

// proof is what lay before Durable, in its segment: the checksum of so many bytes. They are the end of a record, which says where it lies,
// when it was stored, and what its bytes add up to.
type proof struct {
	Bytes    int    `json:"bytes"`
	Checksum uint32 `json:"crc32c"`
}

const (
	markName    = "commitlog.mark"
	markVersion = 1
	markBytes   = 256
	proofBytes  = 1024
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// loadMark reads the hint. One that cannot be read, or was written for another log or for more than there is, is no hint.
func (l *Log) loadMark() mark {
	m := l.readMark()
	if v := m.FormatVersion; !m.known && v > 0 {
		l.logger.Info("a file of another release is passed over", "file", markName, "formatVersion", v, "known", markVersion)
	}
	if !m.known || m.Durable < l.Min() || m.Durable > l.Max() {
		return mark{}
	}
	if why := l.foreign(m); why != "" {
		l.logger.Info("commit log: the mark of the last run is passed over", "durable", m.Durable, "why", why)
		return mark{}
	}
	return m
}

// foreign says why a mark tells nothing of this log; "": it does.
func (l *Log) foreign(m mark) string {
	if l.o.Foreign {
		return "somebody else has written to the log since"
	}
	if p := m.Proof; p != nil {
		if now := l.prove(m.Durable, p.Bytes); now == nil || *now != *p {
			return "it is of another log"
		}
	}
	var head [record.BlankBytes]byte
	if m.Clean && l.segmentAt(m.Durable) != nil && l.ReadExact(m.Durable, head[:min(record.BlankBytes, l.left(m.Durable))]) == nil && head != [record.BlankBytes]byte{} {
		return "the log was closed in order, and goes on behind its end"
	}
	return ""
}

// left is how many bytes of its segment lie behind an offset.
func (l *Log) left(offset int64) int64 { return l.o.SegmentBytes - offset%l.o.SegmentBytes }

// prove makes the proof of n bytes before an offset, fewer where the segment begins; nil where there are none, or they cannot be read.
func (l *Log) prove(offset int64, n int) *proof {
	if in := offset % l.o.SegmentBytes; in < int64(n) {
		n = int(in)
	}
	if n <= 0 || n > proofBytes {
		return nil
	}
	b, hot := l.ReadHot(offset-int64(n), n, make([]byte, 0, proofBytes))
	if b = b[:n]; !hot && l.ReadExact(offset-int64(n), b) != nil {
		return nil
	}
	return &proof{Bytes: n, Checksum: crc32.Checksum(b, castagnoli)}
}

// readMark reads the hint as it is. Of one of another release it tells the version and nothing else.
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
		return mark{FormatVersion: m.FormatVersion}
	}
	m.known = true
	return m
}

// torn says whether damage at an offset is what a crash left of a write that no sync had covered, now or at an earlier start.
func (l *Log) torn(at int64) bool {
	return l.mark.known && (at >= l.mark.Durable || slices.ContainsFunc(l.mark.Torn, func(t stretch) bool { return t[0] <= at && at < t[1] }))
}

// keepTorn has later marks say what was torn in a log that goes on at end. Before there are any.
func (l *Log) keepTorn(end int64) {
	l.tornBefore = slices.Clone(l.mark.Torn)
	if l.tornNow[1] > 0 {
		l.tornBefore = append(l.tornBefore, l.tornNow)
	}
	l.tornBefore = slices.DeleteFunc(l.tornBefore, func(t stretch) bool { return t[0] >= end })
}

// saveMark replaces the hint in place, in one sector.
func (l *Log) saveMark(m mark, sync bool) error {
	m.FormatVersion, m.SegmentBytes, m.Proof = markVersion, l.o.SegmentBytes, l.prove(m.Durable, proofBytes)
	low := l.Min()
	for _, t := range l.tornBefore {
		if t[1] > low {
			m.Torn = append(m.Torn, t)
		}
	}
	text, err := json.Marshal(m)
	for err == nil && len(text) > markBytes && len(m.Torn) > 0 {
		m.Torn = m.Torn[1:]
		text, err = json.Marshal(m)
	}
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

// hintInterval is how far apart two writes of the hint are.
const hintInterval = time.Second

// runMarker writes the hint while the log grows, at most once a second.
func (l *Log) runMarker() {
	defer l.done.Done()
	timer := stopped()
	defer timer.Stop()
	var armed atomic.Bool
	last := l.durable.Load()
	defer l.durable.Subscribe(func(int64, error) {
		if !armed.Load() && !armed.Swap(true) {
			timer.Reset(hintInterval)
		}
	})()
	for {
		select {
		case <-l.stop:
			return
		case <-timer.C:
		}
		armed.Store(false) // before the look: what comes after it arms again
		if v := l.durable.Load(); v != last {
			if err := l.saveMark(mark{Durable: v}, false); err != nil {
				l.logger.Warn("commit log: mark not written", "error", err)
			}
			last = v
		}
	}
}
