package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// Made keeps which topics runs have made, and where. Topics that were there, or that got more queues, are not among them.
type Made struct {
	mu  sync.Mutex
	all []madeTopic
}

type madeTopic struct{ addr, namesrv, name string }

func (m *Made) add(w *Workload, name string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := (madeTopic{w.Addr, w.Namesrv, name}); !slices.Contains(m.all, t) {
		m.all = append(m.all, t)
	}
}

// Delete deletes them at their brokers, and where a name server is known there too: it keeps the route of a topic whose broker is
// silent about it. What the messages take on the disk is freed when the broker's retention comes to them. It returns how many are gone.
func (m *Made) Delete(ctx context.Context) (gone int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.all {
		failed := deleteTopic(ctx, t.addr, remoting.CodeDeleteTopicInBroker, t.name)
		for _, names := range remoting.ServerNames(t.namesrv) {
			failed = errors.Join(failed, deleteTopic(ctx, names, remoting.CodeDeleteTopicInNamesrv, t.name))
		}
		if failed == nil {
			gone++
		}
		err = errors.Join(err, failed)
	}
	m.all = nil
	return gone, err
}

func deleteTopic(ctx context.Context, addr string, code int32, name string) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	c, err := netpoll.Dial(ctx, addr, netpoll.DialOptions{})
	if err != nil {
		return fmt.Errorf("delete topic %s at %s: %s", name, addr, netpoll.Unreachable(err))
	}
	defer c.Close()
	req := remoting.NewRequest(code)
	req.Set("topic", name)
	switch resp, err := c.Call(ctx, req); {
	case err != nil:
		return fmt.Errorf("delete topic %s at %s: %w", name, addr, err)
	case resp.Code != remoting.RespSuccess:
		return fmt.Errorf("delete topic %s at %s: %s", name, addr, refusal(resp))
	}
	return nil
}
