package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// drainPerm is what a drain knows of the write permission. A registration of the broker with a newer table brings it back at the name
// server that it comes to, and so does a name server's own start: it is looked for in every round, and wiped again.
type drainPerm struct {
	at     map[string]int // topics by name server that was told
	again  int            // times that it was wiped again
	why    string         // of the last one
	last   time.Time      // that it was wiped
	topics []string       // of the broker that may be written to
	asked  time.Time      // for these
	next   int            // of them, to look at
}

const (
	// maxRoutes is how many topics' routes are looked at in one round at a name server. The others' turn comes.
	maxRoutes = 256
	// manyTopics makes a table that is not asked for every few seconds.
	manyTopics  = 5_000
	topicsEvery = 10 * time.Second
	topicsRest  = time.Minute
)

// permission wipes the write permission at the name servers that have not been told, and again where it is back.
func (d *drain) permission(ctx context.Context) Step {
	p, now := &d.perm, d.s.now()
	every := topicsEvery
	if len(p.topics) > manyTopics {
		every = topicsRest
	}
	var problems []string
	if p.asked.IsZero() || now.Sub(p.asked) >= every {
		topics, err := d.s.writable(ctx, d.master)
		if err == nil {
			p.topics, p.asked = topics, now
		} else {
			problems = append(problems, "topics of "+ask.Brief(err.Error()))
		}
	}
	window := p.window()
	for _, addr := range d.s.names {
		if _, told := p.at[addr]; !told {
			if err := d.wipe(ctx, addr); err != nil {
				problems = append(problems, ask.Brief(err.Error()))
			}
			continue
		}
		open, err := d.openAt(ctx, addr, window)
		if err == nil && len(open) > 0 {
			p.again++
			p.why = fmt.Sprintf("%s for %s", addr, someOf(open))
			err = d.wipe(ctx, addr)
		}
		if err != nil {
			problems = append(problems, ask.Brief(err.Error()))
		}
	}
	if len(problems) > 0 {
		d.failed = true
		return Step{"permission", false, strings.Join(problems, "; ")}
	}
	return Step{"permission", true, p.text(d.s.names)}
}

// window are the topics to look at in this round.
func (p *drainPerm) window() []string {
	if len(p.topics) <= maxRoutes {
		return p.topics
	}
	var some []string
	for range maxRoutes {
		some = append(some, p.topics[p.next%len(p.topics)])
		p.next++
	}
	return some
}

// openAt are the topics that a name server has producers send to the broker.
func (d *drain) openAt(ctx context.Context, namesrv string, topics []string) (open []string, err error) {
	for _, t := range topics {
		yes, err := d.s.opensWrites(ctx, namesrv, t, d.name)
		if err != nil {
			return nil, err
		}
		if yes {
			open = append(open, t)
		}
	}
	return open, nil
}

// wipe is request 205.
func (d *drain) wipe(ctx context.Context, namesrv string) error {
	resp, err := d.s.ask.Call(ctx, namesrv, ask.Request(remoting.CodeWipeWritePermOfBroker, "brokerName", d.name))
	if err != nil {
		return fmt.Errorf("name server %s: %w", namesrv, err)
	}
	n, _, err := resp.Int32("wipeTopicCount")
	if err != nil {
		return fmt.Errorf("name server %s: %w", namesrv, err)
	}
	d.perm.at[namesrv], d.perm.last = int(n), d.s.now()
	return nil
}

func (p *drainPerm) text(names []string) string {
	var words []string
	for _, addr := range names {
		words = append(words, fmt.Sprintf("%s (%d topics)", addr, p.at[addr]))
	}
	text := "wiped at " + strings.Join(words, ", ")
	switch {
	case p.again == 1:
		text += "; a registration brought it back once, at " + p.why + ": it was wiped again"
	case p.again > 1:
		text += fmt.Sprintf("; registrations brought it back %d times, the last at %s: it was wiped again each time", p.again, p.why)
	}
	return text
}

// someOf names a few of many.
func someOf(all []string) string {
	const few = 3
	if len(all) <= few {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(slices.Clone(all[:few]), ", "), len(all)-few)
}
