package meta

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// side is a broker's table that can be restarted, and killed: then it has what was on disk.
type side struct {
	*Offsets
	t     *testing.T
	slave bool
	disk  []byte
	steps int64 // a stock master's counter
}

func newSide(t *testing.T, slave bool) *side {
	s := &side{t: t, slave: slave}
	s.boot()
	return s
}

func (s *side) boot() {
	s.t.Helper()
	o, err := NewOffsets(s.disk, time.Now)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.slave {
		o.BeSlave()
	} else {
		o.BeMaster()
	}
	s.Offsets = o
}

func (s *side) save() {
	s.t.Helper()
	doc, err := s.Document()
	if err != nil {
		s.t.Fatal(err)
	}
	s.disk = doc
}

func (s *side) doc(toOurs bool) *OffsetsDoc {
	s.t.Helper()
	b, err := s.Answer(toOurs)
	if err != nil {
		s.t.Fatal(err)
	}
	d, err := ParseOffsets(b)
	if err != nil {
		s.t.Fatal(err)
	}
	if !toOurs && !s.slave {
		d.DataVersion.Counter = s.steps // a stock master's says little
	}
	return d
}

func (s *side) commit(group string, offset int64) { s.Commit([]byte(group), []byte("T"), 0, offset) }
func (s *side) reset(group string, offset int64) {
	s.Reset([]byte(group), []byte("T"), 0, offset)
	s.TakeReset([]byte(group), []byte("T"), 0)
}

func (s *side) is(group string, wanted int64) {
	s.t.Helper()
	got, ok := s.Query([]byte(group), []byte("T"), 0)
	if !ok {
		got = nothing
	}
	if got != wanted {
		s.t.Fatalf("%s: progress of %s is %d, want %d", map[bool]string{true: "slave", false: "master"}[s.slave], group, got, wanted)
	}
}

func endless([]byte, int32) int64 { return 1 << 40 }

// pairOf is a master and a slave. ours: the master is one of this kind; a stock master tells less, and takes what it is offered.
type pairOf struct {
	m, s *side
	ours bool
	max  int64 // of the master's queues; 0: no bound
}

func (p *pairOf) highest([]byte, int32) int64 {
	if p.max > 0 {
		return p.max
	}
	return 1 << 40
}

func (p *pairOf) next(topic []byte, queue int32) (int64, bool) { return p.highest(topic, queue), true }

// round is a look of the slave at its master.
func (p *pairOf) round(gone bool) (offers int) {
	for _, o := range p.s.Mirror(p.m.doc(p.ours), gone) {
		offers++
		if p.ours {
			p.m.Raise(o, p.highest)
		} else {
			p.m.Commit([]byte(o.Group), []byte(o.Topic), o.Queue, o.Offset)
		}
		p.s.Settled(o)
	}
	return offers
}

// back starts the master again. It asks its slave if that is there.
func (p *pairOf) back(ask bool) {
	p.m.boot()
	if !p.ours {
		return
	}
	if ask {
		p.m.TakeBack([]*OffsetsDoc{p.s.doc(true)}, p.next)
	}
	p.m.Clamp(p.next)
}

