package broker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ringmq/broker/member"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// bodies lists the messages of a pull's answer.
func bodies(t testing.TB, a *remoting.Command) []string {
	t.Helper()
	var all []string
	for rest := a.Body; len(rest) > 0; {
		var m record.Record
		if err := m.Parse(rest); err != nil {
			t.Fatal(err)
		}
		if err := m.VerifyBody(); err != nil {
			t.Fatal(err)
		}
		all = append(all, string(m.Body))
		rest = rest[m.TotalSize:]
	}
	return all
}

func (r *rig) visibleMax(topic string, queue int32, offset int64) {
	r.t.Helper()
	until(r.t, fmt.Sprintf("%s %d at %d", topic, queue, offset), func() bool { return r.broker.store.MaxOffset([]byte(topic), queue) >= offset })
}

func (r *rig) heldNow(n int64) {
	r.t.Helper()
	until(r.t, fmt.Sprint(n, " pulls held"), func() bool { return r.broker.holds.count.Load() == n })
}

func TestHeldPullWakesWithItsTag(t *testing.T) {
	r := newRig(t)
	c, p := r.dial(), r.dial()
	want(t, p.call(sendTo("Held", 0, "TAGS\x01B\x02", "before")), 0, "")
	r.visibleMax("Held", 0, 1)
	any := c.start(pullOf("G1", "Held", 0, 1, "*", time.Minute))
	tagged := c.start(pullOf("G2", "Held", 0, 1, "A||C", time.Minute))
	r.heldNow(2)
	want(t, p.call(sendTo("Held", 0, "TAGS\x01B\x02", "other tag")), 0, "")
	if got := bodies(t, await(t, any)); len(got) != 1 || got[0] != "other tag" {
		t.Fatal(got)
	}
	r.heldNow(1)
	want(t, p.call(sendTo("Held", 0, "TAGS\x01C\x02", "its tag")), 0, "")
	a := await(t, tagged)
	if got := bodies(t, a); len(got) != 1 || got[0] != "its tag" || a.Text("nextBeginOffset") != "3" {
		t.Fatal(got, a.Text("nextBeginOffset"))
	}
	r.heldNow(0)
}

func TestHeldPullMovesOverMessagesOfOtherTags(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, p := r.dial(), r.dial()
	want(t, p.call(sendTo("Over", 0, "TAGS\x01B\x02", "1")), 0, "")
	r.visibleMax("Over", 0, 1)
	a := c.start(pullOf("G", "Over", 0, 1, "A", time.Minute))
	r.heldNow(1)
	want(t, p.call(sendTo("Over", 0, "TAGS\x01B\x02", "2")), 0, "")
	got := await(t, a)
	want(t, got, remoting.RespPullRetryImmediately, "NO_MATCHED_MESSAGE")
	if got.Text("nextBeginOffset") != "2" || len(got.Body) != 0 {
		t.Fatal(got.Text("nextBeginOffset"))
	}
}

func TestHeldPullEnds(t *testing.T) {
	r := newRig(t)
	c, p := r.dial(), r.dial()
	want(t, p.call(sendTo("End", 0, "", "1")), 0, "")
	r.visibleMax("End", 0, 1)
	began := time.Now()
	want(t, c.call(pullOf("G", "End", 0, 1, "*", 60*time.Millisecond)), remoting.RespPullNotFound, "OFFSET_OVERFLOW_ONE")
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Fatal("held for", took)
	}
	want(t, c.call(pullOf("G", "End", 1, 0, "*", 10*time.Millisecond)), remoting.RespPullNotFound, "NO_MESSAGE_IN_QUEUE")
	want(t, c.call(pullOf("G", "End", 1, 5, "*", time.Minute)), remoting.RespPullOffsetMoved, "NO_MESSAGE_IN_QUEUE")
	// A connection takes its pulls with it.
	gone := r.dial()
	_ = gone.start(pullOf("G", "End", 0, 1, "*", time.Minute))
	r.heldNow(1)
	gone.Close()
	r.heldNow(0)
	// A closing broker answers them.
	last := c.start(pullOf("G", "End", 0, 1, "*", time.Minute))
	r.heldNow(1)
	r.stopBroker()
	want(t, await(t, last), remoting.RespPullNotFound, "OFFSET_OVERFLOW_ONE")
}

