package doctor

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// groupSetUps are groups that do not consume. Each has topic T with four queues on a broker of ours, and group G. Members answer
// 307 as a Java client does.
var groupSetUps = []struct {
	what     string
	settings []string // of the broker
	state    State
	want     string
	evidence []string // that the finding names
	make     func(r *rig, m *member)
}{
	{"a group that no broker knows, where groups must be made", []string{"autoCreateSubscriptionGroup=false"}, Broken, "group-not-known", []string{"autoCreateSubscriptionGroup=false"}, func(*rig, *member) {}},
	{"a group that has never connected", nil, Warning, "group-not-known", nil, func(*rig, *member) {}},
	{"a group that may not consume", nil, Broken, "group-may-not-consume", []string{"consumeEnable=false"}, func(_ *rig, m *member) {
		m.group(func(g *remoting.SubscriptionGroupConfig) { g.ConsumeEnable = false })
	}},
	{"no member, while messages wait", nil, Broken, "group-has-no-member", []string{"2 messages wait"}, func(_ *rig, m *member) {
		m.group(nil)
		for range 3 {
			m.send("T", 0)
		}
		m.commit("G", "T", 0, 1)
	}},
	{"no member, nothing waits", nil, Warning, "group-has-no-member", nil, func(_ *rig, m *member) { m.group(nil) }},
	{"two members with different subscriptions", nil, Broken, "subscriptions-differ", []string{"c1: T TagA", "c2: T TagB"}, func(r *rig, _ *member) {
		r.member("c1", telling{topic: "T", expression: "TagA", queues: []int{0, 1}})
		r.member("c2", telling{topic: "T", expression: "TagB", queues: []int{2, 3}})
	}},
	{"two members with different message models", nil, Broken, "message-models-differ", []string{"BROADCASTING: c2"}, func(r *rig, _ *member) {
		r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1, 2, 3}})
		r.member("c2", telling{topic: "T", expression: "*", queues: []int{0, 1, 2, 3}, properties: map[string]string{"messageModel": "BROADCASTING"}})
	}},
	{"members that do not know all queues", nil, Broken, "members-on-stale-route", []string{"T broker-a/2", "T broker-a/3", "c1"}, func(r *rig, _ *member) {
		r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1}})
	}},
	{"a member that has queues of an old route", nil, Warning, "members-on-stale-route", []string{"T broker-a/7 (c1)"}, func(r *rig, _ *member) {
		r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1, 2, 3, 7}})
	}},
	{"two members that have the same queues", nil, Warning, "queue-has-two-members", []string{"T broker-a/1 (c1 and c2)"}, func(r *rig, _ *member) {
		r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1}})
		r.member("c2", telling{topic: "T", expression: "*", queues: []int{1, 2, 3}})
	}},
	{"more members than queues", nil, Warning, "more-members-than-queues", []string{"2 members", "4 queues"}, func(r *rig, _ *member) {
		r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1, 2, 3}})
		r.member("c2", telling{topic: "T", expression: "*"})
	}},
	{"a member that asks other name servers", nil, Warning, "member-asks-other-name-servers", []string{"10.1.2.3:9876"}, func(r *rig, _ *member) {
		r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1, 2, 3}, properties: map[string]string{"PROP_NAMESERVER_ADDR": "10.1.2.3:9876"}})
	}},
	{"a member that hangs", nil, Unknown, "member-does-not-tell", []string{"no answer"}, func(r *rig, _ *member) {
		r.o.Timeout = 5 * time.Second
		dial(r.t, r.addr(), nil).beat("c1", "G", "T", "*")
	}},
	{"a topic that the group does not subscribe to", nil, Broken, "topic-not-subscribed", []string{"subscribe to T", "not to Other"}, func(r *rig, m *member) {
		m.topic("Other", 1, 1, 6)
		r.o.Topic = "Other"
		r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1, 2, 3}})
	}},
	{"a listener that does not return", nil, Broken, "listener-does-not-return", []string{"T broker-a/0: 3 behind at offset 0", "32 messages in hand", "c1"}, func(r *rig, m *member) {
		r.o.Clock = func() time.Time { return time.Now().Add(5 * time.Minute) }
		r.late(m, func(q *ask.ProcessQueue) { q.CachedMessages = 32 })
	}},
	{"a listener that is slow", nil, Warning, "group-lags", []string{"3 messages behind in 1 queue", "the oldest was stored 11 min"}, func(r *rig, m *member) {
		const later = 11 * time.Minute
		r.o.Clock = func() time.Time { return time.Now().Add(later) }
		r.late(m, func(q *ask.ProcessQueue) {
			q.CachedMessages = 1
			q.LastConsume, q.LastPull = q.LastConsume+later.Milliseconds(), q.LastPull+later.Milliseconds()
		})
	}},
	{"a member that does not pull", nil, Broken, "member-does-not-pull", []string{"T broker-a/0", "last pulled 5 min"}, func(r *rig, m *member) {
		r.late(m, func(q *ask.ProcessQueue) { q.LastPull -= 301_000 })
	}},
	{"a lock that a client has that is gone", nil, Broken, "queue-lock-held", []string{"T broker-a/0 of c1"}, func(r *rig, m *member) {
		body, _ := json.Marshal(remoting.LockBatch{ConsumerGroup: "G", ClientID: "ghost", MqSet: []remoting.MessageQueue{{Topic: "T", BrokerName: "broker-a", QueueID: 0}}})
		m.must(remoting.CodeLockBatchMq, string(body))
		r.ordered()
	}},
	{"a lock that nobody has", nil, Warning, "queue-not-locked", []string{"T broker-a/1 of c1"}, func(r *rig, _ *member) { r.ordered() }},
	{"a listener that fails", nil, Warning, "listener-fails", []string{"c1 on T", "12 failed"}, func(r *rig, _ *member) {
		r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1, 2, 3}, status: `{"T":{"consumeFailedMsgs":12,"consumeFailedTPS":0.2,"consumeOKTPS":0.0,"consumeRT":1.5,"pullRT":2.0,"pullTPS":1.0}}`})
	}},
	{"progress beyond the end of the queue", nil, Broken, "progress-beyond-the-end", []string{"consumed up to 100, the queue ends at 1"}, func(r *rig, m *member) {
		m.send("T", 0)
		r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1, 2, 3}})
		m.commit("G", "T", 0, 100)
	}},
	{"a topic of the group that may not be read", nil, Broken, "topic-not-readable", []string{"perm=2"}, func(r *rig, m *member) {
		r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1, 2, 3}})
		m.topic("T", 4, 4, 2)
	}},
	{"dead letters", nil, Warning, "dead-letters", []string{"1 messages in %DLQ%G"}, func(r *rig, m *member) {
		r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1, 2, 3}})
		m.topic("%DLQ%G", 1, 1, 6)
		m.send("%DLQ%G", 0)
	}},
}

