package main

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// distance is how long a byte is under way between the brokers of the scene, in either direction.
const distance = 20 * time.Millisecond

// pipelined: brokers that are far apart cost a send the way to the slave and back, and no more: many sends of one connection are under way
// together. One that waits for each answer gets no more than one through in that time, which shows that the way is as long as it is meant to be.
func pipelined(p *pair) (string, error) {
	const many, times = 256, 20
	if err := p.start(); err != nil {
		return "", err
	}
	p.link.set(linkState{delay: distance})
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
	text := fmt.Sprintf("%s each way, one connection: %.1f sends a second one at a time, %.0f with %d under way, %.0f times as many", distance, one, all, many, all/one)
	if all < times*one {
		return text, fmt.Errorf("that is not %d times", times)
	}
	p.link.set(linkState{})
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
