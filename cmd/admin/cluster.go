package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

func clusterList() *Command {
	return &Command{
		Name: "clusterList", Short: "List the brokers of all clusters, and how busy they are", Reads: true, Run: runClusterList,
		Flags: []Flag{{Short: "m", Long: "moreStats", Usage: "messages of yesterday and today", Kind: Switch}, intervalFlag(), clusterFlag()},
	}
}

// clustersOf is the one that is named, or all.
func clustersOf(c *remoting.ClusterInfo, name string) ([]string, error) {
	if name == "" {
		return slices.Sorted(maps.Keys(c.ClusterAddrTable)), nil
	}
	_, err := brokersIn(c, name)
	return []string{name}, err
}

func runClusterList(ctx context.Context, s *Session, a Args, out *Out) error {
	c, err := s.cluster(ctx)
	if err != nil {
		return err
	}
	clusters, err := clustersOf(c, a["clusterName"])
	if err != nil {
		return err
	}
	row := s.baseRow
	if a.Has("moreStats") {
		row = s.moreRow
		out.Table("brokers", "%-16v  %-32v %14v %14v %14v %14v\n", Col{"#Cluster Name", "clusterName"}, Col{"#Broker Name", "brokerName"}, Col{"#InTotalYest", "inTotalYesterday"},
			Col{"#OutTotalYest", "outTotalYesterday"}, Col{"#InTotalToday", "inTotalToday"}, Col{"#OutTotalToday", "outTotalToday"})
	} else {
		out.TableHeaded("brokers", "%-22v  %-22v  %-4v  %-22v %-16v  %16v  %30v  %-22v  %-11v  %-12v  %-8v  %-10v\n",
			"%-22v  %-22v  %-4v  %-22v %-16v  %16v  %30v  %-22v  %11v  %-12v  %-8v  %10v\n", Col{"#Cluster Name", "clusterName"}, Col{"#Broker Name", "brokerName"}, Col{"#BID", "brokerId"},
			Col{"#Addr", "brokerAddr"}, Col{"#Version", "version"}, Col{"#InTPS(LOAD)", "inTps"}, Col{"#OutTPS(LOAD)", "outTps"}, Col{"#Timer(Progress)", "timerReadBehind"},
			Col{"#PCWait(ms)", "pageCacheLockTimeMills"}, Col{"#Hour", "hours"}, Col{"#SPACE", "commitLogDiskRatio"}, Col{"#ACTIVATED", "active"})
	}
	var errs []error
	for _, cluster := range clusters {
		brokers, err := brokersIn(c, cluster)
		if err != nil {
			return err
		}
		for _, b := range brokers {
			for _, id := range slices.Sorted(maps.Keys(b.BrokerAddrs)) {
				t, _, err := s.ask.RuntimeInfo(ctx, b.BrokerAddrs[id])
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", b.BrokerAddrs[id], err))
				}
				out.Row(row(b, id, t)...)
			}
		}
	}
	return errors.Join(errs...)
}

// baseRow is what clusterList says of a broker. t is nil when it did not answer.
func (s *Session) baseRow(b *remoting.BrokerData, id int64, t map[string]string) []any {
	first := func(key string) float64 {
		word, _, _ := strings.Cut(strings.TrimSpace(t[key]), " ")
		v, _ := strconv.ParseFloat(word, 64)
		return v
	}
	or := func(key, other string) string {
		if v, ok := t[key]; ok {
			return v
		}
		return other
	}
	whole := func(key string) int64 { n, _ := strconv.ParseInt(t[key], 10, 64); return n }
	hours := 0.0
	if at := whole("earliestMessageTimeStamp"); at > 0 {
		hours = s.now().Sub(stampTime(at)).Hours()
	}
	in, outTps := first("putTps"), first("getTransferredTps")
	load := fmt.Sprintf("%9.2f(%s,%sms)", in, or("sendThreadPoolQueueSize", ""), or("sendThreadPoolQueueHeadWaitTimeMills", ""))
	outLoad := fmt.Sprintf("%9.2f(%s,%sms|%s,%sms)", outTps, or("pullThreadPoolQueueSize", ""), or("pullThreadPoolQueueHeadWaitTimeMills", ""), or("ackThreadPoolQueueSize", "N"),
		or("ackThreadPoolQueueHeadWaitTimeMills", "N"))
	timer := fmt.Sprintf("%d-%d(%.1fw, %.1f, %.1f)", whole("timerReadBehind"), whole("timerOffsetBehind"), float64(whole("timerCongestNum"))/10000, first("timerEnqueueTps"), first("timerDequeueTps"))
	return []any{b.Cluster, b.BrokerName, id, b.BrokerAddrs[id], t["brokerVersionDesc"], Cell{in, load}, Cell{outTps, outLoad}, Cell{whole("timerReadBehind"), timer},
		t["pageCacheLockTimeMills"], fixed(hours, 2), fixed(first("commitLogDiskRatio"), 4), strings.EqualFold(t["brokerActive"], "true")}
}

