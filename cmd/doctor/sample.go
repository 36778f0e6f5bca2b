package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ringmq/store/record"
)

// Bounds of a sample: it must be over in a few seconds on any store.
const (
	sampleSegments   = 8
	sampleLogBytes   = 8 << 20 // from the beginning of each of them
	sampleQueues     = 64      // files of queues
	sampleEntries    = 16      // of each of them
	maxRecordBytes   = 32 << 20
	maxSampleReports = 20

	sampleTries = 3
	samplePause = 20 * time.Millisecond
)

// sampleSeen is what parts of a store's files, spread over all of it, look like.
type sampleSeen struct {
	Records int // whole ones
	Entries int // of queues, whose record was looked at
	Damaged []string
	Astray  []string // entries that lead to no record of theirs
	Err     error    // the sample was cut short
}

func (s *sampleSeen) text() string {
	return fmt.Sprintf("sample of %s and %d queue entries is whole", plural(s.Records, "record"), s.Entries)
}

func (s *sampleSeen) damaged(format string, args ...any) {
	if len(s.Damaged) < maxSampleReports {
		s.Damaged = append(s.Damaged, fmt.Sprintf(format, args...))
	}
}

// sampleStore reads the beginnings of some segments, and the records that some queue entries lead to.
func sampleStore(s *storeSeen) (out sampleSeen) {
	for _, i := range spread(len(s.Segments), sampleSegments) {
		if err := sampleSegment(&out, s.Segments[i], s.Held); err != nil && !errors.Is(err, fs.ErrNotExist) {
			out.Err = err
			return out
		}
	}
	out.Err = sampleEach(&out, s)
	return out
}

// spread picks up to most of n things, the first and the last among them.
func spread(n, most int) (at []int) {
	if n <= most {
		for i := range n {
			at = append(at, i)
		}
		return at
	}
	for i := range most {
		at = append(at, i*(n-1)/(most-1))
	}
	return at
}

// sampleSegment walks from a segment's first record.
func sampleSegment(out *sampleSeen, g segmentSeen, held bool) error {
	f, err := os.Open(g.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, 0, 1<<20)
	for at := int64(0); at < min(g.Bytes, sampleLogBytes); {
		raw, done, err := readRecord(f, at, g.Bytes, &buf)
		// A broker that has the store open may be writing this record: it is looked at again before it is called damaged.
		for try := 0; held && try < sampleTries && err == nil && !done && (raw == nil || wrongWith(raw, g.First+at) != nil); try++ {
			time.Sleep(samplePause)
			raw, done, err = readRecord(f, at, g.Bytes, &buf)
		}
		if err != nil || done {
			return err
		}
		if raw == nil {
			out.damaged("offset %d: no record begins here", g.First+at)
			return nil
		}
		if why := wrongWith(raw, g.First+at); why != nil {
			out.damaged("offset %d: %v", g.First+at, why)
		} else {
			out.Records++
		}
		at += int64(len(raw))
	}
	return nil
}

// readRecord returns the bytes of the record at a position; nil if none begins there. done: nothing more is written, or only a blank.
func readRecord(f io.ReaderAt, at, size int64, buf *[]byte) (raw []byte, done bool, err error) {
	var head [record.BlankBytes]byte
	if at < 0 || size-at < int64(len(head)) {
		return nil, true, nil
	}
	if _, err := f.ReadAt(head[:], at); err != nil {
		return nil, false, err
	}
	n, what := record.Look(head[:], size-at, maxRecordBytes)
	if size, magic := record.Header(head[:]); size == 0 && magic == 0 || what == record.Blank {
		return nil, true, nil
	}
	if what == record.Neither {
		return nil, false, nil
	}
	if cap(*buf) < int(n) {
		*buf = make([]byte, n)
	}
	raw = (*buf)[:n]
	_, err = f.ReadAt(raw, at)
	return raw, false, err
}

// wrongWith says what is wrong with the record that should lie at an offset of the log.
func wrongWith(raw []byte, offset int64) error {
	var r record.Record
	if err := r.Parse(raw); err != nil {
		return err
	}
	if r.PhysicalOffset != offset {
		return fmt.Errorf("a record that says it lies at %d", r.PhysicalOffset)
	}
	return r.Verify(raw)
}

