package doctor

import (
	"os"
	"testing"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// FuzzFigures: whatever a broker tells about itself, what is said of it is whole.
func FuzzFigures(f *testing.F) {
	f.Add("0.5", "0.5 0.2", "Total : 1.0 TiB, Free : 2.0 GiB.", "[ 0 days, 1 hours, 0 minutes, 0 seconds ]", "1795752292741", "100", "1000")
	f.Add("-1", "", "Total : NaN XB, Free : 1e300 EiB.", "[ 9223372036854775807 days, 1 hours, 0 minutes, 0 seconds ]", "-5", "9223372036854775807", "-9223372036854775808")
	f.Fuzz(func(t *testing.T, log, queues, capacity, runtime, boot, low, high string) {
		b := brokerWith(m("commitLogDiskRatio", log, "consumeQueueDiskRatio", queues, "commitLogDirCapacity", capacity, "runtime", runtime, "bootTimestamp", boot,
			"commitLogMinOffset", low, "commitLogMaxOffset", high, "earliestMessageTimeStamp", boot, "dispatchBehindBytes", high, "brokerVersionDesc", runtime,
			"logGaps", low, "queueFlushFailures", high, "queueFlushFailing", log),
			m("fileReservedTime", low, "diskMaxUsedSpaceRatio", high, "brokerPermission", low, "commitLogMaxBytes", high))
		var all []Finding
		for _, judge := range []func(*brokerSeen) []Finding{judgeClock, judgePermission, judgeEngine, judgeSpace, judgeRetention, judgeDamage, judgeBusy, judgeRunningConfig} {
			all = append(all, judge(b)...)
		}
		for _, f := range append(all, judgeVersions(nil, []brokerSeen{*b})...) {
			if f.Seen == "" || f.State != OK && (f.Why == "" || f.Fix == "") {
				t.Errorf("not whole: %+v", f)
			}
		}
	})
}

// FuzzRunning: whatever a member tells about itself, the group is judged.
func FuzzRunning(f *testing.F) {
	f.Add([]byte(telling{topic: "T", expression: "*", queues: []int{0, 1}}.text("a:9876")))
	f.Add([]byte(`{"mqTable":{{"topic":"T","queueId":-1}:null},"statusTable":{"T":{"consumeFailedTPS":1e308}},"subscriptionSet":[{}],"properties":{"PROP_CONSUMEORDERLY":"true"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r ask.RunningInfo
		if remoting.Unmarshal(body, &r) != nil {
			return
		}
		g := behind(100, 10, 50)
		g.Members[0].Info = &r
		g.Brokers[0].Locks = []lockSeen{{Queue: remoting.MessageQueue{Topic: "T", BrokerName: "a"}}}
		for _, f := range judgeGroup(g) {
			if f.Seen == "" || f.State != OK && (f.Why == "" || f.Fix == "") {
				t.Errorf("not whole: %+v", f)
			}
		}
	})
}

// TestProcess: what the kernel tells about this process.
func TestProcess(t *testing.T) {
	p := readProcess("/proc", os.Getpid())
	if p.OpenFiles < 3 || p.OpenLimit < p.OpenFiles || p.HardLimit < p.OpenLimit || p.Maps < 3 || p.MapsLimit < p.Maps || p.Threads < 1 || p.ResidentMB < 1 {
		t.Errorf("%+v", p)
	}
	if gone := readProcess(t.TempDir(), 1); gone.OpenLimit != 0 || gone.OpenFiles != 0 {
		t.Errorf("%+v", gone)
	}
}
