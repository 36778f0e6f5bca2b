package doctor

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ringmq/broker/config"
	"ringmq/netpoll/local"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

// configSeen is a broker.conf and what came of reading it.
type configSeen struct {
	Name     string // the file's, without folders
	Err      error  // it cannot be read, or is no properties file
	Refused  error  // a broker would not start with it
	Settings []settings.Setting
	Config   *config.Config // nil with an error
}

// readFile reads the file, a broker's as a rule, and takes from it what the options leave open.
func (v *visit) readFile() {
	if v.o.ConfigFile == "" {
		return
	}
	name := filepath.Base(v.o.ConfigFile)
	text, err := os.ReadFile(v.o.ConfigFile)
	if all, no := settings.ParseProperties(name, text); err == nil && no == nil && forNames(all) {
		v.readNamesFile(name, all)
		return
	}
	v.file = parseConfig(name, text, err)
	if v.file.Err != nil {
		return
	}
	v.lookedAt++
	if len(v.o.NameServers) == 0 {
		v.o.NameServers = remoting.ServerNames(v.file.value("namesrvAddr"))
	}
	c := v.file.Config
	if c == nil {
		return
	}
	if v.o.Broker == "" && c.ListenPort() != 0 {
		v.o.Broker = c.Advertised().String()
	}
	if root := c.Text("storePathRootDir"); v.o.Store == "" {
		if _, err := os.Stat(root); err == nil {
			v.o.Store = root
		}
	}
}

// lookAtFile judges the file, once it is known whose it is.
func (v *visit) lookAtFile() {
	i := v.file.broker(v.brokers)
	v.add(judgeFile(v.file, i >= 0 && !v.brokers[i].ours())...)
	if v.file.Config == nil {
		return
	}
	v.add(judgeAdvertised(v.file, local.HostAddrs())...)
	if i >= 0 {
		v.add(judgeInForce(v.file, &v.brokers[i])...)
	}
}

// value is what the file says for a key; "" if it does not.
func (c *configSeen) value(key string) (value string) {
	for _, s := range c.Settings {
		if s.Key == key {
			value = s.Value
		}
	}
	return value
}

// broker finds the broker that the file is for among those that tell their configuration; -1: none is.
func (c *configSeen) broker(brokers []brokerSeen) int {
	name, id := c.value("brokerName"), int64(0)
	if c.Config != nil {
		name, id = c.Config.Name(), c.Config.ID()
	}
	return slices.IndexFunc(brokers, func(b brokerSeen) bool { return b.Config != nil && b.Config["brokerName"] == name && b.ID == id })
}

// parseConfig reads a file as a broker would at its start.
func parseConfig(name string, text []byte, err error) *configSeen {
	c := &configSeen{Name: name, Err: err}
	if err != nil {
		return c
	}
	if c.Settings, c.Err = settings.ParseProperties(name, text); c.Err != nil {
		return c
	}
	v, err := config.Keys(config.LocalIP()).Merge(c.Settings)
	if err == nil {
		c.Config, err = config.New(v)
	}
	c.Refused = err
	return c
}

// judgeFile says what is wrong with a file by itself. stock: it is a stock broker's, which knows more keys and does more.
func judgeFile(c *configSeen, stock bool) (all []Finding) {
	switch {
	case c.Err != nil:
		return []Finding{broken("config", "config-unreadable", c.Name, "%v", c.Err).because("the broker does not start with it", "correct the path of -c, the permissions, or the line")}
	case c.Refused != nil && stock:
		return []Finding{ok("config", "config-of-stock", c.Name, "a stock broker runs with it; ringmq would not: %v", c.Refused)}
	case c.Refused != nil:
		return []Finding{broken("config", "config-refused", c.Name, "%v", c.Refused).because("the broker does not start with it", "correct this line")}
	}
	keys, all := judgeTwice(c.Settings)
	all = append(all, asStock(stock, append(judgeKeys("broker", c.Config), judgeUnsupported(c.Name, c.Config)...))...)
	if len(c.Config.NameServers()) == 0 {
		all = append(all, broken("config", "no-name-server-configured", c.Name, "namesrvAddr is empty").
			because("the broker registers nowhere, and clients do not find it", "namesrvAddr=host:9876 in the file, or -n"))
	}
	if len(all) == 0 {
		all = append(all, ok("config", "config", c.Name, "%s, all known and in use", plural(keys, "key")))
	}
	return all
}

// judgeTwice names keys that a file sets to two values, and tells how many keys it has.
func judgeTwice(all []settings.Setting) (keys int, found []Finding) {
	values := map[string]settings.Setting{}
	for _, s := range all {
		if before, twice := values[s.Key]; twice && before.Value != s.Value {
			found = append(found, warning("config", "config-key-twice", s.Key, "%s says %s, %s says %s", before.Where, before.Value, s.Where, s.Value).
				because("the last one counts", "remove one of the lines"))
		}
		values[s.Key] = s
	}
	return len(values), found
}

// asStock leaves of what was found about keys what is true of stock's servers too, which know more keys and do more.
func asStock(stock bool, all []Finding) []Finding {
	return slices.DeleteFunc(all, func(f Finding) bool {
		return stock && f.Name != "config-key-misspelt" && f.Name != "config-key-unknown"
	})
}

