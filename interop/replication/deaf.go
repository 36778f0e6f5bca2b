package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// deaf: what senders wait while a peer asks for the log from its beginning, as a stock slave does, and then reads nothing of it, beside what they wait
// without one.
func (b *bars) deaf() (err error) {
	p, err := b.filled(barSegment / 4) // more than sockets hold
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	var calm, while []float64
	for range b.rounds {
		m, err := b.openLoop(context.Background(), p, float64(b.seconds))
		if err != nil {
			return err
		}
		calm = append(calm, m.Latency.P99)
		peer, err := net.DialTimeout("tcp", p.master.haAddr(), 5*time.Second)
		if err != nil {
			return err
		}
		if _, err = peer.Write(make([]byte, 8)); err == nil { // a report: it has nothing
			m, err = b.openLoop(context.Background(), p, float64(b.seconds))
		}
		if err := errors.Join(err, peer.Close()); err != nil {
			return err
		}
		while = append(while, m.Latency.P99)
	}
	b.add(deafWait, beside(while, calm, "%.2f ms")+fmt.Sprintf(", %d sends/s", b.rate), median(while)/median(calm))
	return nil
}
