package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// drainPuts is what a drain knows of what is stored.
type drainPuts struct {
	boot string    // of the broker's process
	at   time.Time // of the last look
	raw  int64     // puts at the last look
	seen int64     // puts that are known to have been no delivery
	last time.Time // that there was one
	calm int       // looks in a row, this process's first included, that saw none
}

// producers waits until nothing has been sent for the settling time, since the permission was wiped at the earliest. What the broker
// stores by itself, a delayed message that comes due, is no send.
func (d *drain) producers(ctx context.Context) Step {
	t, _, err := d.s.ask.RuntimeInfo(ctx, d.master)
	if err != nil {
		return d.trouble("producers", fmt.Errorf("%s: %w", d.master, err))
	}
	puts, err := strconv.ParseInt(t["putMessageTimesTotal"], 10, 64)
	if err != nil {
		return d.trouble("producers", fmt.Errorf("%s does not tell how much it stores", d.master))
	}
	delivered, waits := delayed(t)
	d.waits = waits
	now := d.s.now()
	rate := d.puts.look(t["bootTimestamp"], puts-delivered, now)
	since := d.puts.last
	if d.perm.last.After(since) {
		since = d.perm.last
	}
	quiet := max(now.Sub(since), 0)
	switch {
	case rate > 0: // however long it was quiet before
		return Step{"producers", false, fmt.Sprintf("%.1f messages a second are sent", rate)}
	case quiet >= d.settle && (d.puts.calm >= calmLooks || d.settle == 0): // with 0 nobody wants to wait
		return Step{"producers", true, "nothing was sent for " + spanText(quiet)}
	case quiet >= d.settle:
		return Step{"producers", false, fmt.Sprintf("nothing was sent for %s; one more look", spanText(quiet))}
	}
	return Step{"producers", false, fmt.Sprintf("nothing was sent for %s of %s", spanText(quiet), spanText(d.settle))}
}

// calmLooks are how many looks in a row have to agree that nothing is sent: what came right before a look is known to the next.
const calmLooks = 2

// delayed sums up the levels of delayed messages: those that were delivered, since ever, and those that wait.
func delayed(t map[string]string) (delivered, waits int64) {
	for key, text := range t {
		if !strings.HasPrefix(key, "scheduleMessageOffset_") {
			continue
		}
		next, end, _ := strings.Cut(text, ",")
		n, err1 := strconv.ParseInt(next, 10, 64)
		m, err2 := strconv.ParseInt(end, 10, 64)
		if err1 == nil && err2 == nil {
			delivered += n
			waits += max(m-n, 0)
		}
	}
	return delivered, waits
}

// look takes down how much was stored, deliveries apart, and returns messages a second since the last look. A delivery is stored a moment
// before it counts as one: what one look alone has seen is not taken for a send yet.
func (p *drainPuts) look(boot string, raw int64, now time.Time) (rate float64) {
	if p.boot != boot {
		*p = drainPuts{boot: boot, at: now, raw: raw, seen: raw, last: now, calm: 1}
		return 0
	}
	if sure := min(p.raw, raw); sure > p.seen {
		p.seen, p.last = sure, now
	}
	if seconds := now.Sub(p.at).Seconds(); seconds > 0 {
		rate = max(float64(raw-p.raw), 0) / seconds
	}
	if p.calm++; raw > p.raw {
		p.calm = 0
	}
	p.at, p.raw = now, raw
	return rate
}

