package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

func undrainBroker() *Command {
	return &Command{
		Name: "undrain", Short: "Take a broker that was drained into use again: producers send to it", Run: runUndrain, Flags: nameFlags(),
	}
}

// runUndrain gives the write permission back, and looks at the routes of all topics of the broker that may be written to.
func runUndrain(ctx context.Context, s *Session, a Args, out *Out) error {
	if err := a.oneBroker(); err != nil {
		return err
	}
	name, master, err := s.drained(ctx, a)
	if err != nil {
		return fmt.Errorf("%w (a broker that was stopped needs no undrain: it has its write permission back when it starts)", err)
	}
	topics, unknown := s.writable(ctx, master)
	out.Set("brokerName", name)
	out.Set("brokerAddr", master)
	out.Table("nameServers", "%[1]v  %[2]v topics, %[3]v of %[4]v that may be written to are open to producers\n", Col{"", "nameServer"}, Col{"", "topics"}, Col{"", "open"}, Col{"", "writable"})
	err = s.atNames(func(addr string) error { return s.giveBack(ctx, addr, name, topics, out) })
	if err != nil {
		return err
	}
	if unknown != nil {
		return fmt.Errorf("the write permission was given back, and not looked at whether producers see it: %w", unknown)
	}
	if conf, err := s.ask.BrokerConfig(ctx, master); err == nil {
		if perm, err := strconv.ParseInt(conf["brokerPermission"], 10, 32); err == nil && int32(perm)&remoting.PermWrite == 0 {
			return fmt.Errorf("the broker itself refuses sends, brokerPermission=%d: ringmq admin updateBrokerConfig -b %s -k brokerPermission -v 6", perm, master)
		}
	}
	out.Textf("Producers send to %s again when they have asked for the route, within 30 s.\n", name)
	return nil
}

// giveBack is request 327 at one name server.
func (s *Session) giveBack(ctx context.Context, namesrv, broker string, topics []string, out *Out) error {
	resp, err := s.call(ctx, namesrv, ask.Request(remoting.CodeAddWritePermOfBroker, "brokerName", broker))
	if err != nil {
		return err
	}
	given, _, err := resp.Int32("addTopicCount")
	if err != nil {
		return err
	}
	open := 0
	var shut []string
	for i := range s.counted("routes", len(topics)) {
		t := topics[i]
		yes, err := s.opensWrites(ctx, namesrv, t, broker)
		if err != nil {
			return err
		}
		if yes {
			open++
		} else {
			shut = append(shut, t)
		}
	}
	out.Row(namesrv, given, open, len(topics))
	switch {
	case given == 0:
		return fmt.Errorf("name server %s has no topic of broker %s: the broker does not register there", namesrv, broker)
	case open < len(topics):
		return fmt.Errorf("name server %s: producers do not see %s open: %w", namesrv, someOf(shut), errNotOpen)
	}
	return nil
}

// errNotOpen says what may be in the way when the permission was given and the route does not have it.
var errNotOpen = errors.New("somebody wipes the permission, or the topic is not registered there yet; try again")
