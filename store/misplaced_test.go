package store

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestMisplacedEntries: a queue whose entries stand at other places than their messages say is rebuilt from the log when it is opened and
// nothing tells how long it was, as after a stock broker; the line says so, and the others are left alone.
func TestMisplacedEntries(t *testing.T) {
	const messages = 60
	for name, c := range map[string]struct {
		from, by int64 // entries from there on are moved to the front by so many
		ends     bool  // what the last run left tells of the queues
		rebuilt  bool
	}{
		"from the first on":        {5, 5, false, true},
		"behind some":              {20, 3, false, true},
		"the last one":             {messages - 1, 2, false, true},
		"none":                     {0, 0, false, false},
		"none, and the ends count": {0, 0, true, false},
	} {
		for _, crashed := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", crashed), func(t *testing.T) {
				f := disk.NewFaulty()
				o := smallOptions(f)
				o.QueueFileBytes = 4000
				s := mustOpen(t, o)
				for i := range messages {
					for _, topic := range []string{"A", "B"} {
						mustAppend(t, s, message(topic, 0, fmt.Sprint(topic, i)))
					}
				}
				settled(t, s)
				if crashed {
					f = killed(t, s, f)
					o.FS = f
				} else {
					closeStore(t, s)
				}
				moveEntries(t, f, c.from, c.by, messages)
				if !c.ends {
					if err := f.Remove("/store/ringmq/" + endsName); err != nil && !os.IsNotExist(err) {
						t.Fatal(err)
					}
				}
				var lines bytes.Buffer
				o.Logger = slog.New(slog.NewTextHandler(&lines, nil))
				s = mustOpen(t, o)
				text := lines.String()
				if got := strings.Contains(text, "of another message"); got != c.rebuilt || strings.Contains(text, "topic=B") {
					t.Errorf("rebuilt: %v\n%s", got, text)
				}
				for _, topic := range []string{"A", "B"} {
					got := served(t, s)[at{topic, 0}]
					if len(got) != messages {
						t.Errorf("%d messages of %s are served", len(got), topic)
					}
					if p := mustAppend(t, s, message(topic, 0, "next")); p.QueueOffset != messages {
						t.Errorf("the next offset of %s is %d", topic, p.QueueOffset)
					}
					raw, found, err := s.Read(&Want{Topic: []byte(topic), Offset: 30, MaxMessages: 1, Anything: true}, nil)
					var r record.Record
					if err != nil || found.Messages != 1 || r.Parse(raw) != nil || r.QueueOffset != 30 || string(r.Body) != fmt.Sprint(topic, 30) {
						t.Errorf("at 30 of %s: %q at %d, %v", topic, r.Body, r.QueueOffset, err)
					}
				}
				settled(t, s)
				closeStore(t, s)
				lines.Reset()
				s = mustOpen(t, o)
				if strings.Contains(lines.String(), "of another message") {
					t.Error("it is rebuilt again:", lines.String())
				}
				closeStore(t, s)
			})
		}
	}
}

// moveEntries moves the entries of queue A-0 from one on towards the front.
func moveEntries(t *testing.T, f *disk.Faulty, from, by, end int64) {
	t.Helper()
	h, err := f.Open(damagedQueue+"00000000000000000000", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	b := make([]byte, (end-from)*record.QueueUnitBytes)
	if _, err := h.ReadAt(b, from*record.QueueUnitBytes); err != nil {
		t.Fatal(err)
	}
	b = append(b, make([]byte, by*record.QueueUnitBytes)...)
	if _, err := h.WriteAt(b, (from-by)*record.QueueUnitBytes); err != nil {
		t.Fatal(err)
	}
}