func TestClosingBrokerTakesNoSends(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	r.broker.closing.Store(true)
	a := c.call(sendTo("T", 0, "", "x"))
	if a.Code != remoting.RespServiceNotAvailable || !strings.Contains(string(a.Remark), "the broker's disk is full [CL: ") {
		t.Fatal(a.Code, string(a.Remark))
	}
	r.broker.closing.Store(false)
}

func TestShortPolling(t *testing.T) {
	r := newRig(t, "longPollingEnable=false", "shortPollingTimeMills=20")
	c := r.dial()
	want(t, c.call(sendTo("Short", 0, "", "1")), 0, "")
	r.visibleMax("Short", 0, 1)
	want(t, c.call(pullOf("G", "Short", 0, 1, "*", 10*time.Minute)), remoting.RespPullNotFound, "OFFSET_OVERFLOW_ONE")
}

func TestPullRules(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	for i := range 40 {
		want(t, c.call(sendTo("Rules", 0, "TAGS\x01"+string(rune('A'+i%2))+"\x02", fmt.Sprint(i))), 0, "")
	}
	r.visibleMax("Rules", 0, 40)
	a := c.call(pullOf("G", "Rules", 0, 3, "*", 0))
	if got := bodies(t, a); len(got) != 32 || got[0] != "3" || a.Text("nextBeginOffset") != "35" || a.Text("maxOffset") != "40" || a.Text("minOffset") != "0" || a.Text("suggestWhichBrokerId") != "0" {
		t.Fatal(len(got), names(a))
	}
	if got := bodies(t, c.call(pullOf("G", "Rules", 0, 0, " B || X ", 0))); len(got) != 16 && len(got) != 20 || got[0] != "1" {
		t.Fatal(got)
	}
	want(t, c.call(pullOf("G", "Rules", 0, 41, "*", 0)), remoting.RespPullOffsetMoved, "OFFSET_OVERFLOW_BADLY")
	want(t, c.call(pullOf("G", "Rules", 0, -1, "*", 0)), remoting.RespPullOffsetMoved, "OFFSET_TOO_SMALL")
	want(t, c.call(pullOf("G", "Rules", 0, 0, "||", 0)), remoting.RespSubscriptionParseFailed, "parse the consumer's subscription failed")
	sql := pullOf("G", "Rules", 0, 0, "a > 1", 0)
	sql.Ext[len(sql.Ext)-2].Value = []byte("SQL92")
	want(t, c.call(sql), remoting.RespSystemError, "The broker does not support consumer to filter message by SQL92")
	group := remoting.NewSubscriptionGroupConfig("Off")
	group.ConsumeEnable = false
	r.broker.groups.Put(group)
	off := c.call(pullOf("Off", "Rules", 0, 0, "*", 0))
	want(t, off, remoting.RespNoPermission, "subscription group no permission, Off")
	if off.Text("forbiddenType") != "2" {
		t.Fatal(off.Text("forbiddenType"))
	}
	r.broker.topics.Put(remoting.NewTopicConfig("WriteOnly", 1, remoting.PermWrite))
	want(t, c.call(pullOf("G", "WriteOnly", 0, 0, "*", 0)), remoting.RespNoPermission, "the topic[WriteOnly] pulling message is forbidden")
}

