package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestManyAtOnce: producers of one queue and of many, and readers that follow them: every queue is served in the order in
// which its offsets were given, without a hole, and per producer in the order of its sends.
func TestManyAtOnce(t *testing.T) {
	o := DefaultOptions(t.TempDir())
	o.SegmentBytes, o.MaxMessageBytes, o.TailBytes, o.DisableRetention = 1<<20, 16<<10, 1<<20, true
	o.Retention.WarningRatio = 100 // however full the disk of the test is
	o.IndexSlots, o.IndexEntries, o.Logger = 100, 1000, smallOptions(nil).Logger
	s := mustOpen(t, o)
	t.Logf("engine %s", s.engine)
	const producers, each = 8, 400
	var all sync.WaitGroup
	for p := range producers {
		all.Go(func() {
			for i := range each {
				m := message("T", int32(i%3), fmt.Sprintf("%d %d %s", p, i, strings.Repeat("x", 50*p)), "UNIQ_KEY", fmt.Sprint(p, "-", i))
				for {
					placed, err := s.Append(m)
					if err == nil {
						if i%50 == 0 {
							if err := s.Visible().Wait(t.Context(), placed.End); err != nil {
								t.Error(err)
							}
						}
						break
					}
					if !errors.Is(err, ErrFull) {
						t.Error(err)
						return
					}
					waitRoom(s)
				}
			}
		})
	}
	for q := range int32(3) {
		all.Go(func() { follow(t, s, q, producers) })
	}
	all.Wait()
	closeStore(t, s)
	s = mustOpen(t, o)
	for q := range int32(3) {
		follow(t, s, q, producers)
	}
	closeStore(t, s)
}

// follow reads a queue to its end as a consumer does: hot where it can, else cold.
func follow(t *testing.T, s *Store, q int32, producers int) {
	const each = 400
	want := producers * ((each - int(q) + 2) / 3)
	last := make([]int, producers)
	for i := range last {
		last[i] = -1
	}
	w := Want{Topic: []byte("T"), QueueID: q, MaxMessages: 32}
	var dst []byte
	deadline := time.Now().Add(patience)
	for seen := 0; seen < want; {
		raw, f, ok := s.ReadHot(&w, dst[:0])
		if !ok {
			var err error
			if raw, f, err = s.Read(&w, dst[:0]); err != nil {
				t.Error(err)
				return
			}
		}
		dst = raw
		if f.Status != StatusFound {
			if time.Now().After(deadline) {
				t.Errorf("queue %d stays at %d of %d: %v", q, seen, want, f.Status)
				return
			}
			time.Sleep(100 * time.Microsecond)
			continue
		}
		for len(raw) > 0 {
			var r record.Record
			var p, i int
			if err := r.Parse(raw); err != nil || r.QueueOffset != int64(seen) {
				t.Errorf("queue %d: record %d where %d was expected (%v)", q, r.QueueOffset, seen, err)
				return
			}
			if _, err := fmt.Sscanf(string(r.Body), "%d %d", &p, &i); err != nil || last[p] >= i {
				t.Errorf("queue %d at %d: %.10q behind %d", q, seen, r.Body, last[p])
				return
			}
			last[p] = i
			seen++
			raw = raw[r.TotalSize:]
		}
		w.Offset, deadline = f.NextOffset, time.Now().Add(patience)
	}
}

// TestFilesOnDisk: the folder has the files a stock broker expects, and only those; ours are under ringmq/.
func TestFilesOnDisk(t *testing.T) {
	root := t.TempDir()
	o := smallOptions(disk.OS())
	o.Root, o.CommitLogDir = root, root+"/commitlog"
	s := mustOpen(t, o)
	mustAppend(t, s, message("T", 1, "body", "KEYS", "k"))
	settled(t, s)
	waitIndex(t, s)
	if b, err := os.ReadFile(root + "/abort"); err != nil || string(b) != fmt.Sprint(os.Getpid()) {
		t.Errorf("abort: %q %v", b, err)
	}
	if b, err := os.ReadFile(root + "/lock"); err != nil || string(b) != "lock" {
		t.Errorf("lock: %q %v", b, err)
	}
	closeStore(t, s)
	var files []string
	err := filepath.Walk(root, func(name string, info os.FileInfo, err error) error {
		name = strings.TrimPrefix(name, root+"/")
		prepared := name == "commitlog/00000000000000065536" // the next segment may be there, empty
		if err == nil && !info.IsDir() && !prepared && !strings.HasPrefix(name, "ringmq/") && !strings.HasPrefix(name, "index/") {
			files = append(files, fmt.Sprint(name, " ", info.Size()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(files)
	want := []string{"checkpoint 4096", "commitlog/00000000000000000000 65536", "consumequeue/T/1/00000000000000000000 400", "lock 4"}
	if strings.Join(files, ", ") != strings.Join(want, ", ") {
		t.Errorf("files: %v, want %v", files, want)
	}
	if index, err := os.ReadDir(root + "/index"); err != nil || len(index) != 1 || len(index[0].Name()) != 17 {
		t.Errorf("index: %v %v", index, err)
	}
}
