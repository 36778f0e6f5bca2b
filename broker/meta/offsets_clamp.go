package meta

// NextOf is the offset that the next message of a queue gets; ok is false where there is no such queue.
type NextOf func(topic []byte, queue int32) (next int64, ok bool)

// Beyond is progress that lay beyond the end of its queue.
type Beyond struct {
	Group, Topic string
	Queue        int32
	Offset, End  int64
}

// lostVersions is how far Clamp raises the version: beyond all that a run whose table was lost can have told a slave.
const lostVersions = 1 << 20

// Clamp sets progress beyond the end of its queue back to that end, and returns what it set back: the messages were lost here, or never came while
// this master was a slave, and the next ones get their offsets, which the group would pass over. Each is a reset, with all that goes with one: a
// client that remembers where it was is told, and a slave that comes back with the old value is not believed. For a master that starts, after
// TakeBack and before the first commit.
func (o *Offsets) Clamp(next NextOf) []Beyond {
	var all []Beyond
	o.each(func(group, topic string, q *progress) {
		name := []byte(topic)
		for queue, offset := range q.committed {
			if end, ok := next(name, queue); ok && offset > end {
				all = append(all, Beyond{Group: group, Topic: topic, Queue: queue, Offset: offset, End: end})
			}
		}
	})
	if len(all) == 0 {
		return nil
	}
	o.mu.Lock()
	o.version.Counter += lostVersions
	o.mu.Unlock()
	for _, p := range all {
		o.Reset([]byte(p.Group), []byte(p.Topic), p.Queue, p.End)
	}
	return all
}
