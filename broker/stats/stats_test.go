package stats

import (
	"encoding/json"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"ringmq/interop/golden"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestWindows(t *testing.T) {
	now := noon
	s := New("c", func() time.Time { return now })
	topic, group := []byte("T"), []byte("g")
	second := func(n int) {
		for range n {
			now = now.Add(time.Second)
			s.Sample(now)
		}
	}
	if _, ok := s.Find(TopicPutNums, "T"); ok {
		t.Fatal("nothing has been counted yet")
	}
	put(s, topic, 3, 300)
	s.Get(group, topic, 2, 200)
	s.SendBack("g", "T")
	second(1)
	d, ok := s.Find(TopicPutNums, "T")
	// The first sample is laid against a zero one step before it.
	if !ok || d.StatsMinute.Sum != 3 || d.StatsMinute.Tps != 0.3 || d.StatsMinute.Avgpt != 3 || d.StatsHour.Tps != 3.0/600 || d.StatsDay.Sum != 3 {
		t.Fatalf("%+v %v", d, ok)
	}
	if d, _ := s.Find(TopicPutSize, "T"); d.StatsMinute.Sum != 300 {
		t.Fatalf("%+v", d)
	}
	if d, _ := s.Find(GroupGetNums, "T@g"); d.StatsMinute.Sum != 2 {
		t.Fatalf("%+v", d)
	}
	if d, _ := s.Find(SendBackPutNums, "T@g"); d.StatsMinute.Sum != 1 {
		t.Fatalf("%+v", d)
	}
	for name, want := range map[string]int64{BrokerPutNums: 3, BrokerGetNums: 2, UserPutNums: 3, UserGetNums: 2} {
		if d, ok := s.Find(name, "c"); !ok || d.StatsMinute.Sum != want {
			t.Fatalf("%s %+v %v", name, d, ok)
		}
		if _, ok := s.Find(name, "other"); ok {
			t.Fatal("another cluster's")
		}
	}
	second(70)
	if d, _ := s.Find(TopicPutNums, "T"); d.StatsMinute.Sum != 0 || d.StatsHour.Sum != 3 || len(mustItem(s, "T").minute) != minuteSamples {
		t.Fatalf("a minute later: %+v", d)
	}
	second(3600)
	if d, _ := s.Find(TopicPutNums, "T"); d.StatsHour.Sum != 0 || d.StatsDay.Sum != 3 || len(mustItem(s, "T").hour) != hourSamples {
		t.Fatalf("an hour later: %+v", d)
	}
	if s.GroupGetTps("g", "T") != 0 || s.TopicPutTps("T") != 0 {
		t.Fatal("tps")
	}
	s.DeleteGroup("g")
	if _, ok := s.Find(GroupGetNums, "T@g"); ok {
		t.Fatal("group deleted")
	}
	s.DeleteTopic("T")
	if _, ok := s.Find(TopicPutNums, "T"); ok {
		t.Fatal("topic deleted")
	}
	if _, ok := s.Find("NO_SUCH", "T"); ok {
		t.Fatal("no such figure")
	}
}

func mustItem(s *Stats, topic string) *item { return &s.topicPut.find([]byte(topic)).nums }

// TestGivenBack: a group's count goes on whatever becomes of topics, and ends with the group alone.
func TestGivenBack(t *testing.T) {
	s := New("c", time.Now)
	for _, one := range [][2]string{{"g", "T"}, {"g", "U"}, {"g", "T"}, {"gg", "T"}, {"T", "g"}} {
		s.SendBack(one[0], one[1])
	}
	expect := func(what string, want map[string]int64) {
		t.Helper()
		got := map[string]int64{}
		s.GivenBack(func(group string, n int64) { got[group] = n })
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	expect("all", map[string]int64{"g": 3, "gg": 1, "T": 1})
	s.DeleteTopic("T")
	expect("a topic is deleted", map[string]int64{"g": 3, "gg": 1, "T": 1})
	s.DeleteGroup("g")
	expect("a group is deleted", map[string]int64{"gg": 1, "T": 1})
}

func TestDeleteTouchesOnlyItsOwn(t *testing.T) {
	s := New("c", time.Now)
	for _, key := range [][2]string{{"T", "g"}, {"TT", "g"}, {"T", "gg"}, {"U", "g"}} {
		s.Get([]byte(key[1]), []byte(key[0]), 1, 1)
	}
	s.DeleteTopic("T")
	left := func() (keys []string) {
		s.groupGet.each(func(key string, _ *entry) { keys = append(keys, key) })
		sort.Strings(keys)
		return keys
	}
	if got := left(); !reflect.DeepEqual(got, []string{"TT@g", "U@g"}) {
		t.Fatal(got)
	}
	s.Get([]byte("gg"), []byte("V"), 1, 1)
	s.DeleteGroup("g")
	if got := left(); !reflect.DeepEqual(got, []string{"V@gg"}) {
		t.Fatal(got)
	}
}

func TestCountingDoesNotAllocate(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	s := New("c", time.Now)
	topic, group := []byte("topic"), []byte("group")
	puts := s.Puts(topic)
	fn := func() {
		puts.Add(Normal, 1, 100)
		puts.Flush()
		s.Get(group, topic, 1, 100)
		s.Delivered(topic, 100)
		s.Waits(100)
		s.Miss()
		s.NoteGetTime(time.Millisecond)
	}
	fn()
	if n := testing.AllocsPerRun(200, fn); n != 0 {
		t.Fatal(n)
	}
}

// put counts at once.
func put(s *Stats, topic []byte, messages, bytes int64) {
	p := s.Puts(topic)
	p.Add(Normal, messages, bytes)
	p.Flush()
}

// TestPutsAreGathered: nothing counts before Flush, and everything once, as so many sends.
func TestPutsAreGathered(t *testing.T) {
	now := noon
	s := New("c", func() time.Time { return now })
	p := s.Puts([]byte("T"))
	if !p.Add(Normal, 1, 100) || p.Add(Delay, 3, 300) {
		t.Fatal("the first is the first, the second is not")
	}
	if n := s.brokerPut.value.Load(); n != 0 {
		t.Fatal(n)
	}
	p.Flush()
	if e := s.topicPut.find([]byte("T")); e.nums.value.Load() != 4 || e.nums.times.Load() != 2 || e.size.value.Load() != 400 || s.brokerPut.value.Load() != 4 || s.userPut.value.Load() != 4 {
		t.Fatal(e.nums.value.Load(), e.nums.times.Load())
	}
	if !p.Add(Normal, 1, 1) {
		t.Fatal("the first after Flush")
	}
	before := s.Edition()
	s.DeleteTopic("T")
	if s.Edition() == before {
		t.Fatal("figures were forgotten and nobody can tell")
	}
}

func TestRates(t *testing.T) {
	now := noon
	s := New("c", func() time.Time { return now })
	// What stock shows of a span that it has not run for, as samples come: the first one begins the spans.
	early := map[int]string{0: "  |0.0 0.0 0.0", 10: "  |0.0 0.0 0.0", 11: "10.0  |2.0 0.0 0.0", 60: "10.0  |2.0 0.0 0.0", 61: "10.0 10.0 |2.0 2.0 0.0", 600: "10.0 10.0 |2.0 2.0 0.0", 601: "10.0 10.0 10.0|2.0 2.0 2.0"}
	for i := range 700 {
		if want, ok := early[i]; ok {
			if got := s.Runtime(&Figures{Now: now}); got["putTps"]+"|"+got["getTotalTps"] != want {
				t.Errorf("after %d samples: %q and %q, want %q", i, got["putTps"], got["getTotalTps"], want)
			}
		}
		put(s, []byte("T"), 10, 10)
		if i >= 690 {
			put(s, []byte("T"), 20, 20)
		}
		s.Get([]byte("g"), []byte("T"), 5, 5)
		s.Miss()
		now = now.Add(time.Second)
		s.Sample(now)
	}
	got := s.Runtime(&Figures{Now: now})
	if got["putTps"] != "30.0 13.333333333333334 10.333333333333334" || got["getFoundTps"] != "1.0 1.0 1.0" || got["getTotalTps"] != "2.0 2.0 2.0" || got["getTransferredTps"] != "5.0 5.0 5.0" {
		t.Fatal(got["putTps"], got["getFoundTps"], got["getTotalTps"], got["getTransferredTps"])
	}
}

func TestMornings(t *testing.T) {
	now := noon
	s := New("c", func() time.Time { return now })
	put(s, []byte("T"), 5, 5)
	put(s, []byte("rmq_sys_x"), 100, 100) // the system's own messages are no user's
	now = noon.Add(12 * time.Hour)
	s.Sample(now)
	put(s, []byte("T"), 2, 2)
	s.Get([]byte("g"), []byte("T"), 1, 1)
	got := s.Runtime(&Figures{Now: now})
	if got["msgPutTotalTodayMorning"] != "5" || got["msgPutTotalYesterdayMorning"] != "0" || got["msgPutTotalTodayNow"] != "7" || got["msgGetTotalTodayNow"] != "1" {
		t.Fatal(got)
	}
	now = noon.Add(36 * time.Hour)
	s.Sample(now)
	got = s.Runtime(&Figures{Now: now})
	if got["msgPutTotalTodayMorning"] != "7" || got["msgPutTotalYesterdayMorning"] != "5" || got["msgGetTotalTodayMorning"] != "1" {
		t.Fatal(got)
	}
}

// TestGoldenRuntimeKeys: every key that the stock broker answered to 28 is here.
func TestGoldenRuntimeKeys(t *testing.T) {
	s := New("DefaultCluster", time.Now)
	st := store.Stats{
		BootTimestamp: noon.Add(-(26*time.Hour + 61*time.Second)).UnixMilli(), CommitLogMin: 0, CommitLogMax: 5000, Visible: 4000, DiskTotalBytes: 252 << 30, DiskFreeBytes: 226 << 30,
		CommitLogDiskRatio: 0.2936, ConsumeQueueRatio: 0.3, EarliestMessageTime: 7, UnflushedBytes: 3 << 20, PutMessages: 4, PutBytes: 402, PutDistribution: [13]int64{1, 3},
		WarmReadBytes: 11, WorkerReadBytes: 12, ColdReadBytes: 13, ResidentBytes: 14,
	}
	ours := s.Runtime(&Figures{
		Store: st, Now: noon, CommitLogDir: "/d/commitlog", BrokerVersion: 479, VersionName: "V5_3_3", Active: true, DelayOffsets: map[int]string{1: "3,4"},
		Capacity: func(key string) string { return map[string]string{"sendThreadPoolQueueCapacity": "10000"}[key] },
	})
	for key, want := range map[string]string{
		"runtime": "[ 1 days, 2 hours, 1 minutes, 1 seconds ]", "commitLogDirCapacity": "Total : 252.0 GiB, Free : 226.0 GiB.", "commitLogDiskRatio": "0.29",
		"consumeQueueDiskRatio": "0.3", "commitLogDiskRatio_/d/commitlog": "0.29", "commitLogMaxOffset": "4000", "remainHowManyDataToFlush": "3.0 MiB",
		"putMessageAverageSize": "100.5", "scheduleMessageOffset_1": "3,4", "brokerVersion": "479", "sendThreadPoolQueueCapacity": "10000", "earliestMessageTimeStamp": "7",
		"pullWarmReadBytes": "11", "pullWorkerReadBytes": "12", "pullColdReadBytes": "13", "commitLogResidentBytes": "14",
		"putMessageDistributeTime": "[<=0ms]:1 [0~10ms]:3 [10~50ms]:0 [50~100ms]:0 [100~200ms]:0 [200~500ms]:0 [500ms~1s]:0 [1~2s]:0 [2~3s]:0 [3~4s]:0 [4~5s]:0 [5~10s]:0 [10s~]:0 ",
	} {
		if ours[key] != want {
			t.Errorf("%s=%q, want %q", key, ours[key], want)
		}
	}
	keys := 0
	for _, name := range []string{"mqadmin-brokerStatus", "background-bin", "background-acl"} {
		if !slices.Contains(golden.Scenarios(t), name) {
			continue
		}
		for _, e := range golden.Scenario(t, name) {
			if e.Code == nil || *e.Code != int(remoting.CodeGetBrokerRuntimeInfo) || e.ResponseHeader == nil || e.ResponseHeader.Code != 0 {
				continue
			}
			var c remoting.Command
			var table remoting.KVTable
			if err := c.Decode(e.Response); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(c.Body, &table); err != nil {
				t.Fatal(err)
			}
			for key := range table.Table {
				if strings.HasPrefix(key, "scheduleMessageOffset_") || strings.HasPrefix(key, "commitLogDiskRatio_") {
					continue
				}
				keys++
				if _, ok := ours[key]; !ok {
					t.Errorf("%s: %s is missing", name, key)
				}
			}
		}
	}
	if keys < 50 {
		t.Fatal("recorded keys found:", keys)
	}
}

// TestGoldenStatsBodies: the shape of the recorded answers to 315.
func TestGoldenStatsBodies(t *testing.T) {
	compared := 0
	for _, e := range golden.Scenario(t, "mqadmin-exportMetrics") {
		if e.Code == nil || *e.Code != int(remoting.CodeViewBrokerStatsData) || e.ResponseHeader == nil || e.ResponseHeader.Code != 0 {
			continue
		}
		var c remoting.Command
		if err := c.Decode(e.Response); err != nil {
			t.Fatal(err)
		}
		var d remoting.BrokerStatsData
		if err := json.Unmarshal(c.Body, &d); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(d)
		if err != nil || string(again) != string(c.Body) {
			t.Errorf("%s\n%s", again, c.Body)
		}
		compared++
	}
	if compared == 0 {
		t.Fatal("nothing recorded")
	}
}
