package doctor

import (
	"context"
	"encoding/json"
	"slices"

	"ringmq/netpoll/remoting"
)

// lockClient is who asks for locks here; what it gets it gives back at once.
const lockClient = "ringmq-doctor"

// ordered says that some member consumes in order, which needs locks.
func (g *groupSeen) ordered() bool {
	return slices.ContainsFunc(g.Members, func(m memberSeen) bool {
		return m.Info != nil && m.Info.Properties["PROP_CONSUMEORDERLY"] == "true"
	})
}

// unlocked are the queues of an ordered group whose member has not got the lock.
func (g *groupSeen) unlocked(broker string) (all []remoting.MessageQueue) {
	if !g.ordered() {
		return nil
	}
	for _, m := range g.Members {
		if m.Info == nil {
			continue
		}
		for _, e := range m.Info.Queues {
			if e.Queue.BrokerName == broker && !e.Value.Dropped && !e.Value.Locked {
				all = append(all, e.Queue)
			}
		}
	}
	return all
}

// tryLocks asks brokers for the locks that members have not got, to see whether somebody else has them.
func (v *visit) tryLocks(ctx context.Context, g *groupSeen) {
	for i := range g.Brokers {
		b := &g.Brokers[i]
		queues := g.unlocked(b.Broker)
		if len(queues) == 0 {
			continue
		}
		body, err := json.Marshal(remoting.LockBatch{ConsumerGroup: g.Name, ClientID: lockClient, MqSet: queues})
		if err != nil {
			panic(err) // a type of this program
		}
		req := remoting.NewRequest(remoting.CodeLockBatchMq)
		req.Body = body
		var got remoting.LockBatchOK
		if _, err := v.ask.Body(ctx, b.Addr, req, &got); err != nil {
			continue
		}
		if len(got.LockOKMQSet) > 0 {
			back := remoting.NewRequest(remoting.CodeUnlockBatchMq)
			back.Body = body
			_, _ = v.ask.Call(ctx, b.Addr, back) // a lock that is not given back runs out after a minute
		}
		for _, q := range queues {
			b.Locks = append(b.Locks, lockSeen{q, slices.Contains(got.LockOKMQSet, q)})
		}
	}
}

// judgeLocks is about queues of an ordered group that nobody reads for want of the lock.
func (g *groupSeen) judgeLocks() (all []Finding) {
	var held, free []string
	for i := range g.Brokers {
		for _, l := range g.Brokers[i].Locks {
			m, q, there := g.owner(l.Queue)
			if !there {
				continue
			}
			text := queueText(l.Queue) + " of " + m.ID + ", which last had the lock " + ago(q.LastLock, g.Now)
			if l.Free {
				free = append(free, text)
			} else {
				held = append(held, text)
			}
		}
	}
	if len(held) > 0 {
		all = append(all, broken("group", "queue-lock-held", g.Name, "another client has the lock of %s", list(held)).
			because("an ordered consumer reads a queue only while it holds its lock", "a client that was killed holds it for 60 s; after that look for a second client with other members' queues (see queue-has-two-members), or a client of the group elsewhere"))
	}
	if len(free) > 0 {
		all = append(all, warning("group", "queue-not-locked", g.Name, "nobody has the lock of %s", list(free)).
			because("an ordered consumer reads a queue only while it holds its lock", "clients ask every 20 s; if it stays, see in that client's log whether it reaches the broker"))
	}
	return all
}
