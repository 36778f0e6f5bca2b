package doctor

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// askBroker dials a broker at the address that clients are told, and asks it about itself.
func (v *visit) askBroker(ctx context.Context, b *brokerSeen) {
	began := time.Now()
	if _, b.Err = v.ask.Dial(ctx, b.Addr); b.Err != nil {
		return
	}
	b.Took = time.Since(began)
	before := v.now()
	runtime, resp, err := v.ask.RuntimeInfo(ctx, b.Addr)
	b.Asked = before.Add(v.now().Sub(before) / 2)
	if b.Runtime, b.AnswerErr = runtime, err; err != nil {
		return
	}
	if b.Runtime == nil {
		b.Runtime = map[string]string{}
	}
	b.Version = resp.Version
	if b.Config, b.ConfigErr = v.ask.BrokerConfig(ctx, b.Addr); b.Name == "" {
		b.Name, b.Cluster = b.Config["brokerName"], b.Config["brokerClusterName"]
		if id, ok := number(b.Config["brokerId"]); ok {
			b.ID = id
		}
	}
	v.askCopies(ctx, b)
	v.askDrained(ctx, b)
	if fast := fastAddr(b.Addr); fast != "" {
		_, b.FastErr = v.ask.Dial(ctx, fast)
	}
}

// fastAddr is the second port of a broker, two below the first; "" where there is none.
func fastAddr(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	n, no := strconv.Atoi(port)
	if err != nil || no != nil || n <= 2 {
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(n-2))
}

// allLoopback says that all name servers are on this machine, so that it may be all of the world that there is.
func (v *visit) allLoopback() bool {
	for _, n := range v.names {
		host, _, err := net.SplitHostPort(n.Addr)
		ip, no := netip.ParseAddr(host)
		if err != nil || host != "localhost" && (no != nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

const whyAddress = "this is the address that clients are told: they find the broker in the route and then cannot reach it"

// judgeAddress says whether a client gets to the broker by the address in the route. local: all name servers are on this machine.
func judgeAddress(b *brokerSeen, local bool) (all []Finding) {
	host, _, _ := net.SplitHostPort(b.Addr)
	ip, _ := netip.ParseAddr(host)
	switch {
	case ip.IsValid() && ip.IsUnspecified():
		return append(all, broken("address", "advertised-address-unspecified", b.label(), "%s is no address that anybody can dial", b.Addr).
			because(whyAddress, "set brokerIP1 to the broker's own address in broker.conf and start it again"))
	case b.Err != nil:
		return append(all, judgeUnreachable(b, ip, local))
	case b.AnswerErr != nil && ask.CodeOf(b.AnswerErr) == -1 && b.Listed && ip.Is4() && containers.Contains(ip):
		return append(all, judgeContainer(b, netpoll.Strange(b.AnswerErr)))
	case b.AnswerErr != nil:
		return append(all, judgeStrange(b))
	}
	if told, listed := b.Config["brokerName"], b.Name; b.Listed && told != "" && told != listed {
		all = append(all, broken("address", "another-broker-answers", b.label(), "the broker there says that it is %s", told).
			because("messages for "+listed+" arrive at "+told, "two hosts or containers share an address, or %s has an old brokerIP1: correct it and start it again", listed))
	}
	if b.Listed && ip.IsLoopback() && !local {
		all = append(all, warning("address", "advertised-address-loopback", b.label(), "the route says %s; it works from here only", b.Addr).
			because("clients on other hosts dial themselves", "set brokerIP1 to an address that clients reach, in broker.conf (or --set brokerIP1=...), and start the broker again"))
	}
	if b.FastErr != nil {
		all = append(all, warning("address", "fast-port-closed", b.label(), "%s: %v", fastAddr(b.Addr), b.FastErr).
			because("clients with vipChannelEnabled and the dashboard send to the port two below the broker's", "open this port too (firewall, container ports), or set -Dcom.rocketmq.sendMessageWithVIPChannel=false in the clients"))
	}
	if len(all) == 0 {
		name := "advertised-address-reachable"
		if !b.Listed {
			name = "broker-reachable"
		}
		all = append(all, ok("address", name, b.label(), "dialled in %s", spanText(b.Took)))
	}
	return all
}

func judgeUnreachable(b *brokerSeen, ip netip.Addr, local bool) Finding {
	switch {
	case !b.Listed:
		return broken("address", "broker-unreachable", b.Addr, "%v", b.Err).
			because("nobody reaches a broker there", "start the broker, or correct -b; listenPort in broker.conf says on which port it listens")
	case ip.IsLoopback() && !local:
		return broken("address", "advertised-address-loopback", b.label(), "the route says %s, which for every client is itself: %v", b.Addr, b.Err).
			because(whyAddress, "set brokerIP1 to an address that clients reach, in broker.conf (or --set brokerIP1=...), and start the broker again")
	case ip.Is4() && containers.Contains(ip):
		return judgeContainer(b, b.Err.Error())
	}
	return broken("address", "advertised-address-unreachable", b.label(), "%v", b.Err).
		because(whyAddress, "if the broker runs elsewhere, set brokerIP1 to an address that clients reach; if it has ended, start it; if a firewall is between, open its ports %s", portsOf(b.Addr))
}

// judgeContainer is about an address that means something inside of one host only. Elsewhere nobody has it, or somebody else.
func judgeContainer(b *brokerSeen, seen string) Finding {
	return broken("address", "advertised-address-of-a-container", b.label(), "the route says %s, from the range that containers use: %s", b.Addr, seen).
		because(whyAddress+"; it took the address it has inside its container", "set brokerIP1 to the address of the container's host, publish the ports %s, and start it again", portsOf(b.Addr))
}

// containers is where container engines take their networks from.
var containers = netip.MustParsePrefix("172.16.0.0/12")

func portsOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	if _, fast, err := net.SplitHostPort(fastAddr(addr)); err == nil {
		return fast + " and " + port
	}
	return port
}

// judgeStrange is about something that takes connections and does not answer like a broker.
func judgeStrange(b *brokerSeen) Finding {
	why := whyAddress
	if !b.Listed {
		why = "nobody reaches a broker there"
	}
	switch ask.CodeOf(b.AnswerErr) {
	case -1:
		return broken("address", "not-a-broker", b.label(), "it takes connections and does not answer as a broker: %s", netpoll.Strange(b.AnswerErr)).
			because(why, "see which process listens on %s; a broker that hangs shows in its log", b.Addr)
	case remoting.RespRequestCodeNotSupported:
		return broken("address", "not-a-broker", b.label(), "it speaks the protocol and is no broker: %v", b.AnswerErr).
			because(why, "a name server listens on 9876, a broker on 10911, a proxy on 8080")
	}
	if refused(b.AnswerErr) {
		return unknown("address", "access-refused", b.label(), "%v", b.AnswerErr).
			because("the broker's access control does not let anybody ask without an account", "run this from an address on its white list; then the rest can be looked at")
	}
	return unknown("address", "broker-does-not-tell", b.label(), "%v", b.AnswerErr).because("nothing else can be looked at", "see the broker's log")
}

// refused says that an error is access control's.
func refused(err error) bool { return ask.CodeOf(err) == remoting.RespNoPermission }
