package lag

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Limits say when somebody has to be told. A limit of 0 is none.
type Limits struct {
	Messages     int64
	BehindMs     int64
	ClearPercent int           // of a limit, below which it has to fall again
	Hold         time.Duration // for so long it has to be over, or below
}

// On says that there is a limit at all.
func (l Limits) On() bool { return l.Messages > 0 || l.BehindMs > 0 }

// State is a group and a topic at one look.
type State struct {
	Group    string   `json:"group"`
	Topic    string   `json:"topic"`
	Diff     int64    `json:"diff"`
	BehindMs int64    `json:"behindMs"` // age of the oldest message that is not consumed; 0: there is none, or it is not known
	In       float64  `json:"inTps"`
	Out      float64  `json:"outTps"`
	Members  int      `json:"members"`
	Cause    string   `json:"cause"`
	Evidence []string `json:"evidence,omitempty"`
	Queue    *Behind  `json:"queue,omitempty"` // the queue that shows the cause, where one does
	// SlowerSince is since when more comes in than is consumed, as far as was looked; zero: it does not.
	SlowerSince time.Time `json:"slowerSince,omitzero"`
}

// ByName orders states by group and topic.
func ByName(x, y State) int {
	return cmp.Or(cmp.Compare(x.Group, y.Group), cmp.Compare(x.Topic, y.Topic))
}

// Behind is a queue that a group is behind in.
type Behind struct {
	ID     int32     `json:"queueId"`
	Diff   int64     `json:"diff"`
	Offset int64     `json:"offset"`           // of the next message to be consumed
	Since  time.Time `json:"since,omitzero"`   // no progress since then, as far as was looked; zero: it makes some
	Member string    `json:"member,omitempty"` // id of the client that has it locked, or asked for its messages last; "": not known
}

// over says that a limit is passed.
func (l Limits) over(s *State) bool {
	return l.Messages > 0 && s.Diff > l.Messages || l.BehindMs > 0 && s.BehindMs > l.BehindMs
}

// below says that it is far enough below all of them.
func (l Limits) below(s *State) bool {
	percent := int64(l.ClearPercent)
	return (l.Messages <= 0 || s.Diff <= l.Messages/100*percent+l.Messages%100*percent/100) &&
		(l.BehindMs <= 0 || s.BehindMs <= l.BehindMs/100*percent+l.BehindMs%100*percent/100)
}

// Alarm is one that was raised, or has just been cleared. State is as it was last seen.
type Alarm struct {
	State
	Raised  time.Time `json:"raised"`
	Cleared time.Time `json:"cleared,omitzero"` // zero while it stands
}

// Alarms raises an alarm when a group has been over a limit for long enough, once, and clears it when it has been below for long
// enough, once. In between nothing is said: what goes up and down around a limit wakes nobody twice. Observe belongs to one goroutine;
// Standing may be called by any.
type Alarms struct {
	mu  sync.Mutex
	all map[Key]*watched
}

type watched struct {
	alarm Alarm
	on    bool
	since time.Time // over the limit without an alarm, or below it with one; zero: not so
}

// Observe takes what a look found: every group and topic, or they count as gone. It returns the alarms that have just been raised or
// cleared, by group and topic.
func (a *Alarms) Observe(now time.Time, l Limits, states []State) (news []Alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[Key]*watched{}
	}
	seen := make(map[Key]bool, len(states))
	for i := range states {
		s := &states[i]
		k := Key{s.Group, s.Topic}
		seen[k] = true
		if w := a.step(k, now, l, s); w != nil {
			news = append(news, w.alarm)
			if !w.on {
				delete(a.all, k)
			}
		}
	}
	for k, w := range a.all {
		if seen[k] {
			continue
		}
		if delete(a.all, k); w.on {
			w.alarm.Cleared = now
			news = append(news, w.alarm)
		}
	}
	slices.SortFunc(news, func(x, y Alarm) int { return ByName(x.State, y.State) })
	return news
}

// step returns what has just been raised or cleared, or nil.
func (a *Alarms) step(k Key, now time.Time, l Limits, s *State) *watched {
	w := a.all[k]
	if w == nil {
		if !l.over(s) {
			return nil
		}
		w = &watched{}
		a.all[k] = w
	}
	w.alarm.State = *s
	turns := !w.on && l.over(s) || w.on && (l.below(s) || !l.On())
	switch {
	case !turns && !w.on:
		delete(a.all, k)
		return nil
	case !turns:
		w.since = time.Time{}
		return nil
	case w.since.IsZero():
		w.since = now
	}
	if now.Sub(w.since) < l.Hold {
		return nil
	}
	w.on, w.since = !w.on, time.Time{}
	if w.alarm.Cleared = now; w.on {
		w.alarm.Raised, w.alarm.Cleared = now, time.Time{}
	}
	return w
}

// Standing are the alarms that were raised and not cleared, by group and topic.
func (a *Alarms) Standing() (all []Alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.all {
		if w.on {
			all = append(all, w.alarm)
		}
	}
	slices.SortFunc(all, func(x, y Alarm) int { return ByName(x.State, y.State) })
	return all
}
