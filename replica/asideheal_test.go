package replica

import (
	"bytes"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/store/disk"
)

// TestHealAside: what the master has whole comes back, what is the same there is told apart, and what is damaged on both sides in two ways is left.
func TestHealAside(t *testing.T) {
	md, cd := disk.NewFaulty(), disk.NewFaulty()
	mo, co := options(md, true), options(cd, true)
	master, copied := open(t, mo), open(t, co)
	l := lead(t, master, LeaderOptions{Copies: 1})
	end := put(t, master, 0, 60)
	arrive(t, master, end)
	if err := CopyAside(t.Context(), aside(copied, l.Addr().String(), end)); err != nil {
		t.Fatal(err)
	}
	arrive(t, copied, end)
	raw := content(t, master, 0)
	spans := cutterFor(master).wholeSpans(raw, 0)
	l.Close()
	shut(t, master)
	shut(t, copied)
	turn := func(d *disk.Faulty, s span, bit uint) {
		t.Helper()
		if err := d.FlipBit(fmt.Sprintf("/store/commitlog/%020d", s.from-s.from%testSegment), s.from%testSegment+95, bit); err != nil {
			t.Fatal(err)
		}
	}
	mine, both, parted, sound := spans[3], spans[7], spans[11], spans[15]
	turn(cd, mine, 2)
	turn(cd, both, 2)
	turn(md, both, 2)
	turn(cd, parted, 2)
	turn(md, parted, 1)
	master, copied = open(t, mo), open(t, co)
	l = lead(t, master, LeaderOptions{Copies: 1})
	var all [][2]int64
	for _, s := range []span{mine, both, parted, sound} {
		copied.NoteGap(s.from, s.to)
		all = append(all, [2]int64{s.from, s.to})
	}
	same, left, err := HealAside(t.Context(), copied, l.Addr().String(), all)
	if err != nil || len(same) != 2 || same[0] != all[1] || same[1] != all[3] || len(left) != 1 || left[0] != all[2] {
		t.Errorf("same %v, left %v of %v, %v", same, left, all, err)
	}
	if got := content(t, copied, 0); !bytes.Equal(got[mine.from:mine.to], raw[mine.from:mine.to]) || bytes.Equal(got[parted.from:parted.to], raw[parted.from:parted.to]) {
		t.Error("another one was healed")
	}
	if n := len(copied.Gaps()); n != 2 {
		t.Errorf("%d gaps stay, not 2", n)
	}
	addr := l.Addr().String()
	l.Close()
	if _, left, err := HealAside(t.Context(), copied, addr, all); err == nil || len(left) != len(all) {
		t.Error(left, err)
	}
}

// sayings counts the lines of a log that have a text.
type sayings struct {
	text []byte
	n    atomic.Int64
}

func (s *sayings) Write(b []byte) (int, error) {
	if bytes.Contains(b, s.text) {
		s.n.Add(1)
	}
	return len(b), nil
}

// TestRefusedBackupsAreSaidSeldom: whoever comes again and again fills no log.
func TestRefusedBackupsAreSaidSeldom(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	w := &sayings{text: []byte("a backup was refused")}
	l := lead(t, master, LeaderOptions{Copies: 1, Logger: slog.New(slog.NewTextHandler(w, nil))})
	begin := time.Now()
	for range 50 {
		p := dial(t, l)
		if _, err := p.conn.Write(hello{version: helloVersion, aside: true, segmentBytes: testSegment, sumFrom: 1 << 20, end: 1 << 20}.append(nil)); err != nil {
			t.Fatal(err)
		}
		if _, b := p.frame(); len(b) != welcomeBytes {
			t.Fatal(len(b))
		}
		p.ended()
	}
	l.Close()
	if n, most := w.n.Load(), int64(time.Since(begin)/time.Second)+2; n == 0 || n > most {
		t.Errorf("it was said %d times, at most %d are right", n, most)
	}
}
