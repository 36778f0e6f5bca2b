package admin

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"ringmq/store/record"
)

func queryMsgTraceByID() *Command {
	return &Command{
		Name: "queryMsgTraceById", Short: "Show what producers and consumers traced of a message", Reads: true, Run: runQueryMsgTraceByID,
		Flags: []Flag{
			messageIDFlag(), {Short: "t", Long: "traceTopic", Usage: "topic with the traces; " + traceTopic + " if it is not given", Names: Topics},
			{Short: "b", Long: "beginTimestamp", Usage: "stored then or later, in ms", Kind: Number}, {Short: "e", Long: "endTimestamp", Usage: "stored then or earlier, in ms", Kind: Number},
			{Short: "c", Long: "maxNum", Usage: "at most so many traces; 64 if it is not given", Kind: Number},
		},
	}
}

const traceTopic = "RMQ_SYS_TRACE_TOPIC"

// view is one thing that a client traced of a message.
type view struct {
	kind, group, host string
	stamp, cost       int64
	ok                bool
}

func (v *view) status() string {
	if v.ok {
		return "success"
	}
	return "failed"
}

// parseTrace reads the body of a message of the trace topic: records that end in 0x02, with fields that end in 0x01. Those of other
// messages, of other kinds and those that lack fields are left out.
func parseTrace(body, id, host string) (all []view) {
	number := func(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }
	isTrue := func(s string) bool { return strings.EqualFold(s, "true") }
	for _, text := range strings.Split(body, "\x02") {
		f := strings.Split(text, "\x01")
		v := view{kind: f[0], host: host}
		switch {
		case v.kind == "Pub" && len(f) >= 13 && f[5] == id:
			v.stamp, v.group, v.cost = number(f[1]), f[3], number(f[10])
			if v.ok = isTrue(f[12]); len(f) >= 14 {
				v.ok = isTrue(f[13])
			}
		case v.kind == "SubAfter" && len(f) >= 5 && f[2] == id:
			v.cost, v.ok = number(f[3]), isTrue(f[4])
			if len(f) >= 9 {
				v.stamp, v.group = number(f[7]), f[8]
			}
		default:
			continue
		}
		all = append(all, v)
	}
	return all
}

// traceOf is what stock's clients write of a message that they sent; parseTrace reads it. Only a message that is everywhere where it has to
// be counts as sent.
func traceOf(r *sent, tags, keys string, bytes int) string {
	const normal = "0" // kind of message
	return strings.Join([]string{"Pub", strconv.FormatInt(r.at, 10), r.region, senderGroup, r.Queue.Topic, r.MsgID, tags, keys, r.addr, strconv.Itoa(bytes),
		strconv.FormatInt(r.took.Milliseconds(), 10), normal, r.OffsetMsgID, strconv.FormatBool(r.Status == "SEND_OK")}, "\x01") + "\x02"
}

// trace writes the trace of a message that was sent, as stock's clients do: nothing where the broker wants none.
func (p *sender) trace(ctx context.Context, r *sent, tags, keys string, bytes int) error {
	if !r.traced || r.region == "" {
		return nil
	}
	m := &outgoing{topic: traceTopic, queue: -1, body: []byte(traceOf(r, tags, keys, bytes)), properties: []pair{{record.PropertyKeys, strings.TrimSpace(r.MsgID + " " + keys)}}}
	if _, err := p.send(ctx, m); err != nil {
		return fmt.Errorf("the message was sent, its trace was not: %w", err)
	}
	return nil
}

func runQueryMsgTraceByID(ctx context.Context, s *Session, a Args, out *Out) error {
	found, err := s.query(ctx, "", a.Or("traceTopic", traceTopic), a["msgId"], int(a.Number("maxNum", 64)), a.Number("beginTimestamp", 0), a.Number("endTimestamp", math.MaxInt64), false)
	if err != nil {
		return fmt.Errorf("traces of message %s: %w", a["msgId"], err)
	}
	var sends []view
	consumed := map[string][]view{}
	for _, m := range found {
		for _, v := range parseTrace(string(m.body()), a["msgId"], m.BornHost.Addr().String()) {
			if v.kind == "Pub" {
				sends = append(sends, v)
			} else {
				consumed[v.group] = append(consumed[v.group], v)
			}
		}
	}
	const row = "%-10v %-20v %-20v %-20v %-10v %-10v\n"
	write := func(kind string, v view) {
		out.Row(kind, v.group, v.host, Cell{v.stamp, stampSeconds(v.stamp)}, Cell{v.cost, strconv.FormatInt(v.cost, 10) + "ms"}, v.status())
	}
	heads := func(group, at string) {
		out.Textf(row, "#Type", group, "#ClientHost", at, "#CostTimes", "#Status")
	}
	out.Table("traces", row, Col{"", "type"}, Col{"", "group"}, Col{"", "clientHost"}, Col{"", "timestamp"}, Col{"", "costMs"}, Col{"", "status"})
	for _, v := range sends {
		heads("#ProducerGroup", "#SendTime")
		write("Pub", v)
		out.Textf("\n")
	}
	for _, g := range slices.Sorted(maps.Keys(consumed)) {
		heads("#ConsumerGroup", "#ConsumerTime")
		for _, v := range consumed[g] {
			write("Sub", v)
		}
		out.Textf("\n")
	}
	return nil
}
