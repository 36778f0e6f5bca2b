package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestHeld: what faults may take of progress, and what they may not.
func TestHeld(t *testing.T) {
	const saved = 3 * time.Second
	began := time.Unix(1000, 0)
	early, late, during := began.Add(-saved-time.Second), began.Add(-time.Second), began.Add(time.Second)
	ends := []int64{1000}
	for _, c := range []struct {
		name          string
		master, slave []known
		left          [2]leaves
		ends          []int64
		want          [2]int64 // of master and slave
	}{
		{"nothing happens", []known{{late, []int64{9}}}, []known{{late, []int64{7}}}, [2]leaves{}, ends, [2]int64{9, 7}},
		{"nothing was committed", nil, nil, [2]leaves{}, ends, [2]int64{0, 0}},
		{"the master is killed before it has written the last", []known{{early, []int64{8}}, {late, []int64{9}}}, []known{{late, []int64{7}}}, [2]leaves{atMaster: leavesSaved}, ends, [2]int64{8, 7}},
		{"and its slave knows the last", []known{{early, []int64{8}}, {late, []int64{9}}}, []known{{late, []int64{9}}}, [2]leaves{atMaster: leavesSaved}, ends, [2]int64{9, 9}},
		{"and it was committed at the slave meanwhile", []known{{late, []int64{9}}}, []known{{late, []int64{7}}, {during, []int64{12}}}, [2]leaves{atMaster: leavesSaved}, ends, [2]int64{12, 12}},
		{"the slave is emptied", []known{{late, []int64{9}}}, []known{{late, []int64{7}}}, [2]leaves{atSlave: leavesNothing}, ends, [2]int64{9, 7}},
		{"the slave's disk is full", []known{{late, []int64{6}}}, []known{{late, []int64{7}}}, [2]leaves{atSlave: leavesUnsaved}, ends, [2]int64{7, 7}},
		{"both are killed", []known{{early, []int64{5}}, {late, []int64{9}}}, []known{{early, []int64{6}}, {late, []int64{8}}}, [2]leaves{leavesSaved, leavesSaved}, ends, [2]int64{6, 6}},
		{"the master is lost", []known{{early, []int64{9}}}, []known{{early, []int64{6}}, {late, []int64{8}}}, [2]leaves{leavesNothing, leavesSaved}, ends, [2]int64{6, 6}},
		{"the queue ends before", []known{{late, []int64{9}}}, []known{{late, []int64{9}}}, [2]leaves{}, []int64{4}, [2]int64{4, 4}},
	} {
		g := &progress{told: [2][]known{c.master, c.slave}}
		master, slave := g.held(c.left, began, [2]time.Duration{saved, saved}, c.ends)
		if got := [2]int64{master[0], slave[0]}; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestProgressBegins: what a broker knew before it was hurt says nothing about what is on its disk from then on.
func TestProgressBegins(t *testing.T) {
	g := &progress{}
	for side := range g.told {
		g.tell(side, time.Unix(1, 0), []int64{3})
	}
	g.begin([2]leaves{leavesUnsaved, leavesAll})
	if len(g.told[atMaster]) != 0 || len(g.told[atSlave]) != 1 {
		t.Fatal(g.told)
	}
}

func TestNotBelow(t *testing.T) {
	if err := notBelow("slave", []int64{5, 4}, []int64{5, 3}); err != nil {
		t.Error(err)
	}
	if err := notBelow("slave", []int64{5, 2}, []int64{5, 3}); err == nil || !strings.Contains(err.Error(), "the slave answers 2 for queue 1") {
		t.Error(err)
	}
}

// TestTolls: two faults at a time take what each of them takes.
func TestTolls(t *testing.T) {
	of := func(name string) fault {
		i := slices.IndexFunc(faults, func(f fault) bool { return f.name == name })
		return faults[i]
	}
	for _, c := range []struct {
		names []string
		left  [2]leaves
		on    int
	}{
		{[]string{"cut-link"}, [2]leaves{}, onLink},
		{[]string{"stop-master", "kill-slave"}, [2]leaves{atSlave: leavesSaved}, onMaster | onSlave},
		{[]string{"kill-master", "empty-slave"}, [2]leaves{leavesSaved, leavesNothing}, onMaster | onSlave},
	} {
		var now []fault
		for _, name := range c.names {
			now = append(now, of(name))
		}
		if l, on := tolls(now); l != c.left || on != c.on {
			t.Errorf("%v: %v and %d, want %v and %d", c.names, l, on, c.left, c.on)
		}
	}
}
