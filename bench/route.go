package bench

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// FindBroker asks name servers (host:port;host:port, the first that answers) for the brokers of a topic, or, when the topic is not
// there yet, for those of the cluster (the first one by name when cluster is empty), and returns the address of the first master
// by name.
func FindBroker(ctx context.Context, namesrv, cluster, topic string) (addr string, err error) {
	err = eachNameServer(ctx, namesrv, func(ctx context.Context, c *netpoll.Client) error {
		addr, err = findBroker(ctx, c, cluster, topic)
		return err
	})
	return addr, err
}

// eachNameServer asks one after the other until one has answered.
func eachNameServer(ctx context.Context, list string, ask func(context.Context, *netpoll.Client) error) error {
	all := remoting.ServerNames(list)
	if len(all) == 0 {
		return errors.New("name server: none was named")
	}
	var failed []error
	for _, addr := range all {
		err := func() error {
			ctx, cancel := context.WithTimeout(ctx, reachTimeout)
			defer cancel()
			c, err := reach(ctx, "name server", addr)
			if err != nil {
				return err
			}
			defer c.Close()
			return ask(ctx, c)
		}()
		if err == nil {
			return nil
		}
		var unreached *unreachedError
		var none notNames
		switch {
		case errors.As(err, &none):
			err = &unreachedError{"name server", addr, string(none), nil}
		case !errors.As(err, &unreached):
			err = fmt.Errorf("name server %s: %w", addr, err)
		}
		failed = append(failed, err)
	}
	err := failed[0]
	for _, more := range failed[1:] {
		err = fmt.Errorf("%w; %w", err, more)
	}
	return err
}

// notNames says why something that answers is no name server.
type notNames string

func (e notNames) Error() string { return string(e) }

// askName asks a name server and says so where it is none.
func askName(ctx context.Context, c *netpoll.Client, req *remoting.Command) (*remoting.Command, error) {
	resp, err := c.Call(ctx, req)
	switch {
	case err != nil && ctx.Err() == nil:
		return nil, notNames("it takes connections and does not answer as a name server: " + netpoll.Strange(err))
	case err != nil:
		return nil, err
	case resp.Code == remoting.RespRequestCodeNotSupported:
		return nil, notNames("it answers, but not as a name server: this is probably a broker's port: a name server listens on 9876, a broker on 10911")
	}
	return resp, nil
}

func findBroker(ctx context.Context, c *netpoll.Client, cluster, topic string) (string, error) {
	route, err := askRoute(ctx, c, topic)
	if err != nil {
		return "", err
	}
	if route != nil {
		return firstMaster(route.BrokerDatas, cluster)
	}
	resp, err := askName(ctx, c, remoting.NewRequest(remoting.CodeGetBrokerClusterInfo))
	if err != nil {
		return "", err
	}
	if resp.Code != remoting.RespSuccess {
		return "", errors.New(refusal(resp))
	}
	var info remoting.ClusterInfo
	if err := remoting.Unmarshal(resp.Body, &info); err != nil {
		return "", fmt.Errorf("the brokers of the cluster: %w", err)
	}
	var all []remoting.BrokerData
	for _, b := range info.BrokerAddrTable {
		if b != nil {
			all = append(all, *b)
		}
	}
	return firstMaster(all, cluster)
}

// askRoute is the route of a topic; nil: it has none.
func askRoute(ctx context.Context, c *netpoll.Client, topic string) (*remoting.TopicRouteData, error) {
	req := remoting.NewRequest(remoting.CodeGetRouteinfoByTopic)
	req.Set("topic", topic)
	req.Set("acceptStandardJsonOnly", "true")
	resp, err := askName(ctx, c, req)
	if err != nil || resp.Code != remoting.RespSuccess {
		return nil, err
	}
	var route remoting.TopicRouteData
	if err := remoting.Unmarshal(resp.Body, &route); err != nil {
		return nil, fmt.Errorf("the route of %s: %w", topic, err)
	}
	return &route, nil
}

// routeOf is what the route of a topic says about the broker at an address.
func routeOf(ctx context.Context, namesrv, topic, addr string) (q remoting.QueueData, err error) {
	err = eachNameServer(ctx, namesrv, func(ctx context.Context, c *netpoll.Client) error {
		route, err := askRoute(ctx, c, topic)
		if err != nil {
			return err
		}
		if route == nil {
			return fmt.Errorf("no route of %s", topic)
		}
		for _, b := range route.BrokerDatas {
			for _, queues := range route.QueueDatas {
				if b.BrokerAddrs[0] == addr && queues.BrokerName == b.BrokerName {
					q = queues
					return nil
				}
			}
		}
		return fmt.Errorf("the route of %s does not name %s", topic, addr)
	})
	return q, err
}

func firstMaster(all []remoting.BrokerData, cluster string) (string, error) {
	sort.Slice(all, func(i, j int) bool { return all[i].BrokerName < all[j].BrokerName })
	for _, b := range all {
		if addr := b.BrokerAddrs[0]; addr != "" && (cluster == "" || b.Cluster == cluster) {
			return addr, nil
		}
	}
	if cluster != "" {
		return "", fmt.Errorf("the name server knows no master of cluster %s", cluster)
	}
	return "", errors.New("the name server knows no master")
}
