package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

func consumerStatus() *Command {
	return &Command{
		Name: "consumerStatus", Short: "Show what the members of a consumer group say about themselves", Reads: true, Run: runConsumerStatus,
		Flags: []Flag{
			groupFlag("g", "consumerGroup"), {Short: "i", Long: "clientId", Usage: "one member: all that it says"}, brokerFlag(),
			{Short: "s", Long: "jstack", Usage: "with the stacks of its threads", Kind: Switch},
		},
	}
}

// running is what a member says, with the parts that only this command shows.
type running struct {
	ask.RunningInfo
	Queues remoting.QueueTable[queueInfo] `json:"mqTable"`
	Status map[string]topicRates          `json:"statusTable"`
	Jstack string                         `json:"jstack"`
}

type queueInfo struct {
	CachedMsgCount          int64 `json:"cachedMsgCount"`
	CachedMsgMaxOffset      int64 `json:"cachedMsgMaxOffset"`
	CachedMsgMinOffset      int64 `json:"cachedMsgMinOffset"`
	CachedMsgSizeInMiB      int64 `json:"cachedMsgSizeInMiB"`
	CommitOffset            int64 `json:"commitOffset"`
	Dropped                 bool  `json:"droped"`
	LastConsumeTimestamp    int64 `json:"lastConsumeTimestamp"`
	LastLockTimestamp       int64 `json:"lastLockTimestamp"`
	LastPullTimestamp       int64 `json:"lastPullTimestamp"`
	Locked                  bool  `json:"locked"`
	TransactionMsgCount     int64 `json:"transactionMsgCount"`
	TransactionMsgMaxOffset int64 `json:"transactionMsgMaxOffset"`
	TransactionMsgMinOffset int64 `json:"transactionMsgMinOffset"`
	TryUnlockTimes          int64 `json:"tryUnlockTimes"`
}

type topicRates struct {
	ConsumeFailedMsgs int64   `json:"consumeFailedMsgs"`
	ConsumeFailedTPS  float64 `json:"consumeFailedTPS"`
	ConsumeOKTPS      float64 `json:"consumeOKTPS"`
	ConsumeRT         float64 `json:"consumeRT"`
	PullRT            float64 `json:"pullRT"`
	PullTPS           float64 `json:"pullTPS"`
}

