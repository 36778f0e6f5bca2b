package admin

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// orderTopics is the namespace in which name servers keep the queues of ordered topics by broker.
const orderTopics = "ORDER_TOPIC_CONFIG"

func updateOrderConf() *Command {
	return &Command{
		Name: "updateOrderConf", Short: "Look at, set or delete the queues of an ordered topic", Run: runUpdateOrderConf,
		Flags: []Flag{
			topicFlag(), {Short: "v", Long: "orderConf", Usage: "brokerName1:num;brokerName2:num"},
			{Short: "m", Long: "method", Usage: "put, get or delete", Required: true},
		},
	}
}

func runUpdateOrderConf(ctx context.Context, s *Session, a Args, out *Out) error {
	topic, conf := a["topic"], a["orderConf"]
	switch a["method"] {
	case "get":
		conf, err := s.getKV(ctx, orderTopics, topic)
		if err != nil {
			return err
		}
		out.Textf("get orderConf success. topic=[%s], orderConf=[%s] \n", topic, conf)
		out.Set("orderConf", conf)
	case "put":
		if conf == "" {
			return fmt.Errorf("please set orderConf with option -v")
		}
		if err := s.putKV(ctx, orderTopics, topic, conf); err != nil {
			return err
		}
		out.Textf("update orderConf success. topic=[%s], orderConf=[%s]\n", topic, conf)
		out.Set("orderConf", conf)
	case "delete":
		if err := s.deleteKV(ctx, orderTopics, topic); err != nil {
			return err
		}
		out.Textf("delete orderConf success. topic=[%s]\n", topic)
	default:
		return fmt.Errorf("-m (--method) %q: none of put, get, delete", a["method"])
	}
	return nil
}

// getKV is request 101, putKV 100 and deleteKV 102; values are set at every name server.
func (s *Session) getKV(ctx context.Context, namespace, key string) (string, error) {
	var first error
	for _, addr := range s.names {
		resp, err := s.call(ctx, addr, ask.Request(remoting.CodeGetKvConfig, "namespace", namespace, "key", key))
		if err == nil {
			return resp.Text("value"), nil
		}
		if first = cmp.Or(first, err); ask.CodeOf(err) != -1 {
			return "", err
		}
	}
	return "", first
}

func (s *Session) putKV(ctx context.Context, namespace, key, value string) error {
	return s.atNames(func(addr string) error {
		_, err := s.call(ctx, addr, ask.Request(remoting.CodePutKvConfig, "namespace", namespace, "key", key, "value", value))
		return err
	})
}

func (s *Session) deleteKV(ctx context.Context, namespace, key string) error {
	return s.atNames(func(addr string) error {
		_, err := s.call(ctx, addr, ask.Request(remoting.CodeDeleteKvConfig, "namespace", namespace, "key", key))
		return err
	})
}

// orderTopic notes the queues of an ordered topic that was just made: those of one broker beside what is there, or those of a cluster
// in place of it.
func (s *Session) orderTopic(ctx context.Context, a Args, t *remoting.TopicConfig, out *Out) error {
	c, err := s.cluster(ctx)
	if err != nil {
		return err
	}
	if addr := a["brokerAddr"]; addr != "" {
		for _, b := range c.BrokerAddrTable {
			for _, of := range b.BrokerAddrs {
				if of != addr && b.BrokerName != addr {
					continue
				}
				conf := fmt.Sprintf("%s:%d", b.BrokerName, t.WriteQueueNums)
				before, _ := s.getKV(ctx, orderTopics, t.TopicName) // there may be none
				if err := s.putKV(ctx, orderTopics, t.TopicName, joinOrder(before, conf)); err != nil {
					return err
				}
				out.Textf("set broker orderConf. isOrder=true, orderConf=[%s]\n", conf)
				out.Set("orderConf", conf)
				return nil
			}
		}
		return fmt.Errorf("no name server knows the broker at %s: its queues are not noted", addr)
	}
	brokers, err := brokersIn(c, a["clusterName"])
	if err != nil {
		return err
	}
	var words []string
	for _, b := range brokers {
		words = append(words, fmt.Sprintf("%s:%d", b.BrokerName, t.WriteQueueNums))
	}
	conf := strings.Join(words, ";")
	if err := s.putKV(ctx, orderTopics, t.TopicName, conf); err != nil {
		return err
	}
	out.Textf("set cluster orderConf. isOrder=true, orderConf=[%s]\n", conf)
	out.Set("orderConf", conf)
	return nil
}

// joinOrder replaces the entry of one broker, or adds it.
func joinOrder(before, conf string) string {
	name, _, _ := strings.Cut(conf, ":")
	var words []string
	for _, w := range strings.Split(before, ";") {
		if of, _, _ := strings.Cut(w, ":"); w != "" && of != name {
			words = append(words, w)
		}
	}
	return strings.Join(append(words, conf), ";")
}
