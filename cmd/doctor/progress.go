package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// Limits of progress.
const (
	stuckAfter   = time.Minute // without anything consumed, while messages wait
	laggingAfter = 10 * time.Minute
	laggingCount = 100_000
)

// queueLag is a queue that is behind.
type queueLag struct {
	queue  remoting.MessageQueue
	behind int64
	offset remoting.ConsumeOffset
	stored int64 // when the first message was that is not consumed, ms; 0: not known
}

// lags are the queues that are behind, the worst first.
func (g *groupSeen) lags() (all []queueLag) {
	for i := range g.Brokers {
		all = append(all, g.Brokers[i].lags()...)
	}
	slices.SortStableFunc(all, worseLag)
	return all
}

func (b *groupAt) lags() (all []queueLag) {
	if b.Stats == nil {
		return nil
	}
	for _, e := range b.Stats.OffsetTable {
		if n := e.Value.BrokerOffset - e.Value.ConsumerOffset; n > 0 {
			all = append(all, queueLag{e.Queue, n, e.Value, b.Waiting[e.Queue]})
		}
	}
	slices.SortStableFunc(all, worseLag)
	return all
}

func worseLag(a, b queueLag) int { return cmp.Compare(b.behind, a.behind) }

// waitingAsked is how many queues of a broker are asked for their first message that is not consumed: those that are furthest behind.
const waitingAsked = 64

// findWaiting asks when the messages were stored that wait in front. When the group last consumed something says nothing about them: it may
// be that nothing came.
func (v *visit) findWaiting(ctx context.Context, g *groupSeen) {
	each(len(g.Brokers), func(i int) {
		b := &g.Brokers[i]
		b.Waiting = map[remoting.MessageQueue]int64{}
		lags := b.lags()
		for _, l := range lags[:min(len(lags), waitingAsked)] {
			resp, err := v.ask.Call(ctx, b.Addr, ask.Pull(testGroup, l.queue, max(l.offset.ConsumerOffset, b.Min[l.queue]), 1, "*", 0))
			if err != nil && ask.CodeOf(err) == -1 {
				return // one time-out is enough
			}
			var r record.Record
			if err == nil && r.Parse(resp.Body) == nil {
				b.Waiting[l.queue] = r.StoreTimestamp
			}
		}
	})
}

// lastProgress tells how old the newest message is that was consumed.
func (g *groupSeen) lastProgress() string {
	last := int64(0)
	for i := range g.Brokers {
		if s := g.Brokers[i].Stats; s != nil {
			for _, e := range s.OffsetTable {
				last = max(last, e.Value.LastTimestamp)
			}
		}
	}
	if last == 0 {
		return "none was ever consumed"
	}
	return "the last one consumed was stored " + ago(last, g.Now)
}

// owner finds the member that has a queue.
func (g *groupSeen) owner(q remoting.MessageQueue) (*memberSeen, ask.ProcessQueue, bool) {
	for i := range g.Members {
		if g.Members[i].Info == nil {
			continue
		}
		for _, e := range g.Members[i].Info.Queues {
			if e.Queue == q && !e.Value.Dropped {
				return &g.Members[i], e.Value, true
			}
		}
	}
	return nil, ask.ProcessQueue{}, false
}

// judgeProgress compares what was consumed with what is there.
func (g *groupSeen) judgeProgress() (all []Finding) {
	all = append(all, g.judgeOffsets()...)
	if len(g.Members) == 0 {
		return all
	}
	lags := g.lags()
	var stuck, pausing []string
	hangs := "" // what shows where the first of those hangs
	for _, l := range lags {
		m, q, there := g.owner(l.queue)
		if !there {
			continue
		}
		consumed, pulled := since(q.LastConsume, g.Now), since(q.LastPull, g.Now)
		text := fmt.Sprintf("%s: %d behind at offset %d, %s last consumed %s", queueText(l.queue), l.behind, l.offset.ConsumerOffset, m.ID, ago(q.LastConsume, g.Now))
		switch {
		case q.CachedMessages > 0 && consumed > stuckAfter && (l.stored == 0 || since(l.stored, g.Now) > stuckAfter):
			stuck = append(stuck, fmt.Sprintf("%s and has %d messages in hand", text, q.CachedMessages))
			hangs = cmp.Or(hangs, adminCommand("consumerStatus", append([]string{"-g", g.Name, "-i", m.ID, "-s"}, g.at(m)...)...))
		case q.CachedMessages == 0 && pulled > stuckAfter:
			pausing = append(pausing, fmt.Sprintf("%s and last pulled %s", text, ago(q.LastPull, g.Now)))
		}
	}
	if len(stuck) > 0 {
		all = append(all, broken("group", "listener-does-not-return", g.Name, "%s", list(stuck)).
			because("the client has messages and its listener does not finish them", "see where its threads are (%s): its listener waits for something, a database as a rule", hangs))
	}
	if len(pausing) > 0 {
		all = append(all, broken("group", "member-does-not-pull", g.Name, "%s", list(pausing)).
			because("the client has the queue and does not ask for its messages", "it may be suspended, or refused: look at its log for the code that its pulls are answered with"))
	}
	if len(stuck)+len(pausing) == 0 && len(lags) > 0 {
		all = append(all, g.judgeLag(lags)...)
	}
	return all
}

