package doctor

import (
	"ringmq/broker/config"
	"ringmq/cmd/ask"
	"ringmq/namesrv"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

// namesFileSeen is a namesrv.conf and what came of reading it.
type namesFileSeen struct {
	Name     string // the file's, without folders
	Refused  error  // a name server would not start with it
	Settings []settings.Setting
	Values   *settings.Values // nil with an error
}

// forNames says whether a file is a name server's rather than a broker's, by the keys that only one of them has, or may have meant. Where that
// tells nothing, as in a file of a port alone, it is by the port that name servers listen on.
func forNames(all []settings.Setting) bool {
	knows := func(t *settings.Table, key string) int {
		v, err := t.Merge()
		switch {
		case err != nil:
			panic(err) // the table has been looked at when it was made
		case v.Known(key):
			return 2
		case v.Alike(key) != "":
			return 1
		}
		return 0
	}
	names, brokers := namesrv.Keys(), config.Keys("")
	sum, port := 0, ""
	for _, s := range all {
		sum += knows(names, s.Key) - knows(brokers, s.Key)
		if s.Key == "listenPort" {
			port = s.Value
		}
	}
	return sum > 0 || sum == 0 && port == "9876"
}

// readNamesFile takes from a name server's file where the name server is, unless others were named.
func (v *visit) readNamesFile(name string, all []settings.Setting) {
	v.namesFile = parseNamesFile(name, all)
	v.lookedAt++
	if addr := v.namesFile.addr(); addr != "" && len(v.o.NameServers) == 0 {
		v.o.NameServers = []string{addr}
	}
}

// parseNamesFile reads settings as a name server would at its start.
func parseNamesFile(name string, all []settings.Setting) *namesFileSeen {
	f := &namesFileSeen{Name: name, Settings: all}
	v, err := namesrv.Keys().Merge(all)
	if err == nil {
		err = namesrv.Check(v)
	}
	if f.Refused = err; err == nil {
		f.Values = v
	}
	return f
}

// addr is where the name server is, seen from its own host; "": the file does not say.
func (f *namesFileSeen) addr() string {
	if f.Values == nil || f.Values.Int("listenPort") == 0 {
		return ""
	}
	return namesrv.OwnAddress(f.Values.Text("bindAddress"), f.Values.Int("listenPort"))
}

// judgeNamesConfigs looks at the keys of the file, if there is one, and of the name servers that it is not for.
func judgeNamesConfigs(names []nameServerSeen, file *namesFileSeen) (all []Finding) {
	stock := false
	for i := range names {
		n := &names[i]
		if file != nil && n.Addr == file.addr() {
			stock = n.Config != nil && !n.ours()
			continue
		}
		all = append(all, judgeRunningNames(n)...)
	}
	if file != nil {
		all = append(all, judgeNamesFile(file, stock)...)
	}
	return all
}

// judgeNamesFile says what is wrong with a file by itself. stock: it is a stock name server's.
func judgeNamesFile(f *namesFileSeen, stock bool) (all []Finding) {
	if f.Refused != nil {
		return []Finding{broken("config", "config-refused", f.Name, "%v", f.Refused).because("the name server does not start with it", "correct this line")}
	}
	keys, all := judgeTwice(f.Settings)
	all = append(all, asStock(stock, judgeKeys("namesrv", f.Values))...)
	if len(all) == 0 {
		all = append(all, ok("config", "config", f.Name, "%s of a name server, all known and in use", plural(keys, "key")))
	}
	return all
}

// judgeRunningNames looks at the keys that a name server of ours has in force. Stock's are their own business.
func judgeRunningNames(n *nameServerSeen) []Finding {
	switch {
	case n.Err != nil || ask.CodeOf(n.ConfigErr) == remoting.RespRequestCodeNotSupported:
		return nil
	case n.ConfigErr != nil:
		return []Finding{unknown("config", "config-not-told", n.Addr, "%v", n.ConfigErr).
			because("keys of the name server that do nothing cannot be named", "run this on its host, or let this one in by its adminAllowedCidrs")}
	case !n.ours():
		return nil
	}
	v, err := inForce(namesrv.Keys(), n.Config, n.Addr)
	if err != nil {
		return nil // it runs with it
	}
	return judgeKeys("namesrv", v)
}
