package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

func drainBroker() *Command {
	return &Command{
		Name: "drain", Short: "Take a broker out of use: no more is sent to it, until all is consumed and its slaves have it", Run: runDrain,
		Flags: append(nameFlags(),
			Flag{Long: "settle", Usage: "producers have left when nothing was sent for so long; 30s, in which all of them ask for the route again, if it is not given", Kind: Span},
			Flag{Long: "timeout", Usage: "how long to wait for all of it; 10m if it is not given, 0s: until it is done", Kind: Span},
			Flag{Long: "ignoreGroup", Usage: "consumer groups that are not waited for: A,B", Names: Groups},
			Flag{Long: "allGroups", Usage: "wait for groups without members too", Kind: Switch},
			Flag{Long: "stop", Usage: "then end the broker's process, if it runs on this machine", Kind: Switch},
		),
	}
}

// nameFlags name one broker name.
func nameFlags() []Flag {
	return []Flag{
		{Short: "b", Long: "brokerAddr", Usage: "broker, host:port of its master", Names: BrokerAddrs},
		{Long: "brokerName", Usage: "broker, by its name", Names: BrokerNames},
	}
}

const (
	defaultSettle  = 30 * time.Second // in which clients ask for routes again, pollNameServerInterval
	defaultTimeout = 10 * time.Minute
	drainRound     = time.Second // between two looks
)

// Step is how it stands with something that a command waits for.
type Step struct {
	Name   string
	Done   bool
	Detail string
}

// Codes that a process ends with after a drain, besides 0, and 1 for what failed before anything was waited for.
const (
	DrainTimedOut   = 2 // not drained in time
	DrainNotStopped = 3 // drained, and not stopped although that was wanted
)

// drain is one run of the command.
type drain struct {
	s       *Session
	name    string
	master  string // host:port
	settle  time.Duration
	all     bool // groups without members too
	ignored map[string]bool
	began   time.Time
	failed  bool // something could not be asked in this round

	perm   drainPerm
	puts   drainPuts
	slaves map[string]bool // host:port; those that were registered at any time since it began
	idle   map[string]int64
	waits  int64 // delayed messages that are not due
	notes  []string
}

func runDrain(ctx context.Context, s *Session, a Args, out *Out) error {
	if err := a.oneBroker(); err != nil {
		return err
	}
	name, master, err := s.drained(ctx, a)
	if err != nil {
		return err
	}
	d := &drain{s: s, name: name, master: master, settle: a.Span("settle", defaultSettle), all: a.Has("allGroups"), ignored: map[string]bool{}, began: s.now(),
		slaves: map[string]bool{}, perm: drainPerm{at: map[string]int{}}}
	for _, g := range strings.FieldsFunc(a["ignoreGroup"], func(ch rune) bool { return ch == ',' || ch == ';' || ch == ' ' }) {
		d.ignored[g] = true
	}
	if _, _, err := s.ask.RuntimeInfo(ctx, master); err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", master, err)
	}
	d.lookAtNames(ctx)
	steps, ended := d.run(ctx, a.Span("timeout", defaultTimeout))
	stopped := ""
	if ended == nil && a.Has("stop") {
		stopped, ended = d.stop(ctx)
	}
	d.write(steps, stopped, ended == nil, out)
	return ended
}

// lookAtNames notes name servers that the broker registers at and that were not given: nobody wipes its permission there.
func (d *drain) lookAtNames(ctx context.Context) {
	conf, err := d.s.ask.BrokerConfig(ctx, d.master)
	if err != nil {
		return // it was not asked for
	}
	for _, addr := range remoting.ServerNames(conf["namesrvAddr"]) {
		if !slices.Contains(d.s.names, addr) {
			d.notes = append(d.notes, fmt.Sprintf("the broker registers at %s too, which -n does not name: producers that ask there go on sending, unless it is another name of one of these", addr))
		}
	}
}

// oneBroker checks nameFlags.
func (a Args) oneBroker() error {
	if (a["brokerName"] == "") == (a["brokerAddr"] == "") {
		return errors.New("which broker? Give one with -b host:port, or with --brokerName NAME")
	}
	return nil
}

// drained is the name and the master's address of the broker that flags name.
func (s *Session) drained(ctx context.Context, a Args) (name, master string, err error) {
	name, addr := a["brokerName"], a["brokerAddr"]
	if addr != "" && !strings.Contains(addr, ":") {
		name, addr = addr, ""
	}
	c, err := s.cluster(ctx)
	if err != nil {
		return "", "", err
	}
	if addr == "" {
		master, err := s.brokerNamed(ctx, name)
		return name, master, err
	}
	for _, b := range c.BrokerAddrTable {
		for id, of := range b.BrokerAddrs {
			switch {
			case of != addr:
			case id != masterID:
				return "", "", fmt.Errorf("%s is a slave of broker %s: nothing is sent to it, and it may be stopped as it is", addr, b.BrokerName)
			default:
				return b.BrokerName, addr, nil
			}
		}
	}
	var known []string
	for _, b := range c.BrokerAddrTable {
		known = append(known, slices.Collect(maps.Values(b.BrokerAddrs))...)
	}
	slices.Sort(known)
	return "", "", fmt.Errorf("no broker is registered with the address %s; the name server knows %s", addr, strings.Join(known, ", "))
}

