package admin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmq/broker/lag"
	"ringmq/netpoll/remoting"
)

// Limits of what is taken to be a cause.
const (
	stuckAfter       = time.Minute // without anything consumed, or pulled, while messages wait
	slowPullMs       = 1000.0      // of a pull while messages wait
	slowPutMs        = 1000.0      // 99 % of puts
	standsStillMs    = 5000.0      // of the log, with something to write
	farDispatchBytes = 64 << 20    // of the log that no consumer can see yet
	farReplicaBytes  = 64 << 20    // of the log that no consumer may see before slaves have it
)

// drain is how long the group needs to have consumed everything at the rates of now; false: for ever.
func (r *lagRow) drain() (time.Duration, bool) {
	if r.Out <= r.In {
		return 0, false
	}
	seconds := float64(r.Diff) / (r.Out - r.In)
	return time.Duration(min(seconds, 1e9) * float64(time.Second)), true
}

// ill says that there is something to find a cause of.
func (r *lagRow) ill() bool { return r.Diff > 0 || r.Retry > 0 || r.returns.Failing() }

// judge names the cause, most certain first, and says what shows it. It asks nobody.
func (r *lagRow) judge() {
	r.Cause = lag.None
	causes := []func() (string, []string){r.judgeMembers, r.judgeQueues, r.judgeCold, r.judgeBrokers, r.judgeFailing, r.judgeRates}
	switch {
	case !r.ill():
		return
	case r.Diff <= 0:
		causes = []func() (string, []string){r.judgeMembers, r.judgeFailing}
	}
	for _, cause := range causes {
		if name, evidence := cause(); name != "" {
			r.Cause, r.Evidence = name, evidence
			return
		}
	}
}

func (r *lagRow) ago(ms int64) string {
	if ms <= 0 {
		return "never"
	}
	return spanText(r.At.Sub(stampTime(ms))) + " ago"
}

// lastConsumed is the newest message that was consumed.
func (r *lagRow) lastConsumed() (ms int64) {
	for _, q := range r.Queues {
		ms = max(ms, q.Offset.LastTimestamp)
	}
	return ms
}

func (r *lagRow) judgeMembers() (string, []string) {
	if len(r.members) > 0 || r.memberErr != nil {
		return "", nil
	}
	last := "it has consumed nothing that is still there"
	if ms := r.lastConsumed(); ms > 0 {
		last = "the newest message that it consumed was stored " + r.ago(ms)
	}
	return lag.NoConsumer, []string{"no client of the group is connected; " + last}
}

// owner finds the member that has a queue.
func (r *lagRow) owner(q remoting.MessageQueue) (*lagMember, *queueInfo) {
	for i := range r.members {
		if r.members[i].info == nil {
			continue
		}
		for j := range r.members[i].info.Queues {
			if e := &r.members[i].info.Queues[j]; e.Queue == q && !e.Value.Dropped {
				return &r.members[i], &e.Value
			}
		}
	}
	return nil, nil
}

// told says that every member told about its queues.
func (r *lagRow) told() bool {
	return len(r.members) > 0 && !slices.ContainsFunc(r.members, func(m lagMember) bool { return m.info == nil })
}

// judgeQueues looks for queues that stand still.
func (r *lagRow) judgeQueues() (string, []string) {
	found := map[string][]string{}
	for i := range r.Queues {
		q := &r.Queues[i]
		if q.behind() == 0 || q.Moved {
			continue
		}
		name := fmt.Sprintf("queue %d of %s: %d behind at offset %d", q.Queue.QueueID, q.Queue.BrokerName, q.behind(), q.Offset.ConsumerOffset)
		m, info := r.owner(q.Queue)
		switch {
		case m == nil && r.told():
			found[lag.NoOwner] = append(found[lag.NoOwner], name+", no member has it")
		case m == nil:
		case info.CachedMsgCount > 0 && r.since(info.LastConsumeTimestamp) > stuckAfter:
			found[lag.Stuck] = append(found[lag.Stuck], fmt.Sprintf("%s, %s (%s) has %d messages in hand and last finished one %s", name, m.conn.ClientID, m.conn.ClientAddr, info.CachedMsgCount,
				r.ago(info.LastConsumeTimestamp)))
		case info.CachedMsgCount == 0 && r.since(info.LastPullTimestamp) > stuckAfter:
			found[lag.NotPulling] = append(found[lag.NotPulling], fmt.Sprintf("%s, %s (%s) last pulled %s", name, m.conn.ClientID, m.conn.ClientAddr, r.ago(info.LastPullTimestamp)))
		}
	}
	for _, m := range r.members {
		if m.info == nil && r.Out == 0 {
			found[lag.Stuck] = append(found[lag.Stuck], fmt.Sprintf("%s (%s) does not answer: %v; no message was finished while this looked", m.conn.ClientID, m.conn.ClientAddr, m.err))
		}
	}
	for _, cause := range []string{lag.Stuck, lag.NotPulling, lag.NoOwner} {
		if len(found[cause]) > 0 {
			return cause, found[cause]
		}
	}
	return "", nil
}

