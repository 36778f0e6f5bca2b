package bench

import (
	"time"

	"ringmq/netpoll"
)

// take waits for answers up to timeout and hands them out. From the first one until all are handed out the gauge is locked; begin,
// if not nil, is called at the start of that. An error that answered returns is the error of the whole; answers behind it are
// handed out all the same.
func take(ls *netpoll.Lines, g *gauge, timeout time.Duration, begin func(), answered func(*netpoll.Line, []byte) error) error {
	locked := false
	var failed error
	err := ls.Poll(timeout, func(l *netpoll.Line, frame []byte) {
		if !locked {
			locked = true
			g.mu.Lock()
			if begin != nil {
				begin()
			}
		}
		if err := answered(l, frame); err != nil {
			failed = err
		}
	})
	if locked {
		g.mu.Unlock()
	}
	if err == nil {
		err = failed
	}
	return err
}
