package broker

import (
	"container/heap"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// holds keeps pulls that found nothing until their queue has more, or their time is over. Any goroutine.
//
// What arrives is gathered, and pulls are woken once for all that became visible together: their answers are as large as they can be,
// and nobody waits for a lock while entries are told one by one.
type holds struct {
	b     *Broker
	count atomic.Int64    // of the pulls held
	bytes *netpoll.Budget // what they take

	mu       sync.Mutex // for a moment only, see lockedPulls
	byKey    map[holdKey]*queueHolds
	idle     int // of them without a pull
	byTag    map[tagKey]*wanters
	spare    []*wanters // that were in byTag, for the next
	deadline deadlines
	alarm    *time.Timer // rings at the first deadline, or before

	// the dispatcher's own
	arrivals []arrival
	woken    []*heldPull
}

type holdKey struct {
	topic string
	queue int32
}

// queueHolds are the pulls held on one queue; under holds.mu.
type queueHolds struct {
	key  holdKey
	list []*heldPull
	any  wanters // of them that are run whatever arrives
}

// arrival is a queue entry that has become visible in this round.
type arrival struct {
	key  holdKey
	end  int64 // queue offset behind it
	tags int64
}

// maxArrivals is how many entries wait for the end of their round at most.
const maxArrivals = 4096

// lockedPulls are looked at or taken while the lock is held at most: loops wait for it, and there may be very many pulls.
const lockedPulls = 512

// maxIdleQueues bounds the queues remembered on which no pull is held at the moment.
const maxIdleQueues = 1 << 14

func newHolds(b *Broker) *holds {
	hs := &holds{b: b, bytes: netpoll.NewBudget(maxHeldBytes), byKey: map[holdKey]*queueHolds{}, byTag: map[tagKey]*wanters{}}
	hs.alarm = time.AfterFunc(time.Hour, hs.expire)
	hs.alarm.Stop()
	return hs
}

// add holds a pull. On the connection's loop.
func (hs *holds) add(c *netpoll.Conn, h *remoting.PullHeader, a *pullAnswer, hold holdFor, codes []int32) {
	if c.IsClosed() {
		return
	}
	l := hs.b.loop(c.Loop())
	p := l.newHeld(c, h, a, codes)
	p.answer.held, p.hold = true, hold
	state := c.State().(*connState)
	if state.helds >= maxHeldPerConn || !hs.bytes.Take(p.bytes) {
		l.again(p)
		return
	}
	state.link(p)
	p.until = l.now() + hold.timeout
	if hs.put(p) {
		hs.b.store.Hurry()
	}
	// What arrived, or was healed, between the read and now has woken nobody.
	if hs.hasNews(p) {
		hs.wake(p)
	}
}

// put enters a pull into the table, and says whether it is the only one.
func (hs *holds) put(p *heldPull) (alone bool) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	q := hs.byKey[holdKey{string(p.header.Topic), p.header.QueueID}]
	if q == nil {
		q = hs.addQueue(holdKey{string(p.header.Topic), p.header.QueueID})
	}
	if len(q.list) == 0 {
		hs.idle--
	}
	p.queue, p.slot = q, len(q.list)
	q.list = append(q.list, p)
	hs.want(p)
	alone = hs.count.Add(1) == 1
	heap.Push(&hs.deadline, p)
	if p.place == 0 {
		hs.alarm.Reset(p.hold.timeout)
	}
	return alone
}

// hasNews says that there is what a pull waits for, or that it waits in vain.
func (hs *holds) hasNews(p *heldPull) bool {
	if p.hold.atGap {
		return hs.b.store.Awaited(p.hold.gap) <= 0
	}
	return hs.b.store.MaxOffset(p.header.Topic, p.header.QueueID) > p.header.QueueOffset
}

// gapsSettled runs the pulls at gaps that are healed, or are waited for no more. Any goroutine.
func (hs *holds) gapsSettled() {
	hs.wakeIf(func(p *heldPull) bool { return p.hold.atGap && hs.hasNews(p) })
}

