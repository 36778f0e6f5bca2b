package netpoll

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"

	"ringmq/netpoll/remoting"
)

// Gate lets requests of a kind in from this machine and from some networks only, as long as nobody has to say who he is.
type Gate struct {
	guards   func(code int32) bool // requests of the kind
	whose    string
	key      string // that lists the networks
	networks []netip.Prefix
	logger   *slog.Logger
	told     Seldom // of refusals
}

// NewGate makes the gate of a server whose administrators may also sit in networks.
func NewGate(networks []netip.Prefix, logger *slog.Logger) *Gate {
	return &Gate{guards: remoting.IsAdmin, whose: "administrators", key: "adminAllowedCidrs", networks: networks, logger: logger}
}

// NewBrokerGate makes the gate of a name server whose brokers sit in networks; with none they are everywhere.
func NewBrokerGate(networks []netip.Prefix, logger *slog.Logger) *Gate {
	guards := remoting.IsBrokers
	if len(networks) == 0 {
		guards = func(int32) bool { return false }
	}
	return &Gate{guards: guards, whose: "brokers", key: "brokerAllowedCidrs", networks: networks, logger: logger}
}

// Admits says whether a request may be served: one that is not of the gate's kind always, another one when its sender is on this machine
// (it connected over loopback, or from the address that it connected to) or in one of the networks. Any goroutine.
func (g *Gate) Admits(c *Conn, req *remoting.Command) bool {
	return !g.guards(req.Code) || IsWithin(c.remote.Addr(), c.local.Addr(), g.networks)
}

// IsWithin says whether a peer is on this machine (it connected over loopback, or from the address that it connected to) or in one of the
// networks. Any goroutine.
func IsWithin(remote, local netip.Addr, networks []netip.Prefix) bool {
	remote, local = remote.Unmap().WithZone(""), local.Unmap().WithZone("")
	return remote.IsLoopback() || remote.IsValid() && remote == local ||
		slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(remote) })
}

// Refusal is the remark of an answer (NO_PERMISSION) to a request that was not admitted. It is logged too, at most once a second.
func (g *Gate) Refusal(c *Conn, req *remoting.Command) string {
	name := remoting.CodeName(req.Code)
	if g.told.Now() {
		g.logger.Warn("a request of "+g.whose+" was refused: it did not come from this machine or from "+g.key,
			"from", c.remote, "code", req.Code, "name", name)
	}
	return fmt.Sprintf("%s is a request of %s: it is answered on the machine itself and to the addresses in %s, not to %s",
		name, g.whose, g.key, c.remote.Addr().Unmap())
}
