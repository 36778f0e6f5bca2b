package broker

import (
	"fmt"
	"slices"

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
	if len(d.MqSet) > maxLockQueues || longNames(&d) {
		return fail(remoting.RespSystemError, fmt.Sprintf("more than %d queues, or a name of more than %d bytes", maxLockQueues, maxLockName))
	}
	ok := b.locks.Lock(d.ConsumerGroup, d.ClientID, d.MqSet)
	if ok == nil {
		ok = []remoting.MessageQueue{}
	}
	return jsonBody(remoting.LockBatchOK{LockOKMQSet: ok})
}

// longNames says that a name in a request for locks is longer than any is. They are kept with each lock.
func longNames(d *remoting.LockBatch) bool {
	long := func(name string) bool { return len(name) > maxLockName }
	return long(d.ConsumerGroup) || long(d.ClientID) ||
		slices.ContainsFunc(d.MqSet, func(q remoting.MessageQueue) bool { return long(q.BrokerName) || long(q.Topic) })
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