// addQueue remembers a queue, on which no pull is held yet. When very many are remembered for nothing all of these are forgotten, so
// that a look at the whole table is paid for by as many that were added. Under mu.
func (hs *holds) addQueue(key holdKey) *queueHolds {
	if hs.idle >= maxIdleQueues {
		for k, q := range hs.byKey {
			if len(q.list) == 0 {
				delete(hs.byKey, k)
			}
		}
		hs.idle = 0
	}
	q := &queueHolds{key: key}
	hs.byKey[key] = q
	hs.idle++
	return q
}

// wake takes a pull out of the table and has its loop run it. Once per pull, whoever comes first.
func (hs *holds) wake(p *heldPull) {
	hs.mu.Lock()
	taken := hs.take(p)
	hs.mu.Unlock()
	if taken {
		hs.b.loop(p.c.Loop()).again(p)
	}
}

// take removes p from the table; false if it is not there any more. Under mu.
func (hs *holds) take(p *heldPull) bool {
	q := p.queue
	if q == nil {
		return false
	}
	last := len(q.list) - 1
	q.list[p.slot] = q.list[last]
	q.list[p.slot].slot = p.slot
	q.list[last] = nil
	q.list = q.list[:last]
	hs.unwant(p)
	if last == 0 {
		hs.idle++
		if cap(q.list) > lockedPulls {
			q.list = nil
		}
	}
	p.queue = nil
	heap.Remove(&hs.deadline, p.place)
	hs.count.Add(-1)
	hs.bytes.Give(p.bytes)
	return true
}

// expire runs the pulls whose time is over.
func (hs *holds) expire() {
	var over [64]*heldPull
	for n := len(over); n == len(over); {
		n = hs.takeExpired(over[:])
		for _, p := range over[:n] {
			hs.b.loop(p.c.Loop()).again(p)
		}
	}
}

// takeExpired takes as many pulls whose time is over as into holds, and sets the alarm for the next.
func (hs *holds) takeExpired(into []*heldPull) (n int) {
	now := hs.b.uptime()
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for ; n < len(into) && len(hs.deadline) > 0 && hs.deadline[0].until <= now; n++ {
		into[n] = hs.deadline[0]
		hs.take(into[n])
	}
	if len(hs.deadline) > 0 {
		hs.alarm.Reset(hs.deadline[0].until - now)
	}
	return n
}

// arrived is told of every visible queue entry, by the dispatcher. No allocation and no lock.
func (hs *holds) arrived(a *store.Arrival) {
	if hs.count.Load() == 0 {
		return // who is added now looks at the queue himself
	}
	hs.arrivals = append(hs.arrivals, arrival{holdKey{a.Topic, a.QueueID}, a.QueueOffset + int64(max(a.BatchNum, 1)), a.TagsCode})
	if len(hs.arrivals) >= maxArrivals {
		hs.roundEnded()
	}
}

// roundEnded wakes the pulls that want something of what arrived. By the dispatcher.
func (hs *holds) roundEnded() {
	if len(hs.arrivals) == 0 {
		return
	}
	hs.mu.Lock()
	var q *queueHolds
	for i := range hs.arrivals {
		a := &hs.arrivals[i]
		if i == 0 || a.key != hs.arrivals[i-1].key {
			q = hs.byKey[a.key]
		}
		for !hs.takeWanting(q, a) {
			hs.mu.Unlock()
			hs.runWoken()
			hs.mu.Lock()
			q = hs.byKey[a.key] // it may have been forgotten meanwhile
		}
	}
	hs.mu.Unlock()
	hs.arrivals = hs.arrivals[:0]
	hs.runWoken()
}

