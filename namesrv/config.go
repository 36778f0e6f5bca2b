package namesrv

import (
	_ "embed"
	"fmt"
	"net/netip"

	"ringmq/netpoll/remoting/settings"
)

//go:embed keys.tsv
var keys string

// Keys is the name server's table of configuration keys, with stock's names and defaults.
func Keys() *settings.Table { return settings.ParseTable(keys, settings.Host("")) }

// refused are the values that a name server must not start with: it would do something else than was asked for.
var refused = append(settings.TLS, settings.Wish{Key: "enableControllerInNamesrv", Value: "true", Why: "election of masters is not built yet"})

// Check looks at the values before a start. An error names the key, its value, and the file and line (or the flag, or the variable)
// where it was set.
func Check(v *settings.Values) error {
	if port := v.Int("listenPort"); port < 0 || port > 65535 {
		return fmt.Errorf("%s: listenPort=%d is not between 0 and 65535", v.Where("listenPort"), port)
	}
	for _, key := range []string{"maxConnections", "maxConnectionsPerHost"} {
		if n := v.Int(key); n < 0 {
			return fmt.Errorf("%s: %s=%d is less than 0", v.Where(key), key, n)
		}
	}
	for _, key := range []string{"adminAllowedCidrs", "brokerAllowedCidrs"} {
		if _, err := v.Prefixes(key); err != nil {
			return err
		}
	}
	if err := v.CheckListen("adminHttpAddress"); err != nil {
		return err
	}
	return v.Refuse(refused)
}

// neverRemote are keys that no request may set, whatever the black list says: after the next start the operator would not find
// this server again.
var neverRemote = []string{"kvConfigPath", "configStorePath", "rocketmqHome", "configBlackList", "listenPort", "bindAddress", "adminHttpAddress", "adminAllowedCidrs", "brokerAllowedCidrs"}

// OwnAddress is where a name server that is bound to an address is reached on its own host: on loopback where it is bound to all of them, or to
// what is none.
func OwnAddress(bind string, port int) string {
	a, err := netip.ParseAddr(bind)
	if err != nil || a.IsUnspecified() {
		a = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(a, uint16(port)).String()
}
