package store

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"ringmq/store/disk"
)

// TestForeignLog: after a stock broker has moved the checkpoint the log's mark does not bound what is looked at, and after runs of this one's it does.
func TestForeignLog(t *testing.T) {
	var out bytes.Buffer
	f := disk.NewFaulty()
	o := smallOptions(f)
	o.Logger = slog.New(slog.NewTextHandler(&out, nil))
	passedOver := func() bool { defer out.Reset(); return strings.Contains(out.String(), "passed over") }
	run := func() {
		s := mustOpen(t, o)
		mustAppend(t, s, message("T", 0, "x"))
		settled(t, s)
		closeStore(t, s)
	}
	run()
	run()
	if passedOver() {
		t.Error("our own mark does not count")
	}
	c, err := openCheckpoint(f, o.Root, o.Logger)
	if err != nil || c.foreign() {
		t.Fatal("the checkpoint is not ours", err)
	}
	next := c.stock
	next.PhysicTimestamp += 1000
	if err := c.write(next); err != nil {
		t.Fatal(err)
	}
	run()
	if !passedOver() {
		t.Error("the mark counts after somebody else has written")
	}
	run()
	if passedOver() {
		t.Error("our own mark does not count afterwards")
	}
}
