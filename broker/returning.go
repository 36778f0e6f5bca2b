package broker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// Bounds of how long a master that starts waits for what its slaves have. Nobody can pull from it meanwhile.
const (
	takeBackTime   = 3 * time.Second
	askMembersTime = time.Second
)

// takeOffsetsBack asks the slaves of a master that starts for progress that it does not have: what was committed there while it was away,
// and what it had told them and lost. Before the net is up. A slave that is not there offers it when it comes back.
func (b *Broker) takeOffsetsBack() {
	ctx, cancel := context.WithTimeout(context.Background(), takeBackTime)
	defer cancel()
	some, end := context.WithTimeout(ctx, askMembersTime)
	addrs := b.slaveAddrs(some)
	end()
	var mu sync.Mutex
	var tables []*meta.OffsetsDoc
	var all sync.WaitGroup
	for _, addr := range addrs {
		all.Add(1)
		go func() {
			defer all.Done()
			t, err := askOffsets(ctx, addr)
			if err != nil {
				b.logger.Warn("a slave did not say how far consumers have come", "slave", addr, "error", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			tables = append(tables, t)
		}()
	}
	all.Wait()
	if n := b.offsets.TakeBack(tables, b.nextOf); n > 0 {
		b.logger.Info("slaves knew better how far consumers have come", "queues", n)
		b.persister.Mark(b.documents.offsets, nil)
	}
}

// clampOffsets sets back what groups have beyond the ends of their queues: see meta.Offsets.Clamp. Before the net is up, when the slaves have been
// asked. It returns when the table is on disk: a message must not get an offset that a group passes over after a crash.
func (b *Broker) clampOffsets() {
	all := b.offsets.Clamp(b.nextOf)
	if len(all) == 0 {
		return
	}
	most := slices.MaxFunc(all, func(x, y meta.Beyond) int { return cmp.Compare(x.Offset-x.End, y.Offset-y.End) })
	b.logger.Warn("groups had progress beyond the ends of their queues, whose messages are not here: it was set back, so that they do not pass over what comes now",
		"queues", len(all), "farthest", most.Offset-most.End, "group", most.Group, "topic", most.Topic, "queue", most.Queue, "was", most.Offset, "now", most.End)
	saved := make(chan struct{})
	b.persister.Mark(b.documents.offsets, func(error) { close(saved) }) // the persister says what is wrong, and tries again
	<-saved
}

// nextOf is the offset that the next message of a queue gets: a meta.NextOf. Damaged records count that a copy may still have. A queue without any, of a
// topic that is here, begins at 0.
func (b *Broker) nextOf(topic []byte, queue int32) (next int64, ok bool) {
	if next = max(b.store.MaxOffset(topic, queue), b.store.NextOffset(topic, queue)); next > 0 {
		return next, true
	}
	t, ok := b.topics.Get(topic)
	return 0, ok && queue >= 0 && queue < max(t.ReadQueueNums, t.WriteQueueNums)
}

// askOffsets asks a broker for its table of progress.
func askOffsets(ctx context.Context, addr string) (*meta.OffsetsDoc, error) {
	c, err := netpoll.Dial(ctx, addr, netpoll.DialOptions{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	cmd := remoting.NewRequest(remoting.CodeGetAllConsumerOffset)
	cmd.Set(remoting.PeerKey, "")
	resp, err := c.Call(ctx, cmd)
	if err != nil {
		return nil, err
	}
	if resp.Code != remoting.RespSuccess {
		return nil, fmt.Errorf("code %d: %s", resp.Code, resp.Remark)
	}
	return meta.ParseOffsets(resp.Body)
}
