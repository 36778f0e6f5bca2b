package ask

import (
	"context"
	"strconv"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

// RuntimeInfo is request 28, with a field that only a broker of ours looks at; the command is for its header.
func (a *Asker) RuntimeInfo(ctx context.Context, addr string) (map[string]string, *remoting.Command, error) {
	var t remoting.KVTable
	resp, err := a.Body(ctx, addr, Request(remoting.CodeGetBrokerRuntimeInfo, "diskEngine", "true"), &t)
	return t.Table, resp, err
}

// BrokerConfig is request 26.
func (a *Asker) BrokerConfig(ctx context.Context, addr string) (map[string]string, error) {
	all, _, err := a.properties(ctx, addr, Request(remoting.CodeGetBrokerConfig))
	return all, err
}

// NamesrvConfig is request 319, with a field that only a name server of ours looks at: build is which one it is, "" of a stock one.
func (a *Asker) NamesrvConfig(ctx context.Context, addr string) (all map[string]string, build string, err error) {
	all, resp, err := a.properties(ctx, addr, Request(remoting.CodeGetNamesrvConfig, "ringmqVersion", "true"))
	if err != nil {
		return nil, "", err
	}
	return all, resp.Text("ringmqVersion"), nil
}

func (a *Asker) properties(ctx context.Context, addr string, req *remoting.Command) (map[string]string, *remoting.Command, error) {
	resp, err := a.Call(ctx, addr, req)
	if err != nil {
		return nil, nil, err
	}
	all, err := settings.ParseProperties("the server's answer", resp.Body)
	if err != nil {
		return nil, nil, err
	}
	m := make(map[string]string, len(all))
	for _, s := range all {
		m[s.Key] = s.Value
	}
	return m, resp, nil
}

// Route is request 105.
func (a *Asker) Route(ctx context.Context, namesrv, topic string) (*remoting.TopicRouteData, error) {
	var r remoting.TopicRouteData
	if _, err := a.Body(ctx, namesrv, Request(remoting.CodeGetRouteinfoByTopic, "topic", topic, "acceptStandardJsonOnly", "true"), &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// TopicConfig is request 351.
func (a *Asker) TopicConfig(ctx context.Context, broker, topic string) (*remoting.TopicConfig, error) {
	var t remoting.TopicConfig
	if _, err := a.Body(ctx, broker, Request(remoting.CodeGetTopicConfig, "topic", topic), &t); err != nil {
		return nil, err
	}
	return &t, nil
}

// TopicStats is request 202.
func (a *Asker) TopicStats(ctx context.Context, broker, topic string) (*remoting.TopicStats, error) {
	var s remoting.TopicStats
	if _, err := a.Body(ctx, broker, Request(remoting.CodeGetTopicStatsInfo, "topic", topic), &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// GroupConfig looks a group up in the answer to 201. The request for one group, 352, would make the group where brokers make groups by
// themselves.
func (a *Asker) GroupConfig(ctx context.Context, broker, group string) (*remoting.SubscriptionGroupConfig, error) {
	var all remoting.GroupTable
	if _, err := a.Body(ctx, broker, Request(remoting.CodeGetAllSubscriptiongroupConfig), &all); err != nil {
		return nil, err
	}
	g := all.SubscriptionGroupTable[group]
	if g == nil {
		return nil, &CodeError{Code: remoting.RespSubscriptionGroupNotExist, Remark: "not in the broker's table of groups"}
	}
	return g, nil
}

// Consumers is request 203.
func (a *Asker) Consumers(ctx context.Context, broker, group string) (*remoting.ConsumerConnection, error) {
	var c remoting.ConsumerConnection
	if _, err := a.Body(ctx, broker, Request(remoting.CodeGetConsumerConnectionList, "consumerGroup", group), &c); err != nil {
		return nil, err
	}
	return &c, nil
}

// ConsumeStats is request 208; topic "" is all of the group's.
func (a *Asker) ConsumeStats(ctx context.Context, broker, group, topic string) (*remoting.ConsumeStats, error) {
	req := Request(remoting.CodeGetConsumeStats, "consumerGroup", group)
	if topic != "" {
		req.Set("topic", topic)
	}
	var s remoting.ConsumeStats
	if _, err := a.Body(ctx, broker, req, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// Pull is request 11 for messages of a queue from an offset on, in the name of a group. hold is how long the broker may wait for the first;
// 0: it answers at once.
func Pull(group string, q remoting.MessageQueue, offset int64, most int, expression string, hold time.Duration) *remoting.Command {
	flags := remoting.PullSubscription
	if hold > 0 {
		flags |= remoting.PullSuspend
	}
	return Request(remoting.CodePullMessage, "consumerGroup", group, "topic", q.Topic, "queueId", strconv.Itoa(int(q.QueueID)),
		"queueOffset", strconv.FormatInt(offset, 10), "maxMsgNums", strconv.Itoa(most), "sysFlag", strconv.Itoa(int(flags)), "commitOffset", "0",
		"suspendTimeoutMillis", strconv.FormatInt(hold.Milliseconds(), 10), "subscription", expression, "expressionType", "TAG", "subVersion", "0")
}

// RunningInfo is the body of 307: what a member of a group says about itself. Clients of other languages leave members out.
type RunningInfo struct {
	Properties      map[string]string                 `json:"properties"`
	SubscriptionSet []remoting.SubscriptionData       `json:"subscriptionSet"`
	Queues          remoting.QueueTable[ProcessQueue] `json:"mqTable"`
	Status          map[string]ConsumeStatus          `json:"statusTable"`
}

// ProcessQueue is one queue as a member has it.
type ProcessQueue struct {
	CachedMessages int64 `json:"cachedMsgCount"`
	CommitOffset   int64 `json:"commitOffset"`
	Dropped        bool  `json:"droped"` // stock's spelling
	LastConsume    int64 `json:"lastConsumeTimestamp"`
	LastLock       int64 `json:"lastLockTimestamp"`
	LastPull       int64 `json:"lastPullTimestamp"`
	Locked         bool  `json:"locked"`
}

// ConsumeStatus are a member's rates for one topic.
type ConsumeStatus struct {
	FailedMessages int64   `json:"consumeFailedMsgs"`
	FailedTPS      float64 `json:"consumeFailedTPS"`
	OKTPS          float64 `json:"consumeOKTPS"`
	RT             float64 `json:"consumeRT"`
}

// Running is request 307, which the broker hands on to the member.
func (a *Asker) Running(ctx context.Context, broker, group, client string) (*RunningInfo, error) {
	var r RunningInfo
	req := Request(remoting.CodeGetConsumerRunningInfo, "consumerGroup", group, "clientId", client, "jstackEnable", "false")
	if _, err := a.Body(ctx, broker, req, &r); err != nil {
		return nil, err
	}
	return &r, nil
}
