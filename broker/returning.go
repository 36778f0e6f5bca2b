package broker

import (
	"context"
	"fmt"
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
	if n := b.offsets.TakeBack(tables, b.store.MaxOffset); n > 0 {
		b.logger.Info("slaves knew better how far consumers have come", "queues", n)
		b.persister.Mark(b.documents.offsets, nil)
	}
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