// group makes group G.
func (m *member) group(change func(*remoting.SubscriptionGroupConfig)) {
	m.t.Helper()
	g := remoting.NewSubscriptionGroupConfig("G")
	if change != nil {
		change(&g)
	}
	body, err := json.Marshal(&g)
	if err != nil {
		m.t.Fatal(err)
	}
	m.must(remoting.CodeUpdateAndCreateSubscriptiongroup, string(body))
}

// late has a member that is three messages behind in queue 0.
func (r *rig) late(m *member, change func(*ask.ProcessQueue)) {
	for range 3 {
		m.send("T", 0)
	}
	r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1, 2, 3}, change: change})
	m.commit("G", "T", 0, 0)
}

// ordered has a member that consumes in order and has no lock.
func (r *rig) ordered() {
	r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1, 2, 3}, properties: map[string]string{"PROP_CONSUMEORDERLY": "true"},
		change: func(q *ask.ProcessQueue) { q.LastLock -= 90_000 }})
}

func TestGroupSetUps(t *testing.T) {
	for _, c := range groupSetUps {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c.settings...)
			m := dial(t, r.addr(), nil)
			m.topic("T", 4, 4, 6)
			r.o.Group = "G"
			c.make(r, m)
			all := Run(t.Context(), r.o).Findings
			diagnosed(t, all, c.state, c.want)
			for _, f := range all {
				if f.Name != c.want || f.State != c.state {
					continue
				}
				for _, e := range c.evidence {
					if !strings.Contains(f.Seen, e) {
						t.Errorf("%q is not in %q", e, f.Seen)
					}
				}
			}
		})
	}
}

// TestLocksAreGivenBack: what is asked for to see whether it can be had is had by others right after.
func TestLocksAreGivenBack(t *testing.T) {
	r := newRig(t)
	m := dial(t, r.addr(), nil)
	m.topic("T", 4, 4, 6)
	r.ordered()
	r.o.Group = "G"
	diagnosed(t, Run(t.Context(), r.o).Findings, Warning, "queue-not-locked")
	body, _ := json.Marshal(remoting.LockBatch{ConsumerGroup: "G", ClientID: "c1", MqSet: []remoting.MessageQueue{{Topic: "T", BrokerName: "broker-a", QueueID: 0}}})
	if got := string(m.must(remoting.CodeLockBatchMq, string(body)).Body); !strings.Contains(got, "queueId") {
		t.Error("the lock was kept:", got)
	}
	r.o.NoMessage = true
	for _, f := range Run(t.Context(), r.o).Findings {
		if f.Name == "queue-lock-held" || f.Name == "queue-not-locked" {
			t.Error("locks were asked for:", f.Seen)
		}
	}
}
