package queue

// tidy does for many queues at a time what a first write after a start has to do for each: look at its files, and clear what a crash
// left behind its end, which one sync then makes durable for all. What it cannot do the write does, or fails at. flushMu is held.
func (s *Set) tidy(dirty []*Queue) {
	var untidy []*Queue
	for _, q := range dirty {
		q.io.Lock()
		if !q.tailClean && !q.noFiles {
			untidy = append(untidy, q)
		}
		q.io.Unlock()
	}
	if len(untidy) < s.whole.from || eachAtOnce(untidy, (*Queue).zeroTail) != nil {
		return
	}
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	done, err := s.whole.sync(s, len(untidy))
	if err != nil {
		s.lost = err
	}
	if !done || s.lost != nil {
		return
	}
	for _, q := range untidy {
		q.io.Lock()
		q.tailClean = true
		q.io.Unlock()
	}
}

// zeroTail makes zeros of what lies behind the end of a queue in its newest file. They are not durable yet.
func (q *Queue) zeroTail() error {
	if err := q.Settle(); err != nil {
		return err
	}
	q.io.Lock()
	defer q.io.Unlock()
	q.mu.Lock()
	at, none := q.written*q.set.unitBytes, q.noFiles || q.deleted
	q.mu.Unlock()
	start := at - at%q.set.fileBytes
	if none || q.tailClean || start >= q.endFile { // the next file will be a new one
		return nil
	}
	h, err := q.set.cache.open(fileKey{q, start})
	if err != nil {
		return err
	}
	defer q.set.cache.release(h)
	return q.zeroBehind(h, at-start)
}