// member asks one member through a broker that it is connected to.
func (s *Session) member(ctx context.Context, addrs []string, group, client string, jstack bool) (*running, error) {
	var first error
	for _, addr := range addrs {
		var r running
		err := s.body(ctx, addr, ask.Request(remoting.CodeGetConsumerRunningInfo, "consumerGroup", group, "clientId", client, "jstackEnable", strconv.FormatBool(jstack)), &r)
		if err == nil {
			return &r, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// brokersOf are the brokers that a group's members are connected to.
func (s *Session) brokersOf(ctx context.Context, group, broker string) ([]string, error) {
	if broker != "" {
		addr, err := s.brokerAt(ctx, broker)
		return []string{addr}, err
	}
	r, err := s.route(ctx, retryPrefix+group)
	if err != nil {
		return nil, err
	}
	return addrsOf(r, ""), nil
}

// eachRunning asks all members of a group; those that do not tell come with an error. what is how progress names them; "": somebody else tells it.
func (s *Session) eachRunning(ctx context.Context, group, broker string, jstack bool, what string, fn func(c remoting.Connection, r *running, err error)) error {
	c, err := s.connection(ctx, group, broker)
	if err != nil {
		return err
	}
	addrs, err := s.brokersOf(ctx, group, broker)
	if err != nil {
		return err
	}
	sortConnections(c.ConnectionSet)
	for i := range s.counted(what, len(c.ConnectionSet)) {
		one := c.ConnectionSet[i]
		r, err := s.member(ctx, addrs, group, one.ClientID, jstack)
		fn(one, r, err)
	}
	return nil
}

func runConsumerStatus(ctx context.Context, s *Session, a Args, out *Out) error {
	group, jstack := a["consumerGroup"], a.Has("jstack")
	if client := a["clientId"]; client != "" {
		addrs, err := s.brokersOf(ctx, group, a["brokerAddr"])
		if err != nil {
			return err
		}
		r, err := s.member(ctx, addrs, group, client, jstack)
		if err != nil {
			return err
		}
		out.Textf("%s", r.text())
		r.set(out)
		return nil
	}
	out.Table("members", "%-10v %-40v %-20v %[4]v\n", Col{"#Index", "index"}, Col{"#ClientId", "clientId"}, Col{"#Version", "version"}, Col{"#ConsumerRunningInfoFile", "runningInfo"})
	now, n := s.now(), 0
	var all []*running
	var names []string
	silent := away{}
	err := s.eachRunning(ctx, group, a["brokerAddr"], jstack, "members", func(c remoting.Connection, r *running, err error) {
		if err != nil {
			out.Textf("%s: %v\n", c.ClientID, err)
			silent[c.ClientID] = fmt.Errorf("%s: %w", c.ClientID, err)
			return
		}
		n++
		file := Cell{Value: json.RawMessage(toJSON(r.flat()))}
		if out.format == Table {
			if file.Text, err = r.save(now, c.ClientID); err != nil {
				file.Text = err.Error()
			}
		}
		out.Row(n, c.ClientID, versionName(c.Version), file)
		all, names = append(all, r), append(names, c.ClientID)
	})
	if err != nil || n == 0 {
		return errors.Join(err, silent.err())
	}
	same := sameSubscriptions(all, now)
	out.Set("sameSubscription", same)
	if !same {
		out.Textf("\n\nWARN: Different subscription in the same group of consumer!!!\n")
		return silent.err()
	}
	out.Textf("\n\nSame subscription in the same group of consumer\n\nRebalance OK\n")
	for i, r := range all {
		out.Textf("%s", r.troubles(names[i], now))
	}
	return silent.err()
}

// save writes what a member says into a folder named by the time, as stock does.
func (r *running) save(now time.Time, client string) (string, error) {
	dir := strconv.FormatInt(now.UnixMilli(), 10)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(dir, strings.ReplaceAll(client, string(filepath.Separator), "_"))
	return file, os.WriteFile(file, []byte(r.text()), 0o644)
}

// settled is how long a group's members may differ after one started.
const settled = 2 * time.Minute

func sameSubscriptions(all []*running, now time.Time) bool {
	began, _ := strconv.ParseInt(all[0].Properties["PROP_CONSUMER_START_TIMESTAMP"], 10, 64)
	if all[0].Properties["PROP_CONSUME_TYPE"] != "CONSUME_PASSIVELY" || now.Sub(time.UnixMilli(began)) <= settled {
		return true
	}
	set := func(r *running) string {
		var words []string
		for _, d := range r.SubscriptionSet {
			words = append(words, fmt.Sprintf("%q %q %q %t", d.Topic, d.SubString, d.ExpressionType, d.ClassFilterMode))
		}
		slices.Sort(words)
		return strings.Join(words, "\n")
	}
	return !slices.ContainsFunc(all, func(r *running) bool { return set(r) != set(all[0]) })
}

// troubles are queues that a member does not get on with, in stock's words.
func (r *running) troubles(client string, now time.Time) string {
	var b strings.Builder
	if r.Properties["PROP_CONSUME_TYPE"] != "CONSUME_PASSIVELY" {
		return ""
	}
	ordered := strings.EqualFold(r.Properties["PROP_CONSUMEORDERLY"], "true")
	for _, e := range r.Queues {
		q := e.Value
		switch idle := now.UnixMilli() - q.LastConsumeTimestamp; {
		case ordered && !q.Locked:
			fmt.Fprintf(&b, "%s %s can't lock for a while, %dms\n", client, queueText(e.Queue), now.UnixMilli()-q.LastLockTimestamp)
		case ordered && q.Dropped && q.TryUnlockTimes > 0:
			fmt.Fprintf(&b, "%s %s unlock %d times, still failed\n", client, queueText(e.Queue), q.TryUnlockTimes)
		case !ordered && idle > time.Minute.Milliseconds() && q.CachedMsgCount > 0:
			fmt.Fprintf(&b, "%s %s can't consume for a while, maybe blocked, %dms\n", client, queueText(e.Queue), idle)
		}
	}
	return b.String()
}

// queueText prints a queue as stock does.
func queueText(q remoting.MessageQueue) string {
	return fmt.Sprintf("MessageQueue [topic=%s, brokerName=%s, queueId=%d]", q.Topic, q.BrokerName, q.QueueID)
}

// compactStamp is a time of 17 digits.
func compactStamp(ms int64) string {
	return strings.Replace(time.UnixMilli(ms).Format("20060102150405.000"), ".", "", 1)
}

func (q queueInfo) text() string {
	return fmt.Sprintf("ProcessQueueInfo [commitOffset=%d, cachedMsgMinOffset=%d, cachedMsgMaxOffset=%d, cachedMsgCount=%d, cachedMsgSizeInMiB=%d, transactionMsgMinOffset=%d, "+
		"transactionMsgMaxOffset=%d, transactionMsgCount=%d, locked=%t, tryUnlockTimes=%d, lastLockTimestamp=%s, droped=%t, lastPullTimestamp=%s, lastConsumeTimestamp=%s]",
		q.CommitOffset, q.CachedMsgMinOffset, q.CachedMsgMaxOffset, q.CachedMsgCount, q.CachedMsgSizeInMiB, q.TransactionMsgMinOffset, q.TransactionMsgMaxOffset, q.TransactionMsgCount,
		q.Locked, q.TryUnlockTimes, compactStamp(q.LastLockTimestamp), q.Dropped, compactStamp(q.LastPullTimestamp), compactStamp(q.LastConsumeTimestamp))
}

// text is all that a member says, as stock prints it.
func (r *running) text() string {
	var b strings.Builder
	b.WriteString("#Consumer Properties#\n")
	for _, p := range pairsOf(r.Properties) {
		fmt.Fprintf(&b, "%-40s: %s\n", p.key, p.value)
	}
	b.WriteString("\n\n#Consumer Subscription#\n")
	for i, d := range r.SubscriptionSet {
		fmt.Fprintf(&b, "%03d Topic: %-40s ClassFilter: %-8t SubExpression: %s\n", i+1, d.Topic, d.ClassFilterMode, d.SubString)
	}
	fmt.Fprintf(&b, "\n\n#Consumer Offset#\n%-64s  %-32s  %-4s  %-20s\n", "#Topic", "#Broker Name", "#QID", "#Consumer Offset")
	for _, e := range r.Queues {
		fmt.Fprintf(&b, "%-32s  %-32s  %-4d  %-20d\n", e.Queue.Topic, e.Queue.BrokerName, e.Queue.QueueID, e.Value.CommitOffset)
	}
	fmt.Fprintf(&b, "\n\n#Consumer MQ Detail#\n%-64s  %-32s  %-4s  %-20s\n", "#Topic", "#Broker Name", "#QID", "#ProcessQueueInfo")
	for _, e := range r.Queues {
		fmt.Fprintf(&b, "%-64s  %-32s  %-4d  %s\n", e.Queue.Topic, e.Queue.BrokerName, e.Queue.QueueID, e.Value.text())
	}
	fmt.Fprintf(&b, "\n\n#Consumer Pop Detail#\n%-32s  %-32s  %-4s  %-20s\n", "#Topic", "#Broker Name", "#QID", "#ProcessQueueInfo")
	fmt.Fprintf(&b, "\n\n#Consumer RT&TPS#\n%-64s  %14s %14s %14s %14s %18s %25s\n", "#Topic", "#Pull RT", "#Pull TPS", "#Consume RT", "#ConsumeOK TPS", "#ConsumeFailed TPS", "#ConsumeFailedMsgsInHour")
	for _, topic := range slices.Sorted(maps.Keys(r.Status)) {
		t := r.Status[topic]
		fmt.Fprintf(&b, "%-32s  %14.2f %14.2f %14.2f %14.2f %18.2f %25d\n", topic, t.PullRT, t.PullTPS, t.ConsumeRT, t.ConsumeOKTPS, t.ConsumeFailedTPS, t.ConsumeFailedMsgs)
	}
	if r.Jstack != "" {
		b.WriteString("\n\n#Consumer jstack#\n" + r.Jstack)
	}
	return b.String()
}

// flat is what a member says, for JSON: its tables of queues as lists.
func (r *running) flat() map[string]any {
	type queue struct {
		remoting.MessageQueue
		queueInfo
	}
	queues := []queue{}
	for _, e := range r.Queues {
		queues = append(queues, queue{e.Queue, e.Value})
	}
	m := map[string]any{"properties": r.Properties, "subscriptions": r.SubscriptionSet, "queues": queues, "topics": r.Status}
	if r.Jstack != "" {
		m["jstack"] = r.Jstack
	}
	return m
}

func (r *running) set(out *Out) {
	m := r.flat()
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out.Set(k, m[k])
	}
}
