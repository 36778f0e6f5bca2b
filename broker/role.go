package broker

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"ringmq/broker/config"
	"ringmq/netpoll"
	"ringmq/replica"
)

// leader is what a master needs of its side of replication, *replica.Leader.
type leader interface {
	Addr() netip.AddrPort
	Close()
	Agreed() replica.Agreement
	Uptime() time.Duration
	Slaves() []replica.SlaveState
	AllOurs() bool
	AllHave(offset int64) bool
	TurnedAway() int64
	Refusals() []replica.Refusal
}

// follower is what a slave needs of its side, *replica.Follower.
type follower interface {
	Close()
	State() replica.FollowerState
	FollowsOurs() bool
}

// replication is how this broker takes part in copying the log. What is not set is not there: a slave has no leader.
type replication struct {
	leader   leader
	follower follower
	began    time.Duration // Broker.uptime when the leader began
	haPort   uint16        // that slaves connect to
	group    *memberGroup  // on a slave
	sync     *synchronizer // on a slave

	masterFlush atomic.Int64 // what 908 has set
	rate        atomic.Int64 // bytes copied in the last second
	sampled     int64        // end of the log at the last look; everySecond's own

	slavesAt atomic.Pointer[map[netip.Addr]struct{}] // where slaves are connected from, as of the last second; nil: nobody has looked yet
}

// isSlave says whether slaves of this broker sit at an address: it is in their networks, or one was connected from there a second ago. They
// copy the tables over ordinary connections, and come in though clients have taken all places. It waits for nobody: connections ask for it
// while there are too many of them. Any goroutine.
func (b *Broker) isSlave(remote netip.Addr) bool {
	if networks := b.c.Slaves(); len(networks) > 0 {
		return netpoll.IsWithin(remote, netip.Addr{}, networks)
	}
	at := b.replication.slavesAt.Load()
	if at == nil {
		return false
	}
	_, is := (*at)[remote]
	return is
}

// noteSlaves notes where slaves are connected from. Once a second.
func (r *replication) noteSlaves() {
	if r.leader == nil {
		return
	}
	at := map[netip.Addr]struct{}{}
	for _, s := range r.leader.Slaves() {
		if from, err := netip.ParseAddrPort(s.Addr); err == nil {
			at[from.Addr().Unmap()] = struct{}{}
		}
	}
	r.slavesAt.Store(&at)
}

// sample measures how fast a slave copies.
func (r *replication) sample() {
	if r.follower == nil {
		return
	}
	end := r.follower.State().Offset
	r.rate.Store(max(end-r.sampled, 0))
	r.sampled = end
}

// slaveID tells the master which slave this is: the one at the address that clients have for it.
func (b *Broker) slaveID() uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(b.advertise.String()))
	return h.Sum64() | 1
}

// refused says that this slave's log is not its master's, and nothing is copied until an operator decides.
func (r *replication) refused() bool { return r.follower != nil && r.follower.State().Refused != "" }

// startReplication begins to copy the log, to slaves or from the master. When the net is up, before the broker registers.
func (b *Broker) startReplication() error {
	r, keys := &b.replication, b.c.Replication()
	logger := cmp.Or(b.logger, slog.Default())
	if b.slave {
		r.haPort = uint16(b.c.HAPort())
		r.follower = b.o.follow(replica.FollowerOptions{
			Store: b.store, ID: b.slaveID(), Master: b.masterHA, MasterHas: b.masterHas,
			HeartbeatTime: keys.HeartbeatTime, HousekeepingTime: keys.HousekeepingTime, Logger: logger,
		})
		return nil
	}
	addr := net.JoinHostPort(b.c.Text("bindAddress"), strconv.Itoa(b.c.HAPort()))
	began := b.uptime()
	var lets func(remote, local netip.Addr) bool
	if networks := b.c.Slaves(); len(networks) > 0 {
		lets = func(remote, local netip.Addr) bool { return netpoll.IsWithin(remote, local, networks) }
	}
	l, err := b.o.lead(replica.LeaderOptions{
		Addr: addr, Lets: lets, Store: b.store, Copies: keys.Copies, MinCopies: keys.MinCopies, Auto: keys.Auto, SlaveTimeout: keys.SlaveTimeout,
		MaxGapBytes: keys.MaxGapBytes, HeartbeatTime: keys.HeartbeatTime, HousekeepingTime: keys.HousekeepingTime,
		MaxBytesPerSec: keys.MaxBytesPerSec, PieceBytes: keys.PieceBytes, Changed: b.wakeParked, Logger: logger,
	})
	if err != nil {
		return fmt.Errorf("haListenPort=%d: %w", b.c.HAPort(), err)
	}
	if bind, err := netip.ParseAddr(b.c.Text("bindAddress")); b.c.Role() == config.SyncMaster && lets == nil && (err != nil || !bind.IsLoopback()) {
		logger.Warn("whoever reaches the HA port may read the log and count as a copy: haAllowedCidrs says from where slaves come", "listen", addr)
	}
	r.leader, r.haPort, r.began = l, l.Addr().Port(), began
	if keys.Copies > 1 || keys.MinCopies > 1 {
		b.copies.Store(&copies{leader: l, began: began, timeout: keys.SlaveTimeout, durable: b.store.Durable().Load})
	}
	return nil
}

// makeRole makes what the role needs from the start.
func (b *Broker) makeRole() {
	if b.o.lead == nil {
		b.o.lead = func(o replica.LeaderOptions) (leader, error) { return replica.Lead(o) }
	}
	if b.o.follow == nil {
		b.o.follow = func(o replica.FollowerOptions) follower { return replica.Follow(o) }
	}
	if b.slave = b.c.IsSlave(); b.slave {
		b.replication.group, b.replication.sync = newMemberGroup(b), newSynchronizer(b)
	}
}

// Role says for operators which part this broker plays in its group. After Start.
func (b *Broker) Role() string {
	if b.slave {
		return fmt.Sprintf("%s, id %d", b.c.Role(), b.c.ID())
	}
	text := fmt.Sprintf("%s, slaves connect to %s", b.c.Role(), b.replication.leader.Addr())
	if n, _ := b.c.Copies(); n > 1 {
		text += fmt.Sprintf(", a message has %d copies", n)
	}
	return text
}

// haAddr is the address slaves replicate from, as stock announces it.
func (b *Broker) haAddr() string {
	return net.JoinHostPort(b.c.Text("brokerIP2"), strconv.Itoa(int(b.replication.haPort)))
}

// masterHA is where the master of a slave listens for it: as the configuration says or, without that, the name servers; "": not known.
func (b *Broker) masterHA() string {
	if a := b.c.Text("haMasterAddress"); a != "" {
		return a
	}
	return b.replication.group.master().haAddr
}
