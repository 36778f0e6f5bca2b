package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmq/interop/golden"
	"ringmq/store/record"
)

// goldenOptions are the options that fit a recorded directory.
func goldenOptions(t *testing.T, root, name string) Options {
	conf := golden.StoreConf(t, name)
	number := func(key string) int {
		n, err := strconv.Atoi(conf[key])
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return n
	}
	o := DefaultOptions(root)
	o.SegmentBytes, o.QueueFileBytes = int64(number("mappedFileSizeCommitLog")), number("mappedFileSizeConsumeQueue")
	o.BatchQueueBytes = number("mapperFileSizeBatchConsumeQueue")
	o.IndexSlots, o.IndexEntries = number("maxHashSlotNum"), number("maxIndexNum")
	o.Engine, o.TailBytes, o.DisableRetention = "pwrite", 2<<20, true
	o.Retention.WarningRatio = 100 // however full the disk of the test is
	o.Logger = slog.New(slog.DiscardHandler)
	return o
}

// compacted are the topics a stock broker serves from a log of their own: their physical offsets are not the commit log's.
func compacted(manifest []golden.ManifestLine) map[string]bool {
	topics := make(map[string]bool)
	for _, l := range manifest {
		if l.Kind != "topic" {
			continue
		}
		var c struct {
			TopicName  string
			Attributes map[string]string
		}
		if json.Unmarshal(l.Config, &c) == nil && c.Attributes["cleanup.policy"] == "COMPACTION" {
			topics[c.TopicName] = true
		}
	}
	return topics
}

type at struct {
	topic string
	queue int32
}

// served reads every queue of a store from its minimum to its maximum, as a consumer would.
func served(t *testing.T, s *Store) map[at]map[int64][]byte {
	t.Helper()
	all := make(map[at]map[int64][]byte)
	for _, q := range s.Queues() {
		got := make(map[int64][]byte)
		w := Want{Topic: []byte(q.Topic), QueueID: q.QueueID, Offset: s.MinOffset([]byte(q.Topic), q.QueueID), MaxMessages: 32}
		for w.Offset < s.MaxOffset(w.Topic, w.QueueID) {
			raw, f, err := s.Read(&w, nil)
			if err != nil {
				t.Fatalf("read %s-%d at %d: %v", q.Topic, q.QueueID, w.Offset, err)
			}
			if f.NextOffset <= w.Offset {
				t.Fatalf("read %s-%d at %d: %v, next offset %d", q.Topic, q.QueueID, w.Offset, f.Status, f.NextOffset)
			}
			for len(raw) > 0 {
				var r record.Record
				if err := r.Parse(raw); err != nil {
					t.Fatal(err)
				}
				got[r.QueueOffset] = raw[:r.TotalSize]
				raw = raw[r.TotalSize:]
			}
			w.Offset = f.NextOffset
		}
		all[at{q.Topic, q.QueueID}] = got
	}
	return all
}

func sha(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// overlaps says whether [from, to) meets one of the ranges.
func overlaps(from, to int64, ranges [][2]int64) bool {
	for _, r := range ranges {
		if from < r[1] && r[0] < to {
			return true
		}
	}
	return false
}

// checkServed compares what a store serves with a manifest, less the records that lie in damaged ranges.
func checkServed(t *testing.T, s *Store, manifest []golden.ManifestLine, damaged [][2]int64) {
	t.Helper()
	all, skip := served(t, s), compacted(manifest)
	lost, compared := 0, 0
	for _, l := range manifest {
		if l.Kind != "message" || skip[l.Topic] {
			continue
		}
		offset := l.QueueOffset
		if l.InnerIndex != nil {
			offset -= int64(*l.InnerIndex)
		}
		raw, ok := all[at{l.Topic, l.QueueID}][offset]
		if overlaps(l.PhysicalOffset, l.PhysicalOffset+int64(l.RecordSize), damaged) {
			lost++
			if ok && sha(raw) != l.RecordSha256 {
				t.Errorf("%s-%d at %d: a damaged record was served", l.Topic, l.QueueID, l.QueueOffset)
			}
			continue
		}
		compared++
		if !ok {
			t.Errorf("%s-%d at %d (log %d): not served", l.Topic, l.QueueID, l.QueueOffset, l.PhysicalOffset)
		} else if sha(raw) != l.RecordSha256 {
			t.Errorf("%s-%d at %d (log %d): other bytes", l.Topic, l.QueueID, l.QueueOffset, l.PhysicalOffset)
		}
	}
	if compared == 0 {
		t.Error("nothing was compared")
	}
	t.Logf("%d records as recorded, %d lost, gaps %v", compared, lost, s.Gaps())
}

func closeStore(t *testing.T, s *Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// waitIndex waits until the index has caught up.
func waitIndex(t *testing.T, s *Store) {
	t.Helper()
	for deadline := time.Now().Add(patience); !s.indexing.live.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the index does not catch up")
		}
	}
}

