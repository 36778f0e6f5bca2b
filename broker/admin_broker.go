package broker

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"ringmq/broker/stats"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
	"ringmq/store/tally"
)

// updateConfig serves 25: keys are changed while the broker runs and written to its file. Keys that could move the store, and
// the black list, are never set by a request.
func (b *Broker) updateConfig(_ *netpoll.Conn, req *remoting.Command) answer {
	if len(req.Body) == 0 {
		return answer{}
	}
	all, err := settings.ParseProperties("request", req.Body)
	if err != nil {
		return fail(remoting.RespSystemError, "string2Properties error")
	}
	for _, s := range all {
		if b.c.BlackListed(s.Key) {
			return fail(remoting.RespNoPermission, "Can not update config in black list.")
		}
	}
	keys, err := b.c.Change(all)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	b.applyConfig(keys)
	if b.o.ConfigFile == "" {
		return answer{}
	}
	if err := b.c.Rewrite(b.o.ConfigFile); err != nil {
		b.logger.Error("configuration file not written", "file", b.o.ConfigFile, "error", err)
		return fail(remoting.RespSystemError, "changed until the next start only, the file could not be written: "+err.Error())
	}
	return answer{}
}

// applyConfig hands on what others read once.
func (b *Broker) applyConfig(keys []string) {
	b.inForce.read(b.c)
	b.configured.Add(1)
	b.configuredAt.Store(time.Now().UnixMilli())
	b.store.SetRetention(b.c.Retention())
	b.store.SetLimits(b.c.StoreOptions().Limits)
	b.store.SetReadAhead(b.c.Bool("dataReadAheadEnable"))
	b.store.SetColdReadMin(b.c.Int64("coldReadMinBytesPerSecond"))
	b.net.Cap(b.c.Int64("maxConnections"), b.c.Int64("maxConnectionsPerHost"))
	if slices.Contains(keys, "brokerPermission") {
		// Name servers take the permission with the topics, and these only when their version has grown.
		b.topics.Touch()
	}
	b.holds.checkAll()
}

// getConfig serves 26.
func (b *Broker) getConfig(_ *netpoll.Conn, _ *remoting.Command) answer {
	v := remoting.DataVersion{Counter: b.configured.Load(), Timestamp: b.configuredAt.Load()}
	if v.Timestamp == 0 {
		v.Timestamp = b.began.UnixMilli()
	}
	all := b.c.Properties()
	if port := b.c.HAPort(); port > 0 { // stock says of a port that nobody set which one it took
		all = strings.Replace(all, "\nhaListenPort="+b.c.Text("haListenPort")+"\n", "\nhaListenPort="+strconv.Itoa(port)+"\n", 1)
	}
	return answer{Fields: []answerField{{"version", string(jsonBody(v).Body)}}, Body: []byte(all)}
}

// runtimeInfo serves 28. The field diskEngine=true, which is ours, adds which build this is, which engine writes the log and why, for how long
// the disk has taken nothing of it though there is something, what is damaged of it, whether queue files can be written, and how the log is
// copied; without it the keys are stock's.
func (b *Broker) runtimeInfo(_ *netpoll.Conn, req *remoting.Command) answer {
	delays := map[int]string{}
	for _, p := range b.delay.Progress() {
		delays[p.Level] = strconv.FormatInt(p.Next, 10) + "," + strconv.FormatInt(p.Max, 10)
	}
	f := stats.Figures{
		Store: b.store.Stats(), Now: time.Now(), CommitLogDir: b.c.StoreOptions().CommitLogDir, BrokerVersion: remoting.Version,
		VersionName: "V5_3_3", Active: !b.slave && !b.closing.Load(), DelayOffsets: delays, Capacity: b.capacity, PutMicros: b.putMicros(),
	}
	t := b.stats.Runtime(&f)
	if req.Bool("diskEngine") {
		t["ringmqVersion"] = b.o.Version
		t["diskEngine"], t["diskEngineReason"] = f.Store.Engine, f.Store.EngineReason
		t["logStandsStillMs"] = strconv.FormatInt(b.pulse.standsStill(b.uptime()).Milliseconds(), 10)
		t["logGaps"], t["queueFlushFailures"] = strconv.Itoa(f.Store.Gaps), strconv.FormatInt(f.Store.QueueFlushFailures, 10)
		t["queueFlushFailing"] = strconv.FormatBool(f.Store.QueueFlushFailing)
		b.copiesTold(t)
	}
	return jsonBody(remoting.KVTable{Table: t})
}

