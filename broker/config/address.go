package config

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// neverRemote are the keys that no request may change, whatever configBlackList says: they decide where this process listens, reads,
// writes and connects to, what a request may do, and what a stock broker that is given the file would start. The next start would be deaf on the
// operator's port, or refuse the store it finds. Keys that begin with storePath belong to them. remote_test.go has the reason of each key.
var neverRemote = [...]string{
	"brokerConfigPath", "rocketmqHome", "configBlackList", "kvConfigPath", "configStorePath", "authConfigPath", "adminAllowedCidrs", "haAllowedCidrs",
	"listenPort", "bindAddress", "namesrvListenPort", "haListenPort", "haServicePort", "fastListenPort",
	"adminHttpAddress", "metricsPromExporterHost", "metricsPromExporterPort", "metricsExporterType",
	"metricsGrpcExporterTarget", "metricsGrpcExporterHeader", // nobody but who starts the broker says where it sends metrics to, and as whom
	"lagAlarmWebhook", "socksProxyConfig", // and alarms, and through whom
	"storeType", "readOnlyCommitLogStorePaths", "mappedFileSizeCommitLog", "mappedFileSizeConsumeQueue", "mapperFileSizeBatchConsumeQueue", "maxHashSlotNum", "maxIndexNum",
	"messageStorePlugIn", "authenticationProvider", "authenticationMetadataProvider", "authenticationStrategy", // classes
	"authorizationProvider", "authorizationMetadataProvider", "authorizationStrategy",
	"authenticationWhitelist", "authorizationWhitelist", "initAuthenticationUser", "innerClientAuthenticationCredentials",
}

// BlackListed says whether a configuration request must be refused because it names key.
func (c *Config) BlackListed(key string) bool {
	if slices.Contains(neverRemote[:], key) || strings.HasPrefix(key, "storePath") {
		return true
	}
	for _, k := range strings.Split(c.Text("configBlackList"), ";") {
		if strings.TrimSpace(k) == key {
			return true
		}
	}
	return false
}

// Administrators are the networks whose requests of administrators are answered, besides this machine. New has looked at it.
func (c *Config) Administrators() []netip.Prefix {
	all, _ := c.Prefixes("adminAllowedCidrs")
	return all
}

// Slaves are the networks from which slaves may connect, besides this machine; none: all. New has looked at it.
func (c *Config) Slaves() []netip.Prefix {
	all, _ := c.Prefixes("haAllowedCidrs")
	return all
}

// Cluster is the cluster that the broker registers in.
func (c *Config) Cluster() string { return c.Text("brokerClusterName") }

// Name is the broker's name in routes.
func (c *Config) Name() string { return c.Text("brokerName") }

// ListenPort is the port of all requests; 0 lets the kernel choose, for tests.
func (c *Config) ListenPort() int { return c.Int("listenPort") }

// FastPort is the second port, two below the first, that clients use for sends on the "VIP channel". 0 where there is no room
// below ListenPort.
func (c *Config) FastPort() int { return max(0, c.ListenPort()-2) }

// BindAddress is the address listened on.
func (c *Config) BindAddress() string { return c.Text("bindAddress") }

// Advertised is the address that clients are told: brokerIP1 with the port listened on. New has looked at it.
func (c *Config) Advertised() netip.AddrPort {
	addr, err := netip.ParseAddr(c.Text("brokerIP1"))
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, uint16(c.ListenPort()))
}

// NameServers are the addresses, host:port, of the name servers to register at. They may change at run time.
func (c *Config) NameServers() []string {
	var all []string
	for _, a := range strings.Split(c.Text("namesrvAddr"), ";") {
		if a = strings.TrimSpace(a); a != "" {
			all = append(all, a)
		}
	}
	return all
}

// Permission is what clients may do with this broker as a whole: 4 read, 2 write, added. It may change at run time.
func (c *Config) Permission() int32 { return int32(c.Int("brokerPermission")) }

// LocalIP is this host's address for brokerIP1, chosen as the reference broker chooses it: the first IPv4 address that is
// neither loopback nor in 127.0/16 or 192.168/16; failing that the last one in 192.168/16; failing that an IPv6 address that is
// neither loopback nor local to its link; 127.0.0.1 on a host without network.
func LocalIP() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	var all []netip.Addr
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Addr())
		}
	}
	return chooseIP(all)
}

func chooseIP(all []netip.Addr) string {
	private, v6 := "", ""
	for _, a := range all {
		switch {
		case a.IsLoopback() || a.IsLinkLocalUnicast():
		case !a.Is4():
			if v6 == "" {
				v6 = a.WithZone("").String()
			}
		case netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168}), 16).Contains(a):
			private = a.String()
		default:
			return a.String()
		}
	}
	switch {
	case private != "":
		return private
	case v6 != "":
		return v6
	}
	return "127.0.0.1"
}
