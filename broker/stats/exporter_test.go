package stats

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmq/store"
	"ringmq/store/tally"
)

// readByExporter reads a table as rocketmq-exporter 0.0.2 does, which passes over the whole broker at the first value that it cannot read.
func readByExporter(t map[string]string) error {
	for _, key := range strings.Fields(`msgPutTotalTodayNow msgGetTotalTodayNow msgPutTotalTodayMorning msgGetTotalTodayMorning msgPutTotalYesterdayMorning
		msgGetTotalYesterdayMorning sendThreadPoolQueueSize sendThreadPoolQueueCapacity sendThreadPoolQueueHeadWaitTimeMills pullThreadPoolQueueSize
		pullThreadPoolQueueCapacity pullThreadPoolQueueHeadWaitTimeMills queryThreadPoolQueueSize queryThreadPoolQueueCapacity queryThreadPoolQueueHeadWaitTimeMills
		bootTimestamp commitLogMinOffset commitLogMaxOffset dispatchMaxBuffer dispatchBehindBytes brokerVersion pageCacheLockTimeMills getMessageEntireTimeMax
		putMessageEntireTimeMax putMessageTimesTotal putMessageSizeTotal startAcceptSendRequestTimeStamp earliestMessageTimeStamp remainTransientStoreBufferNumbs`) {
		bits := 64
		if key == "brokerVersion" {
			bits = 32
		}
		if _, err := strconv.ParseInt(t[key], 10, bits); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	for _, key := range strings.Fields("consumeQueueDiskRatio commitLogDiskRatio putMessageAverageSize putLatency99 putLatency999") {
		if _, err := strconv.ParseFloat(t[key], 64); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	for _, key := range strings.Fields("putTps getMissTps getTransferedTps getTransferredTps getTotalTps getFoundTps") {
		if strings.Count(t[key], " ") != 2 {
			return fmt.Errorf("%s: %q", key, t[key])
		}
		numbers := strings.TrimRight(t[key], " ") // Java's split leaves out empty parts at the end
		if numbers == "" {
			continue
		}
		for _, p := range strings.Split(numbers, " ") {
			if _, err := strconv.ParseFloat(p, 64); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	for _, item := range strings.Fields(t["putMessageDistributeTime"]) {
		_, n, ok := strings.Cut(item, ":")
		if _, err := strconv.ParseInt(n, 10, 32); err != nil || !ok { // Integer.parseInt
			return fmt.Errorf("putMessageDistributeTime: %q: %w", item, err)
		}
	}
	for key, v := range t {
		if strings.HasPrefix(key, "scheduleMessageOffset") {
			a, b, _ := strings.Cut(v, ",")
			_, err1 := strconv.ParseInt(a, 10, 64)
			if _, err := strconv.ParseInt(b, 10, 64); err != nil || err1 != nil {
				return fmt.Errorf("%s: %q", key, v)
			}
		}
	}
	flush := strings.Split(t["remainHowManyDataToFlush"], " ")
	capacity := strings.Split(t["commitLogDirCapacity"], " ")
	if len(flush) != 2 || len(flush[1]) == 0 || len(capacity) < 8 || len(capacity[3]) < 2 || len(capacity[7]) < 2 {
		return fmt.Errorf("%q, %q", flush, capacity)
	}
	for _, v := range []string{flush[0], capacity[2], capacity[6]} {
		if _, err := strconv.ParseFloat(v, 64); err != nil {
			return err
		}
	}
	for _, key := range []string{"runtime", "brokerVersionDesc"} {
		if t[key] == "" {
			return fmt.Errorf("%s is missing", key)
		}
	}
	return nil
}

// TestExporterReadsEverything, of a broker that has just started and of one that has run for months.
func TestExporterReadsEverything(t *testing.T) {
	now := noon
	s := New("c", func() time.Time { return now })
	f := Figures{Now: now, VersionName: "V5_3_3", BrokerVersion: 479, DelayOffsets: map[int]string{1: "3,4"}}
	if err := readByExporter(s.Runtime(&f)); err != nil {
		t.Error("at the start:", err)
	}
	f.Store = store.Stats{PutMessages: math.MaxInt64 / 2, PutBytes: math.MaxInt64, DiskTotalBytes: 10 << 40, DiskFreeBytes: 512, UnflushedBytes: 5 << 30, CommitLogMax: math.MaxInt64, Visible: math.MaxInt64}
	f.Store.PutDistribution[1] = 1 << 40
	s.SamplePuts(now.Add(time.Minute), f.Store.PutDistribution, tally.Counts{})
	f.Store.PutDistribution[1] += 30_000_000
	s.SamplePuts(now.Add(2*time.Minute), f.Store.PutDistribution, tally.Counts{})
	if err := readByExporter(s.Runtime(&f)); err != nil {
		t.Error("after months:", err)
	}
}

// TestLastMinute: how sends were distributed, and their percentiles, are of the last whole minute, as stock's; before there is one, since
// the start.
func TestLastMinute(t *testing.T) {
	now := noon
	s := New("c", func() time.Time { return now })
	h := tally.New(1000, 3000, 10_000)
	f := Figures{Now: now}
	shown := func() string {
		f.PutMicros = h.Counts()
		r := s.Runtime(&f)
		return strings.Fields(r["putMessageDistributeTime"])[1] + " " + r["putLatency99"] + " " + r["putLatency999"]
	}
	second := func(n int) {
		for range n {
			now = now.Add(time.Second)
			s.SamplePuts(now, f.Store.PutDistribution, h.Counts())
		}
	}
	f.Store.PutDistribution[1] = 100
	for range 100 {
		h.Add(500)
	}
	second(10)
	if got := shown(); got != "[0~10ms]:100 0.99 1.00" {
		t.Error("in the first minute:", got)
	}
	second(50)
	f.Store.PutDistribution[1] += 7
	for range 10 {
		h.Add(2000)
	}
	second(30)
	if got := shown(); got != "[0~10ms]:100 0.99 1.00" {
		t.Error("in the second minute, of the first:", got)
	}
	second(30)
	if got := shown(); got != "[0~10ms]:7 2.98 3.00" {
		t.Error("of the second:", got)
	}
}
