package bench

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func someLedger() *ledger {
	w := plain(func(w *Workload) { w.Conns, w.Queues, w.Topics, w.Batch, w.Topic = 3, 2, 2, 2, "Tópic" })
	l := newLedger(w, 0xFEDCBA9876543210, []span{{0, 5}, {0, 0}, {0, 0}, {1, 7}})
	l.sent = 1000
	l.enter(2, 0, 10, 9)
	l.enter(0, 0, 0, 5)
	l.enter(2, 0, 12, 7)
	l.enter(1, 3, 996, 1<<40)
	return l
}

func TestLedgerSurvivesItsFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ledger")
	l := someLedger()
	if err := l.save(name); err != nil {
		t.Fatal(err)
	}
	got, err := readLedger(name)
	if err != nil {
		t.Fatal(err)
	}
	if got.run != l.run || got.conns != 3 || got.topic != "Tópic" || got.topics != 2 || got.queues != 2 || got.batch != 2 || got.sent != 1000 || got.entries() != 8 {
		t.Errorf("%+v", got)
	}
	for q, want := range [][]receipt{{{5, 0, 0}, {7, 12, 2}, {9, 10, 2}}, {}, {}, {{1 << 40, 996, 1}}} {
		receipts, err := got.receipts(q)
		if err != nil || !reflect.DeepEqual(receipts, want) {
			t.Errorf("queue %d: %v %v, want %v", q, receipts, err, want)
		}
		if got.pages[q].from != l.pages[q].from {
			t.Errorf("queue %d begins at %d", q, got.pages[q].from)
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(name)); len(left) != 1 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestLedgerThatCannotBeWritten(t *testing.T) {
	if err := someLedger().save(filepath.Join(t.TempDir(), "none", "ledger")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func encoded(t testing.TB, l *ledger) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ledger")
	if err := l.save(name); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDamagedLedger: no flipped bit and no cut goes unnoticed.
func TestDamagedLedger(t *testing.T) {
	b := encoded(t, someLedger())
	for i := range b {
		if _, err := decodeLedger(b[:i]); !errors.Is(err, errLedger) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		b[i] ^= 4
		if _, err := decodeLedger(b); !errors.Is(err, errLedger) {
			t.Fatalf("flipped at %d: %v", i, err)
		}
		b[i] ^= 4
	}
}

// FuzzLedger: a file of nonsense with a good checksum is refused or read within its own size.
func FuzzLedger(f *testing.F) {
	good := encoded(f, someLedger())
	f.Add(good[len(ledgerMagic) : len(good)-ledgerCRCBytes])
	f.Fuzz(func(t *testing.T, middle []byte) {
		b := append([]byte(ledgerMagic), middle...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
		l, err := decodeLedger(b)
		if err != nil {
			return
		}
		if len(l.pages) > len(b) || l.entries() > int64(l.sent) {
			t.Fatalf("%d queues and %d messages out of %d bytes, %d sent", len(l.pages), l.entries(), len(b), l.sent)
		}
		for q := range l.pages {
			receipts, err := l.receipts(q)
			if err != nil {
				continue
			}
			for i, r := range receipts {
				if r.conn >= l.conns || r.serial >= l.sent || r.offset < 0 || i > 0 && r.offset < receipts[i-1].offset {
					t.Fatalf("receipt %d: %+v", i, r)
				}
			}
		}
	})
}
