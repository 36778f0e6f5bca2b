package store

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// summer is a moment of a year, in ms.
func summer(year int) int64 {
	return time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
}

// clocked are options whose clock a test sets, in ms.
func clocked(f disk.FS, now int64) (Options, *atomic.Int64) {
	o, clock := smallOptions(f), new(atomic.Int64)
	clock.Store(now)
	o.Clock, o.Location = func() time.Time { return time.UnixMilli(clock.Load()).UTC() }, time.UTC
	return o, clock
}

// TestAClockThatWasAhead: what was stored by a clock that was years ahead, and for an hour after it was set back, is found by key and expires
// with what follows it; what follows is found by time and by key, and expires.
func TestAClockThatWasAhead(t *testing.T) {
	hour, second := time.Hour.Milliseconds(), time.Second.Milliseconds()
	for name, noted := range map[string]bool{"segments' times are known": true, "they are not": false} {
		t.Run(name, func(t *testing.T) {
			o, clock := clocked(disk.NewMemory(), summer(2038))
			o.Retention.DeleteIntervalMs = 1
			s := mustOpen(t, o)
			waitIndex(t, s)
			fill := func(n int) {
				for range n {
					mustAppend(t, s, message("T", 0, strings.Repeat("x", 4000), "KEYS", "k"))
					clock.Add(second)
				}
				settled(t, s)
			}
			fill(20) // a segment, and more
			clock.Store(summer(2027))
			fill(20)
			begin := summer(2027) + hour
			clock.Store(begin)
			fill(60)
			closeStore(t, s)
			s = mustOpen(t, o)
			defer func() { closeStore(t, s) }()
			waitIndex(t, s)
			if !noted {
				s.dispatch.mu.Lock()
				clear(s.dispatch.sealed)
				s.dispatch.mu.Unlock()
			}
			for _, c := range []struct {
				n     int64
				exact bool // for others an answer before them will do
			}{{0, false}, {10, false}, {30, true}, {45, true}} {
				got, err := s.OffsetByTime([]byte("T"), 0, begin+c.n*second, false)
				if err != nil || got > 40+c.n || c.exact && got != 40+c.n {
					t.Errorf("by time: the message with offset %d is found at %d, %v", 40+c.n, got, err)
				}
			}
			k, err := s.QueryKey([]byte("T"), []byte("k"), 12, begin+30*second, begin+40*second-1)
			if err != nil || len(k.Records) != 10 {
				t.Fatalf("by key: %d records, %v", len(k.Records), err)
			}
			for i, raw := range k.Records {
				var r record.Record
				if r.Parse(raw) != nil || r.QueueOffset != int64(70+i) {
					t.Errorf("by key: record %d has offset %d", i, r.QueueOffset)
				}
			}
			if k, err := s.QueryKey([]byte("T"), []byte("k"), 100, summer(2038), summer(2039)); err != nil || len(k.Records) != 40 {
				t.Errorf("by key, of the clock that was ahead: %d records, %v", len(k.Records), err)
			}
			if at := s.segmentByTime(summer(2038) + 10*second); at != s.LogMin() {
				t.Errorf("by a checkpoint of 2038 the log is walked from %d", at)
			}
			for _, c := range []struct{ hours, least, most int64 }{{71, 0, 0}, {74, 5 * o.SegmentBytes, s.LogMax()}} {
				clock.Store(begin + c.hours*hour)
				if _, err := s.clean(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				if low := s.LogMin(); low < c.least || low > c.most {
					t.Errorf("%d hours later the log begins at %d of %d", c.hours, low, s.LogMax())
				}
			}
		})
	}
}

// TestRetentionWithAClockThatIsBehind: while the clock says that all was stored in time to come, nothing expires.
func TestRetentionWithAClockThatIsBehind(t *testing.T) {
	o, clock := clocked(disk.NewMemory(), summer(2027))
	o.Retention.DeleteIntervalMs = 1
	s := mustOpen(t, o)
	defer closeStore(t, s)
	for _, now := range []int64{summer(2027), summer(1970), summer(1971), summer(2027) + 1000} {
		clock.Store(now)
		for range 40 {
			mustAppend(t, s, message("T", 0, strings.Repeat("x", 4000)))
		}
		settled(t, s)
		if _, err := s.clean(t.Context(), true); err != nil || s.LogMin() != 0 {
			t.Fatalf("in %v the log begins at %d, %v", time.UnixMilli(now).UTC(), s.LogMin(), err)
		}
	}
}

// TestDelayOfACopy: a slave counts the delay of a message whose store timestamp is ahead from when it gets it, by its own clock.
func TestDelayOfACopy(t *testing.T) {
	mo, _ := clocked(disk.NewMemory(), summer(2038))
	so, clock := clocked(disk.NewMemory(), summer(2027))
	master, slave := openStore(t, mo), openStore(t, so)
	for range 2 {
		mustAppend(t, master, message(DelayTopic, 0, "x", "DELAY", "3"))
		settled(t, master)
		if err := copyFrom(master, slave, master.LogMax(), false); err != nil {
			t.Fatal(err)
		}
		settled(t, slave)
		clock.Add(1000)
	}
	units, err := slave.QueueUnits([]byte(DelayTopic), 0, 0, 2)
	if err != nil || len(units) != 2 || units[0].TagsCode != summer(2027)+10_000 || units[1].TagsCode != summer(2027)+11_000 {
		t.Errorf("%v, %v", units, err)
	}
}

// TestTimestampsGoOnBehindCopies: a slave that becomes the master goes on from the last record it has, not from the one that says the latest.
func TestTimestampsGoOnBehindCopies(t *testing.T) {
	for _, singly := range []bool{true, false} {
		mo, ahead := clocked(disk.NewMemory(), summer(2038))
		so, clock := clocked(disk.NewMemory(), summer(2028))
		master, slave := openStore(t, mo), openStore(t, so)
		for _, now := range []int64{summer(2038), summer(2027), summer(2027) + time.Hour.Milliseconds()} {
			ahead.Store(now)
			mustAppend(t, master, message("T", 0, "x"))
		}
		settled(t, master)
		if err := copyFrom(master, slave, master.LogMax(), singly); err != nil {
			t.Fatal(err)
		}
		settled(t, slave)
		if p := mustAppend(t, slave, message("T", 0, "x")); p.QueueOffset != 3 || p.StoreTimestamp != clock.Load() {
			t.Errorf("singly=%v: message %d of the slave is stored at %v", singly, p.QueueOffset, time.UnixMilli(p.StoreTimestamp).UTC())
		}
	}
}
