package main

import (
	"fmt"
	"math/rand"
	"time"
)

// What a fault is about: no two at a time on the same part.
const (
	onMaster = 1 << iota
	onSlave
	onLink
)

// fault is one thing that goes wrong and is put right again.
type fault struct {
	name   string
	on     int
	disks  bool          // only where stores have file systems of their own
	ours   int           // only where that side is ours
	topics bool          // the slave's topics are gone with it
	longer time.Duration // it lasts so much longer than others
	left   [2]leaves     // of what master and slave knew of progress
	inject func(*pair) error
	heal   func(*pair) error
}

var faults = []fault{
	{name: "kill-master", on: onMaster, left: [2]leaves{atMaster: leavesSaved}, inject: func(p *pair) error { p.master.proc.kill(); return nil }, heal: func(p *pair) error { return p.master.restart() }},
	{name: "kill-slave", on: onSlave, left: [2]leaves{atSlave: leavesSaved}, inject: func(p *pair) error { p.slave.proc.kill(); return nil }, heal: func(p *pair) error { return p.slave.restart() }},
	{name: "stop-master", on: onMaster, inject: func(p *pair) error { return p.master.proc.suspend() }, heal: func(p *pair) error { p.master.proc.resume(); return nil }},
	{name: "stop-slave", on: onSlave, inject: func(p *pair) error { return p.slave.proc.suspend() }, heal: func(p *pair) error { p.slave.proc.resume(); return nil }},
	onLinkAlone("cut-link", linkState{refused: true}),
	onLinkAlone("hang-link", linkState{muted: [2]bool{true, true}}),
	onLinkAlone("mute-to-slave", linkState{muted: [2]bool{toSlave: true}}),
	onLinkAlone("mute-to-master", linkState{muted: [2]bool{toMaster: true}}),
	onLinkAlone("slow-link", linkState{delay: 20 * time.Millisecond, rate: 128 << 10}),
	{name: "empty-slave", on: onSlave, topics: true, left: [2]leaves{atSlave: leavesNothing}, inject: emptySlave, heal: func(p *pair) error { return p.slave.restart() }},
	// A stock slave writes through a sparse mapping: of a page that there was no space for it keeps zeros, though it acknowledged the bytes, and
	// the thread that copies ends.
	{name: "full-slave", on: onSlave, disks: true, ours: onSlave, longer: 2 * time.Second, left: [2]leaves{atSlave: leavesUnsaved},
		inject: func(p *pair) error { return p.slave.at.disk.Fill() }, heal: freeSlave},
	// A stock slave whose log does not begin at 0 and whose queues a power cut has taken numbers them anew from 0.
	{name: "eio-slave", on: onSlave, disks: true, ours: onSlave, left: [2]leaves{atSlave: leavesSaved}, inject: func(p *pair) error { return p.slave.at.disk.Cut() }, heal: func(p *pair) error { return p.replug(p.slave) }},
	// A stock master sends what it has not synced yet: its slave may then have more than is left to itself, and the two part for good.
	{name: "eio-master", on: onMaster, disks: true, ours: onMaster, left: [2]leaves{atMaster: leavesSaved}, inject: func(p *pair) error { return p.master.at.disk.Cut() }, heal: func(p *pair) error { return p.replug(p.master) }},
	{name: "lost-master", on: onMaster | onSlave | onLink, topics: true, left: [2]leaves{leavesNothing, leavesSaved}, inject: killBoth, heal: promote},
}

func onLinkAlone(name string, s linkState) fault {
	return fault{name: name, on: onLink, inject: func(p *pair) error { p.link.set(s); return nil }, heal: func(p *pair) error { p.link.set(linkState{}); return nil }}
}

func emptySlave(p *pair) error {
	p.slave.proc.kill()
	p.compared = 0
	return p.slave.at.empty()
}

// freeSlave gives the space back. The slave goes on by itself.
func freeSlave(p *pair) error {
	if err := p.slave.at.disk.Free(); err != nil {
		return err
	}
	return p.slave.alive()
}

// replug gives a broker the file system back that failed it.
func (p *pair) replug(n *node) error {
	if !n.proc.ended() {
		n.proc.kill()
	}
	if err := n.at.disk.Replug(); err != nil {
		return err
	}
	return n.start()
}

func killBoth(p *pair) error {
	p.master.proc.kill()
	p.slave.proc.kill()
	return nil
}

// promote is what an operator does whose master is gone for good: the slave's store must hold all that was ever acknowledged. It becomes
// the master's, and the slave begins anew.
func promote(p *pair) error {
	p.history.gate.Lock()
	defer p.history.gate.Unlock()
	v := p.slave.at.view
	if err := v.walk(p.history); err != nil {
		return fmt.Errorf("the slave's log alone: %w", err)
	}
	if err := v.promises(p.history); err != nil {
		return fmt.Errorf("the slave's log alone: %w", err)
	}
	if err := p.reader.consumed(v, true); err != nil && p.master.maker == ours {
		return fmt.Errorf("the slave's log alone: %w", err)
	}
	p.reader.forget(v)
	if err := p.master.at.empty(); err != nil {
		return err
	}
	p.master.at, p.slave.at = p.slave.at, p.master.at
	p.compared = 0
	if err := p.master.start(); err != nil {
		return err
	}
	return p.slave.start()
}

// forget goes back to the end of the queues for what a consumer saw that is gone. Only stock shows what the slave does not have yet.
func (r *reader) forget(v *view) {
	ends := v.ends()
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, k := range r.queues {
		if end := ends[id]; int64(len(k.seen)) > end {
			k.pos, k.seen = min(k.pos, end), k.seen[:end]
		}
		k.checked = 0
	}
}

// deck deals faults at random so that every kind comes as often as any other.
type deck struct {
	rng   *rand.Rand
	kinds []fault
	left  []fault
}

// newDeck makes one of the faults that a pair is to stand: mine are the sides of it that are ours.
func newDeck(rng *rand.Rand, disks bool, mine int, only func(string) bool) *deck {
	d := &deck{rng: rng}
	for _, f := range faults {
		if (disks || !f.disks) && f.ours&^mine == 0 && only(f.name) {
			d.kinds = append(d.kinds, f)
		}
	}
	return d
}

func (d *deck) next() fault {
	if len(d.left) == 0 {
		d.left = append(d.left, d.kinds...)
		d.rng.Shuffle(len(d.left), func(i, j int) { d.left[i], d.left[j] = d.left[j], d.left[i] })
	}
	f := d.left[0]
	d.left = d.left[1:]
	return f
}

// beside deals a second fault that can happen at the same time, from those left in the deck.
func (d *deck) beside(first fault) (fault, bool) {
	for i, f := range d.left {
		if f.on&first.on == 0 {
			d.left = append(d.left[:i:i], d.left[i+1:]...)
			return f, true
		}
	}
	return fault{}, false
}
