package meta

import (
	"errors"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/netpoll/remoting"
)

func TestGroups(t *testing.T) {
	auto, changes := true, 0
	g, err := NewGroups([]byte(`{"dataVersion":{"counter":7,"stateVersion":0,"timestamp":5},"forbiddenTable":{"old":{"T":4,"U":3,"V":-1}},"subscriptionGroupTable":{"old":{"retryMaxTimes":3,"consumeEnable":false}}}`),
		clock, func() bool { return auto }, roomy, func() { changes++ })
	if err != nil {
		t.Fatal(err)
	}
	if old, ok := g.Lookup("old"); !ok || old.GroupName != "old" || old.RetryMaxTimes != 3 {
		t.Fatal(old, ok)
	}
	if g.Len() != 1+len(bornGroups) || changes != 0 || g.Version().Counter != 7 {
		t.Fatal(g.Len(), changes, g.Version())
	}
	if !g.Forbidden("old", []byte("T")) || g.Forbidden("old", []byte("U")) || g.Forbidden("old", []byte("V")) || g.Forbidden("new", []byte("T")) {
		t.Fatal("forbidden")
	}
	made := g.Find([]byte("new"))
	if made == nil || made.RetryMaxTimes != 16 || made.RetryQueueNums != 1 || !made.ConsumeEnable || changes != 1 || g.Version().Counter != 8 {
		t.Fatal(made, changes)
	}
	if g.Find([]byte("new")) != made {
		t.Fatal("made twice")
	}
	auto = false
	if g.Find([]byte("other")) != nil || g.Find([]byte("CID_RMQ_SYS_x")) == nil {
		t.Fatal("only system groups are made while autoCreateSubscriptionGroup is false")
	}
	auto = true
	if g.Find([]byte("a b")) != nil || g.Find([]byte(strings.Repeat("x", 256))) != nil {
		t.Fatal("illegal names")
	}
	c := remoting.NewSubscriptionGroupConfig("new")
	c.RetryMaxTimes = 2
	if err := g.Alter(c); err != nil || g.Find([]byte("new")).RetryMaxTimes != 2 || made.RetryMaxTimes != 16 {
		t.Fatal(err)
	}
	c.Attributes = map[string]string{"+x": "1"}
	if err := g.Alter(c); err == nil || err.Error() != "unsupported key: x" {
		t.Fatal(err)
	}
	if !g.Delete("old") || g.Delete("old") || g.Forbidden("old", []byte("T")) {
		t.Fatal("delete")
	}
	if table := g.Table(); len(table.ForbiddenTable) != 0 || table.SubscriptionGroupTable["old"] != nil || table.SubscriptionGroupTable["TOOLS_CONSUMER"] == nil {
		t.Fatal(table)
	}
}

func TestOffsets(t *testing.T) {
	o, err := NewOffsets([]byte(`{"offsetTable":{"T@g":{0:5,1:7},"T@g@127.0.0.1@c":{0:1}}}`), clock)
	if err != nil {
		t.Fatal(err)
	}
	g, topic := []byte("g"), []byte("T")
	if v, ok := o.Query(g, topic, 1); v != 7 || !ok {
		t.Fatal(v, ok)
	}
	if _, ok := o.Query(g, topic, 2); ok {
		t.Fatal("a queue nobody committed to")
	}
	if !o.Commit(g, topic, 1, 3) {
		t.Fatal("progress may go backwards")
	}
	o.Reset(g, topic, 0, 2)
	if o.Commit(g, topic, 0, 9) {
		t.Fatal("a commit before the reset was told")
	}
	if v, _ := o.Query(g, topic, 0); v != 2 {
		t.Fatal(v)
	}
	if v, ok := o.TakeReset(g, topic, 0); v != 2 || !ok {
		t.Fatal(v, ok)
	}
	if _, ok := o.TakeReset(g, topic, 0); ok {
		t.Fatal("told twice")
	}
	if !o.Commit(g, topic, 0, 9) || !reflect.DeepEqual(o.Queues("g", "T"), map[int32]int64{0: 9, 1: 3}) {
		t.Fatal(o.Queues("g", "T"))
	}
	if got := o.GroupsOf("T"); !reflect.DeepEqual(got, []string{"g"}) {
		t.Fatal(got)
	}
	doc, err := o.Document()
	if err != nil {
		t.Fatal(err)
	}
	if s := string(doc); !strings.Contains(s, `"T@g@127.0.0.1@c"`) || !strings.Contains(s, "\"groupTopicMap\":{\n\t\t\"g\":[\"T\"]") {
		t.Fatal(s)
	}
	o.Reset(g, topic, 1, 0)
	o.DeleteTopic("T")
	if len(o.TopicsOf("g")) != 0 || o.resets.Load() != 0 {
		t.Fatal("topic still there")
	}
	o.Commit(g, topic, 0, 1)
	o.DeleteGroup("g")
	if _, ok := o.Query(g, topic, 0); ok {
		t.Fatal("group still there")
	}
}

