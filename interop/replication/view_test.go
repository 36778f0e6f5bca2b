package main

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"ringmq/interop/rig"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

const testSegment = 4096

// logOf writes n messages of queue 0 into segments, as a broker would, and promises them in h. Behind the head of a blank stands rubbish.
func logOf(t *testing.T, h *history, n int, rubbish byte) *view {
	t.Helper()
	dir := t.TempDir()
	log := make([]byte, 0, testSegment)
	write := func() {
		t.Helper()
		if len(log) == 0 {
			return
		}
		base := (int64(len(log)) - 1) / testSegment * testSegment
		segment := make([]byte, testSegment)
		copy(segment, log[base:])
		if err := os.WriteFile(segmentFile(dir, base), segment, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := h.lanes[0]
	for i := range int64(n) {
		seq := i
		if int(seq) >= len(l.fate) {
			seq = l.take()
		}
		r := record.Record{Topic: []byte(topic), Body: h.body(0, seq), QueueOffset: i}
		if left := testSegment - len(log)%testSegment; r.Size(false)+record.BlankBytes > left {
			blank := binary.BigEndian.AppendUint32(nil, uint32(left))
			blank = binary.BigEndian.AppendUint32(blank, record.MagicBlank)
			log = append(log, blank...)
			for range left - record.BlankBytes {
				log = append(log, rubbish)
			}
			write()
		}
		r.PhysicalOffset = int64(len(log))
		log = record.Append(log, &r, false)
		if l.fate[seq] != promised {
			l.promise(ack{seq, i, r.PhysicalOffset})
		}
	}
	write()
	return newView(dir, testSegment)
}

// walked reads a log and holds the promises against it.
func walked(v *view, h *history) error {
	if err := v.walk(h); err != nil {
		return err
	}
	return v.promises(h)
}

func TestViewOfWhatWasPromised(t *testing.T) {
	h := newHistory("t", 1)
	a, b := logOf(t, h, 30, 'x'), logOf(t, h, 30, 'y')
	for _, v := range []*view{a, b} {
		if err := walked(v, h); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.blanks) < 3 || a.pos == 0 {
		t.Fatalf("%d blanks, end at %d: the log shows nothing", len(a.blanks), a.pos)
	}
	for _, from := range []int64{0, a.blanks[0][0] + 1, a.blanks[0][1] - 1, a.pos} {
		if err := sameBytes(a, b, from); err != nil {
			t.Errorf("from %d on: what stands behind the head of a blank means nothing: %v", from, err)
		}
	}
	if err := h.order(); err != nil {
		t.Error(err)
	}
}

func TestViewFindsOut(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, h *history, v *view)
		want  string
	}{
		"a message less":      {func(_ *testing.T, h *history, _ *view) { h.lanes[0].promise(ack{h.lanes[0].take(), 30, 1 << 20}) }, "LOST"},
		"another place":       {func(_ *testing.T, h *history, _ *view) { h.lanes[0].acked[3].log++ }, "LOST"},
		"another message":     {func(_ *testing.T, h *history, _ *view) { h.lanes[0].acked[3].seq = 4 }, "LOST"},
		"a refused message":   {func(_ *testing.T, h *history, _ *view) { h.lanes[0].settle(5, refused) }, "was refused and is there"},
		"another run":         {func(_ *testing.T, h *history, _ *view) { h.run = "u" }, "nobody sent"},
		"a changed body":      {func(t *testing.T, _ *history, v *view) { flip(t, v, 100) }, "LOST"},
		"a later place":       {func(t *testing.T, _ *history, v *view) { flip(t, v, 35) }, "LOST"},
		"a gap in the queue":  {func(t *testing.T, _ *history, v *view) { flip(t, v, 27) }, "begins with offset"},
		"a shorter segment":   {func(t *testing.T, _ *history, v *view) { shorten(t, v) }, "bytes"},
		"a missing beginning": {func(t *testing.T, _ *history, v *view) { remove(t, v) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory("t", 1)
			v := logOf(t, h, 30, 'x')
			c.spoil(t, h, v)
			err := walked(v, h)
			if c.want == "" && (err != nil || v.start != testSegment) {
				t.Fatalf("%v, the log begins at %d", err, v.start)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("found %v, want %q", err, c.want)
			}
		})
	}
}

// flip changes one byte of the first segment.
func flip(t *testing.T, v *view, at int) {
	t.Helper()
	file, err := os.ReadFile(segmentFile(v.dir, 0))
	if err != nil {
		t.Fatal(err)
	}
	file[at] ^= 1
	if err := os.WriteFile(segmentFile(v.dir, 0), file, 0o644); err != nil {
		t.Fatal(err)
	}
}

func shorten(t *testing.T, v *view) {
	t.Helper()
	if err := os.Truncate(segmentFile(v.dir, 0), testSegment-1); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, v *view) {
	t.Helper()
	if err := os.Remove(segmentFile(v.dir, 0)); err != nil {
		t.Fatal(err)
	}
}

