package backup

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ringmq/store"
	"ringmq/store/record"
)

// queueKey names a queue.
type queueKey struct {
	topic string
	id    int32
}

func (k queueKey) String() string { return k.topic + "/" + strconv.Itoa(int(k.id)) }

// queueKind is one of the two forms of consume queues.
type queueKind struct {
	folder    string
	unitBytes int64
	fileBytes int64
}

// queueLook compares the files of consume queues with the records of the log. Every record has its entry, and every entry is one of a record: where as
// many entries are found as entries are there, each belongs to one.
type queueLook struct {
	*look
	plain, batch queueKind
	open         map[queueKey]*openQueue
	found        map[queueKey]int64 // entries that a record has
	cursor       map[queueKey]int64 // of batch queues: the next entry
	isBatch      map[queueKey]bool
	high         map[queueKey]int64 // queue offset behind the last entry
	last         map[queueKey]int64 // and the offset in the log of that entry
	missing      map[queueKey][]lostEntry
}

// lostEntry is a record without an entry.
type lostEntry struct{ at, queueOffset int64 }

const (
	batchUnitBytes = 46
	// maxOpenQueues are looked at side by side; each has a descriptor and some memory.
	maxOpenQueues = 512
	queueBufBytes = 8 << 10
	maxQueueTopic = 255 // bytes of a topic that can name a folder
)

// openQueue is a file of a queue that is being looked at.
type openQueue struct {
	file  *os.File // nil: it is not there
	start int64    // byte of the queue at which it begins
	buf   []byte
	bufAt int64
}

func newQueueLook(v *look) *queueLook {
	o := v.c.StoreOptions()
	round := func(n, unit int64) int64 { return (n + unit - 1) / unit * unit }
	return &queueLook{look: v, open: map[queueKey]*openQueue{}, found: map[queueKey]int64{}, cursor: map[queueKey]int64{}, isBatch: map[queueKey]bool{}, high: map[queueKey]int64{}, last: map[queueKey]int64{},
		missing: map[queueKey][]lostEntry{},
		plain:   queueKind{"consumequeue", record.QueueUnitBytes, round(int64(o.QueueFileBytes), record.QueueUnitBytes)},
		batch:   queueKind{"batchconsumequeue", batchUnitBytes, round(int64(o.BatchQueueBytes), batchUnitBytes)}}
}

// hasQueue says whether the records of a topic have entries: its name can be a folder's.
func hasQueue(topic []byte) bool {
	s := string(topic)
	return s != "" && s != "." && s != ".." && len(s) <= maxQueueTopic && !strings.ContainsAny(s, "/\x00")
}

func (q *queueLook) kindOf(k queueKey) queueKind {
	is, known := q.isBatch[k]
	if !known {
		files, _, err := numberedFiles(filepath.Join(q.dir, q.batch.folder, k.topic, strconv.Itoa(int(k.id))))
		is = err == nil && len(files) > 0
		q.isBatch[k] = is
	}
	if is {
		return q.batch
	}
	return q.plain
}

// record looks for a record's entry.
func (q *queueLook) record(r *record.Record, known *record.Known) error {
	kind := r.SysFlag & record.SysFlagTransaction
	if kind == record.SysFlagPrepared || kind == record.SysFlagRollback || !hasQueue(r.Topic) || r.QueueID < 0 || r.PhysicalOffset < q.graves[string(r.Topic)] {
		return nil
	}
	k := queueKey{string(r.Topic), r.QueueID}
	if q.kindOf(k) == q.batch {
		return q.batchRecord(k, r, known)
	}
	b, err := q.unit(k, q.plain, r.QueueOffset)
	if err != nil {
		return err
	}
	u := record.QueueUnit{}
	if b != nil {
		u = record.ParseQueueUnit(b)
	}
	switch {
	case u.Written() && u.Offset == r.PhysicalOffset && u.Size == r.TotalSize:
		q.found[k]++
		if want := record.TagsCode(known.Tags); u.TagsCode != want && k.topic != store.DelayTopic {
			q.r.bad("queue %s: entry %d has the tags code %d instead of %d", k, r.QueueOffset, u.TagsCode, want)
		}
	case u.Written() && !u.IsBlank() && u.Offset > r.PhysicalOffset:
		// The queue began anew behind this record. If the entry is damaged instead, there is one too many of them in the end.
	case q.lost(r):
	default:
		if list := q.missing[k]; len(list) < maxFindings {
			q.missing[k] = append(list, lostEntry{r.PhysicalOffset, r.QueueOffset})
		}
	}
	return nil
}

// lost says that a record which has no entry is one of those that no queue took on the master either, and counts it.
func (q *queueLook) lost(r *record.Record) bool {
	if !covered(q.m.Damaged, r.PhysicalOffset, r.PhysicalOffset+int64(r.TotalSize)) {
		return false
	}
	q.r.Known += int64(r.TotalSize)
	return true
}

// batchRecord looks for the entry of a batch: they are numbered as they came.
func (q *queueLook) batchRecord(k queueKey, r *record.Record, known *record.Known) error {
	base := r.QueueOffset
	if n, err := strconv.ParseInt(string(known.InnerBase), 10, 64); err == nil && n >= 0 && r.SysFlag&record.SysFlagInnerBatch != 0 {
		base = n
	}
	for {
		b, err := q.unit(k, q.batch, q.cursor[k])
		if err != nil {
			return err
		}
		if b == nil || !record.ParseQueueUnit(b).Written() {
			if !q.lost(r) {
				q.r.bad("batch queue %s: the record at %d has no entry", k, r.PhysicalOffset)
			}
			return nil
		}
		u := record.ParseQueueUnit(b)
		if u.Offset > r.PhysicalOffset {
			return nil // as above
		}
		q.cursor[k]++
		if u.Offset < r.PhysicalOffset {
			continue // no record's: counted in the end
		}
		q.found[k]++
		if u.Size != r.TotalSize || int64(binary.BigEndian.Uint64(b[28:])) != base {
			q.r.bad("batch queue %s: the entry of the record at %d is another one's", k, r.PhysicalOffset)
		}
		return nil
	}
}

