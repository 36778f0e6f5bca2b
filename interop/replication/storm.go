package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"ringmq/interop/rig"
)

// storm is a number of faults on one pair under load.
type storm struct {
	*pair
	deck  *deck
	count int
	took  []time.Duration // from healing to the next acknowledgement
	done  int
	kinds map[string]int
}

// stormOf is a scene of so many faults.
func stormOf(d *deck, count int) func(*pair) (string, error) {
	return func(p *pair) (string, error) {
		for _, n := range []*node{p.master, p.slave} {
			n.saveEvery()
		}
		if err := p.start(); err != nil {
			return "", err
		}
		if err := p.makeGroup(readerGroup); err != nil {
			return "", err
		}
		st := &storm{pair: p, deck: d, count: count, kinds: map[string]int{}}
		err := st.run()
		return st.String(), err
	}
}

// unsynced are the faults that a process does not outlive and the machine does, and those of the link: what was written is there afterwards,
// synced or not.
var unsynced = regexp.MustCompile(`^(kill|lost)-|-link$|^mute-`)

const unsyncedFaults = 12

// withoutSync is a scene under ASYNC_FLUSH on both sides: that two brokers have a message is all that its producer was promised.
func withoutSync(run func(*pair) (string, error)) func(*pair) (string, error) {
	return func(p *pair) (string, error) {
		for _, n := range []*node{p.master, p.slave} {
			n.set("flushDiskType", "ASYNC_FLUSH")
		}
		return run(p)
	}
}

// run injects faults, one or two at a time, and checks after each.
func (s *storm) run() error {
	s.pair.run()
	defer s.rest()
	if _, err := s.recovered(); err != nil {
		return err
	}
	for s.done < s.count {
		time.Sleep(time.Duration(200+s.deck.rng.Intn(500)) * time.Millisecond)
		now := []fault{s.deck.next()}
		if s.done+1 < s.count && s.deck.rng.Intn(4) == 0 {
			if f, ok := s.deck.beside(now[0]); ok {
				now = append(now, f)
			}
		}
		if err := s.round(now); err != nil {
			return fmt.Errorf("fault %d, %s: %w", s.done+1, names(now), err)
		}
		s.done += len(now)
		for _, f := range now {
			s.kinds[f.name]++
		}
	}
	return nil
}

func (s *storm) round(now []fault) error {
	began, longer := time.Now(), time.Duration(0)
	if s.deck.rng.Intn(10) == 0 {
		longer = 5 * time.Second // beyond what either side waits for the other
	}
	for _, f := range now {
		if err := f.inject(s.pair); err != nil {
			return err
		}
		longer = max(longer, f.longer)
		if len(now) > 1 {
			time.Sleep(time.Duration(s.deck.rng.Intn(300)) * time.Millisecond)
		}
	}
	time.Sleep(longer + time.Duration(200+s.deck.rng.Intn(1800))*time.Millisecond)
	l, on := tolls(now)
	if err := s.commitAtSlave(on); err != nil {
		return err
	}
	for _, f := range now {
		if err := f.heal(s.pair); err != nil {
			return err
		}
	}
	for _, n := range []*node{s.master, s.slave} {
		if err := n.alive(); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(now, func(f fault) bool { return f.topics }) {
		if err := s.prime(); err != nil {
			return err
		}
	}
	if err := s.progressHeld(l, began, on&onSlave == 0); err != nil {
		return err
	}
	took, err := s.recovered()
	if err != nil {
		return err
	}
	s.took = append(s.took, took)
	if err := s.check(); err != nil {
		return err
	}
	s.progress.begin(l)
	return s.goOn()
}

// tolls is what faults together leave of progress, and what they are about.
func tolls(now []fault) (l [2]leaves, on int) {
	for _, f := range now {
		on |= f.on
		for side := range l {
			l[side] = max(l[side], f.left[side])
		}
	}
	return l, on
}

// commitAtSlave does what clients do whose master is gone.
func (s *storm) commitAtSlave(on int) error {
	if !s.master.proc.ended() || on&onSlave != 0 {
		return nil
	}
	s.progress.atSlave++
	err := s.commit(atSlave)
	if _, answered := rig.Refused(err); answered && s.slave.maker == stock {
		return nil // it does not know the group yet
	}
	return err
}

// String is for the line of the scene.
func (s *storm) String() string {
	slices.Sort(s.took)
	var kinds []string
	for _, k := range slices.Sorted(maps.Keys(s.kinds)) {
		kinds = append(kinds, fmt.Sprintf("%s %d", k, s.kinds[k]))
	}
	text := fmt.Sprintf("%d faults: %s; %s", s.done, strings.Join(kinds, ", "), s.history)
	if n := len(s.took); n > 0 {
		text += fmt.Sprintf(", acknowledged again after median %.1f s, longest %.1f s", s.took[n/2].Seconds(), s.took[n-1].Seconds())
	}
	text += fmt.Sprintf(", progress held, %d times committed at the slave alone", s.progress.atSlave)
	if s.reader.moved > 0 {
		text += fmt.Sprintf(", the reader was sent back %d times", s.reader.moved)
	}
	return text
}

func names(list []fault) string {
	var words []string
	for _, f := range list {
		words = append(words, f.name)
	}
	return strings.Join(words, " and ")
}
