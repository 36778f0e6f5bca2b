package member

import (
	"fmt"
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestWhatAHeartbeatMaySay: every text has a bound, and clients that say much are within it.
func TestWhatAHeartbeatMaySay(t *testing.T) {
	tags := func(n int, tag string) remoting.SubscriptionData {
		s := sub("T", 1)
		for range n {
			s.SubString += tag + "||"
			s.TagsSet = append(s.TagsSet, tag)
			s.CodeSet = append(s.CodeSet, 1)
		}
		return s
	}
	long := strings.Repeat("x", maxNameBytes+1)
	very := strings.Repeat("x", MaxSubscriptionBytes)
	of := func(change func(d *remoting.HeartbeatData)) *remoting.HeartbeatData {
		d := beat("g", sub("T", 1))
		d.ProducerDataSet = []remoting.ProducerData{{GroupName: "p"}}
		change(d)
		return d
	}
	subs := func(n int, s remoting.SubscriptionData) func(d *remoting.HeartbeatData) {
		return func(d *remoting.HeartbeatData) {
			for i := range n {
				s.Topic = fmt.Sprint("T", i)
				d.ConsumerDataSet[0].SubscriptionDataSet = append(d.ConsumerDataSet[0].SubscriptionDataSet, s)
			}
		}
	}
	for _, test := range []struct {
		what string
		d    *remoting.HeartbeatData
		fits bool
	}{
		{"nothing special", of(func(*remoting.HeartbeatData) {}), true},
		{"hundreds of subscriptions", of(subs(500, tags(800, "tagName"))), true},
		{"the most subscriptions", of(subs(MaxSubscriptionsPerGroup-1, sub("", 1))), true},
		{"too many subscriptions", of(subs(MaxSubscriptionsPerGroup, sub("", 1))), false},
		{"the longest names", of(func(d *remoting.HeartbeatData) { d.ClientID, d.ProducerDataSet[0].GroupName = long[1:], long[1:] }), true},
		{"client id", of(func(d *remoting.HeartbeatData) { d.ClientID = long }), false},
		{"producer group", of(func(d *remoting.HeartbeatData) { d.ProducerDataSet[0].GroupName = long }), false},
		{"consume type", of(func(d *remoting.HeartbeatData) { d.ConsumerDataSet[0].ConsumeType = long }), false},
		{"message model", of(func(d *remoting.HeartbeatData) { d.ConsumerDataSet[0].MessageModel = long }), false},
		{"consume from where", of(func(d *remoting.HeartbeatData) { d.ConsumerDataSet[0].ConsumeFromWhere = long }), false},
		{"the longest expression", of(subs(1, tags(MaxSubscriptionBytes/13, "tagName"))), true},
		{"expression", of(subs(1, remoting.SubscriptionData{SubString: very})), false},
		{"expression type", of(subs(1, remoting.SubscriptionData{ExpressionType: very})), false},
		{"a tag", of(subs(1, remoting.SubscriptionData{TagsSet: []string{very}})), false},
		{"many tags of nothing", of(subs(1, remoting.SubscriptionData{TagsSet: make([]string, MaxSubscriptionBytes)})), false},
		{"codes", of(subs(1, remoting.SubscriptionData{CodeSet: make(remoting.CodeSet, MaxSubscriptionBytes)})), false},
		{"all together", of(subs(1000, remoting.SubscriptionData{SubString: very[1000:]})), false},
	} {
		if refusal := New(newTicker().read).Fits(1, test.d); (refusal == "") != test.fits {
			t.Errorf("%s: %q", test.what, refusal)
		}
	}
}

// TestClientsThatSayVeryMuch fill no more than there is, leave room for others, are not refused what they have, and leave nothing.
func TestClientsThatSayVeryMuch(t *testing.T) {
	text := strings.Repeat("x", 60<<10)
	much := func(group string, version int64, topics int) *remoting.HeartbeatData {
		d := beat(group)
		for i := range topics {
			s := sub(fmt.Sprint("T", i), version)
			s.SubString = text
			d.ConsumerDataSet[0].SubscriptionDataSet = append(d.ConsumerDataSet[0].SubscriptionDataSet, s)
		}
		return d
	}
	// A group that keeps what is newer than what a member says, and so grows by a topic at a time.
	slowly := func(n int) *remoting.HeartbeatData {
		d := much("slowly", 1, n+1)
		for i := range n {
			d.ConsumerDataSet[0].SubscriptionDataSet[i].SubString = "*"
			d.ConsumerDataSet[0].SubscriptionDataSet[i].SubVersion = 0
		}
		return d
	}
	for _, test := range []struct {
		what string
		conn func(n int) uint64
		says func(n int) *remoting.HeartbeatData
	}{
		{"each a group", func(n int) uint64 { return uint64(n) }, func(n int) *remoting.HeartbeatData { return much(fmt.Sprint("g", n), 1, 15) }},
		{"one after the other", func(int) uint64 { return 1 }, func(n int) *remoting.HeartbeatData { return much(fmt.Sprint("g", n), 1, 5) }},
		{"a topic at a time", func(int) uint64 { return 1 }, slowly},
		{"producers", func(n int) uint64 { return uint64(n) }, func(n int) *remoting.HeartbeatData {
			d := &remoting.HeartbeatData{}
			for i := range 500 {
				d.ProducerDataSet = append(d.ProducerDataSet, remoting.ProducerData{GroupName: text[:1000] + fmt.Sprint(n, "-", i)})
			}
			return d
		}},
	} {
		t.Run(test.what, func(t *testing.T) {
			const rounds = 200
			m := New(newTicker().read)
			m.most = 16 << 20
			taken := 0
			for n := range rounds {
				if d := test.says(n); m.Fits(test.conn(n), d) == "" {
					m.Heartbeat(client(test.conn(n), "c"), d, always)
					taken++
				}
			}
			if taken == 0 || taken == rounds || m.held() > m.most {
				t.Fatal(taken, "taken,", m.held(), "bytes")
			}
			if refusal := m.Fits(9999, beat("other", sub("T", 1), sub("U", 1))); refusal != "" {
				t.Error("another client:", refusal)
			}
			if refusal := m.Fits(test.conn(0), test.says(0)); refusal != "" {
				t.Error("the same again:", refusal)
			}
			for n := range rounds {
				m.ConnClosed(test.conn(n), always)
			}
			if n := m.held(); n != 0 || len(m.byConn)+len(m.conns) != 0 {
				t.Error("left over:", n, "bytes")
			}
		})
	}
}

// TestManyMembersOfOneGroup: what they share is held once, however many say it.
func TestManyMembersOfOneGroup(t *testing.T) {
	m := New(newTicker().read)
	const members, topics = 300, 100
	var subs []remoting.SubscriptionData
	for i := range topics {
		subs = append(subs, sub(fmt.Sprint("topic-of-some-length-", i), 1))
	}
	for conn := range uint64(members) {
		d := beat("g", subs...)
		if refusal := m.Fits(conn, d); refusal != "" {
			t.Fatal(conn, refusal)
		}
		m.Heartbeat(client(conn, "10.0.0.1@12345#1234567890123"), d, always)
	}
	if n := m.held(); n < members*memberBytes || n > (members+topics)*500 {
		t.Error(n, "bytes")
	}
	for conn := range uint64(members) {
		m.Unregister(conn, "", "g", always)
	}
	if n := m.held(); n != 0 {
		t.Error("left over:", n)
	}
}