func (s *Session) moreRow(b *remoting.BrokerData, _ int64, t map[string]string) []any {
	diff := func(from, to string) int64 {
		x, err1 := strconv.ParseInt(t[from], 10, 64)
		y, err2 := strconv.ParseInt(t[to], 10, 64)
		if err1 != nil || err2 != nil {
			return 0
		}
		return y - x
	}
	return []any{b.Cluster, b.BrokerName, diff("msgPutTotalYesterdayMorning", "msgPutTotalTodayMorning"), diff("msgGetTotalYesterdayMorning", "msgGetTotalTodayMorning"),
		diff("msgPutTotalTodayMorning", "msgPutTotalTodayNow"), diff("msgGetTotalTodayMorning", "msgGetTotalTodayNow")}
}

func brokerStatus() *Command {
	return &Command{Name: "brokerStatus", Short: "Show the figures of brokers", Reads: true, Run: runBrokerStatus, Flags: []Flag{brokerFlag(), clusterFlag()}}
}

func runBrokerStatus(ctx context.Context, s *Session, a Args, out *Out) error {
	addrs, err := s.targets(ctx, a, mastersAndSlaves)
	if err != nil {
		return err
	}
	row := "%-32[2]v: %[3]v\n"
	if !a.Has("brokerAddr") {
		row = "%-24[1]v %-32[2]v: %[3]v\n"
	}
	out.Table("figures", row, Col{"", "brokerAddr"}, Col{"", "key"}, Col{"", "value"})
	return each(addrs, func(addr string) error {
		var t remoting.KVTable
		if err := s.body(ctx, addr, ask.Request(remoting.CodeGetBrokerRuntimeInfo), &t); err != nil {
			return err
		}
		for _, p := range pairsOf(t.Table) {
			out.Row(addr, p.key, p.value)
		}
		return nil
	})
}

func haStatus() *Command {
	return &Command{Name: "haStatus", Short: "Show how far slaves are", Reads: true, Run: runHaStatus, Flags: []Flag{brokerFlag(), clusterFlag(), intervalFlag()}}
}

func runHaStatus(ctx context.Context, s *Session, a Args, out *Out) error {
	addrs, err := s.targets(ctx, a, masters)
	if err != nil {
		return err
	}
	out.Table("brokers", "%[2]v", Col{"", "brokerAddr"}, Col{"", "status"})
	return each(addrs, func(addr string) error {
		var r remoting.HARuntimeInfo
		if err := s.body(ctx, addr, ask.Request(remoting.CodeGetBrokerHaStatus), &r); err != nil {
			return err
		}
		out.Row(addr, Cell{r, haText(addr, &r)})
		return nil
	})
}

