package doctor

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// visit is one run: what was seen so far, for those who look later.
type visit struct {
	o        Options
	ask      *ask.Asker
	findings []Finding

	lookedAt int

	file      *configSeen    // nil: no file was given,
	namesFile *namesFileSeen // or none of a name server
	names     []nameServerSeen
	brokers   []brokerSeen
}

// Run looks at everything that the options name and that can be reached from there. It takes a few times the time-out at most when
// nothing answers. It does not fail: what could not be looked at is a finding.
func Run(ctx context.Context, o Options) *Report {
	v := &visit{o: o.withDefaults()}
	v.ask = ask.New(v.o.Timeout)
	defer v.ask.Close()
	v.readFile()
	v.findNameServers(ctx)
	v.lookAtNames(ctx)
	v.lookAtBrokers(ctx)
	if v.o.Store != "" {
		v.add(v.lookAtStore(v.o.Store)...)
	}
	if !v.o.NoMessage {
		v.sendMessages(ctx)
	}
	if v.o.Topic != "" {
		v.add(v.lookAtTopic(ctx, v.o.Topic)...)
	}
	if v.o.Group != "" {
		v.add(v.lookAtGroup(ctx)...)
	}
	r := &Report{Findings: sorted(v.findings), LookedAt: v.lookedAt}
	for i := range v.names {
		r.NameServers = append(r.NameServers, v.names[i].Addr)
		if ask.CodeOf(v.names[i].Err) >= 0 {
			r.LookedAt++
		}
	}
	for i := range v.brokers {
		r.Brokers = append(r.Brokers, v.brokers[i].label())
		if v.brokers[i].Err == nil && ask.CodeOf(v.brokers[i].AnswerErr) >= 0 {
			r.LookedAt++
		}
	}
	return r
}

func (v *visit) add(all ...Finding) { v.findings = append(v.findings, all...) }

func (v *visit) now() time.Time { return v.o.Clock() }

// findNameServers asks the broker for its name servers when nobody named any.
func (v *visit) findNameServers(ctx context.Context) {
	if len(v.o.NameServers) > 0 || v.o.Broker == "" {
		return
	}
	if c, err := v.ask.BrokerConfig(ctx, v.o.Broker); err == nil {
		v.o.NameServers = remoting.ServerNames(c["namesrvAddr"])
	}
}

// lookAtNames asks all name servers at a time.
func (v *visit) lookAtNames(ctx context.Context) {
	v.names = make([]nameServerSeen, len(v.o.NameServers))
	each(len(v.names), func(i int) { v.names[i] = v.askNameServer(ctx, v.o.NameServers[i]) })
	v.add(judgeNamesConfigs(v.names, v.namesFile)...)
	if len(v.names) == 0 && v.o.Broker == "" && (v.o.Store != "" || v.file != nil || v.namesFile != nil) {
		return // only files are to be looked at
	}
	v.add(judgeNames(v.names)...)
}

// lookAtBrokers asks every broker that a name server knows, and the one that was named.
func (v *visit) lookAtBrokers(ctx context.Context) {
	v.brokers = registered(v.names)
	if v.o.Broker != "" {
		i := slices.IndexFunc(v.brokers, func(b brokerSeen) bool { return b.Addr == v.o.Broker })
		if i < 0 {
			v.brokers = append(v.brokers, brokerSeen{Addr: v.o.Broker})
			i = len(v.brokers) - 1
		}
		v.brokers[i].Given = true
	}
	each(len(v.brokers), func(i int) { v.askBroker(ctx, &v.brokers[i]) })
	v.add(judgeRegistration(v.names, v.brokers)...)
	v.add(judgeVersions(v.names, v.brokers)...)
	v.add(judgeBuilds(v.names, v.brokers)...)
	local := v.allLoopback()
	for i := range v.brokers {
		b := &v.brokers[i]
		v.add(judgeAddress(b, local)...)
		if b.Runtime == nil {
			continue
		}
		v.add(judgeClock(b)...)
		v.add(judgePermission(b)...)
		v.add(judgeEngine(b)...)
		v.add(judgeSpace(b)...)
		v.add(judgeRetention(b)...)
		v.add(judgeDamage(b)...)
		v.add(judgeBusy(b)...)
		v.add(judgeCopies(b)...)
		v.add(judgeProcess(b, v.askProcess(ctx, b.Addr))...)
		if v.file == nil {
			v.add(judgeRunningConfig(b)...)
		}
	}
	if v.file != nil {
		v.lookAtFile()
	}
}

// masters are the brokers that answer and take messages, each once.
func (v *visit) masters() []*brokerSeen {
	all := map[string]*brokerSeen{}
	for i := range v.brokers {
		b := &v.brokers[i]
		if b.Runtime == nil || b.ID != 0 {
			continue
		}
		if before := all[b.Name]; before == nil || before.Given {
			all[b.Name] = b
		}
	}
	var out []*brokerSeen
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[name])
	}
	return out
}

// each runs fn for 0 to n-1, at the same time.
func each(n int, fn func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { fn(i) })
	}
	all.Wait()
}
