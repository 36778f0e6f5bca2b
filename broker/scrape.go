package broker

import (
	"fmt"
	"math"
	"time"

	"ringmq/broker/member"
	"ringmq/broker/metrics"
	"ringmq/broker/stats"
	"ringmq/broker/web"
)

// startMetrics shows metrics and probes over HTTP, and begins to hand metrics on, each where the configuration says so.
func (b *Broker) startMetrics() error {
	keys := b.c.Metrics()
	if keys.Prometheus == "" && keys.Admin == "" && keys.Push == nil {
		return nil
	}
	c, err := metrics.New(metrics.Options{Cluster: b.cluster, Name: b.name, Version: b.o.Version, Labels: keys.Labels, TopK: keys.TopK, Hidden: keys.Hidden}, scraped{b})
	if err != nil {
		return fmt.Errorf("metricsLabel=%s: %w", b.c.Text("metricsLabel"), err)
	}
	registry := metrics.Registry(c)
	b.startPush(keys.Push, c, registry)
	if keys.Prometheus != "" {
		s, err := web.Serve(keys.Prometheus, web.Metrics(registry), b.logger)
		if err != nil {
			return fmt.Errorf("metricsPromExporterPort=%d: %w", b.c.Int("metricsPromExporterPort"), err)
		}
		b.web.metrics = s
	}
	if keys.Admin != "" {
		s, err := web.Serve(keys.Admin, web.Admin(registry, b.health()), b.logger)
		if err != nil {
			return fmt.Errorf("adminHttpAddress=%s: %w", keys.Admin, err)
		}
		b.web.admin = s
	}
	return nil
}

// webServers are what answers over HTTP; nil: nothing does.
type webServers struct{ metrics, admin *web.Server }

func (w *webServers) close() {
	for _, s := range []*web.Server{w.metrics, w.admin} {
		if s != nil {
			s.Close()
		}
	}
}

// scraped is the broker as metrics see it.
type scraped struct{ b *Broker }

// Stats implements metrics.Source.
func (s scraped) Stats() *stats.Stats { return s.b.stats }

// Figures implements metrics.Source.
func (s scraped) Figures() metrics.Figures {
	b := s.b
	f := metrics.Figures{
		Permission: b.permission(), Topics: b.topics.Len(), Groups: b.groups.Len(), Store: b.store.Stats(),
		Written: b.store.Written().Load(), Durable: b.store.Durable().Load(), Net: b.net.Stats(),
		HeldPulls: b.holds.count.Load(), HeldBytes: b.holds.bytes.Held(), Pending: b.pending.Held() + b.readers.bytes.Held(),
		SlowSends: b.slow.sends.Load(), SlowPulls: b.slow.pulls.Load(), Active: !b.slave && !b.closing.Load(), Copying: s.copying(),
	}
	f.NameServers = b.nameServers()
	f.EachClient, f.OverQuota = b.clients.Each, b.quotaOver()
	f.QuotaWaits = map[string]int64{"send": b.quotaWaits.sends.Load(), "pull": b.quotaWaits.pulls.Load()}
	for _, a := range b.LagAlarms() {
		f.LagAlarms = append(f.LagAlarms, metrics.LagAlarm{Group: a.Group, Topic: a.Topic, Cause: a.Cause, Messages: a.Diff})
	}
	f.LagAlarmsBegun, f.LagAlarmsEnded = b.lags.begun.Load(), b.lags.ended.Load()
	if b.pusher != nil {
		f.Pushes.On = true
		f.Pushes.Done, f.Pushes.Failed = b.pusher.Pushes()
	}
	f.CommitBytes, f.CommitMicros = b.store.Commits()
	reads, parked := [readSources]int64{}, int64(0)
	for _, l := range b.loops {
		one := metrics.Loop{Turns: l.figures.turns.Counts(), Parked: l.figures.parked.Load()}
		f.Loops = append(f.Loops, one)
		parked += one.Parked
		for i := range reads {
			reads[i] += l.figures.readTotal[i].Load()
		}
	}
	f.Reads = map[string]int64{}
	for i, name := range readSourceNames {
		f.Reads[name] = reads[i]
	}
	f.Waiting = map[string]int{"send": int(parked), "pull": b.readers.queued(), "query_message": b.few.Queued(), "admin": b.workers.Queued()}
	b.members.EachProducer(func(_ string, c *member.Client) {
		f.Producers = append(f.Producers, metrics.Clients{Language: c.Language, Version: c.Version, Count: 1})
	})
	b.members.EachConsumer(func(group, consumeType string, c *member.Client) {
		f.Consumers = append(f.Consumers, metrics.Clients{Group: group, Language: c.Language, Version: c.Version, ConsumeType: consumeType, Count: 1})
	})
	return f
}

// nameServers says which of those that are configured have this broker in their tables, by address.
func (b *Broker) nameServers() map[string]bool {
	all := make(map[string]bool, len(b.registrar.targets))
	for _, t := range b.registrar.targets {
		_, all[t.addr] = t.has(b.uptime())
	}
	return all
}

func (s scraped) copying() (r metrics.Copying) {
	b := s.b
	if f := b.replication.follower; f != nil {
		st := f.State()
		r = metrics.Copying{Slave: true, Connected: st.Connected, Refused: st.Refused != "", Offset: st.Offset, MasterOffset: st.MasterOffset,
			SinceReadMs: -1, BytesPerSec: b.replication.rate.Load()}
		if !st.LastRead.IsZero() {
			r.SinceReadMs = max(0, time.Since(st.LastRead).Milliseconds())
		}
		return r
	}
	l := b.replication.leader
	if l == nil {
		return r
	}
	agreed, end := l.Agreed(), b.store.LogMax()
	r.InStep, r.Enough, r.Confirmed = agreed.InStep, agreed.Enough, agreed.Offset
	r.TurnedAway = l.TurnedAway()
	if r.Wanted, _ = b.c.Copies(); agreed.Offset == math.MaxInt64 {
		r.Confirmed = -1
	}
	for _, p := range l.Slaves() {
		r.Slaves = append(r.Slaves, metrics.SlaveCopy{Addr: p.Addr, InStep: p.InStep, Ours: p.Ours, AckOffset: p.AckOffset, SentOffset: p.SentOffset,
			BytesPerSecond: p.BytesPerSecond, LagBytes: max(0, end-p.AckOffset)})
	}
	return r
}
