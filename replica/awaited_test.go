package replica

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
	"ringmq/store/record"
)

// offsets reads a queue as a consumer does, which waits where it has to, and returns the queue offsets of what it got.
func offsets(t *testing.T, s *store.Store, q store.QueueID) (all []int64) {
	t.Helper()
	for from, end := int64(0), s.MaxOffset([]byte(q.Topic), q.QueueID); from < end; {
		w := store.Want{Topic: []byte(q.Topic), QueueID: q.QueueID, Offset: from, MaxMessages: 5}
		raw, f, err := s.Read(&w, nil)
		if err != nil {
			t.Fatal(err)
		}
		if f.Status == store.StatusGap {
			eventually(t, "no longer waited for", func() bool { return s.Awaited(f.Gap) == 0 })
			continue
		}
		for len(raw) > 0 {
			var r record.Record
			if err := r.Parse(raw); err != nil {
				t.Fatal(err)
			}
			all, raw = append(all, r.QueueOffset), raw[r.TotalSize:]
		}
		from = f.NextOffset
	}
	return all
}

// TestConsumersSkipNothing: a consumer that comes upon what rots while a copy is connected gets every message, however seldom it is looked
// for gaps; what both sides have lost holds it up no longer than it takes to ask.
func TestConsumersSkipNothing(t *testing.T) {
	for _, side := range []string{"master", "slave"} {
		for _, both := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/both=%v", side, both), func(t *testing.T) {
				md, sd := disk.NewFaulty(), disk.NewFaulty()
				mo, so := options(md, true), options(sd, true)
				raw := copied(t, mo, so, 120)
				var hit [][2]int64
				for _, d := range []*disk.Faulty{md, sd} {
					if both || (d == md) == (side == "master") {
						hit = hurt(t, d, raw, 95)
					}
				}
				master, slave := open(t, mo), open(t, so)
				ill := master
				if side == "slave" {
					ill = slave
				}
				l := lead(t, master, LeaderOptions{Copies: 1, HeartbeatTime: time.Hour, HousekeepingTime: 2 * time.Hour})
				follow(t, slave, l, FollowerOptions{HeartbeatTime: time.Hour, HousekeepingTime: 2 * time.Hour})
				arrive(t, slave, put(t, master, 120, 1)) // they are connected
				began, got := time.Now(), 0
				for _, q := range ill.Queues() {
					all := offsets(t, ill, q)
					got += len(all)
					if want := ill.MaxOffset([]byte(q.Topic), q.QueueID); !both && int64(len(all)) != want || !slices.IsSorted(all) {
						t.Errorf("%v: %d messages of %d: %v", q, len(all), want, all)
					}
				}
				if both && got != 121-len(hit) {
					t.Errorf("%d messages were read, %d of 121 are damaged", got, len(hit))
				}
				if took := time.Since(began); took > 15*time.Second {
					t.Error("it took", took)
				}
			})
		}
	}
}
