package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

// property is one line of a properties file, in which what has a meaning there is escaped.
func property(key, value string) []byte {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "=", `\=`, ":", `\:`, "#", `\#`, "!", `\!`)
	value = escape.Replace(value)
	if strings.HasPrefix(value, " ") {
		value = `\` + value
	}
	return []byte(strings.ReplaceAll(escape.Replace(key), " ", `\ `) + "=" + value + "\n")
}

func getBrokerConfig() *Command {
	return &Command{Name: "getBrokerConfig", Short: "Show the configuration of brokers", Reads: true, Run: runGetBrokerConfig, Flags: []Flag{brokerFlag(), clusterFlag()}}
}

func runGetBrokerConfig(ctx context.Context, s *Session, a Args, out *Out) error {
	all, titles, err := s.replicas(ctx, a)
	if err != nil {
		return err
	}
	out.Table("config", "%-50[2]v=  %[3]v\n", Col{"", "brokerAddr"}, Col{"", "key"}, Col{"", "value"})
	i := -1
	return eachReplica(all, func(addr string) error {
		i++
		if err := s.showProperties(ctx, addr, titles[i], remoting.CodeGetBrokerConfig, out); err != nil {
			return err
		}
		out.Textf("\n")
		return nil
	})
}

func eachReplica(all []replica, fn func(addr string) error) error {
	addrs := make([]string, len(all))
	for i, r := range all {
		addrs[i] = r.addr
	}
	return each(addrs, fn)
}

func updateBrokerConfig() *Command {
	return &Command{
		Name: "updateBrokerConfig", Short: "Change one key of brokers' configuration", Run: runUpdateBrokerConfig,
		Flags: append([]Flag{brokerFlag(), clusterFlag(), {Short: "a", Long: "updateAllBroker", Usage: "with -c: slaves too, whatever its value is"}}, append(keyFlags(false), valueFlag())...),
	}
}

func runUpdateBrokerConfig(ctx context.Context, s *Session, a Args, out *Out) error {
	w := masters
	if a.Has("updateAllBroker") {
		w = mastersAndSlaves
	}
	addrs, err := s.targets(ctx, a, w)
	if err != nil {
		return err
	}
	out.Table("brokers", "update broker config success, %v\n", Col{"", "brokerAddr"})
	return each(addrs, func(addr string) error {
		req := ask.Request(remoting.CodeUpdateBrokerConfig)
		req.Body = property(a["key"], a["value"])
		if _, err := s.call(ctx, addr, req); err != nil {
			return err
		}
		if s.lacksKey(ctx, addr, remoting.CodeGetBrokerConfig, a["key"]) {
			return fmt.Errorf("%s: there is no key %s, so nothing was changed: ringmq admin getBrokerConfig -b %s lists all", addr, a["key"], addr)
		}
		out.Row(addr)
		return nil
	})
}

// lacksKey says that a server has no such key. A change of one is answered with success, by stock's servers too, and does nothing. Where
// the keys cannot be had, the server's answer to the change stands.
func (s *Session) lacksKey(ctx context.Context, addr string, code int32, key string) bool {
	resp, err := s.call(ctx, addr, ask.Request(code))
	if err != nil {
		return false
	}
	all, err := settings.ParseProperties(addr, resp.Body)
	return err == nil && len(all) > 0 && !slices.ContainsFunc(all, func(one settings.Setting) bool { return one.Key == key })
}

// toBrokers sends a body to the brokers that -b or -c name, and says which took it.
func (s *Session) toBrokers(ctx context.Context, a Args, w which, code int32, body []byte, row string, out *Out) error {
	addrs, err := s.targets(ctx, a, w)
	if err != nil {
		return err
	}
	out.Table("brokers", row, Col{"", "brokerAddr"})
	return each(addrs, func(addr string) error {
		req := ask.Request(code)
		req.Body = body
		if _, err := s.call(ctx, addr, req); err != nil {
			return err
		}
		out.Row(addr)
		return nil
	})
}

func resetMasterFlushOffset() *Command {
	b := brokerFlag()
	b.Required = true
	return &Command{
		Name: "resetMasterFlushOffset", Short: "Set how far a slave believes that its master's log is safe", Run: runResetMasterFlushOffset,
		Flags: []Flag{b, {Short: "o", Long: "offset", Usage: "offset of the log", Kind: Number, Required: true}},
	}
}

func runResetMasterFlushOffset(ctx context.Context, s *Session, a Args, out *Out) error {
	addrs, err := s.targets(ctx, a, masters)
	if err != nil {
		return err
	}
	if _, err := s.call(ctx, addrs[0], ask.Request(remoting.CodeResetMasterFlushOffset, "masterFlushOffset", a["offset"])); err != nil {
		return err
	}
	out.Textf("reset master flush offset to %s success\n", a["offset"])
	out.Set("masterFlushOffset", a.Number("offset", 0))
	return nil
}

func getColdDataFlowCtrInfo() *Command {
	return &Command{
		Name: "getColdDataFlowCtrInfo", Short: "Show how much groups read that is not in memory, and their limits", Reads: true, Run: runGetColdDataFlowCtrInfo,
		Flags: []Flag{brokerFlag(), clusterFlag()},
	}
}

func runGetColdDataFlowCtrInfo(ctx context.Context, s *Session, a Args, out *Out) error {
	all, titles, err := s.replicas(ctx, a)
	if err != nil {
		return err
	}
	out.Table("brokers", "%[2]v", Col{"", "brokerAddr"}, Col{"", "info"})
	i := -1
	return eachReplica(all, func(addr string) error {
		i++
		var info map[string]any
		if err := s.body(ctx, addr, ask.Request(remoting.CodeGetColdDataFlowCtrInfo), &info); err != nil {
			return err
		}
		groups, _ := info["runtimeTable"].(map[string]any)
		for _, g := range groups {
			writeTimes(g)
		}
		var text strings.Builder
		prettyJSON(&text, []byte(toJSON(info)))
		out.Row(addr, Cell{info, fmt.Sprintf(" %s%s\n", titles[i], text.String())})
		return nil
	})
}

// writeTimes puts times for people in place of those in ms, as stock does.
func writeTimes(group any) {
	g, _ := group.(map[string]any)
	for from, to := range map[string]string{"lastColdReadTimeMills": "lastColdReadTimeFormat", "createTimeMills": "createTimeFormat"} {
		if ms, ok := g[from].(float64); ok {
			g[to] = stampSeconds(int64(ms))
			delete(g, from)
		}
	}
}

func updateColdDataFlowCtrGroupConfig() *Command {
	return &Command{
		Name: "updateColdDataFlowCtrGroupConfig", Short: "Limit how much a group may read in a second that is not in memory", Run: runUpdateColdDataFlowCtrGroupConfig,
		Flags: []Flag{brokerFlag(), clusterFlag(), groupFlag("g", "consumerGroup"), {Short: "v", Long: "threshold", Usage: "bytes", Kind: Number, Required: true}},
	}
}

func runUpdateColdDataFlowCtrGroupConfig(ctx context.Context, s *Session, a Args, out *Out) error {
	return s.toBrokers(ctx, a, masters, remoting.CodeUpdateColdDataFlowCtrConfig, property(a["consumerGroup"], a["threshold"]), "updateColdDataFlowCtrGroupConfig success, %v\n", out)
}

func removeColdDataFlowCtrGroupConfig() *Command {
	return &Command{
		Name: "removeColdDataFlowCtrGroupConfig", Short: "Drop a group's limit of such reads", Run: runRemoveColdDataFlowCtrGroupConfig,
		Flags: []Flag{brokerFlag(), clusterFlag(), groupFlag("g", "consumerGroup")},
	}
}

func runRemoveColdDataFlowCtrGroupConfig(ctx context.Context, s *Session, a Args, out *Out) error {
	return s.toBrokers(ctx, a, masters, remoting.CodeRemoveColdDataFlowCtrConfig, []byte(a["consumerGroup"]), "remove broker cold read threshold success, %v\n", out)
}

func setCommitLogReadAheadMode() *Command {
	return &Command{
		Name: "setCommitLogReadAheadMode", Short: "Set whether what lies around messages is read together with them", Run: runSetCommitLogReadAheadMode,
		Flags: []Flag{brokerFlag(), clusterFlag(), {Short: "m", Long: "commitLogReadAheadMode", Usage: "0: it is; 1: it is not", Required: true}},
	}
}

func runSetCommitLogReadAheadMode(ctx context.Context, s *Session, a Args, out *Out) error {
	mode := a["commitLogReadAheadMode"]
	if mode != "0" && mode != "1" {
		return fmt.Errorf("-m (--commitLogReadAheadMode) %q: 0 is default, 1 random read", mode)
	}
	all, titles, err := s.replicas(ctx, a)
	if err != nil {
		return err
	}
	out.Table("brokers", "%[2]v", Col{"", "brokerAddr"}, Col{"", "answer"})
	i := -1
	return eachReplica(all, func(addr string) error {
		i++
		resp, err := s.call(ctx, addr, ask.Request(remoting.CodeSetCommitlogReadMode, "READ_AHEAD_MODE", mode))
		if err != nil {
			return err
		}
		out.Row(addr, Cell{string(resp.Remark), fmt.Sprintf(" %scommitLog set readAhead mode rstStr%s\n", titles[i], resp.Remark)})
		return nil
	})
}