// TestOffsetsSurvive: what was committed anywhere is not lost, whoever ends and comes back in whatever order, and what is set back on
// purpose stays so.
func TestOffsetsSurvive(t *testing.T) {
	for _, c := range []struct {
		name  string
		ours  bool // master; both where stock does as well
		stock bool
		run   func(t *testing.T, p *pairOf)
	}{
		{"a slave follows", true, true, func(_ *testing.T, p *pairOf) {
			p.m.commit("G", 120)
			p.round(false)
			p.s.is("G", 120)
			p.m.commit("G", 50) // a client sets itself back
			p.round(false)
			p.s.is("G", 50)
			p.m.DeleteGroup("G")
			p.round(false)
			p.s.is("G", nothing)
		}},
		{"a reset reaches the slave", true, true, func(_ *testing.T, p *pairOf) {
			p.m.reset("G", 10)
			p.round(false)
			p.s.is("G", 10)
		}},
		{"clients go on at the slave, and the master asks", true, false, func(_ *testing.T, p *pairOf) {
			p.m.save()
			p.s.commit("G", 200)
			p.s.commit("new", 7)
			p.back(true)
			p.m.is("G", 200)
			p.m.is("new", 7)
			p.round(false)
			p.s.is("G", 200)
		}},
		{"the slave was restarted as well", true, false, func(_ *testing.T, p *pairOf) {
			p.m.save()
			p.s.commit("G", 200)
			p.s.save()
			p.s.boot()
			p.back(true)
			p.m.is("G", 200)
		}},
		{"the master comes first, the slave later", true, true, func(t *testing.T, p *pairOf) {
			p.m.save()
			p.s.commit("G", 200)
			p.s.commit("new", 7)
			p.s.save()
			p.back(false)
			p.s.boot()
			if n := p.round(false); n != 2 {
				t.Fatal("offers:", n)
			}
			p.m.is("G", 200)
			p.m.is("new", 7)
			p.s.is("G", 200)
			if n := p.round(false); n != 0 || p.s.HasLocal() {
				t.Fatal("offered again:", n)
			}
			p.m.commit("G", 150) // and then the client goes back: that is the master's again
			p.round(false)
			p.s.is("G", 150)
		}},
		{"clients of the returned master are ahead of the slave", true, true, func(_ *testing.T, p *pairOf) {
			p.m.save()
			p.s.commit("G", 200)
			p.back(false)
			p.m.commit("G", 260)
			p.round(false)
			p.m.is("G", 260)
			p.s.is("G", 260)
		}},
		{"the master is killed and forgets what it had told the slave", true, false, func(_ *testing.T, p *pairOf) {
			p.m.save()
			p.m.commit("G", 180)
			p.round(false)
			p.back(true)
			p.m.is("G", 180)
			p.s.is("G", 180)
		}},
		{"it is killed, and the slave is not there when it starts", true, false, func(_ *testing.T, p *pairOf) {
			p.m.save()
			p.m.commit("G", 180)
			p.round(false)
			p.back(false)
			p.m.commit("other", 1)
			for range 10 {
				p.m.save() // its version passes what it was
				p.m.commit("other", 2)
			}
			p.round(false)
			p.m.is("G", 180)
			p.s.is("G", 180)
		}},
		{"a stock master is killed while the slave looks", false, true, func(_ *testing.T, p *pairOf) {
			p.m.save()
			p.m.commit("G", 180)
			p.round(false)
			p.back(false)
			p.round(true)
			p.m.is("G", 180)
			p.s.is("G", 180)
		}},
		{"a reset before the master dies is not undone by what the slave has", true, false, func(_ *testing.T, p *pairOf) {
			p.m.reset("G", 10)
			p.m.save()
			p.s.commit("G", 200)
			p.back(true)
			p.m.is("G", 10)
			p.round(false)
			p.s.is("G", 10)
		}},
		{"a reset after it returned is not undone by a slave that comes late", true, false, func(_ *testing.T, p *pairOf) {
			p.m.save()
			p.s.commit("G", 200)
			p.s.save()
			p.back(false)
			p.m.reset("G", 10)
			p.m.commit("G", 12)
			p.s.boot()
			p.round(false)
			p.m.is("G", 12)
			p.s.is("G", 12)
		}},
		{"a reset forward of less than the slave has", true, false, func(_ *testing.T, p *pairOf) {
			p.m.save()
			p.s.commit("G", 200)
			p.back(false)
			p.m.reset("G", 150)
			p.round(false)
			p.m.is("G", 150)
			p.s.is("G", 150)
		}},
		{"a client goes back at the returned master before the slave looks", true, true, func(_ *testing.T, p *pairOf) {
			p.m.save()
			p.s.commit("G", 200)
			p.back(false)
			p.m.commit("G", 50)
			p.round(false)
			p.m.is("G", 50)
			p.s.is("G", 50)
		}},
		{"a group is deleted at the returned master before the slave looks", true, true, func(_ *testing.T, p *pairOf) {
			p.m.save()
			p.s.commit("G", 200)
			p.back(false)
			p.m.DeleteGroup("G")
			p.round(false)
			p.m.is("G", nothing)
			p.s.is("G", nothing)
		}},
		{"a stock master's version shows that it was killed", false, true, func(_ *testing.T, p *pairOf) {
			p.m.save()
			p.m.commit("G", 180)
			p.m.steps = 2
			p.round(false)
			p.back(false)
			p.m.steps = 1
			p.round(false)
			p.m.is("G", 180)
			p.s.is("G", 180)
		}},
		{"a reset that the slave knows does not hold back what came after it", true, false, func(_ *testing.T, p *pairOf) {
			p.m.reset("G", 10)
			p.m.save()
			p.round(false)
			p.s.commit("G", 90)
			p.back(true)
			p.m.is("G", 90)
		}},
		{"a reset that a killed master forgot", true, false, func(_ *testing.T, p *pairOf) {
			p.m.save()
			p.m.reset("G", 10)
			p.round(false)
			p.back(true)
			p.m.is("G", 10)
		}},
		{"the master's log has less than the slave saw consumed", true, false, func(t *testing.T, p *pairOf) {
			p.max = 130
			p.s.commit("G", 200)
			if n := p.round(false); n != 1 {
				t.Fatal("offers:", n)
			}
			if n := p.round(false); n != 0 {
				t.Fatal("offered again:", n)
			}
			p.m.is("G", 130)
			p.s.is("G", 130)
		}},
		{"what is committed while the master is told of something older", true, true, func(_ *testing.T, p *pairOf) {
			p.s.commit("G", 200)
			for _, o := range p.s.Mirror(p.m.doc(p.ours), false) {
				p.s.commit("G", 210)
				p.s.Settled(o)
			}
			p.round(false)
			p.m.is("G", 210)
		}},
		{"a master on an empty disk", true, false, func(_ *testing.T, p *pairOf) {
			p.m.disk = nil
			p.back(true)
			p.m.is("G", 100)
		}},
		{"a stale slave does not set its master back", true, true, func(_ *testing.T, p *pairOf) {
			p.s.save()
			p.m.commit("G", 300)
			p.m.save()
			p.s.boot()
			p.back(true)
			p.m.is("G", 300)
			p.round(false)
			p.s.is("G", 300)
		}},
	} {
		for _, ours := range []bool{true, false} {
			if ours && !c.ours || !ours && !c.stock {
				continue
			}
			t.Run(fmt.Sprintf("%s/ours=%t", strings.ReplaceAll(c.name, " ", "_"), ours), func(t *testing.T) {
				p := &pairOf{m: newSide(t, false), s: newSide(t, true), ours: ours}
				p.m.commit("G", 100)
				p.round(false)
				p.s.is("G", 100)
				c.run(t, p)
			})
		}
	}
}

