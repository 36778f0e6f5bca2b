package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"sync"
)

// delivery is one message as a member was given it.
type delivery struct {
	member string
	queue  int
	offset int64
}

// deliveries are those of all members of a group, in the order in which they were written.
type deliveries struct {
	mu      sync.Mutex
	list    []delivery
	bodies  map[string]bool
	count   map[string]int
	started map[string]bool
	bad     string // a line that is none
}

// read takes lines until the last writer is gone.
func (d *deliveries) read(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		d.add(lines.Text())
	}
}

func (d *deliveries) add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	words := strings.SplitN(line, " ", 4)
	if len(words) == 2 && words[1] == "started" {
		d.started[words[0]] = true
		return
	}
	m := delivery{member: words[0]}
	var text string
	if len(words) == 4 {
		text = words[3]
	}
	if _, err := fmt.Sscanf(strings.Join(words[1:], " "), "%d %d", &m.queue, &m.offset); err != nil || text == "" {
		d.bad = line
		return
	}
	d.list = append(d.list, m)
	d.bodies[text] = true
	d.count[m.member]++
}

func (d *deliveries) begun(member string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.started[member]
}

func (d *deliveries) by(member string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count[member]
}

func (d *deliveries) total() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.list)
}

// queuesSince counts the queues that delivered to any of the members after the first n deliveries.
func (d *deliveries) queuesSince(n int, members ...string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := map[int]bool{}
	for _, m := range d.list[n:] {
		for _, name := range members {
			if m.member == name {
				found[m.queue] = true
			}
		}
	}
	return len(found)
}

// missing is how many of the bodies have not come.
func (d *deliveries) missing(bodies []string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range bodies {
		if !d.bodies[b] {
			n++
		}
	}
	return n
}

// firstInOrder: per queue a message is first delivered only after its predecessor was. Those whose offsets a member had not yet noted
// when it went come again.
func (d *deliveries) firstInOrder() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := map[int]int64{}
	for _, m := range d.list {
		if m.offset > next[m.queue] {
			return fmt.Errorf("queue %d: offset %d was delivered to %s before %d was to anyone", m.queue, m.offset, m.member, next[m.queue])
		}
		next[m.queue] = max(next[m.queue], m.offset+1)
	}
	return nil
}

// health reports a line that no member should have written.
func (d *deliveries) health() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bad != "" {
		return fmt.Errorf("a member wrote %q", d.bad)
	}
	return nil
}
