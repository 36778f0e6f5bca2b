package store

import (
	"ringmq/store/queue"
	"ringmq/store/record"
)

// entry is what a queue got for a record; count is 0 for a record that has no entry.
type entry struct {
	topic  string
	id     int32
	offset int64 // queue offset
	count  int32 // messages
	u      record.QueueUnit
}

// recentQueues are the queues that records went to lately, so that most are found by a look at one place. One goroutine.
type recentQueues struct {
	slots [64]recentQueue
	round uint32
}

type recentQueue struct {
	q     *queue.Queue // nil: none
	topic string
	id    int32
	round uint32 // in which it was asked whether its records belong into a batch queue
}

func (c *recentQueues) slot(topic []byte, id int32) *recentQueue {
	h := uint32(id) + 31*uint32(len(topic))
	if n := len(topic); n > 0 {
		h += 7*uint32(topic[0]) + 13*uint32(topic[n/2]) + 29*uint32(topic[n-1])
	}
	return &c.slots[h%uint32(len(c.slots))]
}

// forget is called when queues may have been deleted.
func (c *recentQueues) forget() { clear(c.slots[:]) }

// queueFor is the queue of a record: the one or the other kind, of which a queue's records belong into is asked once a round.
// A record that is a whole batch says so itself.
func (s *Store) queueFor(r *record.Record, k *record.Known, recent *recentQueues) (*queue.Queue, *batchQueue, error) {
	if isWholeBatch(r, k) {
		if b, err := s.batchOf(r, recent); b != nil || err != nil {
			return nil, b, err
		}
	}
	c := recent.slot(r.Topic, r.QueueID)
	same := c.q != nil && c.id == r.QueueID && c.topic == string(r.Topic)
	if same && c.round == recent.round {
		return c.q, nil, nil
	}
	if b := s.batchFor(r.Topic, r.QueueID, true); b != nil {
		return nil, b, nil
	}
	if !same {
		q := s.queues.Lookup(r.Topic, r.QueueID)
		if q == nil {
			q = s.queues.Queue(string(r.Topic), r.QueueID)
		}
		c.q, c.topic, c.id = q, q.Topic(), q.ID()
	}
	c.round = recent.round
	return c.q, nil, nil
}

// enqueue puts a record's entry into its queue; k is what is known of its properties. Prepared and rolled back records have
// none, nor those of a topic deleted since, nor those of a topic that cannot name a folder. raw is the record's bytes, by which it may have its queue
// begin anew.
func (s *Store) enqueue(r *record.Record, raw []byte, k *record.Known, recent *recentQueues) (entry, error) {
	kind := r.SysFlag & record.SysFlagTransaction
	if kind == record.SysFlagPrepared || kind == record.SysFlagRollback || s.graves.holds(r.Topic, r.PhysicalOffset) || !validTopic(r.Topic) || r.QueueID < 0 {
		return entry{}, nil
	}
	u := record.QueueUnit{Offset: r.PhysicalOffset, Size: r.TotalSize, TagsCode: s.tagsCode(r, k)}
	q, b, err := s.queueFor(r, k, recent)
	if err != nil {
		return entry{}, err
	}
	if b == nil && r.QueueOffset < q.Max() {
		renewed, done, err := s.anew(q, r, raw, u)
		if err != nil || done {
			return entry{topic: q.Topic(), id: q.ID(), offset: r.QueueOffset, count: 1, u: u}, err
		}
		if renewed {
			if q, b, err = s.kind(r, k, q, recent); err != nil {
				return entry{}, err
			}
		}
	}
	if b != nil {
		return s.putBatch(b, r, raw, u)
	}
	return s.put(q, r, u)
}

// put puts a record's entry into an ordinary queue.
func (s *Store) put(q *queue.Queue, r *record.Record, u record.QueueUnit) (entry, error) {
	if !fitsQueue(q, r) && (r.QueueOffset < 0 || !s.proved(r)) {
		s.gaps.add(r.PhysicalOffset, r.PhysicalOffset+int64(r.TotalSize), "rot")
		return entry{}, nil
	}
	return entry{topic: q.Topic(), id: q.ID(), offset: r.QueueOffset, count: 1, u: u}, q.Put(r.QueueOffset, u)
}

// fitsQueue says whether a record's queue offset can be true. Without the checksum property, which proves it, nothing else guards it, and a
// flipped bit must not make a queue of blanks: between two records of a queue there is room for so many others only.
func fitsQueue(q *queue.Queue, r *record.Record) bool {
	if r.QueueOffset < 0 {
		return false
	}
	high, last := q.Max(), q.MaxPhysical()
	return high == 0 || last <= 0 || r.PhysicalOffset < last || r.QueueOffset <= high+(r.PhysicalOffset-last)/record.MinRecordBytes
}

// tagsCode is what the queue entry says about a record: the hash of its tags, or, for a message waiting for its delay
// level, the time at which it is due. While the clock is behind store timestamps they stand still: then the delay counts from what the clock
// says, since that is what will be asked whether the time has come.
func (s *Store) tagsCode(r *record.Record, k *record.Known) int64 {
	if string(r.Topic) == DelayTopic {
		if level := parseDecimal(k.Delay); level > 0 {
			return min(r.StoreTimestamp, s.o.Clock().UnixMilli()) + s.delayMs(level)
		}
	}
	return record.TagsCode(k.Tags)
}

// delayMs is the delay of a level, capped at the highest; a second for a level that is not there.
func (s *Store) delayMs(level int) int64 {
	n := len(s.o.DelayLevels)
	if n == 0 {
		return 1000
	}
	return s.o.DelayLevels[min(level, n)-1].Milliseconds()
}

// parseDecimal reads digits; anything else, and anything beyond nine digits, is 0.
func parseDecimal(b []byte) int {
	if len(b) == 0 || len(b) > 9 {
		return 0
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}