func haText(addr string, r *remoting.HARuntimeInfo) string {
	var b strings.Builder
	if c := &r.Client; !r.Master {
		fmt.Fprintf(&b, "\n#MasterAddr\t%s\n#CommitLogMaxOffset\t%d\n#TransferSpeed(KB/s)\t%.2f\n#LastReadTime\t%s\n#LastWriteTime\t%s\n#MasterFlushOffset\t%d\n", null(c.MasterAddr), c.MaxOffset,
			float64(c.TransferredBytesPerSec)/1024, stamp(c.LastReadTimestamp), stamp(c.LastWriteTimestamp), c.MasterFlushOffset)
		return b.String()
	}
	fmt.Fprintf(&b, "\n#MasterAddr\t%s\n#MasterCommitLogMaxOffset\t%d\n#SlaveNum\t%d\n#InSyncSlaveNum\t%d\n", addr, r.MasterMaxOffset, len(r.HAConnectionInfo), r.InSyncSlaves)
	fmt.Fprintf(&b, "%-32s  %-16s %16s %16s %16s %16s\n", "#SlaveAddr", "#SlaveAckOffset", "#Diff", "#TransferSpeed(KB/s)", "#Status", "#TransferFromWhere")
	for _, c := range r.HAConnectionInfo {
		status := "Fall Behind"
		if c.InSync {
			status = "OK"
		}
		fmt.Fprintf(&b, "%-32s  %-16d %16d %16.2f %16s %16d\n", c.Addr, c.AckOffset, c.Diff, float64(c.TransferredBytesPerSec)/1024, status, c.FromOffset)
	}
	return b.String()
}

func getBrokerEpoch() *Command {
	return &Command{
		Name: "getBrokerEpoch", Short: "Show the epochs of brokers that a controller leads", Reads: true, Run: runGetBrokerEpoch,
		Flags: []Flag{clusterFlag(), brokerNameFlag("b", false), intervalFlag()},
	}
}

// epochs is the answer to 1007.
type epochs struct {
	Cluster   string `json:"clusterName"`
	Broker    string `json:"brokerName"`
	ID        int64  `json:"brokerId"`
	MaxOffset int64  `json:"maxOffset"`
	List      []struct {
		Epoch       int64 `json:"epoch"`
		StartOffset int64 `json:"startOffset"`
		EndOffset   int64 `json:"endOffset"`
	} `json:"epochList"`
}

func runGetBrokerEpoch(ctx context.Context, s *Session, a Args, out *Out) error {
	c, err := s.cluster(ctx)
	if err != nil {
		return err
	}
	var brokers []*remoting.BrokerData
	switch name := a["brokerName"]; {
	case name != "" && c.BrokerAddrTable[name] == nil:
		return fmt.Errorf("there is no broker %s; the name server knows %s", name, strings.Join(slices.Sorted(maps.Keys(c.BrokerAddrTable)), ", "))
	case name != "":
		brokers = []*remoting.BrokerData{c.BrokerAddrTable[name]}
	case a["clusterName"] == "":
		return errors.New("which broker? Give one with -b NAME, or all of a cluster with -c CLUSTER")
	default:
		if brokers, err = brokersIn(c, a["clusterName"]); err != nil {
			return err
		}
	}
	out.Table("brokers", "%[2]v", Col{"", "brokerAddr"}, Col{"", "epochs"})
	for _, b := range brokers {
		for _, id := range slices.Sorted(maps.Keys(b.BrokerAddrs)) {
			addr := b.BrokerAddrs[id]
			var e epochs
			if err := s.body(ctx, addr, ask.Request(remoting.CodeGetBrokerEpochCache), &e); err != nil {
				return err
			}
			out.Row(addr, Cell{e, e.text(addr)})
		}
	}
	return nil
}

func (e *epochs) text(addr string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n#clusterName\t%s\n#brokerName\t%s\n#brokerAddr\t%s\n#brokerId\t%d", e.Cluster, e.Broker, addr, e.ID)
	for i, one := range e.List {
		if i == len(e.List)-1 {
			one.EndOffset = e.MaxOffset
		}
		fmt.Fprintf(&b, "\n#Epoch: EpochEntry{epoch=%d, startOffset=%d, endOffset=%d}", one.Epoch, one.StartOffset, one.EndOffset)
	}
	b.WriteString("\n")
	return b.String()
}