// groups waits until all groups that have members have consumed everything.
func (d *drain) groups(ctx context.Context) Step {
	var all remoting.BrokerConsumeStats
	if err := d.s.body(ctx, d.master, ask.Request(remoting.CodeGetBrokerConsumeStats, "isOrder", "false"), &all); err != nil {
		return d.trouble("groups", err)
	}
	d.idle = map[string]int64{}
	var behind []string
	waited := 0
	for _, g := range all.Groups {
		lag, queues := int64(0), 0
		for _, topic := range g.Stats {
			queues += len(topic.OffsetTable)
			for _, e := range topic.OffsetTable {
				lag += max(e.Value.BrokerOffset-e.Value.ConsumerOffset, 0)
			}
		}
		if queues == 0 || d.ignored[g.Group] {
			continue
		}
		if waited++; lag == 0 {
			continue
		}
		c, err := d.s.ask.Consumers(ctx, d.master, g.Group)
		text := fmt.Sprintf("%s is %d messages behind", g.Group, lag)
		switch code := ask.CodeOf(err); {
		case code == remoting.RespConsumerNotOnline, err == nil && len(c.ConnectionSet) == 0:
			d.idle[g.Group] = lag
			if !d.all {
				continue
			}
			text += " and has no member"
		case err != nil:
			d.failed = true
			text += ", its members are not known: " + ask.Brief(err.Error())
		default:
			text += fmt.Sprintf(", with %d members", len(c.ConnectionSet))
		}
		behind = append(behind, text)
	}
	if len(behind) > 0 {
		return Step{"groups", false, fmt.Sprintf("%d of %d: %s", len(behind), waited, someOf(behind))}
	}
	text := fmt.Sprintf("%d groups have consumed everything", waited-len(d.idle))
	if len(d.idle) > 0 {
		text += fmt.Sprintf("; not waited for, since no member is there: %s", someOf(slices.Sorted(maps.Keys(d.idle))))
	}
	return Step{"groups", true, text}
}

// copies waits until all slaves have the whole log and, when all else is done, the progress of the groups.
func (d *drain) copies(ctx context.Context, quiet bool) Step {
	const step = "slaves"
	c, err := d.s.cluster(ctx)
	if err != nil {
		return d.trouble(step, err)
	}
	if b := c.BrokerAddrTable[d.name]; b != nil {
		for id, addr := range b.BrokerAddrs {
			if id != masterID {
				d.slaves[addr] = true
			}
		}
	}
	var master remoting.HARuntimeInfo
	if err := d.s.body(ctx, d.master, ask.Request(remoting.CodeGetBrokerHaStatus), &master); err != nil {
		return d.trouble(step, err)
	}
	var behind []string
	for _, one := range master.HAConnectionInfo {
		if one.Diff > 0 {
			behind = append(behind, fmt.Sprintf("%s has not acknowledged %d bytes", one.Addr, one.Diff))
		}
	}
	for _, addr := range slices.Sorted(maps.Keys(d.slaves)) {
		if why := d.lacks(ctx, addr, master.MasterMaxOffset, quiet && len(behind) == 0); why != "" {
			behind = append(behind, why)
		}
	}
	switch {
	case len(behind) > 0:
		return Step{step, false, someOf(behind)}
	case len(d.slaves) == 0 && len(master.HAConnectionInfo) == 0:
		return Step{step, true, "there is none"}
	case !quiet:
		return Step{step, true, fmt.Sprintf("%d have all of the log", max(len(d.slaves), len(master.HAConnectionInfo)))}
	}
	return Step{step, true, fmt.Sprintf("%d have all of the log and of the groups' progress", max(len(d.slaves), len(master.HAConnectionInfo)))}
}

// lacks says what a slave does not have; "": nothing.
func (d *drain) lacks(ctx context.Context, addr string, end int64, progress bool) string {
	var slave remoting.HARuntimeInfo
	if err := d.s.body(ctx, addr, ask.Request(remoting.CodeGetBrokerHaStatus), &slave); err != nil {
		d.failed = true
		return "slave " + ask.Brief(err.Error())
	}
	if n := end - slave.Client.MaxOffset; n > 0 {
		return fmt.Sprintf("%s lacks %d bytes of the log", addr, n)
	}
	if !progress {
		return ""
	}
	mine, err := d.s.allProgress(ctx, d.master)
	if err == nil {
		var its map[string]map[int32]int64
		if its, err = d.s.allProgress(ctx, addr); err == nil {
			return d.compareProgress(addr, mine, its)
		}
	}
	d.failed = true
	return ask.Brief(err.Error())
}

// compareProgress says which groups' progress a slave does not have: their members would get messages again there.
func (d *drain) compareProgress(addr string, mine, its map[string]map[int32]int64) string {
	lacking := map[string]bool{}
	for key, queues := range mine {
		if _, group, _ := strings.Cut(key, "@"); !d.ignored[group] {
			for q, offset := range queues {
				if its[key][q] < offset {
					lacking[group] = true
				}
			}
		}
	}
	if len(lacking) == 0 {
		return ""
	}
	return fmt.Sprintf("%s lacks the progress of %s", addr, someOf(slices.Sorted(maps.Keys(lacking))))
}
