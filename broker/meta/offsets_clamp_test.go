package meta

import "testing"

// TestClamp: progress beyond the next message's offset becomes that, whose ever it is, and nothing else changes.
func TestClamp(t *testing.T) {
	const doc = `{"dataVersion":{"counter":7,"stateVersion":0,"timestamp":1},"offsetTable":{` +
		`"T@G":{0:150,1:100,2:99,3:5},"T@G@10.0.0.1:broadcast":{0:101},"%RETRY%G@G":{0:9},"Elsewhere@G":{0:70}}}`
	ends := map[string][]int64{"T": {100, 100, 100, 0}, "%RETRY%G": {2}}
	next := func(topic []byte, queue int32) (int64, bool) {
		all := ends[string(topic)]
		if int(queue) >= len(all) {
			return 0, false
		}
		return all[queue], true
	}
	for _, c := range []struct {
		group, topic string
		queue        int32
		now          int64
		told         bool
	}{
		{"G", "T", 0, 100, true},
		{"G", "T", 1, 100, false},
		{"G", "T", 2, 99, false},
		{"G", "T", 3, 0, true}, // all of it was lost
		{"G@10.0.0.1:broadcast", "T", 0, 100, true},
		{"G", "%RETRY%G", 0, 2, true},
		{"G", "Elsewhere", 0, 70, false}, // nothing is known of its end
	} {
		o, err := NewOffsets([]byte(doc), clock)
		if err != nil {
			t.Fatal(err)
		}
		o.BeMaster()
		if all := o.Clamp(next); len(all) != 4 {
			t.Fatalf("set back: %+v", all)
		}
		group, topic := []byte(c.group), []byte(c.topic)
		if got, ok := o.Query(group, topic, c.queue); !ok || got != c.now {
			t.Errorf("%s in %s %d: %d, want %d", c.group, c.topic, c.queue, got, c.now)
		}
		// A client that knows only where it was does not undo it before it is told.
		if o.Commit(group, topic, c.queue, 200) == c.told {
			t.Errorf("%s in %s %d: a commit is taken: %t", c.group, c.topic, c.queue, !c.told)
		}
		if to, reset := o.TakeReset(group, topic, c.queue); reset != c.told || reset && to != c.now {
			t.Errorf("%s in %s %d: told %t to begin at %d", c.group, c.topic, c.queue, reset, to)
		}
		if v := o.Version().Counter; v <= 7+lostVersions {
			t.Error("version", v)
		}
	}
}

// TestClampWhereNothingIs: a table that is right is left as it is, its version too.
func TestClampWhereNothingIs(t *testing.T) {
	o, err := NewOffsets([]byte(`{"dataVersion":{"counter":7},"offsetTable":{"T@G":{0:150}}}`), clock)
	if err != nil {
		t.Fatal(err)
	}
	o.BeMaster()
	if all := o.Clamp(func([]byte, int32) (int64, bool) { return 150, true }); all != nil || o.Version().Counter != 7 {
		t.Errorf("set back: %+v, version %v", all, o.Version())
	}
}

// TestClampHolds: a slave that has the old value does not bring it back when others have got the offsets, however new the version is that it knows,
// and whether it is there when the master starts or comes later.
func TestClampHolds(t *testing.T) {
	for _, there := range []bool{true, false} {
		p := &pairOf{m: newSide(t, false), s: newSide(t, true), ours: true}
		p.m.commit("G", 150)
		p.m.commit("other", 1)
		p.m.save()
		for i := range int64(10) { // each is a version that the disk has not
			p.m.commit("other", 2+i)
			p.round(false)
		}
		p.s.is("G", 150)
		p.max = 100
		p.back(there)
		p.m.is("G", 100)
		if to, told := p.m.TakeReset([]byte("G"), []byte("T"), 0); !told || to != 100 {
			t.Errorf("slave there: %t: its next pull is told %t, %d", there, told, to)
		}
		p.max = 120 // messages have come
		p.round(false)
		p.m.is("G", 100)
		p.s.is("G", 100)
		p.m.is("other", 11)
		p.m.commit("G", 110)
		p.round(false)
		p.s.is("G", 110)
	}
}

// TestClampOfANewGroup: a master that has never heard of a group takes it from its slave, and not what lies beyond the end.
func TestClampOfANewGroup(t *testing.T) {
	p := &pairOf{m: newSide(t, false), s: newSide(t, true), ours: true}
	p.m.save()
	p.m.commit("new", 150)
	p.round(false)
	p.max = 100
	p.back(true)
	p.m.is("new", 100)
	p.m.TakeReset([]byte("new"), []byte("T"), 0)
	p.max = 120
	p.round(false)
	p.m.is("new", 100)
	p.s.is("new", 100)
}
