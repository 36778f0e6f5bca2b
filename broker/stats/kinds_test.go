package stats

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ringmq/store/record"
	"ringmq/store/tally"
)

func TestKindOf(t *testing.T) {
	for properties, want := range map[string]Kind{
		"": Normal, "KEYS\x01k\x02": Normal, "TRAN_MSG\x01true\x02__SHARDINGKEY\x01a\x02": Transaction, "TRAN_MSG\x01false\x02": Normal,
		"DELAY\x013\x02__SHARDINGKEY\x01a\x02": Fifo, "DELAY\x013\x02": Delay, "TIMER_DELAY_SEC\x013\x02": Delay, "__STARTDELIVERTIME\x01123\x02": Delay,
	} {
		var k record.Known
		if k.Scan([]byte(properties)); KindOf(&k) != want {
			t.Errorf("%q: %v, want %v", properties, KindOf(&k), want)
		}
	}
}

// TestIntakes: what came in by topic and kind, as soon as it is flushed; retries and dead letters are left out, as stock does.
func TestIntakes(t *testing.T) {
	s := New("c", time.Now)
	p := s.Puts([]byte("T"))
	p.Add(Normal, 2, 4000)
	p.Add(Delay, 1, 100)
	s.Puts([]byte("%RETRY%g")).Add(Normal, 1, 1)
	p.Flush()
	put(s, []byte("%DLQ%g"), 1, 1)
	s.Delivered([]byte("U"), 5000)
	var got []string
	var figures []int64
	s.Intakes(func(in Intake) {
		got = append(got, in.Topic+" "+in.Kind.String())
		if in.Topic == "T" && in.Kind == Normal {
			figures = in.Append(nil)
		}
	})
	slices.Sort(got)
	if !reflect.DeepEqual(got, []string{"T delay", "T normal", "U delay"}) {
		t.Fatal(got)
	}
	if !slices.Equal(figures, []int64{2, 4000, 2000, 0, 1, 0, 0, 0, 0, 0}) || len(MessageBytes()) != 6 {
		t.Fatal(figures)
	}
}

func TestOutletsAndDeadLetters(t *testing.T) {
	s := New("c", time.Now)
	s.Get([]byte("g"), []byte("T"), 3, 30)
	s.DeadLetter("g", "T")
	s.DeadLetter("h", "U")
	var out, dead []string
	s.Outlets(func(o Outlet) { out = append(out, o.Key) })
	s.DeleteGroup("h")
	s.DeadLetters(func(o Outlet) { dead = append(dead, o.Key) })
	if strings.Join(out, ",") != "T@g" || strings.Join(dead, ",") != "T@g" {
		t.Fatal(out, dead)
	}
	s.DeleteTopic("T")
	s.DeadLetters(func(o Outlet) { t.Error(o) })
}

// TestSetsAreBounded: keys that come when a set is full share one entry, those that are there keep theirs, and what is deleted makes room.
func TestSetsAreBounded(t *testing.T) {
	s := newSet(otherPairs)
	s.max = 3
	for _, key := range []string{"A@g", "B@g", "C@g", "D@g", "E@h", "A@g"} {
		s.get([]byte(key)).nums.add(1, 1)
	}
	count := func() map[string]int64 {
		all := map[string]int64{}
		s.pairs(func(o Outlet) { all[o.Key] = o.Messages })
		return all
	}
	if got := count(); !reflect.DeepEqual(got, map[string]int64{"A@g": 2, "B@g": 1, "C@g": 1, "(others)@(others)": 2}) {
		t.Fatal(got)
	}
	s.drop(ofTopic("B"))
	s.drop(ofTopic("C"))
	s.get([]byte("D@g")).nums.add(1, 1)
	if got := count(); got["D@g"] != 1 || got["(others)@(others)"] != 2 || len(got) != 3 {
		t.Fatal(got)
	}
}

// TestRpcsAreBounded: whatever clients send, there are no more kinds than the bound and one for the rest.
func TestRpcsAreBounded(t *testing.T) {
	s := New("c", time.Now)
	for i := range int32(3 * maxRpcKeys) {
		s.Rpc(RpcKey{Request: i}).Add(1)
	}
	n, sum := 0, int64(0)
	s.Rpcs(func(_ RpcKey, c tally.Counts) { n++; sum += c.N() })
	if n != maxRpcKeys+1 || sum != 3*maxRpcKeys {
		t.Fatal(n, sum)
	}
}