func TestPullCommitsAndTellsOfAReset(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	for range 3 {
		want(t, c.call(sendTo("Commit", 0, "", "x")), 0, "")
	}
	r.visibleMax("Commit", 0, 3)
	pull := request(remoting.CodePullMessage, "consumerGroup", "G", "topic", "Commit", "queueId", 0, "queueOffset", 0, "maxMsgNums", 32,
		"sysFlag", remoting.PullSubscription|remoting.PullCommitOffset, "commitOffset", 2, "suspendTimeoutMillis", 0, "subscription", "*", "subVersion", 0)
	want(t, c.call(pull), 0, "FOUND")
	query := request(remoting.CodeQueryConsumerOffset, "consumerGroup", "G", "topic", "Commit", "queueId", 0)
	if a := c.call(query); a.Text("offset") != "2" {
		t.Fatal(a.Code, a.Text("offset"))
	}
	r.broker.offsets.Reset([]byte("G"), []byte("Commit"), 0, 1)
	want(t, c.call(request(remoting.CodeUpdateConsumerOffset, "consumerGroup", "G", "topic", "Commit", "commitOffset", 3)), remoting.RespInvalidParameter, "QueueId is null, topic is Commit")
	want(t, c.call(request(remoting.CodeUpdateConsumerOffset, "consumerGroup", "G", "topic", "Commit", "queueId", 0)), remoting.RespInvalidParameter, "Offset is null, topic is Commit")
	commit := request(remoting.CodeUpdateConsumerOffset, "consumerGroup", "G", "topic", "Commit", "queueId", 0, "commitOffset", 3)
	want(t, c.call(commit), 0, "Offset has been previously reset")
	a := c.call(pullOf("G", "Commit", 0, 3, "*", 0))
	want(t, a, remoting.RespPullOffsetMoved, "OFFSET_RESET")
	if a.Text("nextBeginOffset") != "1" || a.Text("maxOffset") != "3" {
		t.Fatal(a.Text("nextBeginOffset"), a.Text("maxOffset"))
	}
	want(t, c.call(commit), 0, "")
	want(t, c.call(pullOf("G", "Commit", 0, 1, "*", 0)), 0, "FOUND")
}

func TestColdPullsAreReadOnAWorker(t *testing.T) {
	r := newRig(t, "tailCacheBytes=1048576")
	c := r.dial()
	body := strings.Repeat("b", 64<<10)
	for range 64 {
		want(t, c.call(sendTo("Cold", 0, "", body)), 0, "")
	}
	r.visibleMax("Cold", 0, 64)
	a := c.call(pullOf("G", "Cold", 0, 0, "*", 0))
	if got := bodies(t, a); a.Code != 0 || len(got) == 0 || got[0] != body {
		t.Fatal(a.Code, string(a.Remark), len(got))
	}
}

func TestTagExpressions(t *testing.T) {
	for _, test := range []struct {
		text    string
		filters bool
		codes   int
		bad     bool
	}{
		{"", false, 0, false}, {"*", false, 0, false}, {"A", true, 1, false}, {" A || B||", true, 2, false}, {" * ", true, 1, false}, {"  ", true, 0, false},
		{"||", true, 0, true}, {"||||", true, 0, true}, {"A||*", true, 2, false},
		{strings.Repeat("b||a||", 10_000), true, 2, false}, {strings.Repeat(" ", member.MaxSubscriptionBytes-1) + "A", true, 1, false},
		{strings.Repeat(" ", member.MaxSubscriptionBytes) + "A", true, 0, true},
	} {
		var f tagFilter
		filters, err := f.expression([]byte(test.text))
		if (err != nil) != test.bad || err == nil && filters != test.filters || len(f.codes) != test.codes {
			t.Errorf("%.40q: %v %v %v", test.text, filters, f.codes, err)
		}
	}
	for _, tags := range [][]string{{"C", "A", "B"}, {"B", "\x7f\x7f\x7f\x7f\x7f\x7f", "A", "B"}} { // the long one has a code below 0
		var f tagFilter
		if _, err := f.expression([]byte(strings.Join(tags, " || "))); err != nil || !slices.IsSorted(f.codes) {
			t.Error(tags, f.codes, err)
		}
		for _, tag := range tags {
			if !f.wanted(record.TagsCode([]byte(tag))) {
				t.Errorf("%q of %q is not wanted", tag, tags)
			}
		}
		if f.wanted(record.TagsCode([]byte("D"))) {
			t.Error(tags, "and another")
		}
	}
	f := tagFilter{codes: []int32{record.JavaHash([]byte("Aa"))}}
	if !f.wanted(record.TagsCode([]byte("BB"))) || f.wanted(0) || f.wanted(record.TagsCode([]byte("aa"))) {
		t.Error("tags are told apart by their hash")
	}
}

