package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

func messageIDFlag() Flag {
	return Flag{Short: "i", Long: "msgId", Usage: "message id", Required: true}
}

func bodyFormatFlag() Flag {
	return Flag{Short: "f", Long: "bodyFormat", Usage: "print the body too; a character set, of which UTF-8 is known"}
}

func queryMsgByID() *Command {
	return &Command{
		Name: "queryMsgById", Short: "Look up messages by their ids, have one consumed, or send one again", Run: runQueryMsgByID,
		Flags: []Flag{
			topicFlag(), {Short: "i", Long: "msgId", Usage: "message ids, with commas between them", Required: true},
			{Short: "g", Long: "consumerGroup", Usage: "with -d: have a member of this group consume it", Names: Groups}, {Short: "d", Long: "clientId", Usage: "client id of the member"},
			{Short: "s", Long: "sendMessage", Usage: "send it again: true or false", Kind: TrueFalse}, {Short: "u", Long: "unitName", Usage: "not looked at"},
			bodyFormatFlag(), routeCluster(),
		},
	}
}

func runQueryMsgByID(ctx context.Context, s *Session, a Args, out *Out) error {
	if err := a.checkBodyFormat(); err != nil {
		return err
	}
	var ids []string
	for _, id := range strings.Split(a["msgId"], ",") {
		if id = strings.TrimSpace(id); id != "" {
			ids = append(ids, id)
		}
	}
	switch {
	case a.Has("consumerGroup") && a.Has("clientId"):
		out.Table("results", "%[2]v\n", Col{"", "msgId"}, Col{"", "result"})
	case a.True("sendMessage", false):
		out.Table("sent", "prepare resend msg. originalMsgId=%v%v\n", Col{"", "msgId"}, Col{"", "result"})
	default:
		out.Table("messages", "%.0[1]v", append(messageCols(), Col{"", "tracks"})...)
	}
	return each(ids, func(id string) error {
		switch m, err := s.messageByID(ctx, a["cluster"], a["topic"], id); {
		case err != nil:
			return fmt.Errorf("message %s: %w", id, err)
		case a.Has("consumerGroup") && a.Has("clientId"):
			return s.consumeDirectly(ctx, a, m, out)
		case a.True("sendMessage", false):
			return s.sendAgain(ctx, a["topic"], id, m, out)
		default:
			return s.showMessage(ctx, m, 0, a.Has("bodyFormat"), true, out)
		}
	})
}

func (a Args) checkBodyFormat() error {
	if f := a["bodyFormat"]; f != "" && !strings.EqualFold(f, "UTF-8") && !strings.EqualFold(f, "UTF8") {
		return fmt.Errorf("-f (--bodyFormat) %q: only UTF-8 is known here", f)
	}
	return nil
}

// uniqueSpan is how far back a message is looked for whose id does not say where it lies.
const uniqueSpan = 3 * 24 * time.Hour

