package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const groupQueues = 6

// lockedFor is how long a broker keeps a queue for a member that does not ask for it any more, and does not give it back either: this
// client gives its queues back only when it leaves in order.
const lockedFor = 60 * time.Second

// crowd is a consumer group whose members are processes, and a producer that sends to its topic all the time.
type crowd struct {
	e              env
	mode           string
	topic, group   string
	out            *os.File
	log            deliveries
	members        []*child
	stop           chan struct{}
	sender         sync.WaitGroup
	acked          []string
	sendErrors     int
	lastSendFailed error
}

// twoMembers: one joins, the first leaves in order, another joins, and the one that has the queues by then is killed.
func twoMembers(mode string) func(e env, topic, group string) error {
	return func(e env, topic, group string) error {
		return e.withCrowd(mode, topic, group, func(g *crowd) error {
			a, err := g.join("a")
			if err != nil {
				return err
			}
			b, err := g.join("b")
			if err != nil {
				return err
			}
			if err := a.leave(); err != nil {
				return err
			}
			if err := g.takesOver("b"); err != nil {
				return err
			}
			if _, err := g.start("c"); err != nil {
				return err
			}
			// In order it would have to wait for the lock first; it has to do that after the kill anyway.
			if mode == concurrent {
				err = g.share("c")
			} else {
				err = until(nextLook, "the third member starts", func() bool { return g.log.begun("c") })
			}
			if err != nil {
				return err
			}
			return b.kill()
		})
	}
}

// threeMembers: two join, one leaves in order, one is killed, and the first has everything again.
func threeMembers(mode string) func(e env, topic, group string) error {
	return func(e env, topic, group string) error {
		return e.withCrowd(mode, topic, group, func(g *crowd) error {
			if _, err := g.join("a"); err != nil {
				return err
			}
			b, err := g.start("b")
			if err != nil {
				return err
			}
			c, err := g.start("c")
			if err != nil {
				return err
			}
			for _, name := range []string{"b", "c"} {
				if err := g.share(name); err != nil {
					return err
				}
			}
			if err := b.leave(); err != nil {
				return err
			}
			if err := g.takesOver("a", "c"); err != nil {
				return err
			}
			return c.kill()
		})
	}
}

// withCrowd runs a script under load. Then everything acknowledged must have been consumed, with mode orderly in order.
func (e env) withCrowd(mode, topic, group string, script func(g *crowd) error) error {
	p, err := e.fill(topic, group, groupQueues, 0)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	g := &crowd{e: e, mode: mode, topic: topic, group: group, out: w, stop: make(chan struct{})}
	g.log.bodies, g.log.count, g.log.started = map[string]bool{}, map[string]int{}, map[string]bool{}
	var reader sync.WaitGroup
	reader.Go(func() { g.log.read(r) })
	defer func() {
		for _, m := range g.members {
			_ = m.kill()
		}
		_ = w.Close()
		reader.Wait()
		_ = r.Close()
	}()
	g.sender.Go(func() { g.send(p) })
	err = script(g)
	if err == nil {
		time.Sleep(time.Second) // some more for those that are left
	}
	close(g.stop)
	g.sender.Wait()
	if err != nil {
		return err
	}
	return g.settled()
}

func (g *crowd) send(p rocketmq.Producer) {
	for i := 0; ; i++ {
		select {
		case <-g.stop:
			return
		case <-time.After(8 * time.Millisecond):
		}
		if err := sendOne(p, primitive.NewMessage(g.topic, body(i))); err != nil {
			g.sendErrors, g.lastSendFailed = g.sendErrors+1, err
			continue
		}
		g.acked = append(g.acked, string(body(i)))
	}
}

// settled waits for the last messages and looks at all of them.
func (g *crowd) settled() error {
	if len(g.acked) < 100 {
		return fmt.Errorf("only %d messages were acknowledged: %d errors, the last one %v", len(g.acked), g.sendErrors, g.lastSendFailed)
	}
	limit := nextLook
	if g.mode == orderly {
		limit += lockedFor
	}
	if err := until(limit, "every acknowledged message is consumed", func() bool { return g.log.missing(g.acked) == 0 }); err != nil {
		return fmt.Errorf("%w: %d of %d are missing", err, g.log.missing(g.acked), len(g.acked))
	}
	for _, m := range g.members {
		if !m.gone {
			if err := m.leave(); err != nil {
				return err
			}
		}
	}
	if err := g.log.health(); err != nil {
		return err
	}
	if g.mode == orderly {
		return g.log.firstInOrder()
	}
	return nil
}

func (g *crowd) start(name string) (*child, error) {
	m, err := g.e.startMember(g.mode, g.group, g.topic, name, g.out)
	if err == nil {
		g.members = append(g.members, m)
	}
	return m, err
}

// join starts a member and waits until it has its share.
func (g *crowd) join(name string) (*child, error) {
	m, err := g.start(name)
	if err != nil {
		return nil, err
	}
	return m, g.share(name)
}

// share waits until a member is given messages.
func (g *crowd) share(name string) error {
	limit := nextLook
	if g.mode == orderly {
		limit += lockedFor
	}
	return until(limit, "member "+name+" gets a share", func() bool { return g.log.by(name) > 20 })
}

// takesOver waits until new messages of all queues come to those that stayed.
func (g *crowd) takesOver(names ...string) error {
	from := g.log.total()
	return until(nextLook, fmt.Sprintf("members %v have all queues", names), func() bool {
		return g.log.queuesSince(from, names...) == groupQueues
	})
}
