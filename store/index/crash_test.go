package index_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/index"
)

type logged struct {
	at, time int64
	keys     []string
}

// life is what a store does with its index between two starts.
type life struct {
	t    *testing.T
	seed int64
	rng  *rand.Rand
	disk *disk.Faulty
	log  []logged
	x    *index.Index
}

func (l *life) put(r logged) error {
	for _, k := range r.keys {
		if err := l.x.Put(topic, []byte(k), r.at, r.time); err != nil {
			return err
		}
	}
	return nil
}

// start opens the index after a crash, cuts it to the log, replays from the last record it knows, and compares.
func (l *life) start() {
	l.x = start(l.t, small(l.disk), false)
	end := int64(0)
	if n := len(l.log); n > 0 {
		end = l.log[n-1].at + 10
	}
	if err := l.x.Truncate(end); err != nil {
		l.t.Fatal(err)
	}
	from, want := l.x.LastPhysical(), map[string][]int64{}
	for _, r := range l.log {
		if r.at >= from {
			if err := l.put(r); err != nil {
				l.t.Fatal(err)
			}
		}
		for _, k := range r.keys {
			want[k] = append(want[k], r.at)
		}
	}
	for k := range 7 {
		key := fmt.Sprint("key", k)
		got := query(l.t, l.x, key, 1000, 0, math.MaxInt64)
		slices.Reverse(got)
		if !slices.Equal(got, want[key]) {
			l.t.Fatalf("seed %d: %s is in %v, found %v", l.seed, key, want[key], got)
		}
	}
}

// work appends records and indexes them until the machine stops.
func (l *life) work() {
	kept := len(l.log)
	var err error
	for err == nil {
		r := logged{time: 1_000_000, keys: []string{fmt.Sprint("key", l.rng.Intn(7)), fmt.Sprint("key", l.rng.Intn(7)), fmt.Sprint("key", l.rng.Intn(7))}[:1+l.rng.Intn(3)]}
		if n := len(l.log); n > 0 {
			r.at, r.time = l.log[n-1].at+10, l.log[n-1].time+int64(l.rng.Intn(3000))
		}
		l.log = append(l.log, r)
		err = l.put(r)
		if roll := l.rng.Intn(16); err == nil && roll < 2 {
			err = l.x.Flush()
		} else if err == nil && roll < 6 {
			err = l.x.Tend()
		}
	}
	if !errors.Is(err, disk.ErrCrashed) {
		l.t.Fatalf("seed %d: %v", l.seed, err)
	}
	_ = l.x.Close()
	l.disk = l.disk.Crash(l.rng)
	l.log = l.log[:kept+l.rng.Intn(len(l.log)-kept+1)]
}

// TestPowerCuts cuts the power at every kind of moment; after a start and a replay from the last record the index knows,
// every key finds exactly its records.
func TestPowerCuts(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for seed := range int64(rounds) {
		l := &life{t: t, seed: seed, rng: rand.New(rand.NewSource(seed)), disk: disk.NewFaulty()}
		for range 4 {
			l.start()
			l.disk.CrashAt(l.disk.Ops() + 1 + l.rng.Intn(60))
			l.work()
		}
		l.start()
		_ = l.x.Close()
	}
}