// since is how long ago something was; 0 if it never was.
func (r *lagRow) since(ms int64) time.Duration {
	if ms <= 0 {
		return 0
	}
	return r.At.Sub(stampTime(ms))
}

// judgeCold looks whether the broker holds back what the group reads from the disk.
func (r *lagRow) judgeCold() (string, []string) {
	for _, b := range r.brokers {
		if c, counted := b.cold.of(r.Group); counted && c.Held() && r.Out <= r.In {
			return lag.ColdLimit, []string{b.name + ": " + c.String()}
		}
	}
	return "", nil
}

// judgeBrokers looks whether consumers wait for a broker.
func (r *lagRow) judgeBrokers() (string, []string) {
	slow, replicas := []string(nil), r.held()
	for _, m := range r.members {
		if m.info == nil {
			continue
		}
		if t, ok := m.info.Status[r.Topic]; ok && t.PullRT >= slowPullMs && r.waits(&m) {
			slow = append(slow, fmt.Sprintf("%s waits %.0f ms for a pull while messages are there, and has none in hand", m.conn.ClientID, t.PullRT))
		}
	}
	for _, b := range r.brokers {
		if v := b.number("dispatchBehindBytes"); v >= farDispatchBytes {
			slow = append(slow, fmt.Sprintf("%s: %.0f bytes of the log are not in their queues yet", b.name, v))
		}
		if v := b.number("logStandsStillMs"); v >= standsStillMs {
			slow = append(slow, fmt.Sprintf("%s: the disk has taken nothing of the log for %s (engine %s)", b.name, spanText(time.Duration(v)*time.Millisecond), null(b.runtime["diskEngine"])))
		}
		if v := b.number("putLatency99"); v >= slowPutMs {
			slow = append(slow, fmt.Sprintf("%s: one in a hundred messages takes %.0f ms or more to store (engine %s)", b.name, v, null(b.runtime["diskEngine"])))
		}
	}
	switch {
	case len(replicas) > 0 && r.Out <= r.In:
		return lag.ReplicationSlow, append(replicas, slow...)
	case len(slow) > 0 && r.Out <= r.In:
		return lag.BrokerSlow, slow
	}
	return "", nil
}

// held tells of slaves that consumers wait for: a broker keeps from them what slaves do not have yet, and at least half of what the group has
// to consume is among that. A slave that is merely behind keeps nobody waiting: ASYNC_MASTER, or enough others are in step.
func (r *lagRow) held() (evidence []string) {
	if r.hidden < r.Diff {
		return nil
	}
	for _, b := range r.brokers {
		bytes := b.number("replicationHeldBytes")
		if bytes < farReplicaBytes {
			continue
		}
		evidence = append(evidence, fmt.Sprintf("%s: %.0f bytes of the log wait for slaves before consumers may see them", b.name, bytes))
		if b.ha == nil {
			continue
		}
		for _, c := range b.ha.HAConnectionInfo {
			if c.Diff >= farReplicaBytes {
				evidence = append(evidence, fmt.Sprintf("%s: the slave at %s lacks %d bytes, and gets %d a second", b.name, c.Addr, c.Diff, c.TransferredBytesPerSec))
			}
		}
	}
	return evidence
}

// waits says that a member has nothing in hand in queues of the topic that are behind.
func (r *lagRow) waits(m *lagMember) bool {
	waits := false
	for _, q := range r.Queues {
		if q.behind() == 0 {
			continue
		}
		for _, e := range m.info.Queues {
			if e.Queue != q.Queue {
				continue
			}
			if e.Value.CachedMsgCount > 0 {
				return false
			}
			waits = true
		}
	}
	return waits
}

