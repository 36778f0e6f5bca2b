package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// copiesSeen is how a broker takes part in copying, as it says itself (907, and what ours adds to 28), and what its HA port says to
// a connection from here.
type copiesSeen struct {
	HA      *remoting.HARuntimeInfo // nil: it does not say
	Dialled string                  // HA port that was tried from here; "": none was
	DialErr error
}

// silentAfter is how long a slave may hear nothing of its master: it gets a heartbeat every 5 s.
const silentAfter = time.Minute

// askCopies asks a broker for its slaves, or its master. The HA port is dialled where that may tell something: a slave does not reach it,
// or nothing says who may. A connection that says nothing takes nobody's place there.
func (v *visit) askCopies(ctx context.Context, b *brokerSeen) {
	var ha remoting.HARuntimeInfo
	if _, err := v.ask.Body(ctx, b.Addr, ask.Request(remoting.CodeGetBrokerHaStatus), &ha); err == nil {
		b.Copies.HA = &ha
	}
	if b.Copies.Dialled = b.haToTry(); b.Copies.Dialled != "" {
		conn, err := (&net.Dialer{Timeout: v.o.Timeout}).DialContext(ctx, "tcp", b.Copies.Dialled)
		if b.Copies.DialErr = err; err == nil {
			_ = conn.Close()
		}
	}
}

// haToTry is the HA port worth a connection from here: the one that a slave does not reach, or that of a master which lets everybody in.
func (b *brokerSeen) haToTry() string {
	if b.Runtime["replicationConnected"] == "false" && b.Runtime["replicationRefused"] == "" {
		return b.Runtime["replicationMaster"]
	}
	told, known := b.Config["haAllowedCidrs"]
	host, port, err := net.SplitHostPort(b.Runtime["replicationListen"])
	if err != nil || !known || strings.TrimSpace(told) != "" {
		return ""
	}
	reached, _, _ := net.SplitHostPort(b.Addr)
	for _, h := range []string{reached, host} {
		if ip, err := netip.ParseAddr(h); err == nil && !ip.IsLoopback() && !ip.IsUnspecified() {
			return net.JoinHostPort(h, port)
		}
	}
	return ""
}

// judgeCopies says whether what a broker has is copied, and to whom.
func judgeCopies(b *brokerSeen) []Finding {
	if b.ID != 0 || b.Runtime["replicationConnected"] != "" {
		return judgeSlave(b)
	}
	all := judgeEnough(b)
	all = append(all, judgeSlaves(b)...)
	if refused := b.Runtime["replicationRefusedSlaves"]; refused != "" {
		all = append(all, broken("replication", "pair-has-parted", b.label(), "it refuses a slave: %s", refused).because(whyParted, "%s", partedFix(b.servesLog())))
	}
	if b.Copies.Dialled != "" && b.Copies.DialErr == nil {
		all = append(all, warning("replication", "ha-port-open-to-everybody", b.label(), "%s takes a connection from here, and haAllowedCidrs is empty", b.Copies.Dialled).
			because("whoever reaches this port may read the whole log, and what he acknowledges counts as a copy",
				"haAllowedCidrs=NETWORK-OF-THE-SLAVES in broker.conf and a start; without slaves a firewall that closes the port"))
	}
	return all
}

const whyParted = "master and slave have different logs: nothing is copied, and which of the two is right nobody but an operator can say"

// servesLog is where a master serves its log, as far as it tells.
func (b *brokerSeen) servesLog() string {
	reached, _, _ := net.SplitHostPort(b.Addr)
	host, port, err := net.SplitHostPort(b.Runtime["replicationListen"])
	if err != nil {
		return net.JoinHostPort(reached, "10912")
	}
	if ip, err := netip.ParseAddr(host); err != nil || ip.IsUnspecified() {
		host = reached
	}
	return net.JoinHostPort(host, port)
}

