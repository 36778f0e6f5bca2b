package main

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// distance is how long a byte is under way between the brokers of the scene, in either direction.
const distance = 20 * time.Millisecond

// pipelined: brokers that are far apart cost a send the way to the slave and back, and no more: thousands of sends of one connection are under way
// together. They get half of what the way leaves them, a window in the time of it, or half of what they get without it where that is less: then
// it is the brokers that bound them. One that waits for each answer gets no more than one through in that time, which shows that the way is as long
// as it is meant to be.
func pipelined(p *pair) (string, error) {
	const many, share = 4096, 0.5
	if err := p.start(); err != nil {
		return "", err
	}
	near, err := p.acrossWith(many)
	if err != nil {
		return "", err
	}
	p.link.set(linkState{delay: distance})
	defer p.link.set(linkState{})
	one, err := p.acrossWith(1)
	if err != nil {
		return "", err
	}
	if limit := float64(time.Second / (2 * distance)); one > 1.05*limit {
		return "", fmt.Errorf("one send at a time: %.1f a second, %s there and %s back leave %.0f", one, distance, distance, limit)
	}
	all, err := p.acrossWith(many)
	if err != nil {
		return "", err
	}
	p.link.set(linkState{})
	again, err := p.acrossWith(many)
	if err != nil {
		return "", err
	}
	near = min(near, again) // on a machine that others use too
	text := fmt.Sprintf("%s each way, one connection: %.1f sends a second one at a time, %.0f with %d under way, %.0f times as many; %.0f without the way", distance, one, all, many, all/one, near)
	if least := share * min(near, many/(2*distance).Seconds()); all < least {
		return text, fmt.Errorf("that is less than %.0f", least)
	}
	return text, p.check()
}

// acrossWith is how many sends a second one connection gets acknowledged with so many under way.
func (p *pair) acrossWith(window int) (float64, error) {
	m, err := p.produce(p.master.addr(), "--topic", "Across", "--connections", "1", "--window", strconv.Itoa(window), "--warm-up", "1s", "--duration", "4s")
	if err == nil && len(m.Errors) > 0 {
		err = fmt.Errorf("%v", m.Errors)
	}
	if err == nil && (m.PerSecond <= 0 || math.IsNaN(m.PerSecond)) {
		err = fmt.Errorf("nothing was acknowledged")
	}
	if err != nil {
		return 0, fmt.Errorf("%d under way: %w", window, err)
	}
	return m.PerSecond, nil
}
