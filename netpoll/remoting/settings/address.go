package settings

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// IsHostPort says whether a is an address or a name, a colon and a port from 1 to 65535. Names are not looked up.
func IsHostPort(a string) bool {
	host, port, ok := cutPort(a)
	return ok && port > 0 && isHost(host)
}

// CheckListen looks at a key that says where to listen, if anywhere: IsHostPort, or without a host for all addresses of this machine, or with port 0
// for one that is free. An error says where the key was set.
func (v *Values) CheckListen(key string) error {
	a := v.Text(key)
	if a == "" {
		return nil
	}
	if host, _, ok := cutPort(a); !ok || host != "" && !isHost(host) {
		return fmt.Errorf("%s: %s=%s is not of the form host:port", v.Where(key), key, a)
	}
	return nil
}

func cutPort(a string) (host string, port uint64, ok bool) {
	host, text, err := net.SplitHostPort(a)
	port, no := strconv.ParseUint(text, 10, 16)
	return host, port, err == nil && no == nil
}

// isHost says whether host is an address, or can be a name.
func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	named := false // digits and dots alone are an address, and then a wrong one
	for _, c := range host {
		switch {
		case c >= '0' && c <= '9' || c == '.':
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_':
			named = true
		default:
			return false
		}
	}
	return named
}
