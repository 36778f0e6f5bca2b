package broker

import (
	"encoding/json"
	"time"

	"ringmq/broker/member"
	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// heartbeat serves 34: who is here, for which groups, with which subscriptions.
func (b *Broker) heartbeat(c *netpoll.Conn, req *remoting.Command) answer {
	return b.takeHeartbeat(c, req, func(id string) { b.named(c, id) })
}

// largeHeartbeat is heartbeat on a worker.
func (b *Broker) largeHeartbeat(c *netpoll.Conn, req *remoting.Command) answer {
	a := b.takeHeartbeat(c, req, func(id string) { _ = c.Do(func() { b.named(c, id) }) })
	if c.IsClosed() {
		b.clientGone(c) // its end may have come before what was taken here
	}
	return a
}

// takeHeartbeat takes a heartbeat, and says by which id its client is known.
func (b *Broker) takeHeartbeat(c *netpoll.Conn, req *remoting.Command, named func(id string)) answer {
	var d remoting.HeartbeatData
	if err := remoting.Unmarshal(req.Body, &d); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	if refusal := b.members.Fits(c.ID(), &d); refusal != "" {
		return fail(remoting.RespSystemError, refusal)
	}
	d.ConsumerDataSet = b.knownGroups(d.ConsumerDataSet)
	client := member.Client{Conn: c.ID(), ID: d.ClientID, Language: req.Language.String(), Version: req.Version, Addr: c.RemoteAddr()}
	named(d.ClientID)
	subChanged, groups := b.members.Heartbeat(client, &d, b.notifies)
	b.changed(groups)
	a := answer{Fields: []answerField{{"IS_SUB_CHANGE", "false"}, {"IS_SUPPORT_HEART_BEAT_V2", "true"}}}
	if subChanged {
		a.Fields[0].Value = "true"
	}
	return a
}

// knownGroups are those of a heartbeat that exist, or may be made. Their retry topics are made: everything in one change of either table,
// however many groups a client names.
func (b *Broker) knownGroups(all []remoting.ConsumerData) []remoting.ConsumerData {
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].GroupName
	}
	known := all[:0]
	var retries []remoting.TopicConfig
	for i, config := range b.groups.FindAll(names) {
		g := all[i]
		if config == nil || meta.CheckGroupName(g.GroupName) != "" {
			continue
		}
		known = append(known, g)
		retry := retryTopic(config)
		if g.UnitMode {
			retry.TopicSysFlag |= 2
		}
		for _, sub := range g.SubscriptionDataSet {
			if t, ok := b.topics.Lookup(sub.Topic); ok && t.Order {
				retry.Order = true
			}
		}
		retries = append(retries, retry)
	}
	b.topics.EnsureAll(retries, b.mayMakeGroupTopic)
	return known
}

// notifies says whether a group's members want to be told of changes.
func (b *Broker) notifies(group string) bool {
	config, ok := b.groups.Lookup(group)
	return b.c.Bool("notifyConsumerIdsChangedEnable") && (!ok || config.NotifyConsumerIdsChangedEnable)
}

// changed has members of groups told that others came or went.
func (b *Broker) changed(groups []string) {
	for _, group := range groups {
		b.notices.Changed(group)
	}
}

// notify tells the members of a group to look who is there, so that they share the queues anew at once. Any goroutine.
func (b *Broker) notify(group string) {
	cmd := remoting.NewRequest(remoting.CodeNotifyConsumerIdsChanged)
	cmd.Flag = remoting.FlagOneway
	cmd.Set("consumerGroup", group)
	frame := remoting.AppendCommand(nil, cmd)
	for _, id := range b.members.Conns(group) {
		if c := b.conn(id); c != nil {
			_ = c.Send(frame)
		}
	}
}

// unregisterClient serves 35.
func (b *Broker) unregisterClient(c *netpoll.Conn, req *remoting.Command) answer {
	b.changed(b.members.Unregister(c.ID(), req.Text("producerGroup"), req.Text("consumerGroup"), b.notifies))
	return answer{}
}

// clientGone is the end of a connection: its client is gone at once, not when its heartbeats are missed.
func (b *Broker) clientGone(c *netpoll.Conn) { b.changed(b.members.ConnClosed(c.ID(), b.notifies)) }

const clientTimeout = 120 * time.Second

func (b *Broker) expireClients() {
	conns, groups := b.members.Expire(clientTimeout, b.notifies)
	for _, id := range conns {
		if c := b.conn(id); c != nil {
			c.Close()
		}
	}
	b.changed(groups)
}

// consumerList serves 38.
func (b *Broker) consumerList(_ *netpoll.Conn, req *remoting.Command) answer {
	group := req.Text("consumerGroup")
	ids := b.members.ConsumerIDs(group)
	if len(ids) == 0 {
		return fail(remoting.RespSystemError, "no consumer for this group, "+group)
	}
	return jsonBody(remoting.ConsumerIDList{ConsumerIDList: ids})
}

// checkClientConfig serves 46, which clients ask before they subscribe by anything but tags.
func (b *Broker) checkClientConfig(_ *netpoll.Conn, req *remoting.Command) answer {
	var d remoting.ClientConfigCheck
	if err := remoting.Unmarshal(req.Body, &d); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	if !isTag(d.SubscriptionData.ExpressionType) {
		return fail(remoting.RespSystemError, onlyTags+d.SubscriptionData.ExpressionType)
	}
	return answer{}
}

// jsonBody answers with a body of the protocol's own types, which cannot fail to encode.
func jsonBody(v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return withBody(body)
}