// run looks until everything is done, the time is over, or ctx ends.
func (d *drain) run(ctx context.Context, limit time.Duration) ([]Step, error) {
	for {
		steps := d.round(ctx)
		if ctx.Err() != nil {
			return steps, &EndError{Interrupted, "interrupted; " + d.back()}
		}
		d.s.steps(steps)
		if !slices.ContainsFunc(steps, func(one Step) bool { return !one.Done }) {
			return steps, nil
		}
		if limit > 0 && d.s.now().Sub(d.began) >= limit {
			var waits []string
			for _, one := range steps {
				if !one.Done {
					waits = append(waits, one.Name+": "+one.Detail)
				}
			}
			return steps, &EndError{DrainTimedOut, fmt.Sprintf("not drained within %s: %s; %s", limit, strings.Join(waits, "; "), d.back())}
		}
		if d.failed {
			d.s.redial()
		}
		if d.s.wait(ctx, drainRound) != nil {
			return steps, &EndError{Interrupted, "interrupted; " + d.back()}
		}
	}
}

// round looks at everything once.
func (d *drain) round(ctx context.Context) []Step {
	d.failed = false
	steps := []Step{d.permission(ctx), d.producers(ctx), d.groups(ctx)}
	quiet := !slices.ContainsFunc(steps, func(one Step) bool { return !one.Done })
	return append(steps, d.copies(ctx, quiet))
}

// trouble is a step that could not be looked at.
func (d *drain) trouble(step string, err error) Step {
	d.failed = true
	return Step{step, false, ask.Brief(err.Error())}
}

// back says how the broker is taken into use again.
func (d *drain) back() string {
	return fmt.Sprintf("its write permission stays wiped: go back with ringmq admin undrain -n '%s' --brokerName %s", strings.Join(d.s.names, ";"), d.name)
}

// stop ends the process, if somebody can.
func (d *drain) stop(ctx context.Context) (string, error) {
	if d.s.stop == nil {
		return "", &EndError{DrainNotStopped, "drained, and not stopped: nobody here can"}
	}
	text, err := d.s.stop(ctx, d.master)
	if err != nil {
		return "", &EndError{DrainNotStopped, "drained, and not stopped: " + err.Error()}
	}
	return text, nil
}

// write shows how it ended.
func (d *drain) write(steps []Step, stopped string, done bool, out *Out) {
	out.Set("brokerName", d.name)
	out.Set("brokerAddr", d.master)
	out.Table("steps", "%-12[1]v  %-8[2]v  %[3]v\n", Col{"#Step", "step"}, Col{"#State", "done"}, Col{"#Detail", "detail"})
	drained := true
	for _, one := range steps {
		state := "done"
		if !one.Done {
			state, drained = "waiting", false
		}
		out.Row(one.Name, Cell{one.Done, state}, one.Detail)
	}
	out.Set("drained", drained)
	out.Set("stopped", stopped != "")
	out.Set("wipedAgain", d.perm.again)
	out.Set("groupsWithoutMembers", d.idle)
	out.Set("delayedMessages", d.waits)
	out.Set("elapsedMs", d.s.now().Sub(d.began).Milliseconds())
	out.Set("notes", append([]string{}, d.notes...))
	for _, n := range d.notes {
		out.Textf("note: %s\n", n)
	}
	for _, g := range slices.Sorted(maps.Keys(d.idle)) {
		out.Textf("note: group %s has no member, and %d messages to consume; they stay on disk\n", g, d.idle[g])
	}
	if d.waits > 0 {
		out.Textf("note: %d delayed messages are not due; they stay on disk and are delivered when the broker runs\n", d.waits)
	}
	switch {
	case stopped != "":
		out.Textf("%s is drained and stopped: %s. When it starts, it has its write permission back.\n", d.name, stopped)
	case drained && done:
		out.Textf("%s is drained. Stop it; when it starts, it has its write permission back. Until then %s\n", d.name, d.back())
	}
}

// writable are the topics of a broker that may be written to, by name, and in their order.
func (s *Session) writable(ctx context.Context, broker string) ([]string, error) {
	var t remoting.TopicConfigTable
	if err := s.table(ctx, broker, remoting.CodeGetAllTopicConfig, &t); err != nil {
		return nil, err
	}
	var names []string
	for name, one := range t.TopicConfigTable {
		if one != nil && one.Perm&remoting.PermWrite != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// opensWrites says whether a route has producers send a topic to a broker.
func (s *Session) opensWrites(ctx context.Context, namesrv, topic, broker string) (bool, error) {
	r, err := s.ask.Route(ctx, namesrv, topic)
	if ask.CodeOf(err) == remoting.RespTopicNotExist {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("name server %s: %w", namesrv, err)
	}
	return slices.ContainsFunc(r.QueueDatas, func(q remoting.QueueData) bool {
		return q.BrokerName == broker && q.Perm&remoting.PermWrite != 0
	}), nil
}
