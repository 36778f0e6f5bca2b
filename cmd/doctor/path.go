package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// TestTopic is where test messages go. It is deleted afterwards, unless it was there before.
const TestTopic = "RINGMQ_DOCTOR"

// testGroup reads them: every broker has it from the beginning, so that reading makes no group.
const testGroup = "TOOLS_CONSUMER"

// step is one stretch of a test message's way.
type step struct {
	Name string
	Took time.Duration
	Err  error
}

// pathSeen is how a test message fared at one broker.
type pathSeen struct {
	Broker  string
	Addr    string   // of the broker,
	Cluster string   // its cluster,
	Names   []string // and the name servers, for commands
	Existed bool     // the topic was there before
	Created bool     // by this run
	Steps   []step
	Missing []string      // name servers without a route to the topic after it was made
	Code    int32         // of the answer to the send: 10, 11 and 12 are stored too
	Differs string        // what came back otherwise than it was sent
	Skew    time.Duration // of the broker's clock, by the time it stamped; ahead is positive
	Exact   time.Duration // how exactly this is known
	Left    error         // the topic could not be deleted
}

// sendMessages sends a message through every master that is not drained, and looks at what comes back.
func (v *visit) sendMessages(ctx context.Context) {
	for _, b := range v.masters() {
		if len(b.Wiped) > 0 {
			v.add(unknown("path", "test-message-not-sent", b.label(), "it is drained, and to make and delete the topic %s would open it again: the broker registers all of its topics then", TestTopic).
				because("whether a message gets through it was not tried", "run this again when the broker is to be used"))
			continue
		}
		p := v.sendMessage(ctx, b)
		v.add(judgePath(p)...)
	}
}

func (v *visit) sendMessage(ctx context.Context, b *brokerSeen) *pathSeen {
	p := &pathSeen{Broker: b.label(), Addr: b.Addr, Cluster: b.Cluster, Names: v.o.NameServers}
	t := &tour{v: v, b: b, p: p}
	for _, s := range []struct {
		name string
		fn   func(ctx context.Context) error
	}{{"create topic", t.create}, {"route", t.route}, {"send", t.send}, {"pull", t.pull}} {
		began := time.Now()
		err := s.fn(ctx)
		p.Steps = append(p.Steps, step{s.name, time.Since(began), err})
		if err != nil {
			break
		}
	}
	t.clean(context.WithoutCancel(ctx)) // what was made goes again, however this ends
	return p
}

// failed is the step at which the way ended; nil when it did not.
func (p *pathSeen) failed() *step {
	if n := len(p.Steps); n > 0 && p.Steps[n-1].Err != nil {
		return &p.Steps[n-1]
	}
	return nil
}

// judgePath says where the message got lost, or how long its way took.
func judgePath(p *pathSeen) (all []Finding) {
	if p.Left != nil {
		all = append(all, warning("path", "test-topic-left-behind", p.Broker, "topic %s: %v", TestTopic, p.Left).
			because("it stays on the broker until somebody deletes it", "%s", p.deleteFix()))
	}
	if s := p.failed(); s != nil {
		return append(all, judgeStep(p, s))
	}
	if len(p.Missing) > 0 {
		all = append(all, broken("path", "test-topic-not-in-route", p.Broker, "the broker made topic %s, and %s does not list it", TestTopic, list(p.Missing)).
			because("a topic that is made now is not found by clients of that name server", "name every name server in the broker's namesrvAddr; see in its log why it does not reach one"))
	}
	if p.Differs != "" {
		return append(all, broken("path", "test-message-differs", p.Broker, "%s", p.Differs).
			because("what consumers get is not what was sent", "look at the store (--store DIR) and the host's memory and disk; something between may change bytes"))
	}
	switch p.Code {
	case remoting.RespFlushDiskTimeout:
		all = append(all, warning("path", "disk-too-slow", p.Broker, "code 10: stored, but not on disk within syncFlushTimeout").
			because("producers are told that the message may be lost", "look at the disk's latency; another writer may be on it"))
	case remoting.RespFlushSlaveTimeout, remoting.RespSlaveNotAvailable:
		all = append(all, warning("path", "slave-too-slow", p.Broker, "code %d %s: stored, but on no slave", p.Code, remoting.RespName(p.Code)).
			because("producers are told that there is one copy only", "start the slave, or set brokerRole=ASYNC_MASTER"))
	}
	if p.Exact > 0 {
		skew := judgeSkew(p.Broker, p.Skew, p.Exact)
		skew.Seen = "by the test message: " + skew.Seen
		all = append(all, skew)
	}
	var texts []string
	for _, s := range p.Steps {
		texts = append(texts, s.Name+" "+spanText(s.Took))
	}
	return append(all, ok("path", "test-message-round-trip", p.Broker, "%s", strings.Join(texts, ", ")))
}

func (p *pathSeen) makeTopic() string {
	return adminCommand("updateTopic", "-t", TestTopic, "-b", p.Addr, "-r", "1", "-w", "1")
}

// deleteFix takes the test topic away by a command, which goes by clusters.
func (p *pathSeen) deleteFix() string {
	if p.Cluster == "" {
		return "delete the topic " + TestTopic + " from the broker's cluster"
	}
	return adminCommand("deleteTopic", append([]string{"-t", TestTopic, "-c", p.Cluster}, atNames(p.Names)...)...)
}

func judgeStep(p *pathSeen, s *step) Finding {
	const why = "a message does not get through this broker"
	code := ask.CodeOf(s.Err)
	seen := fmt.Sprintf("at the step %q after %s: %v", s.Name, spanText(s.Took), s.Err)
	switch {
	case code == remoting.RespNoPermission && s.Name == "create topic":
		return unknown("path", "test-topic-refused", p.Broker, "%s", seen).
			because("no message could be tried without a topic", "make it once: %s; then it is used as it is", p.makeTopic())
	case code == remoting.RespNoPermission:
		return broken("path", "test-message-not-permitted", p.Broker, "%s", seen).
			because(why, "see brokerPermission of the broker, perm of the topic %s, and access control", TestTopic)
	case code == remoting.RespServiceNotAvailable:
		return broken("path", "broker-takes-no-messages", p.Broker, "%s", seen).
			because(why, "the remark tells the reason: a full disk, a failed one, a broker that is stopping, or a slave")
	case code == remoting.RespSystemBusy:
		return broken("path", "broker-busy", p.Broker, "%s", seen).because("producers are refused now and then", "look at disk latency and load; a stock broker refuses what waits longer than 200 ms")
	case code == -1:
		return broken("path", "broker-does-not-answer", p.Broker, "%s", seen).because(why, "see the broker's log; it hangs, or its disk does")
	case s.Name == "create topic":
		return unknown("path", "test-topic-refused", p.Broker, "%s", seen).
			because("no message could be tried without a topic", "make it once: %s; then it is used as it is", p.makeTopic())
	case s.Name == "pull":
		return broken("path", "test-message-not-returned", p.Broker, "%s", seen).
			because("messages are acknowledged and cannot be consumed", "see dispatchBehindBytes in %s and the broker's log: its queues are behind, or its disk is full", adminCommand("brokerStatus", "-b", p.Addr))
	}
	return broken("path", "test-message-refused", p.Broker, "%s", seen).because(why, "the remark tells the reason; the broker's log has more")
}
