package broker

import (
	"errors"
	"fmt"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// relayTimeout is how long a client may take to answer what an operator asks it through the broker: it may have to consume a
// message first.
const relayTimeout = 30 * time.Second

// relayTable lists the requests that a client answers through the broker.
func (b *Broker) relayTable() map[int32]onLoop {
	return map[int32]onLoop{
		remoting.CodeGetConsumerRunningInfo: b.relayed(func(*remoting.Command) error { return nil }),
		remoting.CodeConsumeMessageDirectly: b.relayed(b.completeConsumeDirectly),
	}
}

// relayed hands a request on to the client that it names (consumerGroup, clientId) and answers what the client does. complete
// prepares the request on a worker; nobody waits on a goroutine for the client.
func (b *Broker) relayed(complete func(req *remoting.Command) error) onLoop {
	return func(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
		bytes := netpoll.CloneBytes(req)
		if !b.pending.Take(bytes) {
			b.reply(c, req, busy)
			return netpoll.Done
		}
		own, came := req.Clone(), b.loop(c.Loop()).now()
		respond := func(a answer) {
			b.pending.Give(bytes)
			b.answeredElsewhere(own, a.Code, came)
			if !own.IsOneway() {
				_ = c.Give(encode(nil, c, own, a))
			}
		}
		if !b.workers.Try(0, func() { b.relay(own, complete, respond) }) {
			respond(busy)
		}
		return netpoll.Done
	}
}

// relay has respond called exactly once, from any goroutine.
func (b *Broker) relay(req *remoting.Command, complete func(req *remoting.Command) error, respond func(answer)) {
	group, id := req.Text("consumerGroup"), req.Text("clientId")
	client, ok := b.members.Consumer(group, id)
	c := b.conn(client.Conn)
	if !ok || c == nil {
		respond(fail(remoting.RespSystemError, fmt.Sprintf("The Consumer <%s> <%s> not online", group, id)))
		return
	}
	asked := remoting.NewRequest(req.Code)
	for _, f := range req.Ext {
		asked.Set(string(f.Key), string(f.Value))
	}
	if err := complete(asked); err != nil {
		respond(fail(remoting.RespSystemError, err.Error()))
		return
	}
	c.Request(asked, relayTimeout, func(resp *remoting.Command, err error) {
		switch {
		case errors.Is(err, netpoll.ErrTimeout):
			respond(fail(remoting.RespConsumeMsgTimeout, fmt.Sprintf("consumer <%s> <%s> Timeout: %v", group, id, err)))
		case err != nil:
			respond(fail(remoting.RespSystemError, fmt.Sprintf("invoke consumer <%s> <%s> Exception: %v", group, id, err)))
		default:
			a := answer{Code: resp.Code, Remark: string(resp.Remark), Body: resp.Body}
			for _, f := range resp.Ext {
				a.Fields = append(a.Fields, answerField{string(f.Key), string(f.Value)})
			}
			respond(a)
		}
	})
}

// completeConsumeDirectly gives the client the message it shall consume, and what it has to know of topic and group.
func (b *Broker) completeConsumeDirectly(asked *remoting.Command) error {
	id := asked.Text("msgId")
	_, at, err := record.ParseOffsetID([]byte(id))
	if err != nil {
		return fmt.Errorf("msgId %q: %w", id, err)
	}
	if asked.Body, err = b.store.MessageByOffset(at, nil); err != nil {
		return fmt.Errorf("can not find message by the offset, %d", at)
	}
	asked.Set("brokerName", b.name)
	if t, ok := b.topics.Lookup(asked.Text("topic")); ok {
		asked.SetInt("topicSysFlag", int64(t.TopicSysFlag))
	}
	if g, ok := b.groups.Lookup(asked.Text("consumerGroup")); ok {
		asked.SetInt("groupSysFlag", int64(g.GroupSysFlag))
	}
	return nil
}
