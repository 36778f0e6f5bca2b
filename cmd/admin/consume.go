package admin

import (
	"context"
	"errors"
	"fmt"
)

func consumeMessage() *Command {
	return &Command{
		Name: "consumeMessage", Short: "Read messages of a topic from the first on", Reads: true, Run: runConsumeMessage,
		Flags: append([]Flag{
			topicFlag(), brokerNameFlag("b", false), {Short: "i", Long: "queueId", Usage: "with -b: one queue", Kind: Number},
			{Short: "o", Long: "offset", Usage: "with -i: from this offset on", Kind: Number}, {Short: "g", Long: "consumerGroup", Usage: "read as this group; no progress is kept", Names: Groups},
			{Short: "c", Long: "MessageNumber", Usage: "at most so many; 128 if it is not given", Kind: Number},
		}, spanFlags("s", "e")...),
	}
}

func runConsumeMessage(ctx context.Context, s *Session, a Args, out *Out) error {
	most := a.Number("MessageNumber", 128)
	begin, _ := a.Moment("beginTimestamp", s.now())
	end, ended := a.Moment("endTimestamp", s.now())
	switch now := s.now().UnixMilli(); {
	case most <= 0:
		return errors.New("please input a positive messageNumber")
	case a.Has("queueId") && !a.Has("brokerName"):
		return errors.New("please set the brokerName before queueId")
	case a.Has("offset") && !a.Has("queueId"):
		return errors.New("please set queueId before offset")
	case begin > now:
		return errors.New("please set the beginTimestamp before now")
	case end > now:
		return errors.New("please set the endTimestamp before now")
	case ended && begin > end:
		return errors.New("please make sure that the beginTimestamp is less than or equal to the endTimestamp")
	}
	queues, err := s.queues(ctx, a["topic"])
	if err != nil {
		return err
	}
	if a.Has("queueId") {
		q, err := s.queue(ctx, a["topic"], a["brokerName"], int32(a.Number("queueId", 0)))
		if err != nil {
			return err
		}
		queues = []queueAt{q}
	}
	p := &printer{s: s, a: a, out: out, messages: true, body: true, chatty: true}
	p.begin()
	for _, q := range queues {
		if most == 0 {
			break
		}
		if most, err = p.oldest(ctx, q, most); err != nil {
			return err
		}
	}
	return nil
}

// oldest prints the oldest messages of a queue, at most so many, and returns how many are left to print. A queue that is read to its
// end is said to be, as stock does.
func (p *printer) oldest(ctx context.Context, q queueAt, most int64) (left int64, err error) {
	from, to, err := p.s.span(ctx, q, p.a)
	if err != nil {
		return 0, err
	}
	if at := p.a.Number("offset", 0); at > to {
		p.out.Textf("%s no matched msg, offset=%d\n", queueText(q.MessageQueue), at)
		return most, nil
	} else {
		from = max(from, at)
	}
	switch {
	case to-from <= most:
		to++ // one beyond the end, where the broker says that there is no more
	case p.a.Has("queueId"):
		p.out.Textf("The oldler %d message will be provided\n", most)
		to = from + most
	default:
		p.out.Textf("The older %d message of the %d queue will be provided\n", most, q.QueueID)
		to = from + most
	}
	what := fmt.Sprintf("%s/%d", q.BrokerName, q.QueueID)
	defer func(total int64) {
		if err == nil {
			p.s.progress(what, total, total)
		}
	}(to - from)
	for offset := from; offset < to; {
		p.s.progress(what, offset-from, to-from)
		got, err := p.s.pullAs(ctx, p.a.Or("consumerGroup", toolsGroup), q, offset, int(min(to-offset, maxPull)), "*")
		if err != nil {
			return most, err
		}
		if offset = got.next; got.status != "FOUND" && got.status != "NO_MATCHED_MSG" {
			p.out.Textf("%s print msg finished. status=%s, offset=%d\n", queueText(q.MessageQueue), got.status, offset)
			return most, nil
		}
		if got.status == "FOUND" {
			p.out.Textf("Consume ok\n")
		}
		for _, m := range got.messages {
			p.one(m, got)
			most--
		}
	}
	return most, nil
}
