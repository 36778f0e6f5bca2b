package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// outgoing is a message to be sent. queue below 0: any queue of the broker, and broker "": any of the topic.
type outgoing struct {
	topic, broker string
	queue         int32
	properties    []pair
	body          []byte
	flag          int32
}

// sent is where a message came to lie.
type sent struct {
	Status      string `json:"sendStatus"`
	MsgID       string `json:"msgId"`
	OffsetMsgID string `json:"offsetMsgId"`
	Queue       remoting.MessageQueue
	QueueOffset int64 `json:"queueOffset"`

	addr, region string        // where it was sent, and what that calls itself
	traced       bool          // the broker wants sends to be traced
	at           int64         // when it was sent, in ms
	took         time.Duration // until the answer
}

func (r *sent) text() string {
	return fmt.Sprintf("SendResult [sendStatus=%s, msgId=%s, offsetMsgId=%s, messageQueue=%s, queueOffset=%d, recallHandle=null]", r.Status, r.MsgID, r.OffsetMsgID, queueText(r.Queue), r.QueueOffset)
}

// producer sends messages of one run.
type sender struct {
	s    *Session
	keys *record.UniqKeys
	at   map[string][]queueAt // queues by topic
}

func newSender(s *Session) *sender {
	return &sender{s: s, keys: record.NewUniqKeys(netip.AddrFrom4([4]byte{127, 0, 0, 1}), os.Getpid(), rand.Uint32(), s.now), at: map[string][]queueAt{}}
}

// autoTopic is the topic whose queues a topic has that is made by its first message, and autoQueues how many of them.
const (
	autoTopic  = "TBW102"
	autoQueues = 4
)

