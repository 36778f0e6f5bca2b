package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// span is what a queue holds: offsets from low up to, not with, high.
type span struct{ low, high int64 }

const (
	askers      = 16 // goroutines that ask for offsets at once
	callTimeout = 30 * time.Second
)

// spans asks what every queue of the workload's topics holds, in the order of queue numbers (see Workload.queueOf), and makes
// the consumer groups where the broker makes none by itself.
func spans(ctx context.Context, w *Workload) ([]span, error) {
	c, err := netpoll.Dial(ctx, w.Addr, netpoll.DialOptions{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for g := range w.Groups {
		if err := ensureGroup(ctx, c, w, w.group(g)); err != nil {
			return nil, err
		}
	}
	out := make([]span, w.Topics*w.Queues)
	failed := make([]error, askers)
	var all sync.WaitGroup
	for a := range askers {
		all.Go(func() {
			for q := a; q < len(out) && failed[a] == nil; q += askers {
				topic, id := w.queueOf(q)
				if out[q].low, failed[a] = askOffset(ctx, c, remoting.CodeGetMinOffset, w.topic(topic), id); failed[a] == nil {
					out[q].high, failed[a] = askOffset(ctx, c, remoting.CodeGetMaxOffset, w.topic(topic), id)
				}
			}
		})
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// spansWith asks until the queues hold what they must; a broker may acknowledge a message before its queue shows it. It gives up,
// with what there is, when no queue has grown for so long as w.visible.
func spansWith(ctx context.Context, w *Workload, enough func([]span) bool) ([]span, error) {
	last, grown := int64(-1), time.Now()
	for {
		all, err := spans(ctx, w)
		if err != nil || enough(all) {
			return all, err
		}
		if n := ends(all); n != last {
			last, grown = n, time.Now()
		}
		if time.Since(grown) >= cmp.Or(w.visible, defaultVisible) || !wait(ctx, idleWait) {
			return all, ctx.Err()
		}
	}
}

// ends is the sum of the queues' ends, which grows by one with every message.
func ends(all []span) (n int64) {
	for _, s := range all {
		n += s.high
	}
	return n
}

// queueOf says which queue of which topic a queue number means. Topics take turns.
func (w *Workload) queueOf(number int) (topic, queue int) {
	return number % w.Topics, number / w.Topics
}

func askOffset(ctx context.Context, c *netpoll.Client, code int32, topic string, queue int) (int64, error) {
	req := remoting.NewRequest(code)
	req.Set("topic", topic)
	req.SetInt("queueId", int64(queue))
	resp, err := call(ctx, c, req)
	if err != nil {
		return 0, fmt.Errorf("offsets of %s queue %d: %w", topic, queue, err)
	}
	offset, ok, err := resp.Int64("offset")
	if resp.Code != remoting.RespSuccess || err != nil || !ok || offset < 0 {
		return 0, fmt.Errorf("offsets of %s queue %d: code %d, offset %q: %s", topic, queue, resp.Code, resp.Text("offset"), resp.Remark)
	}
	return offset, nil
}

// ensureGroup makes the consumer group if a pull is refused for want of it. A group that is there stays as it is.
func ensureGroup(ctx context.Context, c *netpoll.Client, w *Workload, group string) error {
	pull := remoting.NewRequest(remoting.CodePullMessage)
	for _, f := range [][2]string{
		{"consumerGroup", group}, {"topic", w.topic(0)}, {"queueId", "0"}, {"queueOffset", "0"}, {"maxMsgNums", "1"}, {"sysFlag", "4"},
		{"commitOffset", "0"}, {"suspendTimeoutMillis", "0"}, {"subscription", "*"}, {"subVersion", "0"}, {"expressionType", "TAG"},
	} {
		pull.Set(f[0], f[1])
	}
	resp, err := call(ctx, c, pull)
	if err != nil || resp.Code != remoting.RespSubscriptionGroupNotExist {
		return err
	}
	body, err := json.Marshal(remoting.NewSubscriptionGroupConfig(group))
	if err != nil {
		return err
	}
	create := remoting.NewRequest(remoting.CodeUpdateAndCreateSubscriptiongroup)
	create.Body = body
	resp, err = call(ctx, c, create)
	if err == nil && resp.Code != remoting.RespSuccess {
		err = fmt.Errorf("create group %s: code %d: %s", group, resp.Code, resp.Remark)
	}
	return err
}

func call(ctx context.Context, c *netpoll.Client, req *remoting.Command) (*remoting.Command, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.Call(ctx, req)
}

// defaultVisible is how long an acknowledged message may take until its queue shows it.
const defaultVisible = 3 * time.Second