// at says where a member can be asked, for commands.
func (g *groupSeen) at(m *memberSeen) []string {
	if len(m.At) > 0 && g.addrOf(m.At[0]) != "" {
		return []string{"-b", g.addrOf(m.At[0])}
	}
	return atNames(g.NameServers)
}

// reset sets the group's progress in a topic to a time.
func (g *groupSeen) reset(topic, to string) string {
	return adminCommand("resetOffsetByTime", append([]string{"-g", g.Name, "-t", topic, "-s", to}, atNames(g.NameServers)...)...)
}

func since(stamp int64, now time.Time) time.Duration {
	if stamp <= 0 {
		return 0
	}
	return now.Sub(time.UnixMilli(stamp))
}

// judgeLag is about a group that consumes, and is behind.
func (g *groupSeen) judgeLag(lags []queueLag) []Finding {
	worst, sum, oldest := lags[0], int64(0), int64(0)
	for _, l := range lags {
		sum += l.behind
		if l.stored > 0 && (oldest == 0 || l.stored < oldest) {
			oldest = l.stored
		}
	}
	if sum < laggingCount && since(oldest, g.Now) < laggingAfter {
		return nil
	}
	age := "when the oldest was stored is not known"
	if oldest > 0 {
		age = "the oldest was stored " + ago(oldest, g.Now)
	}
	tps := 0.0
	for i := range g.Brokers {
		if s := g.Brokers[i].Stats; s != nil {
			tps += s.ConsumeTps
		}
	}
	return []Finding{warning("group", "group-lags", g.Name, "%d messages behind in %s, most in %s (%d, at offset %d); %s; it consumes %.1f a second",
		sum, plural(len(lags), "queue"), queueText(worst.queue), worst.behind, worst.offset.ConsumerOffset, age, tps).
		because("messages arrive late, and are lost when retention comes before the consumer", "more members or threads (up to a member for every queue), a faster listener, or skip them: %s", g.reset(worst.queue.Topic, "now"))}
}

// judgeOffsets looks for progress that lies outside of its queue.
func (g *groupSeen) judgeOffsets() (all []Finding) {
	var beyond, expired, resets []string
	for i := range g.Brokers {
		b := &g.Brokers[i]
		if b.Stats == nil {
			continue
		}
		for _, e := range b.Stats.OffsetTable {
			switch first, known := b.Min[e.Queue]; {
			case e.Value.ConsumerOffset > e.Value.BrokerOffset:
				if reset := g.reset(e.Queue.Topic, "-1"); !slices.Contains(resets, reset) {
					resets = append(resets, reset)
				}
				beyond = append(beyond, fmt.Sprintf("%s: consumed up to %d, the queue ends at %d", queueText(e.Queue), e.Value.ConsumerOffset, e.Value.BrokerOffset))
			case known && e.Value.ConsumerOffset > 0 && e.Value.ConsumerOffset < first:
				expired = append(expired, fmt.Sprintf("%s: consumed up to %d, the queue begins at %d", queueText(e.Queue), e.Value.ConsumerOffset, first))
			}
		}
	}
	if len(beyond) > 0 {
		all = append(all, broken("group", "progress-beyond-the-end", g.Name, "%s", list(beyond)).
			because("the store was replaced or cut, the progress was not: new messages up to there are skipped or wait", "set it to the end, or instead of -1 to the time of the loss: %s", list(resets)))
	}
	if len(expired) > 0 {
		all = append(all, warning("group", "messages-expired-unread", g.Name, "%s", list(expired)).
			because("retention deleted messages before the group came to them", "they are lost to it; keep messages longer (fileReservedTime), or consume faster"))
	}
	return all
}

// judgeFailures looks for messages that are consumed again and again.
func (g *groupSeen) judgeFailures() (all []Finding) {
	var failing []string
	for _, m := range g.Members {
		if m.Info == nil {
			continue
		}
		for topic, s := range m.Info.Status {
			if s.FailedTPS > 0 || s.FailedMessages > 0 {
				failing = append(failing, fmt.Sprintf("%s on %s: %d failed in the last hour, %.2f a second now", m.ID, strings.TrimPrefix(topic, retryPrefix), s.FailedMessages, s.FailedTPS))
			}
		}
	}
	slices.Sort(failing)
	if len(failing) > 0 {
		all = append(all, warning("group", "listener-fails", g.Name, "%s", list(failing)).
			because("messages go to the retry topic and come again later, after 16 times they are dead letters", "see the exception in that client's log"))
	}
	dead := int64(0)
	for i := range g.Brokers {
		dead += g.Brokers[i].Dead
	}
	if dead > 0 {
		all = append(all, warning("group", "dead-letters", g.Name, "%d messages in %s%s", dead, deadPrefix, g.Name).
			because("nobody consumes them any more, and retention deletes them", "look at them (%s), mend what fails, and send them again", adminCommand("printMsg", append([]string{"-t", deadPrefix + g.Name}, atNames(g.NameServers)...)...)))
	}
	return all
}