// sampleEach looks at entries of some queues.
func sampleEach(out *sampleSeen, s *storeSeen) error {
	files, err := filepath.Glob(filepath.Join(s.Root, "consumequeue", "*", "*", strings.Repeat("[0-9]", 20)))
	if err != nil || len(files) == 0 {
		return err
	}
	slices.Sort(files)
	for _, i := range spread(len(files), sampleQueues) {
		if err := sampleQueue(out, s, files[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func sampleQueue(out *sampleSeen, s *storeSeen, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	topic, queue := filepath.Base(filepath.Dir(filepath.Dir(name))), filepath.Base(filepath.Dir(name))
	if strings.HasPrefix(topic, "%LMQ%") {
		return nil // its entries lead to records of other topics
	}
	n := writtenUnits(f, int(min(info.Size()/record.QueueUnitBytes, 1<<24)))
	var unit [record.QueueUnitBytes]byte
	for _, i := range spread(n, sampleEntries) {
		if _, err := f.ReadAt(unit[:], int64(i)*record.QueueUnitBytes); err != nil {
			return err
		}
		u := record.ParseQueueUnit(unit[:])
		if !u.Written() || u.Size == record.BlankUnitSize || len(s.Segments) == 0 || u.Offset < s.Segments[0].First {
			continue // of a record that retention has deleted
		}
		if why := followEntry(s, u, topic); why != nil && len(out.Astray) < maxSampleReports {
			out.Astray = append(out.Astray, fmt.Sprintf("%s/%s entry %d: %v", topic, queue, i, why))
		} else if why == nil {
			out.Entries++
		}
	}
	return nil
}

// writtenUnits is how many units at the beginning of a queue file are written, by halving: behind them are zeros.
func writtenUnits(f io.ReaderAt, n int) int {
	var unit [record.QueueUnitBytes]byte
	low, high := 0, n
	for low < high {
		mid := (low + high) / 2
		if _, err := f.ReadAt(unit[:], int64(mid)*record.QueueUnitBytes); err != nil || !record.ParseQueueUnit(unit[:]).Written() {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// followEntry reads the record that an entry leads to.
func followEntry(s *storeSeen, u record.QueueUnit, topic string) error {
	i, _ := slices.BinarySearchFunc(s.Segments, u.Offset, func(g segmentSeen, at int64) int {
		if g.First+g.Bytes <= at {
			return -1
		}
		return 1
	})
	if i >= len(s.Segments) || u.Offset < s.Segments[i].First {
		return fmt.Errorf("it leads to offset %d, which is in no file", u.Offset)
	}
	f, err := os.Open(s.Segments[i].Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // retention was faster
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var buf []byte
	raw, _, err := readRecord(f, u.Offset-s.Segments[i].First, s.Segments[i].Bytes, &buf)
	if err != nil {
		return err
	}
	if raw == nil {
		return fmt.Errorf("no record begins at offset %d", u.Offset)
	}
	if why := wrongWith(raw, u.Offset); why != nil {
		return fmt.Errorf("the record at offset %d: %w", u.Offset, why)
	}
	var r record.Record
	if err := r.Parse(raw); err != nil || !bytes.Equal(r.Topic, []byte(topic)) {
		return fmt.Errorf("the record at offset %d is of topic %q", u.Offset, r.Topic)
	}
	return nil
}

// judgeSample says what the sample found.
func judgeSample(s *storeSeen) (all []Finding) {
	if n := len(s.Sample.Damaged); n > 0 {
		all = append(all, broken("store", "record-damaged", s.LogDir, "%s", list(s.Sample.Damaged)).
			because("these messages cannot be consumed any more; a disk that flips bits will go on", "look at the disk (smartctl, dmesg); ringmq dump commitlog --wrong tells all of it; ringmq keeps what lies behind, a stock broker would cut the log there"))
	}
	if n := len(s.Sample.Astray); n > 0 {
		all = append(all, broken("store", "queue-entry-astray", s.Root, "%s", list(s.Sample.Astray)).
			because("consumers skip these messages", "stop the broker, move the directory consumequeue away, and start it: all queues are made again from the log"))
	}
	if s.Sample.Err != nil {
		all = append(all, unknown("store", "sample-cut-short", s.Root, "%v", s.Sample.Err).because("the rest was not looked at", "run this as the broker's user, or as root; an input/output error is the disk's"))
	}
	return all
}