// A log that is shorter than it was is read from its beginning.
func TestViewOfACutLog(t *testing.T) {
	h := newHistory("t", 1)
	v := logOf(t, h, 30, 'x')
	if err := walked(v, h); err != nil {
		t.Fatal(err)
	}
	short := logOf(t, h, 20, 'x')
	v.dir = short.dir
	if err := walked(v, h); err == nil || !strings.Contains(err.Error(), "LOST") {
		t.Fatalf("ten messages are gone: %v", err)
	}
}

func TestSameBytesFindsOneByte(t *testing.T) {
	h := newHistory("t", 1)
	a, b := logOf(t, h, 30, 'x'), logOf(t, h, 30, 'x')
	for _, v := range []*view{a, b} {
		if err := walked(v, h); err != nil {
			t.Fatal(err)
		}
	}
	flip(t, b, 40) // the time of birth, which no checksum covers
	if err := sameBytes(a, b, 0); err == nil || !strings.Contains(err.Error(), "differ at 40") {
		t.Fatalf("found %v", err)
	}
}

func TestReaderIsHeldToWhatItSaw(t *testing.T) {
	h := newHistory("t", 1)
	v := logOf(t, h, 10, 'x')
	if err := walked(v, h); err != nil {
		t.Fatal(err)
	}
	message := func(offset, seq int64) rig.Pulled {
		return rig.Pulled{Messages: []rig.Message{{Offset: offset, Body: h.body(0, seq)}}}
	}
	for name, c := range map[string]struct {
		answers []rig.Pulled
		want    string
	}{
		"in order":            {[]rig.Pulled{message(0, 0), message(1, 1)}, ""},
		"a message left out":  {[]rig.Pulled{message(1, 1)}, "with offset 1"},
		"another message":     {[]rig.Pulled{message(0, 1)}, "message 0 lies there"},
		"sent forward":        {[]rig.Pulled{{Code: remoting.RespPullOffsetMoved, Next: 3}}, "from 0 to 3"},
		"sent back by ours":   {[]rig.Pulled{message(0, 0), {Code: remoting.RespPullOffsetMoved}}, "from 1 to 0"},
		"behind the log":      {append(first(h, 10), message(10, 3)), "the queue ends at 10"},
		"one that never was":  {[]rig.Pulled{message(0, 77)}, "was not sent yet"},
		"nothing and its end": {[]rig.Pulled{{Code: remoting.RespPullNotFound}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReader(h, "", map[int64]bool{1: true})
			for _, p := range c.answers {
				r.take(0, 1, r.queues[0].pos, p)
			}
			err := r.consumed(v, false)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("found %v, want %q", err, c.want)
			}
		})
	}
}

// first are the answers that bring the first n messages.
func first(h *history, n int64) (list []rig.Pulled) {
	for i := range n {
		list = append(list, rig.Pulled{Messages: []rig.Message{{Offset: i, Body: h.body(0, i)}}})
	}
	return list
}

// A stock broker may send its reader back: what it reads again must be what it read.
func TestReaderGoesBackWithStock(t *testing.T) {
	h := newHistory("t", 1)
	v := logOf(t, h, 10, 'x')
	if err := walked(v, h); err != nil {
		t.Fatal(err)
	}
	r := newReader(h, "", nil)
	for _, p := range append(first(h, 3), rig.Pulled{Code: remoting.RespPullOffsetMoved, Next: 1}) {
		r.take(0, 0, r.queues[0].pos, p)
	}
	if r.queues[0].pos != 1 || r.moved != 1 {
		t.Fatalf("at %d, moved %d times", r.queues[0].pos, r.moved)
	}
	r.take(0, 0, 1, rig.Pulled{Messages: []rig.Message{{Offset: 1, Body: h.body(0, 1)}}})
	if err := r.consumed(v, true); err != nil || r.queues[0].pos != 2 {
		t.Fatalf("%v, at %d", err, r.queues[0].pos)
	}
	r.take(0, 0, 2, rig.Pulled{Messages: []rig.Message{{Offset: 2, Body: h.body(0, 5)}}})
	if err := r.consumed(v, true); err == nil {
		t.Fatal("another message at the same offset was let pass")
	}
}

func TestStepsOfADocument(t *testing.T) {
	steps, err := stepsOf("../../docs/MIGRATION.md", every)
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, s := range steps {
		titles = append(titles, s.title[:6])
		if s.commands == "" || strings.Contains(s.commands, "```") {
			t.Errorf("%s: commands %q", s.title, s.commands)
		}
	}
	if got := strings.Join(titles, ","); got != "Before,Step 1,Step 2,Step 3,Step 4,One br,One br,Name s,When t" {
		t.Errorf("blocks of commands below %s", got)
	}
}
