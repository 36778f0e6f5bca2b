package broker

import (
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// What a slave does not do, with the answers of a stock slave.

// rejected is how a broker says that it is not the one for a request.
var rejected = fail(remoting.RespSystemBusy, "[REJECTREQUEST]system busy, start flow control for a while")

// notHere are the requests that a slave refuses.
func (b *Broker) notHere() map[int32]handler {
	reject := func(a answer) handler {
		return handler{loop: b.quick(func(*netpoll.Conn, *remoting.Command) answer { return a })}
	}
	return map[int32]handler{
		remoting.CodeSendMessage:               reject(rejected),
		remoting.CodeSendMessageV2:             reject(rejected),
		remoting.CodeSendBatchMessage:          reject(rejected),
		remoting.CodeConsumerSendMsgBack:       reject(rejected),
		remoting.CodeEndTransaction:            reject(fail(remoting.RespSlaveNotAvailable, made.Remark)),
		remoting.CodeInvokeBrokerToResetOffset: reject(fail(remoting.RespSystemError, "Can not reset offset in slave broker")),
	}
}

// redirectPause is how long a slave keeps a pull that finds nothing before it sends the client to its master. A client whose route does
// not have the master yet asks here again at once, for as long as half a minute.
const redirectPause = 100 * time.Millisecond

// onSlave makes the outcome of a pull that found nothing a slave's: an offset that is not right is the master's to correct, and while
// the master is alive the client is to ask there.
//
// pause says that the pull may be held for redirectPause first.
func (b *Broker) onSlave(h *remoting.PullHeader, f *store.Found, code int32) (_ int32, pause bool) {
	if !b.c.Bool("offsetCheckInSlave") {
		if f.Status != store.StatusNoMatchedMessage && f.Status != store.StatusMessageWasRemoving {
			f.NextOffset = h.QueueOffset
		}
		if code == remoting.RespPullOffsetMoved {
			code = remoting.RespPullRetryImmediately
		}
	}
	if !b.slaveNext(f) && b.replication.group.masterAlive() {
		code = remoting.RespPullRetryImmediately
	}
	return code, code == remoting.RespPullRetryImmediately && f.Max <= h.QueueOffset
}
