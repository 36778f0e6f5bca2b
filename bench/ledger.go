package bench

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// ledger is what a broker has acknowledged: for every queue, which message lies at which offset. It grows by about four bytes a
// message. In a file it is the magic, then as uvarints the fields in the order of encode, and a CRC-32 of all that at the end.
type ledger struct {
	run    uint64 // of the messages
	conns  int
	topic  string // the workload's Topic, Topics and Queues
	topics int
	queues int
	batch  int    // messages one acknowledgement stands for
	sent   uint64 // messages of the run, acknowledged or not: every serial lies below
	pages  []ledgerPage
	last   []uint64 // by connection and queue, the serial entered last
}

// ledgerPage is one queue's part: entries of three varints, connection, serial and offset, the last two as differences.
type ledgerPage struct {
	from    int64 // the queue's end before the run
	entries int
	data    []byte
	offset  int64 // entered last
}

const (
	ledgerMagic    = "ringmq ledger 1\n"
	ledgerCRCBytes = 4
	maxSent        = 1 << 40
	maxPairs       = 1 << 22 // of connection and queue
)

var errLedger = errors.New("bench: the ledger is damaged")

func newLedger(w *Workload, run uint64, from []span) *ledger {
	l := &ledger{run: run, conns: w.Conns, topic: w.Topic, topics: w.Topics, queues: w.Queues, batch: w.Batch, pages: make([]ledgerPage, len(from))}
	l.last = make([]uint64, l.conns*len(from))
	for q, s := range from {
		l.pages[q].from = s.high
	}
	return l
}

// enter notes that the batch beginning with serial lies at offset and behind.
func (l *ledger) enter(conn, queue int, serial uint64, offset int64) {
	p, last := &l.pages[queue], &l.last[conn*len(l.pages)+queue]
	p.data = binary.AppendUvarint(p.data, uint64(conn))
	p.data = binary.AppendVarint(p.data, int64(serial-*last))
	p.data = binary.AppendVarint(p.data, offset-p.offset)
	*last, p.offset = serial, offset
	p.entries++
}

// receipt is one acknowledged batch: as many messages as the ledger's batch, one behind the other.
type receipt struct {
	offset int64
	serial uint64
	conn   int
}

// receipts are those of a queue by offset.
func (l *ledger) receipts(queue int) ([]receipt, error) {
	p := &l.pages[queue]
	out := make([]receipt, 0, p.entries)
	last := make([]uint64, l.conns)
	offset := int64(0)
	rest := fields{b: p.data}
	for range p.entries {
		conn := rest.uvarint(uint64(l.conns) - 1)
		serial := rest.varint()
		offset += rest.varint()
		if rest.bad {
			return nil, errLedger
		}
		last[conn] += uint64(serial)
		if last[conn] >= l.sent || offset < 0 || offset > 1<<62 {
			return nil, errLedger
		}
		out = append(out, receipt{offset, last[conn], int(conn)})
	}
	if len(rest.b) > 0 {
		return nil, errLedger
	}
	slices.SortStableFunc(out, func(a, b receipt) int {
		switch {
		case a.offset < b.offset:
			return -1
		case a.offset > b.offset:
			return 1
		}
		return 0
	})
	return out, nil
}

// entries is how many messages were acknowledged.
func (l *ledger) entries() (n int64) {
	for i := range l.pages {
		n += int64(l.pages[i].entries) * int64(l.batch)
	}
	return n
}

// save writes the ledger to a file, which is there whole or not at all.
func (l *ledger) save(name string) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	defer os.Remove(f.Name())
	out := bufio.NewWriterSize(f, 1<<20)
	sum := crc32.NewIEEE()
	l.encode(ledgerSink{out, sum})
	_, err = out.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
	err = errors.Join(err, out.Flush(), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// mayWrite says early whether save will find a folder that it may write to.
func mayWrite(name string) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// ledgerSink writes and sums; a buffered writer keeps its first error until Flush.
type ledgerSink struct {
	out io.Writer
	sum hash.Hash32
}

func (s ledgerSink) put(b []byte) {
	_, _ = s.out.Write(b)
	_, _ = s.sum.Write(b)
}

func (l *ledger) encode(s ledgerSink) {
	head := binary.BigEndian.AppendUint64([]byte(ledgerMagic), l.run)
	for _, n := range []int{l.conns, l.topics, l.queues, l.batch, int(l.sent), len(l.topic)} {
		head = binary.AppendUvarint(head, uint64(n))
	}
	s.put(append(head, l.topic...))
	for i := range l.pages {
		p := &l.pages[i]
		head = head[:0]
		for _, n := range []int{int(p.from), p.entries, len(p.data)} {
			head = binary.AppendUvarint(head, uint64(n))
		}
		s.put(head)
		s.put(p.data)
	}
}

// readLedger reads a file that save wrote.
func readLedger(name string) (*ledger, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	l, err := decodeLedger(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return l, nil
}

// decodeLedger reads what save wrote; the ledger aliases b. Entries are looked at by receipts.
func decodeLedger(b []byte) (*ledger, error) {
	if len(b) < len(ledgerMagic)+8+ledgerCRCBytes || string(b[:len(ledgerMagic)]) != ledgerMagic {
		return nil, errLedger
	}
	end := len(b) - ledgerCRCBytes
	if crc32.ChecksumIEEE(b[:end]) != binary.BigEndian.Uint32(b[end:]) {
		return nil, errLedger
	}
	b = b[len(ledgerMagic):end]
	l := &ledger{run: binary.BigEndian.Uint64(b)}
	rest := fields{b: b[8:]}
	l.conns, l.topics = int(rest.uvarint(maxConns)), int(rest.uvarint(maxTopics))
	l.queues, l.batch = int(rest.uvarint(maxQueues)), int(rest.uvarint(maxBatch))
	l.sent = rest.uvarint(maxSent)
	l.topic = string(rest.bytes(rest.uvarint(uint64(len(rest.b)))))
	all := l.topics * l.queues
	// Each page takes three bytes at least, so that their number is bounded by the file's size, as that of entries is.
	if rest.bad || l.conns < 1 || l.batch < 1 || all < 1 || all > maxQueues || all > len(rest.b)/3 || l.conns*all > maxPairs {
		return nil, errLedger
	}
	l.pages = make([]ledgerPage, all)
	for i := range l.pages {
		p := &l.pages[i]
		p.from = int64(rest.uvarint(1 << 62))
		p.entries = int(rest.uvarint(uint64(len(rest.b)) / 3))
		p.data = rest.bytes(rest.uvarint(uint64(len(rest.b))))
		if p.entries > len(p.data)/3 {
			return nil, errLedger
		}
	}
	if rest.bad || len(rest.b) > 0 || uint64(l.entries()) > l.sent {
		return nil, errLedger
	}
	return l, nil
}

// fields reads varints off the front of b. After the first that is not there or too large, everything is 0 and bad is set.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(f.b)
	if f.bad || n <= 0 || v > limit {
		f.bad, f.b = true, nil
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) varint() int64 {
	v, n := binary.Varint(f.b)
	if f.bad || n <= 0 {
		f.bad, f.b = true, nil
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) bytes(n uint64) []byte {
	if f.bad || n > uint64(len(f.b)) {
		f.bad, f.b = true, nil
		return nil
	}
	b := f.b[:n:n]
	f.b = f.b[n:]
	return b
}