// judgeSlave is about a broker that copies another.
func judgeSlave(b *brokerSeen) []Finding {
	r := b.Runtime
	switch {
	case r["replicationRefused"] != "":
		return []Finding{broken("replication", "pair-has-parted", b.label(), "nothing is copied from %s: %s", r["replicationMaster"], r["replicationRefused"]).because(whyParted, "%s", partedFix(r["replicationMaster"]))}
	case r["replicationConnected"] == "false" && r["replicationMaster"] == "":
		return []Finding{broken("replication", "slave-without-master", b.label(), "it does not know where its master is").
			because("nothing is copied", "start the master; if it runs, it has to have the same brokerName and a name server in common with this slave, or set haMasterAddress")}
	case r["replicationConnected"] == "false":
		return []Finding{judgeUnconnected(b)}
	case r["replicationConnected"] == "true":
		return []Finding{ok("replication", "slave-follows", b.label(), "connected to %s", r["replicationMaster"])}
	}
	// A stock slave says when it heard of its master, by its own clock.
	if ha := b.Copies.HA; ha != nil && !ha.Master && ha.Client.LastReadTimestamp > 0 {
		if silent := b.Asked.Sub(time.UnixMilli(ha.Client.LastReadTimestamp)); silent > silentAfter {
			return []Finding{warning("replication", "master-is-silent", b.label(), "it last heard of %s %s ago", ha.Client.MasterAddr, spanText(silent)).
				because("nothing is copied", "see whether the master runs, and whether a firewall lets the slave to its HA port (10912)")}
		}
	}
	return nil
}

// judgeUnconnected is about a slave that does not get to its master.
func judgeUnconnected(b *brokerSeen) Finding {
	heard := "it never heard of it"
	if ms, ok := number(b.Runtime["replicationSilentMs"]); ok && ms >= 0 {
		heard = "it last heard of it " + spanText(time.Duration(ms)*time.Millisecond) + " ago"
	}
	if b.Copies.DialErr == nil {
		return broken("replication", "ha-port-closed-to-the-slave", b.label(), "no connection to %s, %s; from here the port answers", b.Copies.Dialled, heard).
			because("nothing is copied", "open the port between the two (firewall, container ports), of a stock master its listenPort too, and see that the master's haAllowedCidrs has the slave's address: its log says whom it turned away")
	}
	return broken("replication", "ha-port-unreachable", b.label(), "no connection to %s, %s; from here: %s", b.Copies.Dialled, heard, netpoll.Unreachable(b.Copies.DialErr)).
		because("nothing is copied", "start the master; if it runs, set its brokerIP2 to an address that slaves reach, or haMasterAddress here, and open the port")
}

// judgeEnough is about a master whose sends wait for copies.
func judgeEnough(b *brokerSeen) []Finding {
	wanted, _ := number(b.Runtime["replicationWanted"])
	inStep, told := number(b.Runtime["replicationInStep"])
	enough, refuses := b.Runtime["replicationEnough"] != "false", b.Runtime["replicationRefuses"] == "true"
	if ha := b.Copies.HA; !told && ha != nil && ha.Master && b.Config["brokerRole"] == "SYNC_MASTER" {
		wanted, _ = number(b.Config["inSyncReplicas"]) // of a stock broker
		inStep = int64(ha.InSyncSlaves) + 1
		enough = inStep >= wanted
	}
	const fix = "start the slaves, or see why they are not in step (%s); to go on without them for a while set inSyncReplicas and minInSyncReplicas to 1 and start the broker again"
	status := adminCommand("haStatus", "-b", b.Addr)
	seen := fmt.Sprintf("%d of %d copies are in step, its own included", inStep, wanted)
	switch {
	case refuses:
		return []Finding{broken("replication", "too-few-copies", b.label(), "%s; sends are refused", seen).
			because("minInSyncReplicas: producers get SLAVE_NOT_AVAILABLE (11) and nothing is stored", fix, status)}
	case !enough:
		return []Finding{warning("replication", "too-few-copies", b.label(), "%s", seen).
			because("sends are stored here alone and answered with SLAVE_NOT_AVAILABLE (11), or FLUSH_SLAVE_TIMEOUT (12) where they waited for a slave that was lost: most producers take that for a failure", fix, status)}
	}
	return nil
}

// judgeSlaves is about the slaves that a master knows.
func judgeSlaves(b *brokerSeen) []Finding {
	ha := b.Copies.HA
	if ha == nil || !ha.Master || len(ha.HAConnectionInfo) == 0 {
		return nil
	}
	var far []string
	for _, s := range ha.HAConnectionInfo {
		if s.Diff >= behindBytes {
			far = append(far, fmt.Sprintf("%s lacks %s and gets %s a second", s.Addr, sizeText(s.Diff), sizeText(s.TransferredBytesPerSec)))
		}
	}
	if len(far) > 0 {
		return []Finding{warning("replication", "slave-far-behind", b.label(), "%s", list(far)).
			because("what it lacks is lost with this broker's disk, and consumers that are sent to it find old messages only",
				"see what slows it: its disk, the network between, a limit (haFlowControlEnable); a slave that was just started comes up by itself")}
	}
	if ha.InSyncSlaves == len(ha.HAConnectionInfo) {
		return []Finding{ok("replication", "slaves-in-step", b.label(), "%s", plural(ha.InSyncSlaves, "slave"))}
	}
	return nil
}
