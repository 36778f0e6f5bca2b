package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

func statsAll() *Command {
	return &Command{
		Name: "statsAll", Short: "Show rates and totals of topics and of the groups that consume them", Reads: true, Run: runStatsAll,
		Flags: []Flag{{Short: "a", Long: "activeTopic", Usage: "only those with messages in the last day", Kind: Switch}, {Short: "t", Long: "topic", Usage: "one topic", Names: Topics}},
	}
}

func runStatsAll(ctx context.Context, s *Session, a Args, out *Out) error {
	topics, err := s.topics(ctx)
	if err != nil {
		return err
	}
	wanted := slices.DeleteFunc(topics, func(t string) bool {
		return strings.HasPrefix(t, retryPrefix) || strings.HasPrefix(t, deadPrefix) || a["topic"] != "" && t != a["topic"]
	})
	out.Table("topics", "%-64v  %-64v %12v %11v %11v %14v %14v\n", Col{"#Topic", "topic"}, Col{"#Consumer Group", "consumerGroup"}, Col{"#Accumulation", "accumulation"}, Col{"#InTPS", "inTps"},
		Col{"#OutTPS", "outTps"}, Col{"#InMsg24Hour", "inMessages24h"}, Col{"#OutMsg24Hour", "outMessages24h"})
	totals := func(topic string) (topicRows, error) { return s.topicTotals(ctx, topic, a.Has("activeTopic")) }
	silent := away{}
	for of, err := range ahead(s, "topics", wanted, totals) {
		if err != nil && a["topic"] != "" {
			return err
		}
		for _, row := range of.rows {
			out.Row(row...)
		}
		maps.Copy(silent, of.silent)
	}
	return silent.err()
}

// topicRows are a topic's rows, and who did not tell what belongs in them.
type topicRows struct {
	rows   [][]any
	silent away
}

// topicTotals is a row for every group of a topic. err is also in what is returned, unless the topic is gone.
func (s *Session) topicTotals(ctx context.Context, topic string, active bool) (of topicRows, err error) {
	of.silent = away{}
	defer func() {
		if err != nil && ask.CodeOf(err) != remoting.RespTopicNotExist {
			of.silent[topic] = fmt.Errorf("%s: %w", topic, err)
		}
	}()
	r, err := s.route(ctx, topic)
	if err != nil {
		return of, err
	}
	groups, err := s.groupsOf(ctx, r, topic)
	if err != nil {
		return of, err
	}
	inTps, in := s.totals(ctx, r, "TOPIC_PUT_NUMS", topic, of.silent)
	if len(groups) == 0 && (!active || in > 0) {
		of.rows = append(of.rows, []any{front(topic, 64), "", 0, fixed(inTps, 2), Cell{nil, ""}, in, Cell{nil, "NO_CONSUMER"}})
	}
	for _, g := range groups {
		outTps, n := s.totals(ctx, r, "GROUP_GET_NUMS", topic+"@"+g, of.silent)
		if active && in == 0 && n == 0 {
			continue
		}
		behind := int64(0)
		stats, silent, err := s.toldStats(ctx, g, topic)
		maps.Copy(of.silent, progressSilence(g, silent, err))
		if err == nil {
			for _, e := range stats.OffsetTable {
				behind += e.Value.BrokerOffset - e.Value.ConsumerOffset
			}
		}
		of.rows = append(of.rows, []any{front(topic, 64), front(g, 64), max(behind, 0), fixed(inTps, 2), fixed(outTps, 2), in, n})
	}
	return of, nil
}

// totals is request 315 at the masters of a route. Brokers without the figure count nothing; those that do not answer are added to silent.
func (s *Session) totals(ctx context.Context, r *remoting.TopicRouteData, name, key string, silent away) (tps float64, day int64) {
	for i := range r.BrokerDatas {
		addr := r.BrokerDatas[i].BrokerAddrs[masterID]
		if addr == "" {
			continue
		}
		rate, sum, err := s.totalsAt(ctx, addr, name, key)
		if err != nil {
			silent[addr] = err
		}
		tps, day = tps+rate, day+sum
	}
	return tps, day
}

// totalsAt is totals at one broker.
func (s *Session) totalsAt(ctx context.Context, addr, name, key string) (tps float64, day int64, err error) {
	d, err := s.figure(ctx, addr, name, key)
	return float64(d.StatsMinute.Tps), cmp.Or(d.StatsDay.Sum, d.StatsHour.Sum, d.StatsMinute.Sum), err
}

func exportMetadata() *Command {
	return &Command{
		Name: "exportMetadata", Short: "Write topics and groups to a JSON file", Reads: true, Run: runExportMetadata,
		Flags: []Flag{
			clusterFlag(), brokerFlag(), exportFlag(), {Short: "t", Long: "topic", Usage: "only topics", Kind: Switch}, {Short: "g", Long: "subscriptionGroup", Usage: "only groups", Kind: Switch},
			{Short: "s", Long: "specialTopic", Usage: "with retry topics and dead letters", Kind: Switch},
		},
	}
}

func exportFlag() Flag {
	return Flag{Short: "f", Long: "filePath", Usage: fmt.Sprintf("folder to write the file into; %s if it is not given", exportFolder)}
}

// exportFolder is where stock's exports go.
const exportFolder = "/tmp/rocketmq/export"
