package broker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

const faq = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."

// forbidden is how stock says that the whole broker may not do something.
func (b *Broker) forbidden(what string) string {
	return "the broker[" + b.advertise.Addr().String() + "] " + what + " is forbidden"
}

// describeTopic writes a topic as stock's remarks do.
func describeTopic(t *remoting.TopicConfig) string {
	perm := []byte("---")
	for i, bit := range []int32{remoting.PermRead, remoting.PermWrite, remoting.PermInherit} {
		if t.Perm&bit != 0 {
			perm[i] = "RWX"[i]
		}
	}
	var attributes []string
	for _, k := range slices.Sorted(maps.Keys(t.Attributes)) {
		attributes = append(attributes, k+"="+t.Attributes[k])
	}
	return fmt.Sprintf("TopicConfig [topicName=%s, readQueueNums=%d, writeQueueNums=%d, perm=%s, topicFilterType=%s, topicSysFlag=%d, order=%t, attributes={%s}]",
		t.TopicName, t.ReadQueueNums, t.WriteQueueNums, perm, t.TopicFilterType, t.TopicSysFlag, t.Order, strings.Join(attributes, ", "))
}

// refuse answers a send that was not stored. Stock's refusals carry region and trace switch too.
func (b *Broker) refuse(c *netpoll.Conn, req *remoting.Command, code int32, remark string) outcome {
	b.reply(c, req, answer{Code: code, Remark: remark, Fields: []answerField{{"MSG_REGION", b.region}, {"TRACE_ON", "true"}}})
	b.slow.unparked(c, b.loop(c.Loop()), req.Code, code, remark)
	return sendDone
}

// notAvailable is why nothing is stored at the moment, with how full the disks are.
func (b *Broker) notAvailable() string {
	return "service not available now. It may be caused by one of the following reasons: the broker's disk is full [" + *b.diskUse.Load() +
		"], messages are put to the slave, message store has been shut down, etc."
}

// noteDiskUse keeps how full the disks are, as stock's remark says it. It may read the disk: never on a loop.
func (b *Broker) noteDiskUse() {
	s := b.store.Stats()
	use := fmt.Sprintf("CL: %5.2f CQ: %5.2f INDEX: %5.2f", s.CommitLogDiskRatio, s.ConsumeQueueRatio, s.ConsumeQueueRatio)
	b.diskUse.Store(&use)
}

// warnNotStored says so, but not for every message of a full disk.
func (b *Broker) warnNotStored(err error) {
	if b.warned.Now() {
		b.logger.Warn("message not stored", "error", err)
	}
}

// notStored answers what the store refused, or holds the frame until there is room.
func (b *Broker) notStored(c *netpoll.Conn, req *remoting.Command, err error) outcome {
	switch {
	case errors.Is(err, store.ErrFull):
		return sendNoRoom
	case errors.Is(err, store.ErrTooLarge), errors.Is(err, store.ErrMalformed):
		return b.refuse(c, req, remoting.RespMessageIllegal, b.illegal())
	}
	b.warnNotStored(err)
	return b.refuse(c, req, remoting.RespServiceNotAvailable, b.notAvailable())
}

func (b *Broker) illegal() string {
	return fmt.Sprintf("the message is illegal, maybe msg body or properties length not matched. msg body length limit %dB, msg properties length limit 32KB.", b.c.Int("maxMessageSize"))
}
