package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"ringmq/store/record"
)

// logDump walks one file of the commit log.
type logDump struct {
	*dumper
	f     numbered
	w     window
	ended int64 // offset at which nothing more is written; -1: the file is full
}

// commitLog prints every record of path: a file, the commit log's directory, or the store's.
func (d *dumper) commitLog(path string) error {
	files, err := numberedFiles(below(path, "commitlog"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no commit log file in %s", path)
	}
	ended := int64(-1)
	for i := range files {
		if i > 0 {
			d.follows(&files[i-1], files[i])
		}
		l := &logDump{dumper: d, f: files[i], ended: -1}
		before := d.lines
		if err := l.run(); err != nil {
			return err
		}
		if ended >= 0 && d.lines > before {
			d.bad(files[i].path, "it holds records, but the log ends at %d, before it", ended)
		}
		if ended < 0 {
			ended = l.ended
		}
	}
	return nil
}

func (l *logDump) run() error {
	file, err := os.Open(l.f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	l.w = window{r: file, size: l.f.size}
	for at := int64(0); at < l.f.size; {
		next, err := l.step(at)
		if err != nil {
			return fmt.Errorf("%s at %d: %w", l.f.path, at, err)
		}
		at = next
	}
	return nil
}

// place is a position as the log counts it.
func (l *logDump) place(at int64) int64 { return max(l.f.first, 0) + at }

// step prints what begins at a position of the file and returns where the next thing begins.
func (l *logDump) step(at int64) (int64, error) {
	head, err := l.w.view(at, record.BlankBytes)
	if err != nil {
		return 0, err
	}
	if len(head) < record.BlankBytes {
		return l.unwritten(at)
	}
	size, magic := record.Header(head)
	if size == 0 && magic == 0 {
		return l.unwritten(at)
	}
	if magic == record.MagicBlank {
		if l.f.piece && size >= record.BlankBytes && int64(size) < l.f.size-at {
			l.ok("%d\t%d\tblank", l.place(at), size)
			return at + int64(size), nil
		}
		if int64(size) != l.f.size-at {
			l.bad(fmt.Sprint(l.place(at)), "blank of %d bytes, but the file has %d left", size, l.f.size-at)
		} else {
			l.ok("%d\t%d\tblank to the end of the file", l.place(at), size)
		}
		return l.f.size, nil
	}
	var r record.Record
	whole, err := l.parse(at, &r)
	if err != nil {
		return 0, err
	}
	if whole == nil {
		l.print(&r)
		return at + int64(r.TotalSize), nil
	}
	if errors.Is(whole, errContent) {
		l.lines++
		l.bad(recordText(&r), "%v", whole)
		return at + int64(r.TotalSize), nil
	}
	return l.lost(at, whole)
}

// errContent marks damage inside a record whose end is known nevertheless.
var errContent = errors.New("damaged")

// parse reads the record at a position. whole says what is wrong with it.
func (l *logDump) parse(at int64, r *record.Record) (whole, err error) {
	head, err := l.w.view(at, record.BlankBytes)
	if err != nil || len(head) < record.BlankBytes {
		return record.ErrShort, err
	}
	size, magic := record.Header(head)
	if magic != record.MagicV1 && magic != record.MagicV2 {
		return record.ErrMagic, nil
	}
	if size < record.MinRecordBytes || int64(size) > l.f.size-at {
		return record.ErrSize, nil
	}
	raw, err := l.w.view(at, int(size))
	if err != nil {
		return nil, err
	}
	if err := r.Parse(raw); err != nil {
		return err, nil
	}
	if l.f.first >= 0 && r.PhysicalOffset != l.place(at) {
		return fmt.Errorf("a record that says it lies at %d", r.PhysicalOffset), nil
	}
	return content(raw, r), nil
}

// content says what is wrong inside a record that adds up.
func content(raw []byte, r *record.Record) error {
	if err := r.VerifyBody(); err != nil {
		return fmt.Errorf("%w: %w", errContent, err)
	}
	if present, ok := record.VerifyPropCRC(raw); present && !ok {
		return fmt.Errorf("%w: checksum of the record differs", errContent)
	}
	// The body's checksum does not cover the properties. Writers end them in a separator or in text, a tear in zeros.
	if n := len(r.Properties); n > 0 && r.Properties[n-1] == 0 {
		return fmt.Errorf("%w: properties are torn", errContent)
	}
	return nil
}

func recordText(r *record.Record) string {
	text := fmt.Sprintf("%d\t%d\t%s/%d\t%d\t%s\tbody %d", r.PhysicalOffset, r.TotalSize, r.Topic, r.QueueID, r.QueueOffset, timeText(r.StoreTimestamp), len(r.Body))
	for _, p := range []struct{ name, label string }{{"UNIQ_KEY", "id"}, {"TAGS", "tags"}, {"KEYS", "keys"}} {
		if v, ok := record.Property(r.Properties, p.name); ok {
			text += fmt.Sprintf("\t%s %s", p.label, v)
		}
	}
	return text
}

func (l *logDump) print(r *record.Record) { l.ok("%s", recordText(r)) }

// unwritten handles a position where nothing is written: the rest must be zeros.
func (l *logDump) unwritten(at int64) (int64, error) {
	for p := at; p < l.f.size; {
		b, err := l.w.view(p, windowBytes)
		if err != nil {
			return 0, err
		}
		if i := nonZero(b); i >= 0 {
			return l.lost(at, fmt.Errorf("nothing is written here, but something is at %d", l.place(p+int64(i))))
		}
		p += int64(len(b))
	}
	l.ended = l.place(at)
	return l.f.size, nil
}

// lost reports a position without a record and looks for the next one: a magic number, and a record around it that adds up
// and says that it lies there.
func (l *logDump) lost(at int64, why error) (int64, error) {
	for p := at + 1; p+record.MinRecordBytes <= l.f.size; p++ {
		// Chunks overlap by the three bytes that a magic number may reach over.
		b, err := l.w.view(p+4, windowBytes)
		if err != nil {
			return 0, err
		}
		found := magicIn(b)
		if found < 0 {
			p += int64(max(len(b)-4, 0))
			continue
		}
		p += int64(found)
		var r record.Record
		whole, err := l.parse(p, &r)
		if err != nil {
			return 0, err
		}
		if whole == nil {
			l.bad(fmt.Sprint(l.place(at)), "%v; the next record is %d bytes further", why, p-at)
			return p, nil
		}
	}
	l.bad(fmt.Sprint(l.place(at)), "%v; no record follows in this file", why)
	return l.f.size, nil
}

// magicIn finds a record's magic number in b; -1: there is none.
func magicIn(b []byte) int {
	for i := 0; ; i++ {
		n := bytes.IndexByte(b[i:], byte(record.MagicV1>>24))
		if n < 0 || i+n+4 > len(b) {
			return -1
		}
		i += n
		if m := binary.BigEndian.Uint32(b[i:]); m == record.MagicV1 || m == record.MagicV2 {
			return i
		}
	}
}

// nonZero finds the first byte that is not 0; -1: there is none. Segments are mostly zeros: whole blocks are compared.
func nonZero(b []byte) int {
	var zeros [4096]byte
	for i := 0; i < len(b); i += len(zeros) {
		block := b[i:min(i+len(zeros), len(b))]
		if bytes.Equal(block, zeros[:len(block)]) {
			continue
		}
		for j, c := range block {
			if c != 0 {
				return i + j
			}
		}
	}
	return -1
}
