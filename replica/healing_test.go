package replica

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
	"ringmq/store/record"
)

// hurt flips a bit of every third record of a log on a disk, and returns where they are.
func hurt(t *testing.T, d *disk.Faulty, raw []byte, bit int64) (hit [][2]int64) {
	t.Helper()
	for at, i := int64(0), 0; at < int64(len(raw)); i++ {
		var r record.Record
		if r.Parse(raw[at:]) != nil {
			at = at - at%testSegment + testSegment
			continue
		}
		if i%3 == 1 {
			if err := d.FlipBit(fmt.Sprintf("/store/commitlog/%020d", at-at%testSegment), at%testSegment+bit, 2); err != nil {
				t.Fatal(err)
			}
			hit = append(hit, [2]int64{at, at + int64(r.TotalSize)})
		}
		at += int64(r.TotalSize)
	}
	return hit
}

// copied has two stores that are closed in order, with n messages that both have, and returns their log.
func copied(t *testing.T, mo, so store.Options, n int) (raw []byte) {
	t.Helper()
	master, slave := open(t, mo), open(t, so)
	l := lead(t, master, LeaderOptions{Copies: 1})
	f := follow(t, slave, l, FollowerOptions{})
	end := put(t, master, 0, n)
	arrive(t, slave, end)
	arrive(t, master, end)
	raw = content(t, master, 0)
	f.Close()
	l.Close()
	shut(t, master)
	shut(t, slave)
	return raw
}

// TestHealed: what rots on one side comes back from the other, whether reads come upon it or a start does, and consumers get every message.
func TestHealed(t *testing.T) {
	for _, side := range []string{"master", "slave"} {
		for _, restart := range []bool{true, false} {
			for what, bit := range map[string]int64{"body": 95, "size": 1, "magic": 5, "place": 30} {
				t.Run(fmt.Sprintf("%s/restart=%v/%s", side, restart, what), func(t *testing.T) {
					healed(t, side, restart, bit)
				})
			}
		}
	}
}