// messageByID finds a message by where it lies (request 33), or by the id that its producer gave it (12).
func (s *Session) messageByID(ctx context.Context, cluster, topic, id string) (*message, error) {
	if host, offset, err := record.ParseOffsetID([]byte(id)); err == nil {
		m, err := s.messageAt(ctx, host.String(), topic, offset)
		if err == nil {
			return m, nil
		}
	}
	found, err := s.query(ctx, cluster, topic, id, 32, s.now().Add(-uniqueSpan).UnixMilli(), math.MaxInt64, true)
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

func (s *Session) messageAt(ctx context.Context, addr, topic string, offset int64) (*message, error) {
	resp, err := s.call(ctx, addr, ask.Request(remoting.CodeViewMessageById, "topic", topic, "offset", strconv.FormatInt(offset, 10)))
	if err != nil {
		return nil, err
	}
	all, err := parseMessages(resp.Body)
	if err == nil && len(all) == 0 {
		err = errors.New("the answer has no message")
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

var errNoMessage = errors.New("no message was found")

// query is request 12 at every broker of the topic. Indexes go by hashes: what has another key is left out. There is at least one
// message, or an error.
func (s *Session) query(ctx context.Context, cluster, topic, key string, most int, begin, end int64, unique bool) ([]*message, error) {
	r, err := s.route(ctx, topic)
	if err != nil {
		return nil, err
	}
	addrs := addrsOf(r, cluster)
	var all []*message
	err = each(addrs, func(addr string) error {
		req := ask.Request(remoting.CodeQueryMessage, "topic", topic, "key", key, "maxNum", strconv.Itoa(most), "beginTimestamp", strconv.FormatInt(begin, 10),
			"endTimestamp", strconv.FormatInt(end, 10))
		if unique {
			req.Set("_UNIQUE_KEY_QUERY", "true")
		}
		resp, err := s.call(ctx, addr, req)
		if ask.CodeOf(err) == remoting.RespQueryNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		found, err := parseMessages(resp.Body)
		for _, m := range found {
			if unique && m.id() == key || !unique && string(m.Topic) == topic && slices.Contains(strings.Split(m.keys(), " "), key) {
				all = append(all, m)
			}
		}
		return err
	})
	if len(all) > 0 {
		return all, nil
	}
	return nil, cmp.Or(err, errNoMessage)
}

func queryMsgByKey() *Command {
	return &Command{
		Name: "queryMsgByKey", Short: "Look up messages by a key", Run: runQueryMsgByKey, Reads: true,
		Flags: []Flag{
			topicFlag(), {Short: "k", Long: "msgKey", Usage: "key of the messages", Required: true},
			{Short: "b", Long: "beginTimestamp", Usage: "stored then or later, in ms", Kind: Number}, {Short: "e", Long: "endTimestamp", Usage: "stored then or earlier, in ms", Kind: Number},
			{Short: "m", Long: "maxNum", Usage: "at most so many; 64 if it is not given", Kind: Number}, routeCluster(),
		},
	}
}

func runQueryMsgByKey(ctx context.Context, s *Session, a Args, out *Out) error {
	found, err := s.query(ctx, a["cluster"], a["topic"], a["msgKey"], int(a.Number("maxNum", 64)), a.Number("beginTimestamp", 0), a.Number("endTimestamp", math.MaxInt64), false)
	if err != nil {
		return err
	}
	out.Table("messages", "%-50v %4v %40v\n", Col{"#Message ID", "msgId"}, Col{"#QID", "queueId"}, Col{"#Offset", "queueOffset"})
	for _, m := range found {
		out.Row(m.id(), m.QueueID, m.QueueOffset)
	}
	return nil
}

func queryMsgByUniqueKey() *Command {
	return &Command{
		Name: "queryMsgByUniqueKey", Short: "Look up messages by the id that their producer gave them", Run: runQueryMsgByUniqueKey,
		Flags: []Flag{
			messageIDFlag(), topicFlag(), {Short: "a", Long: "showAll", Usage: "all messages with the id, at most 32", Kind: Switch},
			{Short: "g", Long: "consumerGroup", Usage: "with -d: have a member of this group consume it", Names: Groups}, {Short: "d", Long: "clientId", Usage: "client id of the member"},
			routeCluster(),
		},
	}
}

func runQueryMsgByUniqueKey(ctx context.Context, s *Session, a Args, out *Out) error {
	found, err := s.query(ctx, a["cluster"], a["topic"], a["msgId"], 32, 0, math.MaxInt64, true)
	if err != nil {
		return fmt.Errorf("message %s: %w", a["msgId"], err)
	}
	slices.SortStableFunc(found, func(x, y *message) int { return cmp.Compare(x.StoreTimestamp, y.StoreTimestamp) })
	if a.Has("consumerGroup") && a.Has("clientId") {
		out.Table("results", "%[2]v\n", Col{"", "msgId"}, Col{"", "result"})
		return s.consumeDirectly(ctx, a, found[0], out)
	}
	if !a.Has("showAll") {
		found = found[:1]
	}
	out.Table("messages", "%.0[1]v", append(messageCols(), Col{"", "tracks"})...)
	for i, m := range found {
		if err := s.showMessage(ctx, m, i, false, false, out); err != nil {
			return err
		}
	}
	return nil
}

func queryMsgByOffset() *Command {
	return &Command{
		Name: "queryMsgByOffset", Short: "Look up a message by its place in a queue", Run: runQueryMsgByOffset, Reads: true,
		Flags: []Flag{
			topicFlag(), brokerNameFlag("b", true), {Short: "i", Long: "queueId", Usage: "queue", Kind: Number, Required: true},
			{Short: "o", Long: "offset", Usage: "offset in the queue", Kind: Number, Required: true}, bodyFormatFlag(),
		},
	}
}

func brokerNameFlag(short string, required bool) Flag {
	return Flag{Short: short, Long: "brokerName", Usage: "broker name", Required: required, Names: BrokerNames}
}

func runQueryMsgByOffset(ctx context.Context, s *Session, a Args, out *Out) error {
	if err := a.checkBodyFormat(); err != nil {
		return err
	}
	q, err := s.queue(ctx, a["topic"], a["brokerName"], int32(a.Number("queueId", 0)))
	if err != nil {
		return err
	}
	p, err := s.pull(ctx, q, a.Number("offset", 0), 1, "*")
	if err != nil {
		return err
	}
	if len(p.messages) == 0 {
		return fmt.Errorf("%w at offset %d: queue %d holds %d to %d", errNoMessage, a.Number("offset", 0), q.QueueID, p.minOffset, p.maxOffset-1)
	}
	out.Table("messages", "%.0[1]v", append(messageCols(), Col{"", "tracks"})...)
	m := p.messages[0]
	m.properties = append(m.properties, pair{"MIN_OFFSET", strconv.FormatInt(p.minOffset, 10)}, pair{"MAX_OFFSET", strconv.FormatInt(p.maxOffset, 10)})
	return s.showMessage(ctx, m, 0, a.Has("bodyFormat"), true, out)
}

// showMessage writes all about a message, and which groups consumed it. index: of several with one id.
func (s *Session) showMessage(ctx context.Context, m *message, index int, withBody, byPlace bool, out *Out) error {
	tracks, err := s.tracks(ctx, m)
	if err != nil {
		tracks = nil
	}
	if out.format == Table {
		file, err := m.saveBody(s.bodyDir, index)
		if err != nil {
			file = err.Error()
		}
		line := func(name string, v any) { out.Textf("%-20s %v\n", name, v) }
		if byPlace {
			line("OffsetID:", m.offsetID())
		}
		line("Topic:", string(m.Topic))
		line("Tags:", "["+null(m.tags())+"]")
		line("Keys:", "["+null(m.keys())+"]")
		line("Queue ID:", m.QueueID)
		line("Queue Offset:", m.QueueOffset)
		line("CommitLog Offset:", m.PhysicalOffset)
		line("Reconsume Times:", m.ReconsumeTimes)
		line("Born Timestamp:", stamp(m.BornTimestamp))
		line("Store Timestamp:", stamp(m.StoreTimestamp))
		line("Born Host:", m.BornHost)
		line("Store Host:", m.StoreHost)
		line("System Flag:", m.SysFlag)
		line("Properties:", mapText(m.properties, javaProperties))
		line("Message Body Path:", file)
		if withBody {
			line("Message Body:", string(m.body()))
		}
		out.Textf("\n\n")
		if len(tracks) == 0 {
			out.Textf("WARN: No Consumer\n")
		}
		for _, t := range tracks {
			out.Textf("%s\n", t.text())
		}
		if err != nil {
			return err
		}
	}
	out.Row(append(m.row(true), tracks)...)
	return err
}
