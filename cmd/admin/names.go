package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

func getNamesrvConfig() *Command {
	return &Command{Name: "getNamesrvConfig", Short: "Show the configuration of the name servers", Reads: true, Run: runGetNamesrvConfig}
}

func runGetNamesrvConfig(ctx context.Context, s *Session, _ Args, out *Out) error {
	out.Table("config", "%-50[2]v=  %[3]v\n", Col{"", "nameServer"}, Col{"", "key"}, Col{"", "value"})
	return s.atNames(func(addr string) error {
		return s.showProperties(ctx, addr, "============"+addr+"============\n", remoting.CodeGetNamesrvConfig, out)
	})
}

// showProperties writes what a server answers as properties, under a title.
func (s *Session) showProperties(ctx context.Context, addr, title string, code int32, out *Out) error {
	resp, err := s.call(ctx, addr, ask.Request(code))
	if err != nil {
		return err
	}
	all, err := settings.ParseProperties(addr, resp.Body)
	if err != nil {
		return err
	}
	values := map[string]string{}
	for _, one := range all {
		values[one.Key] = one.Value
	}
	out.Textf("%s", title)
	for _, k := range slices.Sorted(maps.Keys(values)) {
		out.Row(addr, k, values[k])
	}
	return nil
}

func keyFlags(namespace bool) []Flag {
	all := []Flag{{Short: "k", Long: "key", Usage: "key", Required: true}}
	if namespace {
		all = append([]Flag{{Short: "s", Long: "namespace", Usage: "namespace of the key", Required: true}}, all...)
	}
	return all
}

func valueFlag() Flag { return Flag{Short: "v", Long: "value", Usage: "value", Required: true} }

func updateNamesrvConfig() *Command {
	return &Command{Name: "updateNamesrvConfig", Short: "Change one key of the name servers' configuration", Run: runUpdateNamesrvConfig, Flags: append(keyFlags(false), valueFlag())}
}

func runUpdateNamesrvConfig(ctx context.Context, s *Session, a Args, out *Out) error {
	err := s.atNames(func(addr string) error {
		req := ask.Request(remoting.CodeUpdateNamesrvConfig)
		req.Body = property(a["key"], a["value"])
		if _, err := s.call(ctx, addr, req); err != nil {
			return err
		}
		if s.lacksKey(ctx, addr, remoting.CodeGetNamesrvConfig, a["key"]) {
			return fmt.Errorf("there is no key %s, so nothing was changed: ringmq admin getNamesrvConfig lists all", a["key"])
		}
		return nil
	})
	if err != nil {
		return err
	}
	out.Textf("update name server config success!%v\n%s : %s\n", s.names, a["key"], a["value"])
	out.Set("nameServers", s.names)
	out.Set("key", a["key"])
	out.Set("value", a["value"])
	return nil
}

func updateKvConfig() *Command {
	return &Command{Name: "updateKvConfig", Short: "Put a value into the name servers", Run: runUpdateKvConfig, Flags: append(keyFlags(true), valueFlag())}
}

func runUpdateKvConfig(ctx context.Context, s *Session, a Args, out *Out) error {
	if err := s.putKV(ctx, a["namespace"], a["key"], a["value"]); err != nil {
		return err
	}
	out.Textf("create or update kv config to namespace success.\n")
	out.Set("nameServers", s.names)
	return nil
}

func deleteKvConfig() *Command {
	return &Command{Name: "deleteKvConfig", Short: "Delete a value from the name servers", Run: runDeleteKvConfig, Flags: keyFlags(true)}
}

func runDeleteKvConfig(ctx context.Context, s *Session, a Args, out *Out) error {
	if err := s.deleteKV(ctx, a["namespace"], a["key"]); err != nil {
		return err
	}
	out.Textf("delete kv config from namespace success.\n")
	out.Set("nameServers", s.names)
	return nil
}

func wipeWritePerm() *Command {
	return &Command{Name: "wipeWritePerm", Short: "Have no more sent to a broker: clear its write permission in every name server", Run: runWipeWritePerm, Flags: []Flag{brokerNameFlag("b", true)}}
}

func runWipeWritePerm(ctx context.Context, s *Session, a Args, out *Out) error {
	return s.writePerm(ctx, a["brokerName"], remoting.CodeWipeWritePermOfBroker, "wipe", "wipeTopicCount", out)
}

func addWritePerm() *Command {
	return &Command{Name: "addWritePerm", Short: "Give a broker its write permission back in every name server", Run: runAddWritePerm, Flags: []Flag{brokerNameFlag("b", true)}}
}

func runAddWritePerm(ctx context.Context, s *Session, a Args, out *Out) error {
	return s.writePerm(ctx, a["brokerName"], remoting.CodeAddWritePermOfBroker, "add", "addTopicCount", out)
}

func (s *Session) writePerm(ctx context.Context, broker string, code int32, verb, count string, out *Out) error {
	out.Table("nameServers", verb+" write perm of broker[%v] in name server[%v] OK, %v\n", Col{"", "brokerName"}, Col{"", "nameServer"}, Col{"", "topics"})
	return s.atNames(func(addr string) error {
		resp, err := s.call(ctx, addr, ask.Request(code, "brokerName", broker))
		if err != nil {
			out.Textf("%s write perm of broker[%s] in name server[%s] Failed\n", verb, broker, addr)
			return err
		}
		n, _, err := resp.Int32(count)
		if err != nil {
			return err
		}
		out.Row(broker, addr, n)
		return nil
	})
}
