package store

import (
	"context"
	"fmt"
	"math/rand"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestFlagMakesNoBatchQueue: the inner batch bit of a record in an ordinary topic changes nothing: its queue stays ordinary.
func TestFlagMakesNoBatchQueue(t *testing.T) {
	for _, topic := range []string{"T", DelayTopic} {
		o := smallOptions(disk.NewMemory())
		o.BatchTopic = func([]byte) bool { return false }
		s := mustOpen(t, o)
		for i := range 8 {
			m := message(topic, 0, fmt.Sprint(i))
			if i%3 == 0 {
				m.SysFlag = record.SysFlagInnerBatch
			}
			mustAppend(t, s, m)
		}
		for range 2 {
			settled(t, s)
			if got := served(t, s)[at{topic, 0}]; len(got) != 8 || s.batchFor([]byte(topic), 0, false) != nil {
				t.Errorf("%s: %d of 8 messages are there", topic, len(got))
			}
			closeStore(t, s)
			s = mustOpen(t, o)
		}
		closeStore(t, s)
	}
}

// TestBothKindsOfQueue: where a batch queue stands beside an ordinary one with entries, the ordinary one is served, and goes
// on, unless the topic is declared to keep its batches.
func TestBothKindsOfQueue(t *testing.T) {
	for _, declared := range []bool{false, true} {
		f := disk.NewMemory()
		o := smallOptions(f)
		s := mustOpen(t, o)
		mustAppend(t, s, message("T", 0, "ordinary"))
		settled(t, s)
		closeStore(t, s)
		o.BatchTopic = func([]byte) bool { return declared }
		s = mustOpen(t, o)
		if p, err := s.putBatch(s.batches.make("T", 0), &record.Record{QueueOffset: 0}, nil, record.QueueUnit{Offset: 0, Size: 100}); err != nil || p.count != 1 {
			t.Fatal(p, err)
		}
		p := mustAppend(t, s, message("T", 0, "next"))
		settled(t, s)
		if q := s.batchFor([]byte("T"), 0, true); (q != nil) != declared || p.QueueOffset != 1 {
			t.Errorf("declared %v: batch queue %v, next offset %d", declared, q != nil, p.QueueOffset)
		}
		if low, high := s.MinOffset([]byte("T"), 0), s.MaxOffset([]byte("T"), 0); low != 0 || high != 2 {
			t.Errorf("declared %v: [%d, %d)", declared, low, high)
		}
		closeStore(t, s)
	}
}

// TestDeclaredAtRecovery: a start that has to fill the queues again knows from the topics' document which of them keep their
// batches, though the topics' owner comes later.
func TestDeclaredAtRecovery(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	open := false
	o.BatchTopic = func(topic []byte) bool { return open && string(topic) == "BQ" }
	s := mustOpen(t, o)
	open = true
	if err := s.SaveDoc(DocTopics, []byte(`{"topicConfigTable":{"BQ":{"attributes":{"queue.type":"BatchCQ"}},"O":{}}}`)); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		mustAppend(t, s, message("BQ", 0, fmt.Sprint(i)))
	}
	settled(t, s)
	f.Stop()
	_ = s.Close(context.Background())
	f = f.Crash(rand.New(rand.NewSource(1)))
	o.FS, open = f, false
	if err := f.RemoveAll("/store/batchconsumequeue"); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, o)
	open = true
	if s.HasQueue([]byte("BQ"), 0) || s.MaxOffset([]byte("BQ"), 0) != 5 {
		t.Errorf("ordinary queue %v, max %d", s.HasQueue([]byte("BQ"), 0), s.MaxOffset([]byte("BQ"), 0))
	}
	if got := served(t, s)[at{"BQ", 0}]; len(got) != 5 {
		t.Errorf("%d of 5 messages are there", len(got))
	}
	closeStore(t, s)
}

// TestLostBatchQueue: batch queues that are gone after an orderly end are rebuilt from the log, whether their topic is still
// known to keep its batches or not, and no queue offset is given twice.
func TestLostBatchQueue(t *testing.T) {
	for _, declared := range []bool{true, false} {
		f := disk.NewMemory()
		o := smallOptions(f)
		known := true
		o.BatchTopic = func([]byte) bool { return known }
		s := mustOpen(t, o)
		items := record.AppendBatchItem(record.AppendBatchItem(nil, &record.BatchItem{Body: []byte("a")}), &record.BatchItem{Body: []byte("b")})
		for range 5 {
			if _, _, err := s.AppendInner(message("BQ", 0, ""), items); err != nil {
				t.Fatal(err)
			}
		}
		settled(t, s)
		closeStore(t, s)
		if err := f.RemoveAll("/store/batchconsumequeue"); err != nil {
			t.Fatal(err)
		}
		known = declared
		s = mustOpen(t, o)
		if got := served(t, s)[at{"BQ", 0}]; len(got) != 5 {
			t.Errorf("declared %v: %d of 5 batches are there", declared, len(got))
		}
		if p := mustAppend(t, s, message("BQ", 0, "next")); p.QueueOffset != 10 {
			t.Errorf("declared %v: next queue offset %d", declared, p.QueueOffset)
		}
		settled(t, s)
		closeStore(t, s)
	}
}
