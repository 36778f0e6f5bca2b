package main

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"ringmq/store/record"
)

// view is what lies in one broker's log, read from its files: the broker may run or not. It goes on where it ended.
type view struct {
	dir     string
	segment int64

	start  int64 // where the log begins; -1: nothing was found yet
	pos    int64 // everything before was read
	queues map[int]*queueView
	blanks [][2]int64 // ranges whose content means nothing: behind the head of a blank
	end    string     // why it ends at pos

	last    int64  // position of the last record
	lastSum uint32 // of its bytes
	stamp   int64  // its store time
}

// queueView is one queue of the topic as its records tell.
type queueView struct {
	first   int64   // offset of the first message in the log
	seqs    []int64 // numbers of the messages by offset from first on
	logs    []int64 // where they lie
	have    []uint64
	checked int // acknowledgements of its lane that were compared
}

func newView(dir string, segment int64) *view {
	v := &view{dir: dir, segment: segment}
	v.forget()
	return v
}

func (v *view) forget() {
	v.start, v.pos, v.last, v.stamp, v.blanks, v.queues = -1, 0, -1, 0, nil, map[int]*queueView{}
}

// walk reads on until no whole record follows. What is there and must not be is an error.
func (v *view) walk(h *history) error {
	if err := v.begin(); err != nil || v.start < 0 {
		return err
	}
	for {
		base := v.pos - v.pos%v.segment
		file, err := os.ReadFile(segmentFile(v.dir, base))
		if errors.Is(err, fs.ErrNotExist) {
			v.end = "no further segment"
			return nil
		}
		if err != nil {
			return err
		}
		if int64(len(file)) != v.segment {
			return fmt.Errorf("segment %d has %d bytes", base, len(file))
		}
		more, err := v.records(h, base, file)
		if err != nil || !more {
			return err
		}
	}
}

// begin finds the first segment, or makes sure that what was read last is still there: a log that was cut is read from its beginning.
func (v *view) begin() error {
	if v.last >= 0 {
		if sum, err := v.sumAt(v.last); err == nil && sum == v.lastSum {
			return nil
		}
		v.forget()
	}
	entries, err := os.ReadDir(v.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries { // in the order of their names
		if at, err := strconv.ParseInt(e.Name(), 10, 64); err == nil && len(e.Name()) == 20 {
			v.start, v.pos = at, at
			return nil
		}
	}
	return nil
}

func (v *view) sumAt(pos int64) (uint32, error) {
	base := pos - pos%v.segment
	file, err := os.ReadFile(segmentFile(v.dir, base))
	if err != nil {
		return 0, err
	}
	var r record.Record
	if pos-base >= int64(len(file)) {
		return 0, record.ErrShort
	}
	if err := r.Parse(file[pos-base:]); err != nil {
		return 0, err
	}
	return crc32.ChecksumIEEE(file[pos-base:][:r.TotalSize]), nil
}

// records reads one segment; more says whether the next one follows.
func (v *view) records(h *history, base int64, file []byte) (more bool, err error) {
	var r record.Record
	for v.pos < base+v.segment {
		b := file[v.pos-base:]
		err := r.Parse(b)
		if errors.Is(err, record.ErrBlank) {
			v.blanks = append(v.blanks, [2]int64{v.pos + record.BlankBytes, base + v.segment})
			v.pos = base + v.segment
			return true, nil
		}
		if err == nil && r.PhysicalOffset != v.pos {
			err = fmt.Errorf("a record of offset %d", r.PhysicalOffset)
		}
		if err == nil {
			err = r.VerifyBody()
		}
		if err != nil {
			v.end = err.Error()
			return false, nil
		}
		if err := v.note(h, &r); err != nil {
			return false, fmt.Errorf("log offset %d: %w", v.pos, err)
		}
		v.last, v.lastSum = v.pos, crc32.ChecksumIEEE(b[:r.TotalSize])
		v.pos += int64(r.TotalSize)
	}
	return true, nil
}

// note takes a record in. Its queue has no gaps, and no message is there twice.
func (v *view) note(h *history, r *record.Record) error {
	if r.StoreTimestamp < v.stamp {
		return fmt.Errorf("stored at %d, the record before at %d", r.StoreTimestamp, v.stamp)
	}
	v.stamp = r.StoreTimestamp
	if string(r.Topic) != topic {
		return nil
	}
	queue := int(r.QueueID)
	seq, err := h.number(queue, r.Body)
	if err != nil {
		return err
	}
	q := v.queues[queue]
	if q == nil {
		if r.QueueOffset != 0 && v.start == 0 {
			return fmt.Errorf("queue %d begins with offset %d", queue, r.QueueOffset)
		}
		q = &queueView{first: r.QueueOffset}
		v.queues[queue] = q
	}
	if want := q.first + int64(len(q.seqs)); r.QueueOffset != want {
		return fmt.Errorf("queue %d goes on with offset %d instead of %d", queue, r.QueueOffset, want)
	}
	for int64(len(q.have))*64 <= seq {
		q.have = append(q.have, make([]uint64, 256)...)
	}
	if q.have[seq/64]&(1<<(seq%64)) != 0 {
		return fmt.Errorf("message %d of queue %d is there twice", seq, queue)
	}
	q.have[seq/64] |= 1 << (seq % 64)
	q.seqs = append(q.seqs, seq)
	q.logs = append(q.logs, r.PhysicalOffset)
	return nil
}

// ends are the maximum offsets of the queues.
func (v *view) ends() map[int]int64 {
	ends := map[int]int64{}
	for id, q := range v.queues {
		ends[id] = q.first + int64(len(q.seqs))
	}
	return ends
}

func segmentFile(dir string, base int64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d", base))
}