func healed(t *testing.T, side string, restart bool, bit int64) {
	md, sd := disk.NewFaulty(), disk.NewFaulty()
	mo, so := options(md, true), options(sd, true)
	raw := copied(t, mo, so, 60)
	hurtDisk, o := md, mo
	if side == "slave" {
		hurtDisk, o = sd, so
	}
	if restart {
		// As after a crash, so that the start looks at all of it. The last MiB is compared when they meet: the other side is whole.
		for _, name := range []string{"ringmq/replay.json", "checkpoint"} {
			_ = hurtDisk.Remove(o.Root + "/" + name)
		}
		abort, err := hurtDisk.Open(o.Root+"/abort", 0x42, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		_ = abort.Close()
	}
	hit := hurt(t, hurtDisk, raw, bit)
	master, slave := open(t, mo), open(t, so)
	ill := master
	if side == "slave" {
		ill = slave
	}
	if !restart {
		for _, q := range ill.Queues() {
			_ = messages(t, ill, q, 0, ill.MaxOffset([]byte(q.Topic), q.QueueID)) // a consumer comes upon them
		}
	}
	if n := len(ill.Gaps()); n == 0 {
		t.Fatal("no damage was found")
	}
	// They have to be connected for it; bytes that differ on purpose would be refused.
	more := put(t, master, 60, 1)
	arrive(t, master, more)
	l := lead(t, master, LeaderOptions{Copies: 1})
	follow(t, slave, l, FollowerOptions{})
	eventually(t, "healed", func() bool { return len(ill.Gaps()) == 0 })
	if n := ill.Stats().HealedGaps; n != int64(len(hit)) && bit != 1 {
		t.Errorf("%d gaps were healed of %d", n, len(hit))
	}
	eventually(t, "a record at least in each gap", func() bool { st := ill.Stats(); return st.HealedRecords >= st.HealedGaps }) // counted behind the gap
	arrive(t, slave, more)
	if got := content(t, ill, 0); !bytes.Equal(got[:len(raw)], raw) {
		t.Error("the log is not what it was")
	}
	same(t, master, slave, 0)
	if count(ill) != 61 {
		t.Errorf("%d messages of 61", count(ill))
	}
}

// TestHealsLargeGaps: a gap of more than can be asked for at once comes back in pieces that end where records do, up to where the other side is
// damaged too.
func TestHealsLargeGaps(t *testing.T) {
	for name, rotten := range map[string]int{"whole there": -1, "damaged there in the middle": 2} {
		t.Run(name, func(t *testing.T) {
			large := func(d disk.FS) store.Options {
				o := options(d, true)
				o.SegmentBytes, o.TailBytes, o.MaxMessageBytes = 32<<20, 16<<20, 4<<20
				return o
			}
			md, sd := disk.NewFaulty(), disk.NewFaulty()
			master, slave := open(t, large(md)), open(t, large(sd))
			l := lead(t, master, LeaderOptions{Copies: 1})
			f := follow(t, slave, l, FollowerOptions{})
			var end int64
			for i := range 7 {
				p, err := master.Append(&store.Message{Topic: []byte("T"), Body: bytes.Repeat([]byte{byte(i)}, 3<<20), BornTimestamp: 1})
				if err != nil {
					t.Fatal(err)
				}
				end = p.End
				arrive(t, slave, end)
			}
			arrive(t, master, end)
			raw := content(t, master, 0)
			spans := cutterFor(master).wholeSpans(raw, 0)
			f.Close()
			l.Close()
			shut(t, master)
			shut(t, slave)
			flip := func(d *disk.Faulty, i int) {
				t.Helper()
				if err := d.FlipBit(fmt.Sprintf("/store/commitlog/%020d", 0), spans[i].from+95, 2); err != nil {
					t.Fatal(err)
				}
			}
			gap := span{0, spans[5].to}
			if gap.to <= maxAskBytes || spans[5].from >= maxAskBytes {
				t.Fatal("this is no test of a piece that ends in a record:", spans)
			}
			for _, i := range []int{0, 3, 5} {
				flip(sd, i)
			}
			left := []store.Gap(nil)
			if rotten >= 0 {
				flip(md, rotten)
				left = []store.Gap{{From: spans[rotten].from, To: gap.to}}
			}
			master, slave = open(t, large(md)), open(t, large(sd))
			slave.NoteGap(gap.from, gap.to)
			l = lead(t, master, LeaderOptions{Copies: 1})
			follow(t, slave, l, FollowerOptions{})
			eventually(t, "healed as far as the other side is whole", func() bool {
				gaps := slave.Gaps()
				return len(gaps) == len(left) && (len(left) == 0 || gaps[0].From == left[0].From && gaps[0].To == left[0].To)
			})
			if got := content(t, slave, 0); rotten < 0 && !bytes.Equal(got, raw) {
				t.Error("the log is not what it was")
			} else if rotten >= 0 && !bytes.Equal(got[:left[0].From], raw[:left[0].From]) {
				t.Error("the log is not what it was before what is damaged on both sides")
			}
		})
	}
}

// TestHealRefusals: nothing is written that is not whole, does not belong there, or was not lost.
func TestHealRefusals(t *testing.T) {
	d := disk.NewFaulty()
	o := options(d, true)
	s := open(t, o)
	end := put(t, s, 0, 10)
	arrive(t, s, end)
	raw := content(t, s, 0)
	shut(t, s)
	hit := hurt(t, d, raw, 95)
	s = open(t, o)
	for _, q := range s.Queues() {
		_ = messages(t, s, q, 0, s.MaxOffset([]byte(q.Topic), q.QueueID))
	}
	before := content(t, s, 0)
	from, to := hit[0][0], hit[0][1]
	good := raw[from:to]
	other := bytes.Clone(good)
	other[100] ^= 1
	for name, c := range map[string]struct {
		from int64
		b    []byte
	}{
		"damaged":     {from, other},
		"short":       {from, good[:len(good)-1]},
		"no gap":      {0, raw[:from]},
		"beyond":      {from, raw[from:hit[1][0]]},
		"from inside": {from + 1, good[1:]},
		"nothing":     {from, nil},
	} {
		if err := s.Heal(c.from, c.b); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if !bytes.Equal(content(t, s, 0), before) {
		t.Error("the log has changed")
	}
	if err := s.Heal(from, good); err != nil {
		t.Error(err)
	}
}

// TestAsks: a slave gets what it asks for if the master has it, no more than it may, and what nobody asked for ends the connection.
func TestAsks(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 20)
	arrive(t, master, end)
	all := content(t, master, 0)
	l := lead(t, master, LeaderOptions{Copies: 1})
	greet := func() *peer {
		p := dial(t, l)
		sum, err := sumOf(master, 0, end)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.conn.Write(hello{version: 1, segmentBytes: testSegment, sum: sum, end: end}.append(nil)); err != nil {
			t.Fatal(err)
		}
		if h, b := p.frame(); uint64(h.offset) != welcomeMagic {
			t.Fatalf("%+v %x", h, b)
		}
		return p
	}
	p := greet()
	for _, a := range []ask{{0, 100}, {100, int32(end - 100)}, {end - 5, 6}, {end + 100, 1}} {
		if _, err := p.conn.Write(a.append(nil)); err != nil {
			t.Fatal(err)
		}
		for {
			h, b := p.frame()
			if uint64(h.offset) != bytesMagic {
				continue
			}
			got, err := parseAnswer(b)
			want := []byte{}
			if to := a.from + int64(a.n); to <= end {
				want = all[a.from:to]
			}
			if err != nil || got.from != a.from || !bytes.Equal(got.b, want) {
				t.Errorf("%+v: %d bytes at %d, %v", a, len(got.b), got.from, err)
			}
			break
		}
	}
	p.report(end)
	for _, bad := range []string{
		string(ask{0, maxAskBytes + 1}.append(nil)), string(ask{-1, 5}.append(nil)),
		string(header{offset: int64(-1 << 63), size: 1 << 30}.append(nil)), strings.Repeat(string(ask{0, maxAskBytes}.append(nil)), 40),
	} {
		p := greet()
		if _, err := io.WriteString(p.conn, bad); err != nil {
			t.Fatal(err)
		}
		p.ended()
	}
	if _, err := bytesOf(master, 0, end+1); err == nil {
		t.Error("more was read than there is")
	}
}

// TestMastersLastRecordIsHealed: what was acknowledged with two copies and is damaged on the master comes back from the slave also where it is
// the last of the log: after an orderly end it is no torn write, and the two have not parted.
func TestMastersLastRecordIsHealed(t *testing.T) {
	d := disk.NewFaulty()
	mo := options(d, true)
	master, slave := open(t, mo), open(t, options(disk.NewMemory(), true))
	l := lead(t, master, LeaderOptions{Copies: 2, SlaveTimeout: time.Hour})
	f := follow(t, slave, l, FollowerOptions{})
	before := put(t, master, 0, 50)
	end := put(t, master, 50, 1)
	arrive(t, slave, end)
	arrive(t, master, end) // acknowledged: two copies have it
	had := count(master)
	f.Close()
	l.Close()
	shut(t, master)
	if err := d.FlipBit(fmt.Sprintf("/store/commitlog/%020d", before-before%testSegment), before%testSegment+90, 3); err != nil {
		t.Fatal(err)
	}
	master = open(t, mo)
	if master.LogMax() != end || len(master.Gaps()) != 1 {
		t.Errorf("the log ends at %d and went to %d; gaps %v", master.LogMax(), end, master.Gaps())
	}
	again := lead(t, master, LeaderOptions{Copies: 2, SlaveTimeout: time.Hour})
	g := follow(t, slave, again, FollowerOptions{})
	eventually(t, "healed", func() bool { return g.State().Refused != "" || len(master.Gaps()) == 0 })
	if s := g.State(); s.Refused != "" || count(master) != had {
		t.Errorf("%d of %d messages; refused: %q", count(master), had, s.Refused)
	}
	more := put(t, master, 51, 5)
	arrive(t, slave, more)
	same(t, master, slave, 0)
}

// TestAnswersNobodyWaitsFor: an answer whose ask was given up is read past, however long it is, and the connection goes on; what is longer
// than any ask is no frame.
func TestAnswersNobodyWaitsFor(t *testing.T) {
	h := &healing{}
	late := answerHead(nil, 4096, 1<<20, 7)
	late = append(late, make([]byte, 1<<20)...)
	r := bytes.NewReader(late[headerBytes:])
	f := parseHeader(late)
	body, err := h.read(r, f)
	if err != nil || body != nil || r.Len() != 0 {
		t.Fatal(len(body), err, r.Len())
	}
	if err := h.answered(body, make(chan struct{}, 1)); err != nil {
		t.Error(err)
	}
	if err := h.answered(answer{from: 1}.append(nil)[headerBytes:], make(chan struct{}, 1)); err != nil {
		t.Error("one without bytes:", err)
	}
	f.size = bytesBytes + maxAskBytes + 1
	if _, err := h.read(r, f); !errors.Is(err, errFrame) {
		t.Error("longer than any ask:", err)
	}
}

// TestPacedSenderHearsAsks: while a sender waits for its pace it looks for what is asked, and comes back no sooner for that.
func TestPacedSenderHearsAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slave{l: &Leader{stop: make(chan struct{})}, wake: make(chan struct{})}
		began := time.Now()
		go func() {
			for range 3 {
				time.Sleep(10 * time.Second)
				s.wake <- struct{}{} // blocks for ever where nobody listens
			}
		}()
		if err := (&sender{s: s}).rest(false, time.Minute, nil); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(began); got != time.Minute {
			t.Error("rested", got)
		}
	})
}
