package meta

import (
	"fmt"
	"testing"
)

// TestProgressOfADeletedTopicStaysGone: progress in a topic, or of a group, that was deleted on the master and made again counts for
// nothing in the new one. A slave that has not looked since would have the group pass over messages that nobody has read.
func TestProgressOfADeletedTopicStaysGone(t *testing.T) {
	for _, how := range []string{"the master asks", "the slave offers"} {
		for _, what := range []string{"topic", "group"} {
			t.Run(how+", "+what, func(t *testing.T) {
				p := &pairOf{m: newSide(t, false), s: newSide(t, true), ours: true}
				p.m.commit("G", 1000)
				p.round(false)
				p.s.is("G", 1000)
				// Between two looks of the slave: it is deleted and made again, ten messages come, and the master is started again.
				if what == "topic" {
					p.m.DeleteTopic("T")
				} else {
					p.m.DeleteGroup("G")
				}
				p.m.save()
				p.max = 10
				p.back(how == "the master asks")
				if how == "the slave offers" {
					p.round(true)
				}
				p.m.is("G", nothing)
				// What is committed from here on is progress like any other.
				p.m.commit("G", 3)
				p.round(false)
				p.s.is("G", 3)
				p.s.commit("G", 7)
				p.round(true)
				p.m.is("G", 7)
			})
		}
	}
}

// TestOffersDoNotFillAFullTable: a table of progress that is full takes nothing more, offers included.
func TestOffersDoNotFillAFullTable(t *testing.T) {
	m := newSide(t, false)
	m.bytes.Store(maxTableBytes + 1)
	for i := range 100 {
		if m.Raise(Offer{Group: "G", Topic: fmt.Sprint("T", i), Offset: 1}, endless) {
			t.Fatal("taken")
		}
	}
	if got := len(m.TopicsOf("G")); got != 0 {
		t.Errorf("%d entries that nothing counts", got)
	}
}

// TestBurialsAreBounded: the newest are kept.
func TestBurialsAreBounded(t *testing.T) {
	m := newSide(t, false)
	for i := range maxBurials + 10 {
		m.DeleteTopic(fmt.Sprint("T", i))
	}
	all := m.buried.all()
	if _, newest := all[fmt.Sprint("T", maxBurials+9, "@")]; len(all) != maxBurials || !newest {
		t.Errorf("%d, the newest there: %v", len(all), newest)
	}
}
