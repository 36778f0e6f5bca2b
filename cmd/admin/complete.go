package admin

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// Known lists what there is of a kind, for completion. What cannot be asked is an empty list.
func Known(ctx context.Context, o Options, n Names) []string {
	s := newSession(o)
	defer s.ask.Close()
	if n == Topics || n == Groups {
		topics, err := s.topics(ctx)
		if err != nil {
			return nil
		}
		var all []string
		for _, t := range topics {
			group, retry := strings.CutPrefix(t, retryPrefix)
			switch {
			case n == Groups && retry:
				all = append(all, group)
			case n == Topics && !retry && !strings.HasPrefix(t, deadPrefix):
				all = append(all, t)
			}
		}
		return all
	}
	c, err := s.cluster(ctx)
	if err != nil {
		return nil
	}
	switch n {
	case Clusters:
		return slices.Sorted(maps.Keys(c.ClusterAddrTable))
	case BrokerNames:
		return slices.Sorted(maps.Keys(c.BrokerAddrTable))
	case BrokerAddrs:
		var all []string
		for _, name := range slices.Sorted(maps.Keys(c.BrokerAddrTable)) {
			for _, id := range slices.Sorted(maps.Keys(c.BrokerAddrTable[name].BrokerAddrs)) {
				all = append(all, c.BrokerAddrTable[name].BrokerAddrs[id])
			}
		}
		return all
	}
	return nil
}
