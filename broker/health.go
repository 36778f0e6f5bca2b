package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ringmq/broker/web"
	"ringmq/netpoll/remoting"
)

// Bounds of health.
const (
	// deadWriter is how long the log's writer may stand still with something to write before only another start may help, and lateWriter
	// before no sends should be led here: a send is told 10 after syncFlushTimeout, which is half of that.
	deadWriter = time.Minute
	lateWriter = 10 * time.Second
	// lateRegistration is how long a name server remembers a broker that it does not hear of.
	lateRegistration = 2 * time.Minute
)

// pulse is what is noticed once a second, so that a probe that asks once knows since when something stands still.
type pulse struct {
	felt     atomic.Int64 // Broker.uptime at the last look; 0: there was none
	stuck    atomic.Int64 // since when the writer stands still with something to write; 0: it does not
	place    int64        // up to which the log was safe at the last look; everySecond's own
	stopping atomic.Bool
}

// look notes how far the log is safe of what is in it, at a time of Broker.uptime. everySecond's own.
func (p *pulse) look(now time.Duration, safe, end int64) {
	switch {
	case safe >= end:
		p.stuck.Store(0)
	case safe != p.place || p.stuck.Load() == 0:
		p.stuck.Store(int64(max(now, 1)))
	}
	p.place = safe
	p.felt.Store(int64(max(now, 1)))
}

// standsStill is for how long the writer has stood still with something to write, as of the last look. Any goroutine.
func (p *pulse) standsStill(now time.Duration) time.Duration {
	if since := time.Duration(p.stuck.Load()); since != 0 {
		return max(now-since, 0)
	}
	return 0
}

// feelPulse is look for this broker.
func (b *Broker) feelPulse() {
	end := b.store.LogMax() // first: what is written meanwhile is no reason to wait
	b.pulse.look(b.uptime(), b.store.Sendable().Load(), end)
}

// health is what probes of liveness and readiness look at. Nothing of it does I/O or waits for a lock that is held across any.
func (b *Broker) health() web.Health {
	loops := web.Check{Name: "event-loops", Look: b.net.Turns}
	h := web.Health{
		Live: []web.Check{loops, {Name: "log-writer", Look: b.writerGoesOn(deadWriter)}},
		Ready: []web.Check{
			loops, {Name: "log-writer", Look: b.writerGoesOn(lateWriter)}, {Name: "store", Look: b.storeOpen}, {Name: "disk", Look: b.diskHasRoom},
			{Name: "name-servers", Look: b.isRegistered}, {Name: "serving", Look: b.isServing},
		},
	}
	if b.slave {
		h.Ready = append(h.Ready, web.Check{Name: "replication", Look: b.followsClosely})
	}
	return h
}

// writerGoesOn looks whether the log has failed, or has stood still for longer than a bound.
func (b *Broker) writerGoesOn(bound time.Duration) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		if err := b.failed(); err != nil {
			return "", fmt.Errorf("the log takes no writes until another start: %w", err)
		}
		now := b.uptime()
		if felt := time.Duration(b.pulse.felt.Load()); felt != 0 && now-felt > bound {
			return "", fmt.Errorf("what is done every second has waited for %s, for the disk as a rule", (now - felt).Round(time.Second))
		}
		switch still := b.pulse.standsStill(now); {
		case b.pulse.stuck.Load() == 0:
			return "the disk has all of the log", nil
		case still > bound:
			return "", fmt.Errorf("the disk has taken nothing of the log for %s, with %d bytes to write", still.Round(time.Second), b.store.LogMax()-b.store.Sendable().Load())
		}
		return "the disk is at work", nil
	}
}

// storeOpen looks whether the store takes messages: on a slave, its master's.
func (b *Broker) storeOpen(context.Context) (string, error) {
	if b.slave {
		return "takes what the master sends", nil // its log and its disk have checks of their own
	}
	if err := b.store.Writable(); err != nil {
		return "", err
	}
	return "takes messages", nil
}

func (b *Broker) diskHasRoom(context.Context) (string, error) {
	f := b.store.Fullness()
	text := fmt.Sprintf("%.1f %% used, sends are refused beyond %.0f %%", 100*f.Used, 100*f.Limit)
	switch {
	case f.NoSegment:
		return "", fmt.Errorf("no space for the next segment of the log; %s", text)
	case f.Full:
		return "", errors.New(text)
	}
	return text, nil
}

// isRegistered looks whether one name server at least has had this broker enter lately.
func (b *Broker) isRegistered(context.Context) (string, error) {
	targets := b.registrar.targets
	if len(targets) == 0 {
		return "none is configured", nil
	}
	var there, not []string
	for _, t := range targets {
		if text, has := t.has(b.uptime()); has {
			there = append(there, text)
		} else {
			not = append(not, text)
		}
	}
	if len(there) == 0 {
		return "", fmt.Errorf("registered at none: %s", strings.Join(not, "; "))
	}
	return "registered at " + strings.Join(slices.Concat(there, not), "; "), nil
}

// has says whether a name server has this broker in its tables, as far as is known at a time of Broker.uptime, and when it was told last, or why it has
// not. Any goroutine.
func (t *nameServer) has(now time.Duration) (text string, has bool) {
	at := time.Duration(t.at.Load())
	switch why := t.why.Load(); {
	case t.lost.Load() && why != nil:
		return fmt.Sprintf("%s: %v", t.addr, *why), false
	case at == 0:
		return t.addr + ": not yet", false
	case now-at > lateRegistration:
		return fmt.Sprintf("%s: not for %s", t.addr, (now - at).Round(time.Second)), false
	}
	return fmt.Sprintf("%s %s ago", t.addr, max(now-at, 0).Round(time.Second)), true
}

// isServing looks whether clients are refused because somebody wants it so.
func (b *Broker) isServing(context.Context) (string, error) {
	perm := b.permission()
	switch {
	case b.pulse.stopping.Load():
		return "", errors.New("the broker is stopping")
	case perm&remoting.PermRead == 0:
		return "", fmt.Errorf("brokerPermission=%d: pulls are refused", perm)
	case perm&remoting.PermWrite == 0 && !b.slave:
		return "", fmt.Errorf("brokerPermission=%d: sends are refused", perm)
	}
	return "clients are served", nil
}

// followsClosely looks whether a slave has its master, and nearly all of its log.
func (b *Broker) followsClosely(context.Context) (string, error) {
	s, limit := b.replication.follower.State(), b.c.Replication().MaxGapBytes
	gap := max(0, s.MasterOffset-s.Offset)
	switch {
	case s.Refused != "":
		return "", fmt.Errorf("nothing is copied until somebody decides: %s", s.Refused)
	case s.Master == "":
		return "", errors.New("no master is known")
	case !s.Connected:
		return "", fmt.Errorf("not connected to the master %s", s.Master)
	case gap > limit:
		return "", fmt.Errorf("%d bytes behind the master %s; haMaxGapNotInSync is %d", gap, s.Master, limit)
	}
	return fmt.Sprintf("%d bytes behind the master %s", gap, s.Master), nil
}
