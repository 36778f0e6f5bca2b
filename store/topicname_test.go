package store

import (
	"context"
	"errors"
	"math/rand"
	"strings"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestTopicsThatAreNoNames: a topic that would lead out of its folder is refused without touching a file, and a record of one
// that is in the log already is stepped over, when it is stored and when a start reads it again.
func TestTopicsThatAreNoNames(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	s := mustOpen(t, o)
	mustAppend(t, s, message("T", 0, "before"))
	settled(t, s)
	if err := s.SaveDoc(DocTopics, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	var touched string
	f.OnOp(func(_ int, kind, name string) {
		if kind == "remove" && !strings.HasSuffix(name, "index.tmp") || strings.Contains(name, "deleted.json") { // which has its own round
			touched = kind + " " + name
		}
	})
	for _, topic := range []string{"", ".", "..", "../../config", "a/b", "/etc", "a\x00b", strings.Repeat("t", 256)} {
		if _, err := s.Append(message(topic, 0, "x")); !errors.Is(err, ErrMalformed) {
			t.Errorf("append to %q: %v", topic, err)
		}
		if err := s.DeleteTopic(topic); !errors.Is(err, ErrMalformed) || touched != "" {
			t.Errorf("delete %q: %v, touched %q", topic, err, touched)
		}
	}
	f.OnOp(nil)
	var r record.Record
	s.fill(&r, message("../../escaped", 0, ""))
	r.Body, r.BodyCRC = []byte("x"), record.BodyChecksum([]byte("x"))
	if _, err := s.place(&r, 1, s.mostBytes(), false); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, message("T", 0, "behind"))
	for range 2 {
		settled(t, s)
		if got := served(t, s); len(got) != 1 || len(got[at{"T", 0}]) != 2 || len(s.Gaps()) != 0 {
			t.Fatalf("%d queues, gaps %v", len(got), s.Gaps())
		}
		if _, err := f.Stat("/escaped"); err == nil {
			t.Fatal("a queue lies outside of the store")
		}
		if err := s.queues.Flush(); err != nil {
			t.Fatal(err)
		}
		f.Stop()
		_ = s.Close(context.Background())
		f = f.Crash(rand.New(rand.NewSource(1)))
		o.FS = f
		s = mustOpen(t, o)
	}
	closeStore(t, s)
}