// TestTakeBackFromMany: of several slaves each is believed in what it has committed itself, and stock ones in what is ahead.
func TestTakeBackFromMany(t *testing.T) {
	m := newSide(t, false)
	for _, g := range []string{"A", "B", "C", "D"} {
		m.commit(g, 100)
	}
	m.reset("D", 50)
	m.save()
	one, two := &pairOf{m: m, s: newSide(t, true), ours: true}, &pairOf{m: m, s: newSide(t, true), ours: true}
	one.round(false)
	m.commit("C", 110)
	two.round(false)
	one.s.commit("A", 150)
	two.s.commit("B", 160)
	stock, err := ParseOffsets([]byte(`{"dataVersion":{"counter":0,"stateVersion":0,"timestamp":1},"groupTopicMap":{},"offsetTable":{"T@A":{0:155},"T@D":{0:99},"T@gone":{0:9}}}`))
	if err != nil {
		t.Fatal(err)
	}
	m.boot()
	end := func([]byte, int32) (int64, bool) { return 158, true }
	m.TakeBack([]*OffsetsDoc{stock, one.s.doc(true), two.s.doc(true)}, end)
	m.Clamp(end)
	m.is("A", 155)
	m.is("B", 158) // the log has no more
	m.is("C", 110)
	m.is("D", 50)
	m.is("gone", nothing)
	if v := m.Version().Counter; v <= two.s.Known().Counter {
		t.Error("the version did not pass the slaves':", v)
	}
}

