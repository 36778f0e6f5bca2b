package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// tour takes one message through one broker.
type tour struct {
	v *visit
	b *brokerSeen
	p *pathSeen

	id     string
	body   []byte
	queue  int32
	offset int64
	sent   time.Time // the middle of question and answer
	within time.Duration
}

const testBodyBytes = 1024

// create makes the topic, unless it is there.
func (t *tour) create(ctx context.Context) error {
	_, err := t.v.ask.TopicConfig(ctx, t.b.Addr, TestTopic)
	if err == nil {
		t.p.Existed = true
		return nil
	}
	if c := ask.CodeOf(err); c == -1 {
		return err
	}
	_, err = t.v.ask.Call(ctx, t.b.Addr, ask.Request(remoting.CodeUpdateAndCreateTopic, "topic", TestTopic, "defaultTopic", "TBW102", "readQueueNums", "1",
		"writeQueueNums", "1", "perm", "6", "topicFilterType", "SINGLE_TAG", "topicSysFlag", "0", "order", "false"))
	t.p.Created = err == nil
	return err
}

// routeWait is how long a registration may take to arrive at a name server.
const routeWait = 2 * time.Second

// route waits until every name server that answers lists the topic.
func (t *tour) route(ctx context.Context) error {
	for _, n := range t.v.names {
		if n.Err == nil && !t.listed(ctx, n.Addr) {
			t.p.Missing = append(t.p.Missing, n.Addr)
		}
	}
	return nil
}

func (t *tour) listed(ctx context.Context, namesrv string) bool {
	ctx, cancel := context.WithTimeout(ctx, min(routeWait, t.v.o.Timeout))
	defer cancel()
	for {
		r, err := t.v.ask.Route(ctx, namesrv, TestTopic)
		if err == nil {
			for _, q := range r.QueueDatas {
				if q.BrokerName == t.b.Name {
					return true
				}
			}
		} else if ask.CodeOf(err) == -1 {
			return false
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
}

// send sends one message of random bytes, which the pull recognises.
func (t *tour) send(ctx context.Context) error {
	t.body = make([]byte, testBodyBytes)
	_, _ = rand.Read(t.body)
	t.id = rand.Text()
	properties := record.AppendProperty(nil, record.PropertyUniqKey, t.id)
	properties = record.AppendProperty(properties, record.PropertyTags, "doctor")
	properties = record.AppendProperty(properties, record.PropertyWait, "true")
	before := t.v.now()
	req := ask.Request(remoting.CodeSendMessageV2, "a", "RINGMQ_DOCTOR", "b", TestTopic, "c", "TBW102", "d", "1", "e", "0", "f", "0",
		"g", strconv.FormatInt(before.UnixMilli(), 10), "h", "0", "i", string(properties), "j", "0", "k", "false", "l", "0", "m", "false", "n", t.b.Name)
	req.Body = t.body
	resp, err := t.v.ask.Call(ctx, t.b.Addr, req)
	after := t.v.now()
	t.sent, t.within = before.Add(after.Sub(before)/2), after.Sub(before)/2
	switch c := ask.CodeOf(err); c {
	case remoting.RespSuccess:
	case remoting.RespFlushDiskTimeout, remoting.RespFlushSlaveTimeout, remoting.RespSlaveNotAvailable:
		t.p.Code = c
	default:
		return err
	}
	queue, there, err := resp.Int32("queueId")
	offset, here, no := resp.Int64("queueOffset")
	if err != nil || no != nil || !there || !here {
		return errors.New("the answer says not where the message is stored")
	}
	t.queue, t.offset = queue, offset
	return nil
}

// pull reads the message back from where the broker said that it is.
func (t *tour) pull(ctx context.Context) error {
	enough := time.After(3 * t.v.o.Timeout) // looked at between two pulls: one that is under way has its own limit
	hold := max(t.v.o.Timeout/2, time.Millisecond)
	for {
		resp, err := t.v.ask.Call(ctx, t.b.Addr, ask.Pull(testGroup, remoting.MessageQueue{Topic: TestTopic, QueueID: t.queue}, t.offset, 1, "*", hold))
		switch ask.CodeOf(err) {
		case remoting.RespSuccess:
			t.compare(resp.Body)
			return nil
		case remoting.RespPullNotFound, remoting.RespPullRetryImmediately:
			// Stored and not in its queue yet.
		default:
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-enough:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// compare looks whether the message is whole, and at the time that the broker stamped.
func (t *tour) compare(raw []byte) {
	var r record.Record
	if err := r.Parse(raw); err != nil {
		t.p.Differs = fmt.Sprintf("%d bytes that are no message: %v", len(raw), err)
		return
	}
	id, _ := record.Property(r.Properties, record.PropertyUniqKey)
	switch {
	case string(id) != t.id:
		t.p.Differs = fmt.Sprintf("another message lies at offset %d of queue %d: %q instead of %q", t.offset, t.queue, id, t.id)
	case !bytes.Equal(r.Body, t.body):
		t.p.Differs = fmt.Sprintf("the body of %d bytes came back with %d, or with others", len(t.body), len(r.Body))
	case r.VerifyBody() != nil:
		t.p.Differs = "the body is whole, its checksum is not"
	case string(r.Topic) != TestTopic || r.QueueOffset != t.offset:
		t.p.Differs = fmt.Sprintf("it says that it is message %d of topic %s", r.QueueOffset, r.Topic)
	}
	t.p.Skew = time.UnixMilli(r.StoreTimestamp).Sub(t.sent)
	t.p.Exact = t.within + time.Millisecond
}
