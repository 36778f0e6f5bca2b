package broker

import (
	"errors"
	"testing"
	"time"

	"ringmq/broker/lag"
	"ringmq/netpoll/remoting"
)

// TestLagOfAQueueBesideManyThatMove: more queues move than are asked for in a look. The one that stands still has its turn all the same.
func TestLagOfAQueueBesideManyThatMove(t *testing.T) {
	t.Parallel()
	const queues, moving, still, looks = 100, 70, 90, 4
	r := newLagRig(t)
	want(t, r.c.call(request(remoting.CodeUpdateAndCreateTopic, "topic", "T", "readQueueNums", queues, "writeQueueNums", queues, "perm", 6, "topicFilterType", "SINGLE_TAG")), 0, made.Remark)
	r.join()
	want(t, r.c.call(sendTo("T", still, "", "x")), 0, "")
	r.visibleMax("T", still, 1)
	oldest := r.broker.store.StoreTimeAt([]byte("T"), still, 0)
	until(t, "a later time", func() bool { return time.Now().UnixMilli() > oldest })
	for queue := range moving {
		for range looks + 1 {
			want(t, r.c.call(sendTo("T", queue, "", "x")), 0, "")
		}
		r.visibleMax("T", int32(queue), looks+1)
	}
	r.commit(still, 0)
	for look := range looks {
		for queue := range moving {
			r.commit(queue, int64(look))
		}
		r.turn(lagLookEvery)
	}
	if got, want := r.state().BehindMs, r.now.UnixMilli()-oldest; oldest <= 0 || got != want {
		t.Errorf("%d ms behind, the oldest message is %d ms old", got, want)
	}
}

// TestLagAfterAReadThatFailed: the age is asked for again, although the group has not moved.
func TestLagAfterAReadThatFailed(t *testing.T) {
	t.Parallel()
	r, f := coldStoreAltered(t, 10, Options{}, func(b *Broker) { b.lags.every = time.Hour }, "lagAlarmMessages=5")
	c := r.dial()
	want(t, c.call(beat("the-client", "G", "Cold", "*", 1)), 0, "")
	want(t, c.call(commit("G", "Cold", 0, 3)), 0, "")
	l := &lagRig{rig: r, c: c, w: r.broker.lags, now: time.Now()}
	behind := func() int64 {
		l.turn(lagLookEvery)
		for _, s := range *l.w.last.Load() {
			if s.Group == "G" && s.Topic == "Cold" && s.Diff == 7 {
				return s.BehindMs
			}
		}
		t.Fatal("the look found nothing")
		return 0
	}
	f.FailReads(errors.New("not now"))
	if ms := behind(); ms != 0 {
		t.Errorf("%d ms behind, the disk does not say", ms)
	}
	f.FailReads(nil)
	got, oldest := int64(0), r.broker.store.StoreTimeAt([]byte("Cold"), 0, 3)
	until(t, "the age is known", func() bool { got = behind(); return got > 0 })
	if want := l.now.UnixMilli() - oldest; oldest <= 0 || got != want {
		t.Errorf("%d ms behind, the oldest message is %d ms old", got, want)
	}
}

// TestAgeBookIsBounded: of more queues than it has room for the ages stay unknown; those that it knows it goes on reading.
func TestAgeBookIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	for range 2 {
		want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	}
	r.visibleMax("T", 0, 2)
	book := newAgeBook(r.broker)
	k := lagQueue{Key: lag.Key{Group: "G", Topic: "T"}}
	asked := func(offset int64) bool {
		book.ask(map[lagQueue]lagAge{k: {offset: offset}}, patience)
		at, known := book.at(k, offset)
		return known && at == r.broker.store.StoreTimeAt([]byte("T"), 0, offset)
	}
	for i := range maxAges {
		book.known[lagQueue{id: int32(i), pulled: true}] = lagAge{}
	}
	if asked(0) || len(book.known) != maxAges {
		t.Error(len(book.known), "ages are known")
	}
	delete(book.known, lagQueue{pulled: true})
	if !asked(0) || !asked(1) || len(book.known) != maxAges {
		t.Error("the age is not known while there is room")
	}
	book.forget()
	if _, known := book.at(k, 1); !known || len(book.known) != 1 {
		t.Error(len(book.known), "ages are known of those that were looked at")
	}
	book.forget()
	if book.forget(); len(book.known) != 0 {
		t.Error(len(book.known), "ages are known of queues that nobody looks at")
	}
}
