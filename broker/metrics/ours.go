package metrics

import (
	"cmp"
	"slices"
	"strconv"
)

// log shows the store: the log, its commits, what pulls read.
func (c *Collector) log() {
	s := &c.f.Store
	c.gauge("ringmq_disk_engine_info", 1, s.Engine, s.EngineReason)
	c.counter("ringmq_disk_engine_operations_total", s.EngineOps.Submitted)
	c.gauge("ringmq_disk_engine_operations_in_flight", float64(s.EngineOps.InFlight))
	c.counter("ringmq_disk_engine_operations_redone_total", s.EngineOps.Redone)
	c.counter("ringmq_disk_engine_refusals_total", s.EngineOps.Refused)
	c.counter("ringmq_commits_total", s.CommitsRung, "ring")
	c.counter("ringmq_commits_total", s.CommitsWaited, "waited")
	c.counter("ringmq_commits_total", s.CommitsHandedOver, "handed_over")
	for mark, v := range map[string]int64{"min": s.CommitLogMin, "reserved": s.CommitLogMax, "written": c.f.Written, "durable": c.f.Durable, "visible": s.Visible, "dispatched": s.Dispatched} {
		c.gauge("ringmq_log_offset_bytes", float64(v), mark)
	}
	c.histogram("ringmq_commit_size_bytes", c.f.CommitBytes, 1)
	c.histogram("ringmq_commit_duration_seconds", c.f.CommitMicros, microsPerS)
	c.counter("ringmq_messages_stored_total", s.PutMessages)
	c.counter("ringmq_store_failures_total", s.PutFailures)
	c.gauge("ringmq_log_segments", float64(s.Segments))
	c.counter("ringmq_log_segments_deleted_total", s.DeletedSegments)
	c.counter("ringmq_log_unzeroed_rolls_total", s.UnzeroedRolls)
	c.gauge("ringmq_log_gaps", float64(s.Gaps))
	c.counter("ringmq_log_gaps_healed_total", s.HealedGaps)
	c.gauge("ringmq_queues", float64(s.Queues))
	c.counter("ringmq_queue_flush_failures_total", s.QueueFlushFailures)
	c.counter("ringmq_queue_stalls_total", s.QueueStalls)
	c.gauge("ringmq_index_behind_bytes", float64(s.IndexBehindBytes))
	c.counter("ringmq_index_waits_total", s.IndexWaits)
	c.gauge("ringmq_disk_bytes", float64(s.DiskTotalBytes), "total")
	c.gauge("ringmq_disk_bytes", float64(s.DiskFreeBytes), "free")
	c.gauge("ringmq_recovery_seconds", float64(s.RecoveryMs)/1e3)
	c.gauge("ringmq_recovered_bytes", float64(s.RecoveredBytes))
	c.counter("ringmq_log_read_bytes_total", s.WarmReadBytes, "page_cache", "loop")
	c.counter("ringmq_log_read_bytes_total", max(0, s.WorkerReadBytes-s.ColdReadBytes), "page_cache", "worker")
	c.counter("ringmq_log_read_bytes_total", s.ColdReadBytes, "disk", "worker")
	for source, n := range c.f.Reads {
		c.counter("ringmq_pulls_found_total", n, source)
	}
	if s.ResidentBytes >= 0 {
		c.gauge("ringmq_page_cache_resident_bytes", float64(s.ResidentBytes))
	}
}

// copying shows replication.
func (c *Collector) copying() {
	r := &c.f.Copying
	if r.Slave {
		c.gauge("ringmq_replication_connected", one(r.Connected))
		c.gauge("ringmq_replication_refused", one(r.Refused))
		c.gauge("ringmq_replication_offset_bytes", float64(r.Offset))
		c.gauge("ringmq_replication_lag_bytes", float64(max(0, r.MasterOffset-r.Offset)))
		if r.SinceReadMs >= 0 {
			c.gauge("ringmq_replication_silence_seconds", float64(r.SinceReadMs)/1e3)
		}
		c.gauge("ringmq_replication_bytes_per_second", float64(r.BytesPerSec))
		return
	}
	c.gauge("ringmq_replication_slaves", float64(len(r.Slaves)))
	c.counter("ringmq_replication_turned_away_total", r.TurnedAway)
	c.gauge("ringmq_replication_copies_in_step", float64(r.InStep))
	c.gauge("ringmq_replication_copies_wanted", float64(r.Wanted))
	c.gauge("ringmq_replication_enough", one(r.Enough))
	if r.Confirmed >= 0 {
		c.gauge("ringmq_replication_confirmed_offset_bytes", float64(r.Confirmed))
	}
	for _, s := range r.Slaves {
		c.gauge("ringmq_replication_slave_lag_bytes", float64(s.LagBytes), s.Addr)
		c.gauge("ringmq_replication_slave_in_step", one(s.InStep), s.Addr)
		c.gauge("ringmq_replication_slave_sent_offset_bytes", float64(s.SentOffset), s.Addr)
		c.gauge("ringmq_replication_slave_bytes_per_second", float64(s.BytesPerSecond), s.Addr)
	}
}

