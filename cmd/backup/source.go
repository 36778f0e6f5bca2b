package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// Find asks name servers where the master of a name is; "" is the only one that there is.
func Find(ctx context.Context, nameServers []string, name string, timeout time.Duration) (addr string, err error) {
	a := ask.New(timeout)
	defer a.Close()
	var errs []error
	for _, ns := range nameServers {
		var c remoting.ClusterInfo
		if _, err := a.Body(ctx, ns, ask.Request(remoting.CodeGetBrokerClusterInfo), &c); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", ns, err))
			continue
		}
		return masterIn(&c, name)
	}
	if len(errs) == 0 {
		return "", errors.New("no name server is named")
	}
	return "", errors.Join(errs...)
}

func masterIn(c *remoting.ClusterInfo, name string) (string, error) {
	masters := map[string]string{}
	for _, b := range c.BrokerAddrTable {
		if b != nil && b.BrokerAddrs[0] != "" {
			masters[b.BrokerName] = b.BrokerAddrs[0]
		}
	}
	names := slices.Sorted(maps.Keys(masters))
	switch {
	case name != "" && masters[name] != "":
		return masters[name], nil
	case name != "":
		return "", fmt.Errorf("no master of the name %s is in the route; there are: %s", name, strings.Join(names, ", "))
	case len(names) == 1:
		return masters[names[0]], nil
	case len(names) == 0:
		return "", errors.New("the name server knows no master")
	}
	return "", fmt.Errorf("which master? --brokerName is one of %s", strings.Join(names, ", "))
}
