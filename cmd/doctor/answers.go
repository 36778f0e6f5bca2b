package doctor

import (
	"context"

	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

// runtimeInfo is request 28, with a field that only a broker of ours looks at; the command is for its header.
func (a *asker) runtimeInfo(ctx context.Context, addr string) (map[string]string, *remoting.Command, error) {
	var t remoting.KVTable
	resp, err := a.body(ctx, addr, request(remoting.CodeGetBrokerRuntimeInfo, "diskEngine", "true"), &t)
	return t.Table, resp, err
}

// brokerConfig is request 26.
func (a *asker) brokerConfig(ctx context.Context, addr string) (map[string]string, error) {
	resp, err := a.call(ctx, addr, request(remoting.CodeGetBrokerConfig))
	if err != nil {
		return nil, err
	}
	all, err := settings.ParseProperties("the broker's answer", resp.Body)
	if err != nil {
		return nil, err
	}
	m := make(map[string]string, len(all))
	for _, s := range all {
		m[s.Key] = s.Value
	}
	return m, nil
}

// route is request 105.
func (a *asker) route(ctx context.Context, namesrv, topic string) (*remoting.TopicRouteData, error) {
	var r remoting.TopicRouteData
	if _, err := a.body(ctx, namesrv, request(remoting.CodeGetRouteinfoByTopic, "topic", topic, "acceptStandardJsonOnly", "true"), &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// topicConfig is request 351.
func (a *asker) topicConfig(ctx context.Context, broker, topic string) (*remoting.TopicConfig, error) {
	var t remoting.TopicConfig
	if _, err := a.body(ctx, broker, request(remoting.CodeGetTopicConfig, "topic", topic), &t); err != nil {
		return nil, err
	}
	return &t, nil
}

// topicStats is request 202.
func (a *asker) topicStats(ctx context.Context, broker, topic string) (*remoting.TopicStats, error) {
	var s remoting.TopicStats
	if _, err := a.body(ctx, broker, request(remoting.CodeGetTopicStatsInfo, "topic", topic), &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// groupConfig looks a group up in the answer to 201. The request for one group, 352, would make the group where brokers make groups by
// themselves.
func (a *asker) groupConfig(ctx context.Context, broker, group string) (*remoting.SubscriptionGroupConfig, error) {
	var all remoting.GroupTable
	if _, err := a.body(ctx, broker, request(remoting.CodeGetAllSubscriptiongroupConfig), &all); err != nil {
		return nil, err
	}
	g := all.SubscriptionGroupTable[group]
	if g == nil {
		return nil, &codeError{remoting.RespSubscriptionGroupNotExist, "not in the broker's table of groups"}
	}
	return g, nil
}

// consumers is request 203.
func (a *asker) consumers(ctx context.Context, broker, group string) (*remoting.ConsumerConnection, error) {
	var c remoting.ConsumerConnection
	if _, err := a.body(ctx, broker, request(remoting.CodeGetConsumerConnectionList, "consumerGroup", group), &c); err != nil {
		return nil, err
	}
	return &c, nil
}

// consumeStats is request 208; topic "" is all of the group's.
func (a *asker) consumeStats(ctx context.Context, broker, group, topic string) (*remoting.ConsumeStats, error) {
	req := request(remoting.CodeGetConsumeStats, "consumerGroup", group)
	if topic != "" {
		req.Set("topic", topic)
	}
	var s remoting.ConsumeStats
	if _, err := a.body(ctx, broker, req, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// runningInfo is the body of 307: what a member of a group says about itself. Clients of other languages leave members out.
type runningInfo struct {
	Properties      map[string]string                 `json:"properties"`
	SubscriptionSet []remoting.SubscriptionData       `json:"subscriptionSet"`
	Queues          remoting.QueueTable[processQueue] `json:"mqTable"`
	Status          map[string]consumeStatus          `json:"statusTable"`
}

// processQueue is one queue as a member has it.
type processQueue struct {
	CachedMessages int64 `json:"cachedMsgCount"`
	CommitOffset   int64 `json:"commitOffset"`
	Dropped        bool  `json:"droped"` // stock's spelling
	LastConsume    int64 `json:"lastConsumeTimestamp"`
	LastLock       int64 `json:"lastLockTimestamp"`
	LastPull       int64 `json:"lastPullTimestamp"`
	Locked         bool  `json:"locked"`
}

// consumeStatus are a member's rates for one topic.
type consumeStatus struct {
	FailedMessages int64   `json:"consumeFailedMsgs"`
	FailedTPS      float64 `json:"consumeFailedTPS"`
	OKTPS          float64 `json:"consumeOKTPS"`
	RT             float64 `json:"consumeRT"`
}

// running is request 307, which the broker hands on to the member.
func (a *asker) running(ctx context.Context, broker, group, client string) (*runningInfo, error) {
	var r runningInfo
	req := request(remoting.CodeGetConsumerRunningInfo, "consumerGroup", group, "clientId", client, "jstackEnable", "false")
	if _, err := a.body(ctx, broker, req, &r); err != nil {
		return nil, err
	}
	return &r, nil
}
