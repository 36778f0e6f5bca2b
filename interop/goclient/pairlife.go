package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// routePoll is how often this client looks at its routes; it cannot be told otherwise. A move may need one poll, a share that is looked
// at every 20 s, and a pull that is waited for 30 s.
const routePoll = 30 * time.Second

// life is a producer and a consumer at work while the brokers of a pair come and go.
type life struct {
	env
	p    rocketmq.Producer
	seen seen

	mu    sync.Mutex
	acked map[string]string // body to broker name
	next  int
}

// pairLife: with broker-a (master and slave) and broker-b, a killed master's messages come from its slave, sends go to the other broker and
// return, and nothing acknowledged is lost over that and a restart of either side in order.
func pairLife(e env, topic, group string) error {
	l := &life{env: e, acked: map[string]string{}}
	if err := e.createTopicOn(topic, 4, strings.Split(e.brokers, ",")...); err != nil {
		return err
	}
	var err error
	if l.p, err = e.producer(group); err != nil {
		return err
	}
	defer l.p.Shutdown()
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, l.seen.keep)
	if err != nil {
		return err
	}
	defer c.Shutdown()
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			l.send(topic)
		}
	}()
	err = l.phases()
	stop.Store(true)
	<-done
	if err != nil {
		return err
	}
	return until(2*routePoll, "every acknowledged message", func() bool { return l.missing("") == 0 })
}

func (l *life) phases() error {
	if err := l.both("at the beginning"); err != nil {
		return err
	}
	if err := l.order("kill-master"); err != nil {
		return err
	}
	if err := until(2*routePoll, "what broker-a had acknowledged, from its slave", func() bool { return l.missing("broker-a") == 0 }); err != nil {
		return err
	}
	if err := l.more("broker-b", "with broker-a away"); err != nil {
		return err
	}
	for _, word := range []string{"start-master", "restart-slave", "restart-master"} {
		if err := l.order(word); err != nil {
			return err
		}
		if err := l.both("after " + word); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) send(topic string) {
	l.mu.Lock()
	text := string(body(l.next))
	l.next++
	l.mu.Unlock()
	r, err := l.p.SendSync(context.Background(), primitive.NewMessage(topic, []byte(text)))
	if err == nil && r.Status == primitive.SendOK {
		l.mu.Lock()
		l.acked[text] = r.MessageQueue.BrokerName
		l.mu.Unlock()
	}
	time.Sleep(10 * time.Millisecond)
}

// sent is how many sends a broker acknowledged.
func (l *life) sent(broker string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.acked {
		if b == broker {
			n++
		}
	}
	return n
}

// missing is how many acknowledged messages of a broker, or of all, have not been delivered.
func (l *life) missing(broker string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for text, b := range l.acked {
		if (broker == "" || b == broker) && !l.seen.has(text) {
			n++
		}
	}
	return n
}

func (l *life) more(broker, when string) error {
	before := l.sent(broker)
	return until(2*routePoll, fmt.Sprintf("ten sends to %s %s", broker, when), func() bool { return l.sent(broker) >= before+10 })
}

func (l *life) both(when string) error {
	for _, b := range []string{"broker-a", "broker-b"} {
		if err := l.more(b, when); err != nil {
			return err
		}
	}
	return nil
}