// TestRaise: an offer is taken where it is ahead, within the log, and not from before a reset.
func TestRaise(t *testing.T) {
	m := newSide(t, false)
	m.commit("G", 100)
	before := m.doc(true).DataVersion.Counter
	m.reset("G", 50)
	offer := Offer{Group: "G", Topic: "T", Offset: 90, Known: before}
	if m.Raise(offer, endless) {
		t.Error("taken from before a reset")
	}
	offer.Known = m.doc(true).DataVersion.Counter
	if !m.Raise(offer, func([]byte, int32) int64 { return 80 }) {
		t.Error("not taken")
	}
	m.is("G", 80)
	if m.Raise(Offer{Group: "G", Topic: "T", Offset: 79, Known: offer.Known}, endless) {
		t.Error("taken though behind")
	}
	m.Reset([]byte("G"), []byte("T"), 0, 10)
	if m.Raise(Offer{Group: "G", Topic: "T", Offset: 99, Known: offer.Known + 100}, endless) {
		t.Error("taken while a reset waits to be told")
	}
}

// TestVersionCoversWhatItSays: no two tables with different progress have one version.
func TestVersionCoversWhatItSays(t *testing.T) {
	m := newSide(t, false)
	m.commit("G", 1)
	first := m.doc(true)
	if !m.Unchanged(first.DataVersion) {
		t.Error("changed by nobody")
	}
	m.commit("G", 2)
	if m.Unchanged(first.DataVersion) {
		t.Error("unchanged with a commit")
	}
	if second := m.doc(true); second.DataVersion.Counter <= first.DataVersion.Counter {
		t.Error(first.DataVersion, second.DataVersion)
	}
	if d := m.doc(false); d.Ours != nil {
		t.Error("a stock broker is told more than it knows")
	}
}

// TestStockKeepsItsVersion: a stock broker stores what is committed under the version that it had before. A slave that copied the table of then
// is not told, by the master that takes the directory over, that it has what there is; from then on it is.
func TestStockKeepsItsVersion(t *testing.T) {
	const stock = `{"dataVersion":{"counter":3,"stateVersion":0,"timestamp":5},"offsetTable":{"T@G":{0:%d}}}`
	slave, err := NewOffsets(nil, clock)
	if err != nil {
		t.Fatal(err)
	}
	slave.BeSlave()
	copies := func(body []byte) {
		t.Helper()
		doc, err := ParseOffsets(body)
		if err != nil {
			t.Fatal(err)
		}
		if offers := slave.Mirror(doc, false); len(offers) > 0 {
			t.Errorf("offers %v", offers)
		}
	}
	copies(fmt.Appendf(nil, stock, 20))
	master, err := NewOffsets(fmt.Appendf(nil, stock, 30), clock)
	if err != nil {
		t.Fatal(err)
	}
	master.BeMaster()
	if master.Unchanged(slave.Known()) {
		t.Fatal("the slave is told that it has what there is")
	}
	body, err := master.Answer(true)
	if err != nil {
		t.Fatal(err)
	}
	copies(body)
	if got, _ := slave.Query([]byte("G"), []byte("T"), 0); got != 30 || !master.Unchanged(slave.Known()) {
		t.Errorf("the slave has %d, and is told that it has what there is: %v", got, master.Unchanged(slave.Known()))
	}
}
