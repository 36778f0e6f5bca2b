package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// deaf: what senders wait while a peer asks for the log from its beginning, as a stock slave does, and then reads nothing of it, beside what they wait
// without one.
func (b *bars) deaf(rate int) (err error) {
	p, err := b.barPair(0, ours, b.bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	p.master.set("inSyncReplicas", "1")
	if err := p.master.start(); err != nil {
		return err
	}
	if err := p.master.fill(barSegment / 4); err != nil { // more than sockets hold
		return err
	}
	load := func() (measured, error) {
		return b.produce(p.master.addr(), "--topic", "Bars", "--rate", strconv.Itoa(rate), "--warm-up", "500ms", "--duration", fmt.Sprintf("%ds", b.seconds))
	}
	var calm, beside []float64
	for range b.rounds {
		m, err := load()
		if err != nil {
			return err
		}
		calm = append(calm, m.Latency.P99)
		peer, err := net.DialTimeout("tcp", p.master.haAddr(), 5*time.Second)
		if err != nil {
			return err
		}
		if _, err = peer.Write(make([]byte, 8)); err == nil { // a report: it has nothing
			m, err = load()
		}
		if err := errors.Join(err, peer.Close()); err != nil {
			return err
		}
		beside = append(beside, m.Latency.P99)
	}
	p99, base := median(beside), median(calm)
	b.add(fmt.Sprintf("p99 of %d sends/s beside a peer that asks for the log and reads nothing, beside without it", rate),
		fmt.Sprintf("%.2f ms and %.2f ms", p99, base), p99/base, "<= 1.3", p99 <= 1.3*base)
	return nil
}
