package doctor

import (
	"context"

	"ringmq/netpoll/remoting"
)

// askDrained asks the name servers whether they have producers leave out a broker that takes messages by its own word. What it is about is the
// broker's own topic, which is there from its first start on: a drain wipes the write permission of all topics that a name server has.
func (v *visit) askDrained(ctx context.Context, b *brokerSeen) {
	name := b.Config["brokerName"]
	p, _ := number(b.Config["brokerPermission"])
	if b.ID != 0 || name == "" || b.Config["brokerTopicEnable"] != "true" || int32(p)&remoting.PermWrite == 0 {
		return
	}
	var wiped []string
	for i := range v.names {
		if n := &v.names[i]; n.Err == nil && v.wipedAt(ctx, n.Addr, name) {
			wiped = append(wiped, n.Addr)
		}
	}
	if len(wiped) == 0 {
		return
	}
	// Who has made this topic alone read-only has drained nothing.
	if t, err := v.ask.TopicConfig(ctx, b.Addr, name); err == nil && t.Perm&remoting.PermWrite != 0 {
		b.Wiped = wiped
	}
}

// wipedAt says whether a name server lists a broker's own topic there, and not for writing.
func (v *visit) wipedAt(ctx context.Context, namesrv, broker string) bool {
	r, err := v.ask.Route(ctx, namesrv, broker)
	if err != nil {
		return false
	}
	for _, q := range r.QueueDatas {
		if q.BrokerName == broker {
			return q.Perm&remoting.PermWrite == 0
		}
	}
	return false
}

// judgePermission looks at what clients may do with the broker as a whole.
func judgePermission(b *brokerSeen) (all []Finding) {
	// A slave, stock's too, says so of itself at all times: it is what a master does that it leaves alone.
	if b.ID == 0 && b.Runtime["brokerActive"] == "false" {
		all = append(all, broken("permission", "broker-not-active", b.label(), "the broker says that it is not active").
			because("it takes no messages: it is stopping, or was isolated", "wait for its end and start it again; under a controller see whether it is allowed to lead"))
	}
	if b.ConfigErr != nil {
		return append(all, unknown("permission", "config-not-told", b.label(), "%v", b.ConfigErr).
			because("limits and permissions of the broker cannot be looked at", "ask from an account or address that may read the configuration"))
	}
	p, there := number(b.Config["brokerPermission"])
	open := adminCommand("updateBrokerConfig", "-b", b.Addr, "-k", "brokerPermission", "-v", "6")
	switch {
	case !there:
	case int32(p)&remoting.PermWrite == 0:
		all = append(all, broken("permission", "broker-not-writable", b.label(), "brokerPermission=%d", p).
			because("routes say of all its queues that they may not be written: producers leave it out, and sends to ordered topics get code 16", "%s, if it is not being drained on purpose", open))
	case int32(p)&remoting.PermRead == 0:
		all = append(all, broken("permission", "broker-not-readable", b.label(), "brokerPermission=%d", p).
			because("pulls are refused with code 16", "%s", open))
	case len(b.Wiped) > 0:
		all = append(all, warning("permission", "broker-drained", b.label(), "its topics may not be written by the routes of %s, and brokerPermission=%d", list(b.Wiped), p).
			because("producers leave it out, and those of topics that no other broker has fail with \"No route info of this topic\"",
				"when it is to be used again: %s", reopenCommand(b.Config["brokerName"], b.Wiped)))
	default:
		all = append(all, ok("permission", "broker-open", b.label(), "may be read and written"))
	}
	return all
}
