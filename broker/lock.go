package broker

import (
	"fmt"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// Bounds of a request for locks.
const (
	maxLockQueues = 10_000
	maxLockName   = 1 << 10
)

// lockQueues serves 41: an ordered consumer takes queues for itself.
func (b *Broker) lockQueues(_ *netpoll.Conn, req *remoting.Command) answer {
	var d remoting.LockBatch
	if err := remoting.Unmarshal(req.Body, &d); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	if len(d.MqSet) > maxLockQueues || len(d.ConsumerGroup) > maxLockName || len(d.ClientID) > maxLockName {
		return fail(remoting.RespSystemError, fmt.Sprintf("more than %d queues, or a name of more than %d bytes", maxLockQueues, maxLockName))
	}
	ok := b.locks.Lock(d.ConsumerGroup, d.ClientID, d.MqSet)
	if ok == nil {
		ok = []remoting.MessageQueue{}
	}
	return jsonBody(remoting.LockBatchOK{LockOKMQSet: ok})
}

// unlockQueues serves 42.
func (b *Broker) unlockQueues(_ *netpoll.Conn, req *remoting.Command) answer {
	var d remoting.LockBatch
	if err := remoting.Unmarshal(req.Body, &d); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	b.locks.Unlock(d.ConsumerGroup, d.ClientID, d.MqSet)
	return answer{}
}
