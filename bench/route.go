package bench

import (
	"context"
	"encoding/json"
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
		if err := json.Unmarshal(quoteKeys(resp.Body), &route); err != nil {
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
	if err := json.Unmarshal(quoteKeys(resp.Body), &info); err != nil {
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

// quoteKeys puts the bare numbers that stock writes as members' names into quotes, so that the text is JSON.
func quoteKeys(b []byte) []byte {
	out := make([]byte, 0, len(b)+16)
	inText := false
	for i := 0; i < len(b); i++ {
		ch := b[i]
		if inText {
			out = append(out, ch)
			if ch == '\\' && i+1 < len(b) {
				i++
				out = append(out, b[i])
			}
			inText = ch != '"'
			continue
		}
		end := i
		for end < len(b) && b[end] >= '0' && b[end] <= '9' {
			end++
		}
		if end > i && end < len(b) && b[end] == ':' {
			out = append(append(append(out, '"'), b[i:end]...), '"')
			i = end - 1
			continue
		}
		if end > i {
			out = append(out, b[i:end]...)
			i = end - 1
			continue
		}
		inText = ch == '"'
		out = append(out, ch)
	}
	return out
}
