package netpoll

// promise is a task that somebody has to hear of in any case: gnet runs none that it still has when an engine ends.
type promise struct{ lost func() }

// DoOr is Do for what must not be forgotten: if the loop ends before it gets to fn, lost is called in its place, on any goroutine, and must be
// short. Exactly one of them is called, and none where there is an error.
func (c *Conn) DoOr(fn, lost func()) error {
	l, p := c.loop, &promise{lost}
	l.mu.Lock()
	if l.promises == nil {
		l.promises = map[*promise]struct{}{}
	}
	l.promises[p] = struct{}{}
	l.mu.Unlock()
	err := c.Do(func() {
		if l.keep(p) {
			fn()
		}
	})
	if err != nil && l.keep(p) {
		return err
	}
	return nil
}

// keep ends a promise; false: it has been broken. Any goroutine.
func (l *loop) keep(p *promise) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.promises[p]
	delete(l.promises, p)
	return ok
}

// breakPromises ends those that there are, when the loop takes no tasks any more.
func (l *loop) breakPromises() {
	l.mu.Lock()
	all := l.promises
	l.promises = nil
	l.mu.Unlock()
	for p := range all {
		p.lost()
	}
}
