package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ringmq/netpoll/remoting"
)

func exportMetrics() *Command {
	c := clusterFlag()
	c.Required = true
	return &Command{Name: "exportMetrics", Short: "Write brokers' rates, totals and clients to a JSON file", Reads: true, Run: runExportMetrics, Flags: []Flag{c, exportFlag()}}
}

// perSecond is written as Java writes it, with a point: readers of stock's file may tell it from a whole number.
type perSecond float64

// MarshalJSON implements json.Marshaler.
func (v perSecond) MarshalJSON() ([]byte, error) { return []byte(double(float64(v))), nil }

// The file's parts; names are stock's.
type (
	exportedRates struct {
		NormalIn   perSecond `json:"normalInTps"`
		NormalOut  perSecond `json:"normalOutTps"`
		TransIn    perSecond `json:"transInTps"`
		ScheduleIn perSecond `json:"scheduleInTps"`
	}
	exportedTotalRates struct {
		NormalIn   perSecond `json:"totalNormalInTps"`
		NormalOut  perSecond `json:"totalNormalOutTps"`
		TransIn    perSecond `json:"totalTransInTps"`
		ScheduleIn perSecond `json:"totalScheduleInTps"`
	}
	exportedDay struct {
		NormalIn   int64 `json:"normalOneDayInNum"`
		NormalOut  int64 `json:"normalOneDayOutNum"`
		TransIn    int64 `json:"transOneDayInNum"`
		ScheduleIn int64 `json:"scheduleOneDayInNum"`
	}
	exportedQuota struct {
		DiskRatio struct {
			CommitLog    string `json:"commitLogDiskRatio,omitempty"`
			ConsumeQueue string `json:"consumeQueueDiskRatio,omitempty"`
		} `json:"diskRatio"`
		Rates       exportedRates `json:"tps"`
		Day         exportedDay   `json:"oneDayNum"`
		MessageSize string        `json:"messageAverageSize,omitempty"`
		Topics      int           `json:"topicSize"`
		Groups      int           `json:"groupSize"`
	}
	exportedBroker struct {
		Env struct {
			Processors string `json:"cpuNum,omitempty"`
			Memory     string `json:"totalMemKBytes,omitempty"`
		} `json:"runtimeEnv"`
		Quota   exportedQuota `json:"runtimeQuota"`
		Version struct {
			Broker  string   `json:"rocketmqVersion"`
			Clients []string `json:"clientInfo"`
		} `json:"runtimeVersion"`
	}
	exportedMetrics struct {
		Brokers map[string]*exportedBroker `json:"evaluateReport"`
		Totals  struct {
			Rates exportedTotalRates `json:"totalTps"`
			Day   exportedDay        `json:"totalOneDayNum"`
		} `json:"totalData"`
	}
)

func runExportMetrics(ctx context.Context, s *Session, a Args, out *Out) error {
	c, err := s.cluster(ctx)
	if err != nil {
		return err
	}
	brokers, err := brokersIn(c, a["clusterName"])
	if err != nil {
		return err
	}
	m := exportedMetrics{Brokers: map[string]*exportedBroker{}}
	rates, day := &m.Totals.Rates, &m.Totals.Day
	for _, b := range brokers {
		addr := b.BrokerAddrs[masterID]
		if addr == "" {
			return masterless(b, b.BrokerName)
		}
		one, err := s.metricsOf(ctx, addr)
		if err != nil {
			return err
		}
		m.Brokers[b.BrokerName] = one
		q := &one.Quota
		rates.NormalIn += q.Rates.NormalIn
		rates.NormalOut += q.Rates.NormalOut
		rates.TransIn += q.Rates.TransIn
		rates.ScheduleIn += q.Rates.ScheduleIn
		day.NormalIn += q.Day.NormalIn
		day.NormalOut += q.Day.NormalOut
		day.TransIn += q.Day.TransIn
		day.ScheduleIn += q.Day.ScheduleIn
	}
	return export(a, "metrics.json", m, out)
}