// putMicros counts what sends took that were stored, in microseconds since the start.
func (b *Broker) putMicros() (sum tally.Counts) {
	for k := range parkedBack {
		sum = sum.Plus(b.stats.Rpc(stats.RpcKey{Request: k.code()}).Counts())
	}
	return sum
}

func (b *Broker) capacity(key string) string {
	if !b.c.Known(key) {
		return "0"
	}
	return b.c.Text(key)
}

// statsData serves 315.
func (b *Broker) statsData(_ *netpoll.Conn, req *remoting.Command) answer {
	name, key := req.Text("statsName"), req.Text("statsKey")
	d, ok := b.stats.Find(name, key)
	if !ok {
		return fail(remoting.RespSystemError, fmt.Sprintf("The stats <%s> <%s> not exist", name, key))
	}
	return jsonBody(d)
}

// brokerConsumeStats serves 317: all groups with the topics they consume; of ordered topics only if asked.
func (b *Broker) brokerConsumeStats(_ *netpoll.Conn, req *remoting.Command) answer {
	ordered := req.Bool("isOrder")
	r := remoting.BrokerConsumeStats{BrokerAddr: b.advertise.String()}
	var groups []string
	for name := range b.groups.All() {
		groups = append(groups, name)
	}
	sort.Strings(groups)
	queues := int64(0)
	for _, group := range groups {
		g := remoting.GroupStats{Group: group}
		for _, topic := range b.offsets.TopicsOf(group) {
			t, ok := b.topics.Lookup(topic)
			if !ok || ordered && !t.Order {
				continue
			}
			if queues += int64(t.ReadQueueNums); queues > maxAnswerQueues {
				return tooMany
			}
			s := b.groupStats(group, []string{topic})
			for _, e := range s.OffsetTable {
				r.TotalDiff += e.Value.BrokerOffset - e.Value.ConsumerOffset
				r.InflightDiff += e.Value.PullOffset - e.Value.ConsumerOffset
			}
			g.Stats = append(g.Stats, s)
		}
		r.Groups = append(r.Groups, g)
	}
	return withBody(r.AppendJSON(nil))
}

// consumeQueue serves 321: entries of a queue as they lie there. Where there is none at the index stock answers without a body,
// which breaks its own tool; here the list is empty.
func (b *Broker) consumeQueue(_ *netpoll.Conn, req *remoting.Command) answer {
	topic, queue, err := queueOf(req)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	index, _, err := req.Int64("index")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	count, _, err := req.Int32("count")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	if !b.store.HasQueue(topic, queue) {
		return fail(remoting.RespSystemError, fmt.Sprintf("%d@%s is not exist!", queue, topic))
	}
	r := remoting.QueueUnits{MaxQueueIndex: b.store.MaxOffset(topic, queue), MinQueueIndex: b.store.MinOffset(topic, queue), QueueData: []remoting.QueueUnitData{}}
	if group, asked := req.Get("consumerGroup"); asked {
		// There is no filter data for subscriptions to tags.
		r.FilterData = "null"
		if sub, _ := b.members.Subscription(group, topic); sub != nil {
			r.SubscriptionData = &sub.SubscriptionData
		} else {
			r.FilterData = fmt.Sprintf("%s@%s is not online!", group, topic)
		}
	}
	if index < r.MaxQueueIndex {
		units, err := b.store.QueueUnits(topic, queue, index, int(max(count, 0)))
		if err != nil {
			return fail(remoting.RespSystemError, err.Error())
		}
		for _, u := range units {
			r.QueueData = append(r.QueueData, remoting.QueueUnitData{PhysicOffset: u.Offset, PhysicSize: u.Size, TagsCode: u.TagsCode})
		}
	}
	a := jsonBody(r)
	a.Remark = made.Remark
	return a
}