// takeWanting takes the pulls of a queue that want an arrival; false when there may be more than were taken. What it costs does not depend
// on how many others are held. By the dispatcher, under mu.
func (hs *holds) takeWanting(q *queueHolds, a *arrival) (all bool) {
	for q != nil && len(q.list) > 0 {
		p := q.any.first(a.end)
		if p == nil {
			p = hs.byTag[tagKey{q, int32(a.tags)}].first(a.end)
		}
		if p == nil {
			return true
		}
		if len(hs.woken) >= lockedPulls {
			return false
		}
		hs.take(p)
		hs.woken = append(hs.woken, p)
	}
	return true
}

// runWoken has the pulls run that were taken. By the dispatcher.
func (hs *holds) runWoken() {
	for i, p := range hs.woken {
		hs.woken[i] = nil
		hs.b.loop(p.c.Loop()).again(p)
	}
	hs.woken = hs.woken[:0]
}

// checkAll runs pulls whose queue has grown by entries they do not want, so that their offset moves on.
func (hs *holds) checkAll() {
	short := !hs.b.inForce.get().longPolling
	hs.wakeIf(func(p *heldPull) bool { return short || hs.hasNews(p) })
}

// answerAll runs every held pull, at shutdown.
func (hs *holds) answerAll() { hs.wakeIf(func(*heldPull) bool { return true }) }

// wakeGroup runs the pulls of a group and topic, whose progress was set anew.
func (hs *holds) wakeGroup(group, topic string) {
	hs.wakeIf(func(p *heldPull) bool {
		return string(p.header.Topic) == topic && string(p.header.ConsumerGroup) == group
	})
}

// wakeTopic runs the pulls of a topic, which was deleted.
func (hs *holds) wakeTopic(topic string) {
	hs.wakeIf(func(p *heldPull) bool { return string(p.header.Topic) == topic })
}

// wakeIf runs the pulls that fn picks.
func (hs *holds) wakeIf(fn func(p *heldPull) bool) {
	var taken [lockedPulls]*heldPull
	for _, q := range hs.busy() {
		for at := math.MaxInt; at > 0; {
			n := 0
			at, n = hs.takeIf(q, at, fn, &taken)
			for _, p := range taken[:n] {
				hs.b.loop(p.c.Loop()).again(p)
			}
		}
	}
}

// busy lists the queues on which pulls are held.
func (hs *holds) busy() []*queueHolds {
	if hs.count.Load() == 0 {
		return nil
	}
	hs.mu.Lock()
	defer hs.mu.Unlock()
	all := make([]*queueHolds, 0, len(hs.byKey)-hs.idle)
	for _, q := range hs.byKey {
		if len(q.list) > 0 {
			all = append(all, q)
		}
	}
	return all
}

// takeIf takes the pulls of a queue that fn picks among lockedPulls of them, from a slot downwards, and says at which it ended. What is taken
// by others meanwhile moves nothing up: the last pull takes the slot of one that goes, and has been looked at, or is looked at again.
func (hs *holds) takeIf(q *queueHolds, at int, fn func(p *heldPull) bool, into *[lockedPulls]*heldPull) (end, n int) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	at = min(at, len(q.list))
	for looked := 0; looked < lockedPulls && at > 0; looked++ {
		at--
		if p := q.list[at]; fn(p) {
			hs.take(p)
			into[n] = p
			n++
		}
	}
	return at, n
}

// closed forgets the pulls of a connection. On its loop.
func (hs *holds) closed(c *netpoll.Conn) {
	l, state := hs.b.loop(c.Loop()), c.State().(*connState)
	for state.held != nil {
		hs.mu.Lock()
		for n := 0; n < lockedPulls && state.held != nil; n++ {
			p := state.held
			state.unlink(p)
			if hs.take(p) {
				l.freeHeld(p) // one that was taken before is on its way to the loop
			}
		}
		hs.mu.Unlock()
	}
}

// deadlines is a heap of pulls, the first to end at the top.
type deadlines []*heldPull

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].until < d[j].until }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i, j
}

// Push implements heap.Interface.
func (d *deadlines) Push(x any) {
	p := x.(*heldPull)
	p.place = len(*d)
	*d = append(*d, p)
}

// Pop implements heap.Interface.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	p := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return p
}
