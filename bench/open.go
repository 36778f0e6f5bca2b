package bench

import (
	"context"
	"errors"
	"fmt"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// topicsOf says where a workload's topics come from.
type topicsOf int

const (
	madeTopics topicsOf = iota // made where they are not there, unless Existing
	readTopics                 // only read: they must be there
)

// open readies a workload: its defaults and limits, more that must hold of it (nil: nothing), what its broker says of itself, and
// its topics. Nothing is asked of the broker before all that can be known without it is in order.
func (w Workload) open(ctx context.Context, topics topicsOf, more func(*Workload) error) (*Workload, error) {
	asked := w.Queues
	w = w.withDefaults()
	err := w.check()
	if more != nil {
		err = errors.Join(err, more(&w))
	}
	if err != nil {
		return nil, err
	}
	c, err := reach(ctx, "broker", w.Addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if w.about, err = ask(ctx, c, w.Addr); err != nil {
		return nil, err
	}
	if topics == madeTopics && w.about.BrokerRole == slaveRole && !w.ToSlave {
		return nil, &slaveError{w.Addr}
	}
	if topics == readTopics || w.Existing {
		err = w.findTopics(ctx, c, asked, topics == readTopics)
	} else {
		err = createTopics(ctx, c, &w)
	}
	if err == nil {
		err = w.check() // once more: the topics may have more queues than may be
	}
	if err != nil {
		return nil, err
	}
	return &w, nil
}

// slaveRole is what a slave calls itself.
const slaveRole = "SLAVE"

// slaveError says that a broker stores no messages of clients: it copies those of its master.
type slaveError struct{ addr string }

func (e *slaveError) Error() string {
	return fmt.Sprintf("broker %s is a slave and stores no messages of clients: name its master, or give --to-slave to send all the same", e.addr)
}

// findTopics takes the number of queues from topics that are there. asked is what the user wants, 0: what there is.
func (w *Workload) findTopics(ctx context.Context, c *netpoll.Client, asked int, reads bool) error {
	for i := range w.Topics {
		n, err := queuesOf(ctx, c, w, w.topic(i), reads)
		var untold *untoldError
		switch {
		case errors.As(err, &untold):
			w.doubts = append(w.doubts, fmt.Sprintf("how many queues %s has is not known (%v): %d were taken for true", w.topic(i), err, w.Queues))
			return nil // nor will it tell of the others
		case err != nil:
			return err
		case asked == 0:
			w.Queues, asked = n, n
		case n != asked:
			return fmt.Errorf("topic %s has %s, --queues says %d", w.topic(i), plural(n, "queue"), asked)
		}
	}
	return nil
}

// untoldError says why a broker, and the name server, do not tell about a topic.
type untoldError struct{ why string }

func (e *untoldError) Error() string { return e.why }

// queuesOf asks how many queues a topic has: the broker, and where it does not tell the route. *untoldError: neither tells.
func queuesOf(ctx context.Context, c *netpoll.Client, w *Workload, topic string, reads bool) (int, error) {
	req := remoting.NewRequest(remoting.CodeGetTopicConfig)
	req.Set("topic", topic)
	resp, err := call(ctx, c, req)
	if err != nil {
		return 0, err
	}
	var t remoting.TopicConfig
	switch resp.Code {
	case remoting.RespSuccess:
		if err := remoting.Unmarshal(resp.Body, &t); err != nil {
			return 0, &untoldError{err.Error()}
		}
		return queues(t.ReadQueueNums, t.WriteQueueNums, reads), nil
	case remoting.RespTopicNotExist:
		return 0, &noTopicError{topic, w.Addr}
	}
	if w.Namesrv == "" {
		return 0, &untoldError{refusal(resp)}
	}
	q, err := routeOf(ctx, w.Namesrv, topic, w.Addr)
	if err != nil {
		return 0, &untoldError{refusal(resp) + "; " + err.Error()}
	}
	return queues(q.ReadQueueNums, q.WriteQueueNums, reads), nil
}

// queues is the number of those that can be used.
func queues(read, write int32, reads bool) int {
	if reads {
		return int(read)
	}
	return int(min(read, write))
}

type noTopicError struct{ topic, addr string }

func (e *noTopicError) Error() string {
	return fmt.Sprintf("broker %s has no topic %s: correct --topic, or have it made (without --existing; consume makes it with --fill)", e.addr, e.topic)
}