// TestGoldenStores: a directory written by the reference broker opens, and every message, offset, search and key query
// answers as the reference broker does; again after a clean stop of ours.
func TestGoldenStores(t *testing.T) {
	for _, name := range golden.Stores(t) {
		t.Run(name, func(t *testing.T) {
			root, manifest := golden.Store(t, name), golden.Manifest(t, name)
			o := goldenOptions(t, root, name)
			for _, round := range []string{"as recorded", "after a clean stop"} {
				s := mustOpen(t, o)
				t.Logf("%s: from %d (%s), %d bytes", round, s.recovered.from, s.recovered.why, s.recovered.bytes)
				checkServed(t, s, manifest, nil)
				checkOffsets(t, s, manifest)
				waitIndex(t, s)
				checkKeys(t, s, manifest)
				closeStore(t, s)
				if _, err := os.Stat(filepath.Join(root, "abort")); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s: the abort file is still there: %v", round, err)
				}
			}
		})
	}
}

func checkOffsets(t *testing.T, s *Store, manifest []golden.ManifestLine) {
	t.Helper()
	batch := make(map[at]bool)
	for _, l := range manifest {
		if l.InnerIndex != nil {
			batch[at{l.Topic, l.QueueID}] = true
		}
	}
	for _, l := range manifest {
		switch l.Kind {
		case "store":
			if s.LogMin() != l.CommitLogMinOffset || s.LogMax() != l.CommitLogMaxOffsetAfterOpen {
				t.Errorf("log is [%d, %d), recorded [%d, %d)", s.LogMin(), s.LogMax(), l.CommitLogMinOffset, l.CommitLogMaxOffsetAfterOpen)
			}
		case "queue":
			low, high := s.MinOffset([]byte(l.Topic), l.QueueID), s.MaxOffset([]byte(l.Topic), l.QueueID)
			if low != l.MinOffset || high != l.MaxOffset {
				t.Errorf("%s-%d is [%d, %d), recorded [%d, %d)", l.Topic, l.QueueID, low, high, l.MinOffset, l.MaxOffset)
			}
		case "search":
			got, err := s.OffsetByTime([]byte(l.Topic), l.QueueID, l.Timestamp, l.Boundary == "UPPER")
			if err != nil || got != l.Offset && !batch[at{l.Topic, l.QueueID}] {
				t.Errorf("%s-%d %s %d: offset %d (%v), recorded %d", l.Topic, l.QueueID, l.Boundary, l.Timestamp, got, err, l.Offset)
			}
		}
	}
}

func checkKeys(t *testing.T, s *Store, manifest []golden.ManifestLine) {
	t.Helper()
	for _, l := range manifest {
		if l.Kind != "keyQuery" {
			continue
		}
		limit := 64
		if l.UniqueKey {
			limit = 32
		}
		k, err := s.QueryKey([]byte(l.Topic), []byte(l.Key), limit, 0, 1<<62)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]int64, len(k.Records))
		for i, raw := range k.Records {
			var r record.Record
			if err := r.Parse(raw); err != nil {
				t.Fatal(err)
			}
			got[i] = r.PhysicalOffset
		}
		if fmt.Sprint(got) != fmt.Sprint(l.PhysicalOffsets) && len(got)+len(l.PhysicalOffsets) > 0 {
			t.Errorf("%s#%s: records at %v, recorded %v", l.Topic, l.Key, got, l.PhysicalOffsets)
		}
	}
}

// TestGoldenDamaged: of a damaged directory every record that was not touched is served.
func TestGoldenDamaged(t *testing.T) {
	for _, name := range golden.DamagedNames(t) {
		t.Run(name, func(t *testing.T) {
			root, damage := golden.DamagedStore(t, name)
			manifest := golden.Manifest(t, damage.Base)
			o := goldenOptions(t, root, damage.Base)
			s := mustOpen(t, o)
			touched := damage.Touched(t)
			checkServed(t, s, manifest, touched)
			for _, l := range manifest {
				if l.Kind == "message" && overlaps(l.PhysicalOffset, l.PhysicalOffset+int64(l.RecordSize), touched) && !strings.Contains(name, "torn-tail") && len(s.Gaps()) == 0 {
					t.Error("a record was lost and no gap is reported")
				}
			}
			closeStore(t, s)
			s = mustOpen(t, o)
			checkServed(t, s, manifest, touched)
			closeStore(t, s)
		})
	}
}