// judgeFailing looks whether listeners fail. What they give back counts as consumed: it waits for its time out of sight, then in the retry
// topic, and ends as a dead letter.
func (r *lagRow) judgeFailing() (string, []string) {
	var evidence []string
	if r.returns.Back > 0 {
		evidence = append(evidence, r.returns.String())
	}
	if r.Retry > 0 {
		evidence = append(evidence, fmt.Sprintf("%d messages wait in %s%s to be tried again", r.Retry, retryPrefix, r.Group))
	}
	failed, done := 0.0, 0.0
	for _, m := range r.members {
		if m.info == nil {
			continue
		}
		t := m.info.Status[r.Topic]
		failed, done = failed+t.ConsumeFailedTPS, done+t.ConsumeOKTPS
		if t.ConsumeFailedTPS > 0 {
			evidence = append(evidence, fmt.Sprintf("%s (%s): %.1f a second fail, %.1f do not", m.conn.ClientID, m.conn.ClientAddr, t.ConsumeFailedTPS, t.ConsumeOKTPS))
		}
	}
	if r.returns.Failing() || failed > 0 && failed >= done || r.Diff <= 0 && r.Retry > 0 {
		return lag.Failing, evidence
	}
	return "", nil
}

// judgeRates compares what comes in with what goes out.
func (r *lagRow) judgeRates() (string, []string) {
	rates := fmt.Sprintf("%.1f messages a second come in, %.1f are consumed", r.In, r.Out)
	all := lag.Rates{In: r.In, Out: r.Out, UsualIn: r.usualIn, UsualOut: r.usualOut, Whole: r.ranFor(lag.UsualOver)}
	cause := all.Cause()
	switch cause {
	case lag.CatchingUp:
		d, _ := r.drain()
		return cause, []string{fmt.Sprintf("%s: drained in %s", rates, spanText(d))}
	case lag.Surge:
		return cause, append([]string{fmt.Sprintf("%s; in the last hour it were %.1f and %.1f", rates, r.usualIn, r.usualOut)}, r.slower()...)
	}
	if !all.Known() {
		rates += "; what usually comes in its brokers do not know yet"
	}
	evidence := append([]string{rates}, r.slower()...)
	for _, m := range r.members {
		if m.info == nil {
			continue
		}
		if t, ok := m.info.Status[r.Topic]; ok {
			threads, _ := strconv.Atoi(m.info.Properties["PROP_THREADPOOL_CORE_SIZE"])
			line := fmt.Sprintf("%s (%s): %.1f a second, %.1f ms for each", m.conn.ClientID, m.conn.ClientAddr, t.ConsumeOKTPS, t.ConsumeRT)
			if threads > 0 && t.ConsumeRT > 0 {
				line += fmt.Sprintf("; its %d threads could do %.0f", threads, float64(threads)*1000/t.ConsumeRT)
			}
			if t.ConsumeFailedTPS > 0 {
				line += fmt.Sprintf("; %.1f a second fail", t.ConsumeFailedTPS)
			}
			evidence = append(evidence, line)
		}
	}
	if worst := r.worst(); worst != "" {
		evidence = append(evidence, worst)
	}
	return cause, evidence
}

// slower says since when more comes in than is consumed, where a broker has told.
func (r *lagRow) slower() []string {
	if r.slowerSince.IsZero() {
		return nil
	}
	return []string{fmt.Sprintf("for %s more has come in than was consumed, as the broker has looked", spanText(max(r.At.Sub(r.slowerSince), 0)))}
}

// ranFor says that every broker of the row has run for so long, by its own account.
func (r *lagRow) ranFor(d time.Duration) bool {
	return len(r.brokers) > 0 && !slices.ContainsFunc(r.brokers, func(b *brokerLook) bool {
		boot := int64(b.number("bootTimestamp"))
		return boot <= 0 || r.At.Sub(stampTime(boot)) < d
	})
}

// worst tells of the queue that is furthest behind, where one is much worse than the others: one key takes all.
func (r *lagRow) worst() string {
	if len(r.Queues) < 2 {
		return ""
	}
	w := slices.MaxFunc(r.Queues, func(x, y lagQueue) int { return int(min(max(x.behind()-y.behind(), -1), 1)) })
	if w.behind()*2 < r.Diff {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("queue %d of %s has %d of the %d messages", w.Queue.QueueID, w.Queue.BrokerName, w.behind(), r.Diff))
}