func TestOffsetsVersion(t *testing.T) {
	o, _ := NewOffsets(nil, clock)
	for i := range 2*commitsPerVersion + 1 {
		o.Commit([]byte("g"), []byte("T"), 0, int64(i))
	}
	if v := o.Version(); v.Counter != 2 {
		t.Fatal(v)
	}
}

func TestPullOffsets(t *testing.T) {
	o, _ := NewOffsets(nil, clock)
	g, topic := []byte("g"), []byte("T")
	o.Pulled(g, topic, 0, Pull{Offset: 5})
	if _, ok := o.PullOffset(g, topic, 0); ok {
		t.Fatal("a group without progress has no entry")
	}
	o.Commit(g, topic, 0, 1)
	want := Pull{Offset: 5, Conn: 7, At: time.Second}
	o.Pulled(g, topic, 0, want)
	if v, ok := o.PullOffset(g, topic, 0); v != 5 || !ok {
		t.Fatal(v, ok)
	}
	if got, ok := o.LastPull(g, topic, 0); got != want || !ok {
		t.Fatal(got, ok)
	}
	o.Pulled(g, topic, 1, want)
	if _, ok := o.LastPull(g, topic, 1); ok {
		t.Fatal("a queue without progress has no entry either: only progress is bounded")
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestPersisterGroupsChanges(t *testing.T) {
	p := NewPersister(quiet())
	writing, go1 := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	state, saved := 0, []string{}
	first := true
	doc := p.Add("d", func() ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		return []byte{byte('0' + state)}, nil
	}, func(b []byte) error {
		if first {
			first = false
			close(writing)
			<-go1
		}
		mu.Lock()
		saved = append(saved, string(b))
		mu.Unlock()
		return nil
	})
	change := func(after func(error)) {
		mu.Lock()
		state++
		mu.Unlock()
		p.Mark(doc, after)
	}
	done := make(chan error, 8)
	change(func(err error) { done <- err })
	<-writing
	for range 5 {
		change(func(err error) { done <- err })
	}
	close(go1)
	for range 6 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	p.Mark(doc, func(err error) { done <- err }) // as it was: answered, not written
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	p.Close()
	if !reflect.DeepEqual(saved, []string{"1", "6"}) {
		t.Fatal("five changes during a write are one write:", saved)
	}
	p.Mark(doc, func(err error) { done <- err })
	if err := <-done; err == nil {
		t.Fatal("nothing is written after Close")
	}
	p.Close()
}

func TestPersisterTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPersister(quiet())
		fails, saves := 2, 0
		doc := p.Add("d", func() ([]byte, error) { return []byte("x"), nil }, func([]byte) error {
			if fails > 0 {
				fails--
				return os.ErrPermission
			}
			saves++
			return nil
		})
		var got error
		p.Mark(doc, func(err error) { got = err })
		synctest.Wait()
		if !errors.Is(got, os.ErrPermission) {
			t.Fatal(got)
		}
		time.Sleep(2*retryAfter + time.Millisecond)
		synctest.Wait()
		if saves != 1 {
			t.Fatal(saves)
		}
		p.Close()
	})
}

func TestPersisterWritesAtTheEnd(t *testing.T) {
	p := NewPersister(quiet())
	saves := 0
	doc := p.Add("d", func() ([]byte, error) { return []byte("x"), nil }, func([]byte) error { saves++; return nil })
	p.Mark(doc, nil)
	p.Close()
	if saves != 1 {
		t.Fatal(saves)
	}
}
