package stats

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"ringmq/store"
	"ringmq/store/tally"
)

// Figures are what the runtime figures need beside the store's and these counters.
type Figures struct {
	Store         store.Stats
	Now           time.Time
	CommitLogDir  string
	BrokerVersion int32  // ordinal of the release this broker speaks as, 479
	VersionName   string // its name, V5_3_3
	Active        bool
	DelayOffsets  map[int]string          // level -> "next queue offset,maximum"
	PutMicros     tally.Counts            // what sends took since the start, in microseconds
	Capacity      func(key string) string // configured capacity of a queue of requests, by its key of broker.conf
}

// Runtime is the table of 28, with the keys that tools, exporter and dashboard parse.
func (s *Stats) Runtime(f *Figures) map[string]string {
	st := &f.Store
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	puts := s.putTimes(putTimes{st.PutDistribution, f.PutMicros})
	t := map[string]string{
		"brokerActive": strconv.FormatBool(f.Active), "brokerVersion": n(int64(f.BrokerVersion)), "brokerVersionDesc": f.VersionName,
		"bootTimestamp": n(st.BootTimestamp), "runtime": span(f.Now.Sub(time.UnixMilli(st.BootTimestamp))),
		"commitLogMinOffset": n(st.CommitLogMin), "commitLogMaxOffset": n(st.Visible), "dispatchBehindBytes": n(st.DispatchBehindBytes),
		"commitLogDiskRatio": ratio(st.CommitLogDiskRatio), "consumeQueueDiskRatio": ratio(st.ConsumeQueueRatio),
		"commitLogDirCapacity":     "Total : " + binary(st.DiskTotalBytes) + ", Free : " + binary(st.DiskFreeBytes) + ".",
		"earliestMessageTimeStamp": n(st.EarliestMessageTime), "remainHowManyDataToFlush": binary(max(st.UnflushedBytes, 0)),
		"putMessageTimesTotal": n(st.PutMessages), "putMessageSizeTotal": n(st.PutBytes), "putMessageFailedTimes": n(st.PutFailures),
		"putMessageAverageSize": javaDouble(average(st.PutBytes, st.PutMessages)), "putMessageEntireTimeMax": n(st.PutEntireTimeMaxMs),
		"putMessageDistributeTime": distribution(puts.distribution), "getMessageEntireTimeMax": n(s.getTimeMaxMs.Load()),
		"putLatency99": fmt.Sprintf("%.2f", puts.micros.Quantile(0.99)/1e3), "putLatency999": fmt.Sprintf("%.2f", puts.micros.Quantile(0.999)/1e3),
		"dispatchMaxBuffer": "0", "pageCacheLockTimeMills": "0", "startAcceptSendRequestTimeStamp": "0", "remainTransientStoreBufferNumbs": "2147483647",
		"timerReadBehind": "0", "timerOffsetBehind": "0", "timerCongestNum": "0", "timerEnqueueTps": "0.0", "timerDequeueTps": "0.0",
	}
	if st.CommitLogMax == 0 {
		t["commitLogMinOffset"] = "-1"
	}
	if st.ResidentBytes >= 0 {
		// How pulls beyond the tail cache came by their records. Stock has no such figures: they are for those who asked for the scan.
		t["pullWarmReadBytes"], t["pullWorkerReadBytes"], t["pullColdReadBytes"] = n(st.WarmReadBytes), n(st.WorkerReadBytes), n(st.ColdReadBytes)
		t["commitLogResidentBytes"] = n(st.ResidentBytes)
	}
	if f.CommitLogDir != "" {
		t["commitLogDiskRatio_"+f.CommitLogDir] = t["commitLogDiskRatio"]
	}
	for level, text := range f.DelayOffsets {
		t["scheduleMessageOffset_"+strconv.Itoa(level)] = text
	}
	// There are no thread pools with queues here: requests wait in their connections. The capacities are those configured.
	for name, key := range map[string]string{
		"sendThreadPoolQueue": "sendThreadPoolQueueCapacity", "pullThreadPoolQueue": "pullThreadPoolQueueCapacity",
		"litePullThreadPoolQueue": "litePullThreadPoolQueueCapacity", "queryThreadPoolQueue": "queryThreadPoolQueueCapacity",
		"ackThreadPoolQueue": "ackThreadPoolQueueCapacity",
	} {
		t[name+"Size"], t[name+"HeadWaitTimeMills"] = "0", "0"
		t[name+"Capacity"] = capacity(f, key)
	}
	t["EndTransactionQueueSize"], t["EndTransactionThreadPoolQueueCapacity"] = "0", capacity(f, "endTransactionPoolQueueCapacity")
	s.countsInto(t)
	return t
}

func capacity(f *Figures, key string) string {
	if f.Capacity == nil {
		return "0"
	}
	return f.Capacity(key)
}

// countsInto adds what is counted here.
func (s *Stats) countsInto(t map[string]string) {
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	s.mu.Lock()
	defer s.mu.Unlock()
	t["msgPutTotalTodayNow"], t["msgGetTotalTodayNow"] = n(s.userPut.value.Load()), n(s.userGet.value.Load())
	t["msgPutTotalTodayMorning"], t["msgGetTotalTodayMorning"] = n(s.put.today), n(s.got.today)
	t["msgPutTotalYesterdayMorning"], t["msgGetTotalYesterdayMorning"] = n(s.put.yesterday), n(s.got.yesterday)
	t["putTps"] = s.rates.text(false, func(c counts) int64 { return c.put })
	t["getFoundTps"] = s.rates.text(false, func(c counts) int64 { return c.found })
	t["getMissTps"] = s.rates.text(false, func(c counts) int64 { return c.miss })
	t["getTotalTps"] = s.rates.text(true, func(c counts) int64 { return c.found + c.miss })
	t["getTransferredTps"] = s.rates.text(false, func(c counts) int64 { return c.transferred })
	t["getTransferedTps"] = t["getTransferredTps"] // as stock 4.x wrote it: rocketmq-exporter passes over a broker that does not
}

func average(sum, n int64) float64 {
	if n == 0 {
		return 0
	}
	return float64(sum) / float64(n)
}

func ratio(v float64) string {
	s := strings.TrimRight(strconv.FormatFloat(v, 'f', 2, 64), "0")
	if strings.HasSuffix(s, ".") {
		s += "0"
	}
	return s
}

// span is "[ 0 days, 0 hours, 0 minutes, 4 seconds ]".
func span(d time.Duration) string {
	sec := int64(max(d, 0) / time.Second)
	return fmt.Sprintf("[ %d days, %d hours, %d minutes, %d seconds ]", sec/86400, sec/3600%24, sec/60%60, sec%60)
}

// binary prints bytes as "252.0 GiB"; below 1 KiB as "0 B".
func binary(bytes int64) string {
	const units = "KMGTPE"
	if bytes < 1024 {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	v, u := float64(bytes)/1024, 0
	for v >= 1024 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[u])
}

var distributionNames = [13]string{"<=0ms", "0~10ms", "10~50ms", "50~100ms", "100~200ms", "200~500ms", "500ms~1s", "1~2s", "2~3s", "3~4s", "4~5s", "5~10s", "10s~"}

func distribution(counts [13]int64) string {
	var b strings.Builder
	for i, n := range counts {
		fmt.Fprintf(&b, "[%s]:%d ", distributionNames[i], n)
	}
	return b.String()
}