// unit is entry n of a queue, valid until the next call; nil where no file has it.
func (q *queueLook) unit(k queueKey, kind queueKind, n int64) ([]byte, error) {
	if n < 0 || n > (1<<62)/kind.unitBytes {
		return nil, nil
	}
	at := n * kind.unitBytes
	start := at - at%kind.fileBytes
	o := q.open[k]
	if o == nil || o.start != start {
		var err error
		if o, err = q.openAt(k, kind, start); err != nil {
			return nil, err
		}
	}
	if o.file == nil {
		return nil, nil
	}
	in := at - start
	if in < o.bufAt || in+kind.unitBytes > o.bufAt+int64(len(o.buf)) {
		if o.buf == nil {
			o.buf = make([]byte, 0, queueBufBytes)
		}
		got, err := o.file.ReadAt(o.buf[:cap(o.buf)], in)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		o.buf, o.bufAt = o.buf[:got], in
		if int64(got) < kind.unitBytes {
			return nil, nil
		}
	}
	return o.buf[in-o.bufAt : in-o.bufAt+kind.unitBytes], nil
}

// openAt opens the file of a queue that begins at a byte of it.
func (q *queueLook) openAt(k queueKey, kind queueKind, start int64) (*openQueue, error) {
	if was := q.open[k]; was != nil {
		was.close()
	} else if len(q.open) >= maxOpenQueues {
		q.closeAll()
	}
	o := &openQueue{start: start}
	q.open[k] = o
	f, err := os.Open(filepath.Join(q.dir, kind.folder, k.topic, strconv.Itoa(int(k.id)), record.FileName(start)))
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	o.file = f
	return o, nil
}

func (o *openQueue) close() {
	if o.file != nil {
		_ = o.file.Close()
	}
}

func (q *queueLook) closeAll() {
	for _, o := range q.open {
		o.close()
	}
	clear(q.open)
}

// finish counts the entries that are there.
func (q *queueLook) finish() error {
	q.closeAll()
	for _, kind := range []queueKind{q.plain, q.batch} {
		topics, err := folders(filepath.Join(q.dir, kind.folder))
		if err != nil {
			return err
		}
		for i, topic := range topics {
			q.progress("queues", int64(i), int64(len(topics)))
			ids, err := folders(filepath.Join(q.dir, kind.folder, topic))
			if err != nil {
				return err
			}
			for _, id := range ids {
				n, err := strconv.ParseInt(id, 10, 32)
				if err != nil {
					continue
				}
				if err := q.ctx.Err(); err != nil {
					return err
				}
				k := queueKey{topic, int32(n)}
				if q.kindOf(k) != kind {
					continue // files of a queue that has become one of batches
				}
				if err := q.count(k, kind); err != nil {
					return err
				}
			}
		}
	}
	for k := range q.missing { // queues without a folder
		q.judge(k)
	}
	return nil
}

// judge tells records without an entry from those of a queue that began anew later, and shorter: its topic was deleted and made again.
func (q *queueLook) judge(k queueKey) {
	for _, e := range q.missing[k] {
		if e.queueOffset < q.high[k] || q.last[k] < e.at {
			q.r.bad("queue %s: the record at %d has no entry %d", k, e.at, e.queueOffset)
		}
	}
	delete(q.missing, k)
}

// count compares a queue's entries with those that records have.
func (q *queueLook) count(k queueKey, kind queueKind) error {
	files, _, err := numberedFiles(filepath.Join(q.dir, kind.folder, k.topic, strconv.Itoa(int(k.id))))
	if err != nil {
		return err
	}
	var there int64
	for _, f := range files {
		if f.start%kind.fileBytes != 0 || f.size != kind.fileBytes {
			q.r.bad("queue %s: %s begins at %d and has %d bytes, files have %d", k, f.name, f.start, f.size, kind.fileBytes)
			continue
		}
		n, err := q.countFile(k, kind, f)
		if err != nil {
			return err
		}
		there += n
	}
	if len(files) > 0 {
		q.r.Queues++
	}
	q.judge(k)
	if q.r.Entries += there; there != q.found[k] {
		q.r.bad("queue %s has %d entries, and %d of them are those of records", k, there, q.found[k])
	}
	return nil
}

func (q *queueLook) countFile(k queueKey, kind queueKind, f numbered) (there int64, err error) {
	file, err := os.Open(f.name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	grave := q.graves[k.topic]
	buf := make([]byte, 4096*kind.unitBytes)
	for at := int64(0); at < f.size; {
		n, err := file.ReadAt(buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		n -= n % int(kind.unitBytes)
		if n == 0 {
			break
		}
		for i := 0; i < n; i += int(kind.unitBytes) {
			u := record.ParseQueueUnit(buf[i:])
			if !u.Written() || u.IsBlank() || u.Offset < grave {
				continue
			}
			there++
			if end := (f.start+at+int64(i))/kind.unitBytes + 1; kind == q.plain {
				q.high[k], q.last[k] = end, u.Offset
			} else {
				q.high[k] = max(q.high[k], int64(binary.BigEndian.Uint64(buf[i+28:]))+int64(binary.BigEndian.Uint16(buf[i+36:])))
			}
		}
		at += int64(n)
	}
	return there, nil
}

// folders lists those in a directory, none where that is not there.
func folders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
