package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func charsetFlag() Flag {
	return Flag{Short: "c", Long: "charsetName", Usage: "character set of the bodies, of which UTF-8 is known"}
}

func (a Args) checkCharset() error {
	if c := a["charsetName"]; c != "" && !strings.EqualFold(c, "UTF-8") && !strings.EqualFold(c, "UTF8") {
		return fmt.Errorf("-c (--charsetName) %q: only UTF-8 is known here; -o json has the bytes of every body that is not UTF-8", c)
	}
	return nil
}

func spanFlags(begin, end string) []Flag {
	return []Flag{
		{Short: begin, Long: "beginTimestamp", Usage: "stored then or later: now, milliseconds since 1970, or yyyy-MM-dd#HH:mm:ss:SSS", Kind: Moment},
		{Short: end, Long: "endTimestamp", Usage: "stored before that", Kind: Moment},
	}
}

// wanted says that a message with tags is one of an expression's: * or a || b.
func wanted(expression, tags string) bool {
	if expression == "" || expression == "*" {
		return true
	}
	for _, t := range strings.Split(expression, "||") {
		if strings.TrimSpace(t) == tags {
			return true
		}
	}
	return false
}

func printMsg() *Command {
	return &Command{
		Name: "printMsg", Short: "Print the messages of a topic", Reads: true, Run: runPrintMsg,
		Flags: append([]Flag{
			topicFlag(), charsetFlag(), {Short: "s", Long: "subExpression", Usage: "tags: TagA || TagB"}, {Short: "d", Long: "printBody", Usage: "with bodies: true (the default) or false", Kind: TrueFalse},
			{Short: "l", Long: "lmqParentTopic", Usage: "topic that has the queues"},
		}, spanFlags("b", "e")...),
	}
}

func runPrintMsg(ctx context.Context, s *Session, a Args, out *Out) error {
	if err := a.checkCharset(); err != nil {
		return err
	}
	queues, err := s.queues(ctx, cmp.Or(a["lmqParentTopic"], a["topic"]))
	if err != nil {
		return err
	}
	p := &printer{s: s, a: a, out: out, messages: true, body: a.True("printBody", true), chatty: true}
	p.begin()
	for _, q := range queues {
		q.Topic = a["topic"]
		from, to, err := s.span(ctx, q, a)
		if err != nil {
			return err
		}
		out.Textf("minOffset=%d, maxOffset=%d, %s\n", from, to, queueText(q.MessageQueue))
		if err := p.print(ctx, q, from, to); err != nil {
			return err
		}
		out.Textf("--------------------------------------------------------\n")
	}
	return nil
}

// printer prints the messages of queues.
type printer struct {
	s        *Session
	a        Args
	out      *Out
	messages bool // and not only counts
	body     bool
	chatty   bool // says what a pull brought when it is no message
	tags     map[string]int64
}

func (p *printer) begin() {
	if p.messages {
		p.out.Table("messages", "%.0[1]v", messageCols()...)
	}
}

func (p *printer) print(ctx context.Context, q queueAt, from, to int64) (err error) {
	what := fmt.Sprintf("%s/%d", q.BrokerName, q.QueueID)
	defer func() {
		if err == nil {
			p.s.progress(what, to-from, to-from)
		}
	}()
	for offset := from; offset < to; {
		p.s.progress(what, offset-from, to-from)
		got, err := p.s.pull(ctx, q, offset, maxPull, p.a.Or("subExpression", "*"))
		if err != nil {
			return err
		}
		if got.next <= offset && got.status != "NO_NEW_MSG" && got.status != "OFFSET_ILLEGAL" {
			return fmt.Errorf("%s: the broker says to go on at %d after %d", queueText(q.MessageQueue), got.next, offset)
		}
		offset = got.next
		switch got.status {
		case "FOUND":
			for _, m := range got.messages {
				p.one(m, got)
			}
		case "NO_MATCHED_MSG":
			if p.chatty {
				p.out.Textf("%s no matched msg. status=%s, offset=%d\n", queueText(q.MessageQueue), got.status, offset)
			}
		default:
			if p.chatty {
				p.out.Textf("%s print msg finished. status=%s, offset=%d\n", queueText(q.MessageQueue), got.status, offset)
			}
			return nil
		}
	}
	return nil
}

func (p *printer) one(m *message, got *pulled) {
	if t := m.tags(); p.tags != nil && strings.TrimSpace(t) != "" {
		p.tags[t]++
	}
	if !p.messages {
		return
	}
	if p.out.format != Table {
		p.out.Row(m.row(p.body)...)
		return
	}
	body := "NOT PRINT BODY"
	if p.body {
		body = string(m.body())
	}
	p.out.Textf("MSGID: %s %s BODY: %s\n", m.id(), m.text(got.minOffset, got.maxOffset), body)
}

func printMsgByQueue() *Command {
	return &Command{
		Name: "printMsgByQueue", Short: "Print the messages of a queue, or count them by tag", Reads: true, Run: runPrintMsgByQueue,
		Flags: append([]Flag{
			topicFlag(), brokerNameFlag("a", true), {Short: "i", Long: "queueId", Usage: "queue", Kind: Number, Required: true}, charsetFlag(),
			{Short: "s", Long: "subExpression", Usage: "tags: TagA || TagB"}, {Short: "p", Long: "printMsg", Usage: "print messages: true or false (the default)", Kind: TrueFalse},
			{Short: "d", Long: "printBody", Usage: "with bodies: true or false (the default)", Kind: TrueFalse}, {Short: "f", Long: "calculate", Usage: "count by tag: true or false (the default)", Kind: TrueFalse},
		}, spanFlags("b", "e")...),
	}
}

func runPrintMsgByQueue(ctx context.Context, s *Session, a Args, out *Out) error {
	if err := a.checkCharset(); err != nil {
		return err
	}
	q, err := s.queue(ctx, a["topic"], a["brokerName"], int32(a.Number("queueId", 0)))
	if err != nil {
		return err
	}
	from, to, err := s.span(ctx, q, a)
	if err != nil {
		return err
	}
	p := &printer{s: s, a: a, out: out, messages: a.True("printMsg", false), body: a.True("printBody", false)}
	if a.True("calculate", false) {
		p.tags = map[string]int64{}
	}
	p.begin()
	if err := p.print(ctx, q, from, to); err != nil || p.tags == nil {
		return err
	}
	out.Table("tags", "Tag: %-30v Count: %v\n", Col{"", "tag"}, Col{"", "count"})
	tags := slices.Sorted(maps.Keys(p.tags))
	slices.SortStableFunc(tags, func(x, y string) int { return cmp.Compare(p.tags[y], p.tags[x]) })
	for _, t := range tags {
		out.Row(t, p.tags[t])
	}
	return nil
}
