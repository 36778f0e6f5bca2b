package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// fill has the tables take so many bytes, with a few long entries.
func (r *rig) fill(topics, groups int64) {
	r.t.Helper()
	b := r.broker
	for i := 0; b.topics.Bytes() < topics; i++ {
		c := remoting.NewTopicConfig(fmt.Sprint("Long", i), 1, remoting.PermRead|remoting.PermWrite)
		c.Attributes = map[string]string{"a": strings.Repeat("x", int(min(topics-b.topics.Bytes(), 256<<10)))}
		b.topics.Put(c)
	}
	for i := 0; b.groups.Bytes() < groups; i++ {
		g := remoting.NewSubscriptionGroupConfig(fmt.Sprint("Long", i))
		g.Attributes = map[string]string{"a": strings.Repeat("x", int(min(groups-b.groups.Bytes(), 256<<10)))}
		b.groups.Put(g)
	}
}

func beatOf(t *testing.T, groups ...string) *remoting.Command {
	t.Helper()
	d := remoting.HeartbeatData{ClientID: "c"}
	for _, g := range groups {
		d.ConsumerDataSet = append(d.ConsumerDataSet, remoting.ConsumerData{GroupName: g, MessageModel: "CLUSTERING"})
	}
	body, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return withText(remoting.CodeHeartBeat, string(body))
}

func refused(t *testing.T, a *remoting.Command, code int32, remark string) {
	t.Helper()
	if a.Code != code || !strings.Contains(string(a.Remark), remark) {
		t.Errorf("answer %d %q, want %d and %q", a.Code, a.Remark, code, remark)
	}
}

// TestClientsMakeNoTableLongerThanAFrame: beyond the bounds a send finds no topic and a heartbeat makes no group, as if it were not
// allowed, and a group that is there has its retries as long as a frame holds them.
func TestClientsMakeNoTableLongerThanAFrame(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("Early", 0, "", "1")), 0, "")
	r.fill(clientTopicBytes, 0)
	refused(t, c.call(sendTo("Late", 0, "", "1")), remoting.RespTopicNotExist, "apply first")
	want(t, c.call(sendTo("Early", 0, "", "2")), 0, "")
	want(t, c.call(beatOf(t, "G1")), 0, "")
	if _, ok := r.broker.topics.Lookup("%RETRY%G1"); !ok {
		t.Error("a group has no retries")
	}
	r.fill(groupTopicBytes, 0)
	want(t, c.call(beatOf(t, "G2")), 0, "")
	if _, ok := r.broker.topics.Lookup("%RETRY%G2"); ok {
		t.Error("a topic beyond the bound")
	}
	refused(t, c.call(sendTo("%RETRY%G2", 0, "", "1")), remoting.RespTopicNotExist, "")
	r.fill(remoting.MaxFrameBytes+1, 0) // by administrators
	want(t, c.call(beatOf(t, "G2")), 0, "")
	if _, ok := r.broker.topics.Lookup("%RETRY%G2"); !ok {
		t.Error("administrators made many topics, and a group has no retries")
	}
	r.fill(0, clientGroupBytes)
	want(t, c.call(beatOf(t, "G3", "G1")), 0, "")
	if _, ok := r.broker.groups.Lookup("G3"); ok || !strings.Contains(c.members("G1"), `"c"`) {
		t.Error("a group beyond the bound, or a known one without its member")
	}
	refused(t, c.call(pullOf("G3", "Early", 0, 0, "*", time.Second)), remoting.RespSubscriptionGroupNotExist, "")
	if a := c.call(pullOf("G1", "Early", 0, 0, "*", time.Second)); a.Code != 0 {
		t.Error(a.Code, string(a.Remark))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience) // the broker writes all of it before it knows
	defer cancel()
	all, err := c.Call(ctx, request(remoting.CodeGetAllTopicConfig))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, all, remoting.RespSystemError, "a frame holds")
}

// TestLongTablesAreCopied: those of administrators, which no frame holds as they are.
func TestLongTablesAreCopied(t *testing.T) {
	long := int64(17 << 20)
	if raceEnabled {
		long = 1 << 20 // compressed all the same; longer ones take longer than a call may
	}
	p := newPair(t)
	p.master.fill(long, long)
	m, s := p.master.broker, p.slave.broker
	s.replication.sync.poke()
	until(t, "tables copied", func() bool { return s.topics.Len() >= m.topics.Len() && s.groups.Len() >= m.groups.Len() })
	if s.topics.Bytes() < long || s.groups.Bytes() < long {
		t.Error(s.topics.Bytes(), s.groups.Bytes())
	}
}
