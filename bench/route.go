package bench

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// FindBroker asks a name server for the brokers of a topic, or, when the topic is not there yet, for those of the cluster
// (the first one by name when cluster is empty), and returns the address of the first master by name.
func FindBroker(ctx context.Context, namesrv, cluster, topic string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := netpoll.Dial(ctx, namesrv, netpoll.DialOptions{})
	if err != nil {
		return "", fmt.Errorf("name server: %w", err)
	}
	defer c.Close()
	req := remoting.NewRequest(remoting.CodeGetRouteinfoByTopic)
	req.Set("topic", topic)
	req.Set("acceptStandardJsonOnly", "true")
	resp, err := c.Call(ctx, req)
	if err != nil {
		return "", fmt.Errorf("name server: %w", err)
	}
	if resp.Code == remoting.RespSuccess {
		var route remoting.TopicRouteData
		if err := remoting.Unmarshal(resp.Body, &route); err != nil {
			return "", fmt.Errorf("name server: the route of %s: %w", topic, err)
		}
		return firstMaster(route.BrokerDatas, cluster)
	}
	if resp, err = c.Call(ctx, remoting.NewRequest(remoting.CodeGetBrokerClusterInfo)); err != nil {
		return "", fmt.Errorf("name server: %w", err)
	}
	if resp.Code != remoting.RespSuccess {
		return "", fmt.Errorf("name server: code %d: %s", resp.Code, resp.Remark)
	}
	var info remoting.ClusterInfo
	if err := remoting.Unmarshal(resp.Body, &info); err != nil {
		return "", fmt.Errorf("name server: the brokers of the cluster: %w", err)
	}
	var all []remoting.BrokerData
	for _, b := range info.BrokerAddrTable {
		if b != nil {
			all = append(all, *b)
		}
	}
	return firstMaster(all, cluster)
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