// lagAlarms shows the alarms that stand, those with the most messages waiting by themselves.
func (c *Collector) lagAlarms() {
	c.counter("ringmq_lag_alarms_total", c.f.LagAlarmsBegun, "begun")
	c.counter("ringmq_lag_alarms_total", c.f.LagAlarmsEnded, "ended")
	all := c.f.LagAlarms
	slices.SortFunc(all, func(a, b LagAlarm) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Topic, b.Topic))
	})
	for i, a := range all {
		if i >= c.o.TopK {
			c.gauge("ringmq_lag_alarm", float64(len(all)-i), Others, Others, Others)
			return
		}
		c.gauge("ringmq_lag_alarm", 1, a.Group, a.Topic, a.Cause)
	}
}

// unattended shows what waits for groups that have no member.
func (c *Collector) unattended() {
	const name = "ringmq_unattended_messages"
	if !c.shows(name) {
		return
	}
	all, others := c.s.Unattended(c.o.TopK)
	for _, u := range all {
		c.gauge(name, float64(u.Messages), u.Group, u.Topic)
	}
	if others > 0 {
		c.gauge(name, float64(others), Others, Others)
	}
}

// givenBack shows how much groups give back, those with the most by themselves.
func (c *Collector) givenBack() {
	const name = "ringmq_messages_given_back_total"
	if !c.shows(name) {
		return
	}
	t := c.sendBacks
	t.begin()
	c.s.Stats().GivenBack(func(group string, messages int64) {
		t.values = append(t.values, messages)
		t.add(key{name: group})
	})
	own, rest := t.split()
	for _, r := range own {
		c.counter(name, r.vals[0], r.name)
	}
	for _, r := range rest {
		c.counter(name, r.vals[0], Others)
	}
}

// registrations shows at which name servers clients find the broker.
func (c *Collector) registrations() {
	for addr, has := range c.f.NameServers {
		c.gauge("ringmq_registered", one(has), addr)
	}
}

// loops shows event loops, connections and what waits.
func (c *Collector) loops() {
	for i, l := range c.f.Loops {
		at := strconv.Itoa(i)
		c.histogram("ringmq_loop_turn_seconds", l.Turns, microsPerS, at)
		c.gauge("ringmq_loop_parked_answers", float64(l.Parked), at)
	}
	c.gauge("ringmq_connections", float64(c.f.Net.Connections))
	c.gauge("ringmq_connections_paused", float64(c.f.Net.Paused))
	c.gauge("ringmq_connection_buffer_bytes", float64(c.f.Net.InboundBytes), "in")
	c.gauge("ringmq_connection_buffer_bytes", float64(c.f.Net.OutboundBytes), "out")
	c.gauge("ringmq_held_pulls", float64(c.f.HeldPulls))
	c.gauge("ringmq_held_pull_bytes", float64(c.f.HeldBytes))
	c.gauge("ringmq_pending_request_bytes", float64(c.f.Pending))
	c.counter("ringmq_slow_requests_total", c.f.SlowSends, "send")
	c.counter("ringmq_slow_requests_total", c.f.SlowPulls, "pull")
	c.gauge("ringmq_broker_active", one(c.f.Active))
	c.gauge("ringmq_build_info", 1, c.o.Version)
}

// pushing shows what became of metrics that the broker hands on itself.
func (c *Collector) pushing() {
	if p := &c.f.Pushes; p.On {
		c.counter("ringmq_metrics_pushes_total", p.Done, "success")
		c.counter("ringmq_metrics_pushes_total", p.Failed, "failure")
	}
}
