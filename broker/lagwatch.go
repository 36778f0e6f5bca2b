package broker

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ringmq/broker/lag"
	"ringmq/broker/member"
)

// lagWatch looks at the progress of all groups while an alarm of lag has a limit, and tells of alarms. It runs on a goroutine of its
// own: a look may read from the disk.
type lagWatch struct {
	b         *Broker
	histories map[lag.Key]*lag.History
	ages      *ageBook
	looks     int       // that there have been
	marks     []logMark // where the log ended at earlier looks, as far as some of it waits still
	reads     map[lag.Key]readWait
	readsFor  time.Duration       // they are of so long
	cold      map[string]lag.Cold // groups whose pulls were kept back since the last look
	alarms    lag.Alarms
	last      atomic.Pointer[[]lag.State]
	hook      *lagHook // nil: nobody is to be told
	every     time.Duration

	begun, ended atomic.Int64 // alarms that were told of
}

const (
	lagLookEvery  = 10 * time.Second
	lagStuckAfter = time.Minute // without progress, while messages wait
)

func newLagWatch(b *Broker) *lagWatch {
	w := &lagWatch{b: b, every: lagLookEvery, histories: map[lag.Key]*lag.History{}, ages: newAgeBook(b)}
	if url := b.c.Text("lagAlarmWebhook"); url != "" {
		w.hook = newLagHook(url, b.logger)
	}
	return w
}

// Lags are the groups and topics as the newest look found them; nil while no alarm of lag has a limit. Any goroutine; the caller must
// not change it.
func (b *Broker) Lags() []lag.State {
	if all := b.lags.last.Load(); all != nil {
		return *all
	}
	return nil
}

// LagAlarms are the alarms of lag that stand, by group and topic. Any goroutine.
func (b *Broker) LagAlarms() []lag.Alarm { return b.lags.alarms.Standing() }

func (w *lagWatch) run(stop <-chan struct{}) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			w.tell(w.turn(now))
		}
	}
}

// turn is one look, if anybody wants one, and the alarms that it raises and clears. A slave's groups are its master's to watch.
func (w *lagWatch) turn(now time.Time) []lag.Alarm {
	limits := w.b.inForce.get().lagLimits
	w.reads, w.readsFor = w.b.readWaits.look(w.b.uptime())
	w.cold = w.b.coldControl.keptBack()
	var states []lag.State
	if limits.On() && !w.b.slave {
		states = w.look(now)
		w.last.Store(&states)
	} else {
		w.last.Store(nil)
		clear(w.histories)
		w.ages.forget()
		w.marks = nil
	}
	return w.alarms.Observe(now, limits, states)
}

// look finds out about every group and every topic that it has progress in.
func (w *lagWatch) look(now time.Time) (states []lag.State) {
	b := w.b
	slow := w.slowBroker(now)
	seen := map[lag.Key]bool{}
	for group := range b.groups.All() {
		subscribed := map[string]*member.Subscription(nil)
		if g := b.members.Group([]byte(group)); g != nil {
			subscribed = g.Subscriptions()
		}
		members := b.members.Consumers(group)
		for _, topic := range b.offsets.TopicsOf(group) {
			t, ok := b.topics.Lookup(topic)
			if !ok || len(subscribed) > 0 && subscribed[topic] == nil {
				continue // as 208 leaves out
			}
			k := lag.Key{Group: group, Topic: topic}
			seen[k] = true
			l := w.queues(k, now, t.ReadQueueNums, slow.hides)
			h := w.histories[k]
			if h == nil {
				h = &lag.History{}
				w.histories[k] = h
			}
			f := h.Add(l)
			s := lag.State{Group: group, Topic: topic, Diff: f.Diff, In: f.In, Out: f.Out, Members: len(members), Cause: lag.None, SlowerSince: f.SlowerSince}
			if f.Diff > 0 {
				if oldest := w.oldest(l); oldest > 0 {
					s.BehindMs = max(now.UnixMilli()-oldest, 0)
				} else if f.Hidden > 0 {
					s.BehindMs = slow.waits.Milliseconds()
				}
				w.judge(&s, &f, now, slow)
			}
			states = append(states, s)
		}
	}
	for k := range w.histories {
		if !seen[k] {
			delete(w.histories, k)
		}
	}
	w.ages.forget()
	w.looks++
	slices.SortFunc(states, lag.ByName)
	return states
}

// queues is how far the group is in every queue. A queue that it has no progress in it has not begun with: what a new group does not
// want to see is no lag. What is stored and hidden from consumers counts while it is hidden for long.
func (w *lagWatch) queues(k lag.Key, now time.Time, count int32, hides bool) *lag.Look {
	l := &lag.Look{Key: k, At: now}
	for id := range count {
		end := max(w.b.store.MaxOffset([]byte(k.Topic), id), 0)
		committed, ok := w.b.offsets.Query([]byte(k.Group), []byte(k.Topic), id)
		if !ok {
			committed = end
		}
		q := lag.Queue{ID: id, Max: end, Committed: min(max(committed, 0), end)}
		if hides {
			q.Hidden = max(w.b.store.NextOffset([]byte(k.Topic), id)-end, 0)
		}
		l.Queues = append(l.Queues, q)
	}
	return l
}

// judge names the cause as far as the broker knows it, what shows it, and the queue that does.
func (w *lagWatch) judge(s *lag.State, f *lag.Figures, now time.Time, slow slowness) {
	s.Cause, s.Evidence = w.signs(s, f, now, slow).cause(s, f)
	q, since := f.Still, f.StillSince
	switch s.Cause {
	case lag.Stuck, lag.NotPulling:
	case lag.Slow:
		q, since = f.Most, time.Time{}
	default:
		return
	}
	member, who := w.whoHas(s, q.ID)
	s.Queue = &lag.Behind{ID: q.ID, Diff: q.Max - q.Committed, Offset: q.Committed, Since: since, Member: member}
	s.Evidence = append(s.Evidence, who)
}

// whoHas names the member that a queue is with: the one that holds its lock or, where queues are not locked, the one that asked for its
// messages last, if it is still there. Otherwise it lists all members, and member is "".
func (w *lagWatch) whoHas(s *lag.State, id int32) (member, sentence string) {
	if holder := w.b.locks.Holder(s.Group, w.b.queueNamed(s.Topic, id)); holder != "" {
		return holder, "member " + holder + " has it"
	}
	pull, pulled := w.b.offsets.LastPull([]byte(s.Group), []byte(s.Topic), id)
	var names []string
	for _, c := range w.b.members.Consumers(s.Group) {
		name := fmt.Sprintf("%s (%s)", c.ID, c.Addr)
		if pulled && c.Conn == pull.Conn {
			return c.ID, fmt.Sprintf("member %s asked for its messages last, %s ago", name, max(w.b.uptime()-pull.At, 0).Round(time.Second))
		}
		names = append(names, name)
	}
	slices.Sort(names)
	const most = 8
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return "", "members: " + strings.Join(names, ", ")
}
