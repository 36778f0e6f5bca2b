package broker

import (
	"errors"
	"fmt"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// relayTimeout is how long a client may take to answer what an operator asks it through the broker.
const relayTimeout = 10 * time.Second

// runningInfo serves 307: the client named tells how it is doing.
func (b *Broker) runningInfo(_ *netpoll.Conn, req *remoting.Command) answer { return b.relay(req, nil) }

// consumeDirectly serves 309: the client named consumes one message now.
func (b *Broker) consumeDirectly(_ *netpoll.Conn, req *remoting.Command) answer {
	req.Set("brokerName", b.name)
	var body []byte
	if id := req.Text("msgId"); id != "" {
		_, offset, err := record.ParseOffsetID([]byte(id))
		if err != nil {
			return fail(remoting.RespSystemError, err.Error())
		}
		if body, err = b.store.MessageByOffset(offset, nil); err != nil && b.online(req) {
			return fail(remoting.RespSystemError, fmt.Sprintf("the message %s is not here: %v", id, err))
		}
	}
	return b.relay(req, body)
}

func (b *Broker) online(req *remoting.Command) bool {
	_, ok := b.members.Consumer(req.Text("consumerGroup"), req.Text("clientId"))
	return ok
}

// relay hands a request on to the client that it names and answers what the client does.
func (b *Broker) relay(req *remoting.Command, body []byte) answer {
	group, id := req.Text("consumerGroup"), req.Text("clientId")
	client, ok := b.members.Consumer(group, id)
	c := b.conn(client.Conn)
	if !ok || c == nil {
		return fail(remoting.RespSystemError, fmt.Sprintf("The Consumer <%s> <%s> not online", group, id))
	}
	asked := remoting.NewRequest(req.Code)
	for _, f := range req.Ext {
		asked.Set(string(f.Key), string(f.Value))
	}
	asked.Body = body
	got := make(chan answer, 1)
	c.Request(asked, relayTimeout, func(resp *remoting.Command, err error) {
		if err != nil {
			got <- relayFailed(group, id, err)
			return
		}
		a := answer{Code: resp.Code, Remark: string(resp.Remark), Body: append([]byte(nil), resp.Body...)}
		for _, f := range resp.Ext {
			a.Fields = append(a.Fields, answerField{string(f.Key), string(f.Value)})
		}
		got <- a
	})
	return <-got
}

func relayFailed(group, id string, err error) answer {
	if errors.Is(err, netpoll.ErrTimeout) {
		return fail(remoting.RespConsumeMsgTimeout, fmt.Sprintf("consumer <%s> <%s> Timeout: %v", group, id, err))
	}
	return fail(remoting.RespSystemError, fmt.Sprintf("consumer <%s> <%s>: %v", group, id, err))
}