// keyed are values with their table: a broker's, or a name server's.
type keyed interface {
	WithoutEffect() []string
	Where(key string) string
	Alike(key string) string
	Known(key string) bool
}

// judgeKeys names keys that are unknown or do nothing. server is the command that prints all.
func judgeKeys(server string, c keyed) (all []Finding) {
	for _, key := range c.WithoutEffect() {
		about := key
		if at := c.Where(key); at != "" && !strings.HasPrefix(at, "the broker") {
			about = key + " (" + at + ")"
		}
		switch alike := c.Alike(key); {
		case alike != "" && alike != key:
			all = append(all, warning("config", "config-key-misspelt", about, "there is no key %s", key).
				because("it has no effect: the default of the key that was meant is in force", "write %s", alike))
		case !c.Known(key):
			all = append(all, warning("config", "config-key-unknown", about, "neither stock nor ringmq has this key").
				because("it has no effect", "remove it, or look for its name in what ringmq %s -p prints", server))
		default:
			all = append(all, warning("config", "config-key-without-effect", about, "a key of stock that means nothing here").
				because("whoever set it expects something that does not happen", "remove it; ringmq %s -p lists the keys in use", server))
		}
	}
	return all
}

// judgeUnsupported names what a broker is asked for and does not have.
func judgeUnsupported(where string, c *config.Config) (all []Finding) {
	for _, pair := range c.Unsupported() {
		all = append(all, warning("config", "config-not-supported-yet", pair, "asked for in %s and not built yet", where).
			because("clients that rely on it fail", "do without it, or run a stock broker for those topics"))
	}
	return all
}

// inForce are the values that a running server has set to something else than its default. An error: it is of another release, with other
// bounds.
func inForce(table *settings.Table, told map[string]string, where string) (*settings.Values, error) {
	defaults, err := table.Merge()
	if err != nil {
		panic(err) // the table has been looked at when it was made
	}
	var all []settings.Setting
	for k, value := range told {
		if defaults.Known(k) && defaults.Text(k) == value {
			continue
		}
		all = append(all, settings.Setting{Key: k, Value: value, Origin: settings.File, Where: where})
	}
	return table.Merge(all)
}

// judgeRunningConfig looks at the keys that a broker of ours has in force. Stock's are their own business.
func judgeRunningConfig(b *brokerSeen) []Finding {
	if !b.ours() {
		return nil
	}
	v, err := inForce(config.Keys(config.LocalIP()), b.Config, "the broker")
	if err != nil {
		return nil // it runs with it
	}
	c := &config.Config{Values: v}
	return append(judgeKeys("broker", c), judgeUnsupported(b.label(), c)...)
}

// judgeInForce compares the file with what the broker that it is for has in force.
func judgeInForce(file *configSeen, b *brokerSeen) (all []Finding) {
	last := map[string]settings.Setting{}
	for _, s := range file.Settings {
		last[s.Key] = s
	}
	for _, s := range file.Settings {
		now, there := b.Config[s.Key]
		if last[s.Key] != s || !there || strings.TrimSpace(now) == strings.TrimSpace(s.Value) || !file.Config.Known(s.Key) {
			continue
		}
		if file.Config.Text(s.Key) == now {
			continue // what the broker makes of it, as of brokerId on a master
		}
		all = append(all, warning("config", "config-not-in-force", fmt.Sprintf("%s (%s)", s.Key, s.Where), "the file says %s, the broker runs with %s", s.Value, now).
			because("the file was changed after the start, or something else overrides it", "start the broker again; a flag, RINGMQ_%s in its environment, or a request (25) wins over the file", s.Key))
	}
	return all
}

// judgeAdvertised looks at the address that the file gives to clients. host: the addresses of the machine that the file lies on.
func judgeAdvertised(file *configSeen, host []netip.Addr) []Finding {
	c := file.Config
	ip := c.Advertised().Addr().Unmap()
	bind, err := netip.ParseAddr(c.BindAddress())
	switch {
	case ip.IsUnspecified():
		return []Finding{broken("config", "advertised-address-unspecified", "brokerIP1", "%s is no address that anybody can dial", ip).
			because(whyAddress, "set brokerIP1 to the host's own address")}
	case ip.IsLoopback() && err == nil && !bind.IsLoopback():
		return []Finding{warning("config", "advertised-address-loopback", "brokerIP1", "%s, while the broker listens on %s", ip, bind).
			because("clients on other hosts dial themselves", "set brokerIP1 to an address that clients reach")}
	case err == nil && bind.IsLoopback() && !ip.IsLoopback():
		return []Finding{broken("config", "listens-on-loopback-only", "bindAddress", "%s, while clients are told %s", bind, ip).
			because("nobody but this host can connect", "bindAddress=0.0.0.0, or leave it out")}
	case !slices.Contains(host, ip):
		return []Finding{warning("config", "advertised-address-of-another-host", "brokerIP1", "%s is no address of this host", ip).
			because("clients are sent to another host, unless an address translation leads here", "set brokerIP1 to the host's address, or leave it out to have it found")}
	}
	return nil
}
