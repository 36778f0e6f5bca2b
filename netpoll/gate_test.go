package netpoll

import (
	"net/netip"
	"testing"
)

func TestGateOfAddresses(t *testing.T) {
	some := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("192.0.2.7/32")}
	for _, c := range []struct {
		remote, local string
		prefixes      []netip.Prefix
		want          bool
	}{
		{"127.0.0.1", "127.0.0.1", nil, true},
		{"127.9.9.9", "127.0.0.1", nil, true},
		{"::1", "::1", nil, true},
		{"::ffff:127.0.0.1", "::ffff:127.0.0.1", nil, true},
		{"192.168.1.5", "192.168.1.5", nil, true}, // this machine by its own address
		{"fe80::1%eth0", "fe80::1%eth0", nil, true},
		{"192.168.1.6", "192.168.1.5", nil, false},
		{"192.168.1.6", "192.168.1.5", some, false},
		{"10.1.2.3", "10.9.0.1", some, true},
		{"::ffff:10.1.2.3", "::ffff:10.9.0.1", some, true}, // a listener of both families
		{"10.2.0.0", "10.9.0.1", some, false},
		{"fd12::1", "fd12::2", some, true},
		{"192.0.2.7", "10.9.0.1", some, true},
		{"192.0.2.8", "10.9.0.1", some, false},
	} {
		if got := IsWithin(netip.MustParseAddr(c.remote), netip.MustParseAddr(c.local), c.prefixes); got != c.want {
			t.Errorf("%s at %s: %v", c.remote, c.local, got)
		}
	}
	if IsWithin(netip.Addr{}, netip.Addr{}, some) {
		t.Error("an address that nobody knows is let in")
	}
}