// writable are the queues of a topic that can be sent to; of one that is not there, those that it will have if brokers make topics.
func (p *sender) writable(ctx context.Context, topic string) ([]queueAt, error) {
	if all, ok := p.at[topic]; ok {
		return all, nil
	}
	r, err := p.s.route(ctx, topic)
	most := int32(1 << 16)
	if ask.CodeOf(err) == remoting.RespTopicNotExist {
		if auto, no := p.s.route(ctx, autoTopic); no == nil {
			r, err, most = auto, nil, autoQueues
		}
	}
	if err != nil {
		return nil, err
	}
	masters := map[string]string{}
	for i := range r.BrokerDatas {
		masters[r.BrokerDatas[i].BrokerName] = r.BrokerDatas[i].BrokerAddrs[masterID]
	}
	var all []queueAt
	for _, q := range r.QueueDatas {
		if q.Perm&remoting.PermWrite == 0 || masters[q.BrokerName] == "" {
			continue
		}
		for id := range min(q.WriteQueueNums, most) {
			all = append(all, queueAt{remoting.MessageQueue{Topic: topic, BrokerName: q.BrokerName, QueueID: id}, masters[q.BrokerName]})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no queue of the topic %s can be written to: every broker of it is without a master, or without permission", topic)
	}
	p.at[topic] = all
	return all, nil
}

func (p *sender) pick(ctx context.Context, m *outgoing) (queueAt, error) {
	all, err := p.writable(ctx, m.topic)
	if err != nil {
		return queueAt{}, err
	}
	if m.broker != "" && m.queue >= 0 {
		for _, q := range all {
			if q.BrokerName == m.broker && q.QueueID == m.queue {
				return q, nil
			}
		}
		return queueAt{}, fmt.Errorf("the topic %s has no queue %d on broker %s that can be written to", m.topic, m.queue, m.broker)
	}
	return all[rand.IntN(len(all))], nil
}

// senderGroup is the producer group in which messages are sent.
const senderGroup = "ringmq-admin"

// send is request 310.
func (p *sender) send(ctx context.Context, m *outgoing) (*sent, error) {
	q, err := p.pick(ctx, m)
	if err != nil {
		return nil, err
	}
	id := string(p.keys.Append(nil))
	properties := record.AppendProperty(nil, record.PropertyUniqKey, id)
	for _, f := range m.properties {
		properties = record.AppendProperty(properties, f.key, f.value)
	}
	properties = record.AppendProperty(properties, record.PropertyWait, "true")
	req := ask.Request(remoting.CodeSendMessageV2, "a", senderGroup, "b", m.topic, "c", autoTopic, "d", strconv.Itoa(autoQueues), "e", strconv.Itoa(int(q.QueueID)), "f", "0",
		"g", strconv.FormatInt(p.s.now().UnixMilli(), 10), "h", strconv.Itoa(int(m.flag)), "i", string(properties), "j", "0", "k", "false", "l", "0", "m", "false", "n", q.BrokerName)
	req.Body = m.body
	r := &sent{MsgID: id, Queue: q.MessageQueue, addr: q.addr, at: p.s.now().UnixMilli()}
	began := time.Now()
	resp, err := p.s.ask.Call(ctx, q.addr, req)
	r.took = time.Since(began)
	switch ask.CodeOf(err) {
	case remoting.RespSuccess:
		r.Status = "SEND_OK"
	case remoting.RespFlushDiskTimeout:
		r.Status = "FLUSH_DISK_TIMEOUT"
	case remoting.RespFlushSlaveTimeout:
		r.Status = "FLUSH_SLAVE_TIMEOUT"
	case remoting.RespSlaveNotAvailable:
		r.Status = "SLAVE_NOT_AVAILABLE"
	default:
		return nil, fmt.Errorf("%s: %w", q.addr, err)
	}
	r.OffsetMsgID, r.region, r.traced = resp.Text("msgId"), resp.Text(record.PropertyRegion), resp.Text(record.PropertyTrace) != "false"
	queue, _, err1 := resp.Int32("queueId")
	offset, _, err2 := resp.Int64("queueOffset")
	r.Queue.QueueID, r.QueueOffset = queue, offset
	return r, errors.Join(err1, err2)
}

func sendMessage() *Command {
	return &Command{
		Name: "sendMessage", Short: "Send a message", Run: runSendMessage,
		Flags: []Flag{
			topicFlag(), {Short: "p", Long: "body", Usage: "its body", Required: true}, {Short: "k", Long: "key", Usage: "its keys, with spaces between them"},
			{Short: "c", Long: "tags", Usage: "its tag"}, {Short: "b", Long: "broker", Usage: "name of the broker to send it to", Names: BrokerNames},
			{Short: "i", Long: "qid", Usage: "with -b: queue to send it to", Kind: Number}, {Short: "m", Long: "msgTraceEnable", Usage: "with a trace, for queryMsgTraceById: true or false (the default)", Kind: TrueFalse},
		},
	}
}

func runSendMessage(ctx context.Context, s *Session, a Args, out *Out) error {
	if a.Has("qid") && !a.Has("broker") {
		return errors.New("broker name must be set if the queue is chosen")
	}
	m := &outgoing{topic: a["topic"], broker: a["broker"], queue: int32(a.Number("qid", -1)), body: []byte(a["body"])}
	if k := a["key"]; k != "" {
		m.properties = append(m.properties, pair{record.PropertyKeys, k})
	}
	if t := a["tags"]; t != "" {
		m.properties = append(m.properties, pair{record.PropertyTags, t})
	}
	p := newSender(s)
	r, err := p.send(ctx, m)
	if err != nil {
		return err
	}
	out.Table("sent", "%-32[1]v  %-4[2]v  %-20[3]v    %[4]v\n", Col{"#Broker Name", "brokerName"}, Col{"#QID", "queueId"}, Col{"#Send Result", "sendStatus"}, Col{"#MsgId", "msgId"},
		Col{"", "offsetMsgId"}, Col{"", "queueOffset"})
	out.Row(r.Queue.BrokerName, r.Queue.QueueID, r.Status, r.MsgID, r.OffsetMsgID, r.QueueOffset)
	if a.True("msgTraceEnable", false) {
		return p.trace(ctx, r, a["tags"], a["key"], len(m.body))
	}
	return nil
}

// sendAgain sends a message that is there once more, to a topic.
func (s *Session) sendAgain(ctx context.Context, topic, id string, m *message, out *Out) error {
	again := &outgoing{topic: topic, queue: -1, body: m.body(), flag: m.Flag}
	for _, p := range m.properties {
		switch p.key {
		case record.PropertyUniqKey, record.PropertyWait, record.PropertyCRC:
		default:
			again.properties = append(again.properties, p)
		}
	}
	r, err := newSender(s).send(ctx, again)
	if err != nil {
		return err
	}
	out.Row(id, Cell{r, r.text()})
	return nil
}

func sendMsgStatus() *Command {
	return &Command{
		Name: "sendMsgStatus", Short: "Send messages to a broker, and show what became of each", Run: runSendMsgStatus,
		Flags: []Flag{
			brokerNameFlag("b", true), {Short: "s", Long: "messageSize", Usage: "bytes of each; 128 if it is not given", Kind: Number},
			{Short: "c", Long: "count", Usage: "how many; 50 if it is not given", Kind: Number},
		},
	}
}

// maxTestBytes bounds the bodies of messages that are sent to see how long it takes.
const maxTestBytes = 4 << 20

func testBody(size int64) ([]byte, error) {
	if size < 1 || size > maxTestBytes {
		return nil, fmt.Errorf("a message of %d bytes cannot be sent: 1 to %d", size, maxTestBytes)
	}
	return bytes.Repeat([]byte{'a'}, int(size)), nil
}

// runSendMsgStatus sends to the topic that every broker has under its own name.
func runSendMsgStatus(ctx context.Context, s *Session, a Args, out *Out) error {
	body, err := testBody(a.Number("messageSize", 128))
	if err != nil {
		return err
	}
	p := newSender(s)
	m := &outgoing{topic: a["brokerName"], queue: -1, body: body}
	if _, err := p.send(ctx, m); err != nil { // the first one makes connections
		return err
	}
	out.Table("sent", "rt=%vms, SendResult=%v\n", Col{"", "rtMs"}, Col{"", "result"})
	for range s.counted("messages", int(a.Number("count", 50))) {
		began := time.Now()
		r, err := p.send(ctx, m)
		if err != nil {
			return err
		}
		took := time.Since(began)
		out.Row(Cell{milliseconds(took), strconv.FormatInt(took.Milliseconds(), 10)}, Cell{r, r.text()})
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func checkMsgSendRT() *Command {
	return &Command{
		Name: "checkMsgSendRT", Short: "Send messages to a topic, and show how long each takes", Run: runCheckMsgSendRT,
		Flags: []Flag{
			topicFlag(), {Short: "a", Long: "amount", Usage: "how many; 100 if it is not given", Kind: Number},
			{Short: "s", Long: "size", Usage: "bytes of each; 128 if it is not given", Kind: Number},
		},
	}
}

func runCheckMsgSendRT(ctx context.Context, s *Session, a Args, out *Out) error {
	body, err := testBody(a.Number("size", 128))
	if err != nil {
		return err
	}
	p := newSender(s)
	queues, err := p.writable(ctx, a["topic"])
	if err != nil {
		return err
	}
	out.Table("sent", "%-32v  %-4v  %-20v    %v\n", Col{"#Broker Name", "brokerName"}, Col{"#QID", "queueId"}, Col{"#Send Result", "ok"}, Col{"#RT", "rtMs"})
	sum, counted := time.Duration(0), 0
	for i := range s.counted("messages", int(a.Number("amount", 100))) {
		q := queues[i%len(queues)]
		began := time.Now()
		_, err := p.send(ctx, &outgoing{topic: a["topic"], broker: q.BrokerName, queue: q.QueueID, body: body})
		took := time.Since(began)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if i != 0 { // the first one makes connections
			sum, counted = sum+took, counted+1
		}
		out.Row(q.BrokerName, q.QueueID, err == nil, Cell{milliseconds(took), strconv.FormatInt(took.Milliseconds(), 10)})
	}
	mean := milliseconds(sum / time.Duration(max(counted, 1)))
	out.Textf("Avg RT: %.2f\n", mean)
	out.Set("meanRtMs", mean)
	return nil
}

func clusterRT() *Command {
	return &Command{
		Name: "clusterRT", Short: "Send messages to every broker, and show how long they take", Run: runClusterRT,
		Flags: []Flag{
			{Short: "a", Long: "amount", Usage: "how many; 100 if it is not given", Kind: Number}, {Short: "s", Long: "size", Usage: "bytes of each; 128 if it is not given", Kind: Number},
			{Short: "c", Long: "cluster", Usage: "one cluster; all if it is not given", Names: Clusters}, {Short: "p", Long: "printLog", Usage: "a line for a log: true or false", Kind: TrueFalse},
			{Short: "m", Long: "machineRoom", Usage: "name of the machine room in these lines"}, intervalFlag(),
		},
	}
}

// runClusterRT sends once; Run's caller repeats it for -i, which stock does for ever.
func runClusterRT(ctx context.Context, s *Session, a Args, out *Out) error {
	body, err := testBody(a.Number("size", 128))
	if err != nil {
		return err
	}
	c, err := s.cluster(ctx)
	if err != nil {
		return err
	}
	clusters, err := clustersOf(c, a["cluster"])
	if err != nil {
		return err
	}
	p := newSender(s)
	logged := a.True("printLog", false)
	heads := "%-24v  %-24v  %-4v  %-8v  %-8v\n"
	if logged {
		heads = "%.0[1]v"
	}
	out.TableHeaded("brokers", heads, "%-24v  %-24v  %-8v  %-16v  %-16v\n", Col{"#Cluster Name", "clusterName"}, Col{"#Broker Name", "brokerName"}, Col{"#RT", "meanRtMs"},
		Col{"#successCount", "successCount"}, Col{"#failCount", "failCount"})
	for _, cluster := range clusters {
		brokers, err := brokersIn(c, cluster)
		if err != nil {
			return err
		}
		for _, b := range brokers {
			ok, failed, mean := p.times(ctx, b.BrokerName, int(a.Number("amount", 100)), body)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if logged && out.format == Table {
				out.Textf("%s|%s|%s|%s|%.0f\n", stampSeconds(s.now().UnixMilli()), a.Or("machineRoom", "noname"), cluster, b.BrokerName, mean)
				continue
			}
			out.Row(cluster, b.BrokerName, fixed(mean, 2), ok, failed)
		}
	}
	return nil
}

// times sends to the topic that a broker has under its own name, until ctx ends. The first message makes connections and is not part of the mean.
func (p *sender) times(ctx context.Context, broker string, amount int, body []byte) (ok, failed int, meanMs float64) {
	sum, counted := time.Duration(0), 0
	for i := range p.s.counted(broker, amount) {
		began := time.Now()
		_, err := p.send(ctx, &outgoing{topic: broker, queue: -1, body: body})
		switch {
		case ctx.Err() != nil:
			return ok, failed, 0
		case err != nil:
			failed++
		default:
			ok++
		}
		if i != 0 {
			sum, counted = sum+time.Since(began), counted+1
		}
	}
	return ok, failed, milliseconds(sum / time.Duration(max(counted, 1)))
}
