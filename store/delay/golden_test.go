package delay

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"ringmq/interop/golden"
	"ringmq/store"
	"ringmq/store/record"
)

// TestGoldenPending: in a store the reference broker left, delivery goes on where it stopped: what is past due is
// delivered at once, with the properties it waited with, and nothing else.
func TestGoldenPending(t *testing.T) {
	conf := golden.StoreConf(t, "clean")
	o := store.DefaultOptions(golden.Store(t, "clean"))
	number := func(key string) int {
		n, err := strconv.Atoi(conf[key])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	o.SegmentBytes, o.QueueFileBytes = int64(number("mappedFileSizeCommitLog")), number("mappedFileSizeConsumeQueue")
	o.IndexSlots, o.IndexEntries, o.DisableRetention = number("maxHashSlotNum"), number("maxIndexNum"), true
	o.Retention.WarningRatio = 100 // however full the disk of the test is
	o.Engine, o.Logger = "pwrite", slog.New(slog.DiscardHandler)
	s, err := store.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan string, 1000)
	s.OnArrive(func(a *store.Arrival) {
		if real, _ := record.Property(a.Properties, realTopic); string(real) == a.Topic {
			arrived <- a.Topic
		}
	})
	// Two hours after the newest message everything is due.
	var newest int64
	for _, l := range golden.Manifest(t, "clean") {
		newest = max(newest, l.StoreTimestamp)
	}
	d, err := New(Options{Store: s, Logger: o.Logger, Clock: func() time.Time { return time.UnixMilli(newest).Add(3 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	recorded := make(map[int]int64)
	for _, l := range golden.Manifest(t, "clean") {
		if l.Kind == "delayOffset" {
			recorded[l.Level] = l.Offset
		}
	}
	pending := 0
	for _, p := range d.Progress() {
		if p.Next != recorded[p.Level] {
			t.Errorf("level %d begins at %d, recorded %d", p.Level, p.Next, recorded[p.Level])
		}
		pending += int(p.Max - p.Next)
	}
	d.Start()
	for range pending {
		select {
		case <-arrived:
		case <-time.After(30 * time.Second):
			t.Fatal("not everything that is due was delivered")
		}
	}
	if err := d.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Progress() {
		if p.Next != p.Max {
			t.Errorf("level %d stands at %d of %d", p.Level, p.Next, p.Max)
		}
	}
	t.Logf("%d were pending", pending)
	if pending == 0 || len(arrived) > 0 {
		t.Errorf("%d pending, %d more arrived", pending, len(arrived))
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}