// metricsOf is a broker's part of the file.
func (s *Session) metricsOf(ctx context.Context, addr string) (*exportedBroker, error) {
	c, err := s.whoIs(ctx, addr)
	if err != nil {
		return nil, err
	}
	runtime, _, err := s.ask.RuntimeInfo(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	var m metadata
	if err := errors.Join(s.addTopics(ctx, addr, false, &m), s.addGroups(ctx, addr, &m)); err != nil {
		return nil, err
	}
	maps.DeleteFunc(m.Groups, func(name string, _ *remoting.SubscriptionGroupConfig) bool {
		return strings.HasPrefix(name, systemGroupPrefix)
	})
	var b exportedBroker
	b.Env.Processors, b.Env.Memory = c["clientCallbackExecutorThreads"], runtime["totalMemKBytes"]
	b.Version.Broker, b.Version.Clients = runtime["brokerVersionDesc"], s.clientKinds(ctx, addr, slices.Sorted(maps.Keys(m.Groups)))
	q := &b.Quota
	q.DiskRatio.CommitLog, q.DiskRatio.ConsumeQueue, q.MessageSize = runtime["commitLogDiskRatio"], runtime["consumeQueueDiskRatio"], runtime["putMessageAverageSize"]
	q.Topics, q.Groups = len(m.Topics), len(m.Groups)
	trans, transDay, err1 := s.totalsAt(ctx, addr, "TOPIC_PUT_NUMS", "RMQ_SYS_TRANS_HALF_TOPIC")
	later, laterDay, err2 := s.totalsAt(ctx, addr, "TOPIC_PUT_NUMS", "SCHEDULE_TOPIC_XXXX")
	f := figuresOf{addr: addr, runtime: runtime, err: errors.Join(err1, err2)}
	q.Rates = exportedRates{NormalIn: f.rate("putTps"), NormalOut: f.rate("getTransferredTps", "getTransferedTps"), TransIn: perSecond(trans), ScheduleIn: perSecond(later)}
	q.Day = exportedDay{TransIn: transDay, ScheduleIn: laterDay,
		NormalIn:  f.count("msgPutTotalTodayMorning") - f.count("msgPutTotalYesterdayMorning"),
		NormalOut: f.count("msgGetTotalTodayMorning") - f.count("msgGetTotalYesterdayMorning")}
	return &b, f.err
}

// systemGroupPrefix begins the names of groups that a broker consumes with itself.
const systemGroupPrefix = "CID_RMQ_SYS_"

// clientKinds are the languages and releases of the clients that consume as these groups at the broker. A group that nobody consumes as
// has none. The broker itself is asked, not one that the route of a retry topic names: a group may be newer than its route.
func (s *Session) clientKinds(ctx context.Context, addr string, groups []string) []string {
	seen := map[string]bool{}
	members := func(group string) (*remoting.ConsumerConnection, error) { return s.ask.Consumers(ctx, addr, group) }
	for c, err := range ahead(s, "groups", groups, members) {
		if err != nil {
			continue
		}
		for _, one := range c.ConnectionSet {
			seen[one.Language+"%"+versionName(one.Version)] = true
		}
	}
	kinds := slices.AppendSeq([]string{}, maps.Keys(seen)) // not nil: the file has a list without any
	slices.Sort(kinds)
	return kinds
}

// figuresOf reads numbers among a broker's runtime figures, and keeps what is wrong with the first that is none.
type figuresOf struct {
	addr    string
	runtime map[string]string
	err     error
}

// rate is the first of the figures that a key has for several spans of time: that of the shortest one. A broker that has just begun has
// none yet. Releases before may have had another key.
func (f *figuresOf) rate(key string, before ...string) perSecond {
	for _, old := range before {
		if _, there := f.runtime[key]; !there {
			key = old
		}
	}
	text, there := f.runtime[key]
	spans := strings.Fields(text)
	if there && len(spans) == 0 {
		return 0
	}
	v, err := strconv.ParseFloat(strings.Join(spans[:min(1, len(spans))], ""), 64)
	f.note(key, err)
	return perSecond(v)
}

func (f *figuresOf) count(key string) int64 {
	v, err := strconv.ParseInt(f.runtime[key], 10, 64)
	f.note(key, err)
	return v
}

func (f *figuresOf) note(key string, err error) {
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("%s: its figure %s is %q: %w", f.addr, key, f.runtime[key], err)
	}
}