// TestAnswersOfAllLengthsInOneTurn: the room that is left for an answer's head comes from the one before, whatever its length.
func TestAnswersOfAllLengthsInOneTurn(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	const messages = 120
	for n := range messages {
		want(t, c.call(sendTo("Turn", 0, "", fmt.Sprint("message ", n))), 0, "")
	}
	r.visibleMax("Turn", 0, messages)
	var frames []byte
	offsets := []int64{0, 99, 5, 110, 119, 200, 8, 100, 1}
	for i, offset := range offsets {
		cmd := pullOf("G", "Turn", 0, offset, "*", 0)
		cmd.Encoding = remoting.Encoding(i / 2 % 2)
		frames = append(frames, encodedAs(int32(i), cmd)...)
	}
	w := r.wire()
	for range 3 {
		if _, err := w.conn.Write(frames); err != nil {
			t.Fatal(err)
		}
		for i, offset := range offsets {
			w.exchange(nil, 1)
			a := w.answer()
			if a.Opaque != int32(i) || a.Encoding != remoting.Encoding(i/2%2) {
				t.Fatal(a.Opaque, a.Encoding)
			}
			got := bodies(t, a)
			if n := max(min(32, messages-offset), 0); int64(len(got)) != n || n > 0 && a.Text("nextBeginOffset") != fmt.Sprint(offset+n) {
				t.Fatal(offset, len(got), a.Text("nextBeginOffset"))
			}
			for k, body := range got {
				if body != fmt.Sprint("message ", offset+int64(k)) {
					t.Fatal(offset, k, body)
				}
			}
		}
	}
}

// TestTagsSaidOftenAreOne: what the dispatcher looks through for every message does not grow with how often a client says the same.
func TestTagsSaidOftenAreOne(t *testing.T) {
	r := newRig(t)
	c, p := r.dial(), r.dial()
	want(t, p.call(sendTo("Often", 0, "TAGS\x01B\x02", "1")), 0, "")
	r.visibleMax("Often", 0, 1)
	want(t, c.call(pullOf("G", "Often", 0, 0, strings.Repeat("B||", 1<<20), 0)), remoting.RespSubscriptionParseFailed, "parse the consumer's subscription failed")
	d := remoting.HeartbeatData{ClientID: "c", ConsumerDataSet: []remoting.ConsumerData{{GroupName: "G", MessageModel: "CLUSTERING", SubscriptionDataSet: []remoting.SubscriptionData{{
		Topic: "Often", SubString: "several", SubVersion: 1, CodeSet: slices.Repeat(remoting.CodeSet{record.JavaHash([]byte("B")), record.JavaHash([]byte("A"))}, 8000),
	}}}}}
	body, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want(t, c.call(withText(remoting.CodeHeartBeat, string(body))), 0, "")
	subscribed := request(remoting.CodePullMessage, "consumerGroup", "G", "topic", "Often", "queueId", 0, "queueOffset", 1, "maxMsgNums", 32,
		"sysFlag", remoting.PullSuspend, "commitOffset", 0, "suspendTimeoutMillis", time.Minute.Milliseconds(), "subVersion", 1)
	answers := []<-chan *remoting.Command{c.start(subscribed), c.start(pullOf("G", "Often", 0, 1, strings.Repeat("B||A||", 10_000), time.Minute))}
	r.heldNow(2)
	if n := r.broker.holds.bytes.Held(); n > 2<<10 {
		t.Error(n, "bytes held for two tags, twice")
	}
	want(t, p.call(sendTo("Often", 0, "TAGS\x01A\x02", "2")), 0, "")
	for _, a := range answers {
		if got := bodies(t, await(t, a)); len(got) != 1 || got[0] != "2" {
			t.Error(got)
		}
	}
}
