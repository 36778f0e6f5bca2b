package config

import (
	"fmt"
	"strconv"
	"time"

	"ringmq/netpoll/remoting/settings"
)

// Role is a broker's part in its group, brokerRole.
type Role string

const (
	AsyncMaster Role = "ASYNC_MASTER" // answers when it has a message itself
	SyncMaster  Role = "SYNC_MASTER"  // and when enough slaves have it
	Slave       Role = "SLAVE"        // copies a master
)

// Role is the broker's part in its group.
func (c *Config) Role() Role { return Role(c.Text("brokerRole")) }

// IsSlave says whether the broker copies a master.
func (c *Config) IsSlave() bool { return c.Role() == Slave }

// ID is the broker's number under its name. A master's is 0 whatever brokerId says, as stock has it.
func (c *Config) ID() int64 {
	if !c.IsSlave() {
		return 0
	}
	return c.Int64("brokerId")
}

// derive puts in force, and so into what is shown, what the role and the ports make of other keys. A stock broker does the same at its start,
// but for the copies.
func (c *Config) derive() {
	c.Assume("haListenPort", strconv.Itoa(c.HAPort()))
	c.Assume("brokerId", strconv.FormatInt(c.ID(), 10))
	if n, assumed := c.Copies(); assumed {
		c.Assume("inSyncReplicas", strconv.Itoa(n))
	}
	if ratio, err := strconv.Atoi(c.Asked("accessMessageInMemoryMaxRatio")); err == nil && c.IsSlave() {
		c.Assume("accessMessageInMemoryMaxRatio", strconv.Itoa(max(ratio-10, 1))) // what a slave has not in memory, nobody has
	}
}

// HAPort is the port that slaves connect to: haListenPort where it is set, otherwise the one above ListenPort; 0 lets the kernel choose.
func (c *Config) HAPort() int {
	if s, ok := c.Found("haListenPort"); ok {
		if port, err := strconv.Atoi(s.Value); err == nil && port > 0 {
			return port
		}
	}
	if c.ListenPort() == 0 {
		return 0
	}
	return c.ListenPort() + 1
}

// defaultCopies is how many copies a SYNC_MASTER wants that nobody told. Stock's default is 1: it waits for no slave at all, which is
// not what somebody means who asks for a synchronous master.
const defaultCopies = 2

// Copies is how many copies an acknowledged message has, the master's own included: inSyncReplicas, and more than 1 on a SYNC_MASTER only.
// assumed says that nobody set it.
func (c *Config) Copies() (n int, assumed bool) {
	if c.Role() != SyncMaster {
		return 1, false
	}
	if _, ok := c.Found("inSyncReplicas"); !ok {
		return defaultCopies, true
	}
	return max(c.Int("inSyncReplicas"), 1), false
}

// Replication is what the keys of replication say.
type Replication struct {
	Copies, MinCopies int // an acknowledged message has; sends are refused below
	Auto              bool
	SlaveTimeout      time.Duration
	MaxGapBytes       int64
	HeartbeatTime     time.Duration
	HousekeepingTime  time.Duration
	MaxBytesPerSec    int64 // to one slave; 0: no bound
	PieceBytes        int   // of the log are sent to a slave at once; 0: nobody said, and what suits the slave is taken
}

// Replication returns what the keys of replication say.
func (c *Config) Replication() Replication {
	ms := func(key string) time.Duration { return time.Duration(c.Int64(key)) * time.Millisecond }
	r := Replication{
		MinCopies: 1, Auto: c.Bool("enableAutoInSyncReplicas"), SlaveTimeout: ms("slaveTimeout"), MaxGapBytes: c.Int64("haMaxGapNotInSync"),
		HeartbeatTime: ms("haSendHeartbeatInterval"), HousekeepingTime: ms("haHousekeepingInterval"),
	}
	r.Copies, _ = c.Copies()
	if c.Role() == SyncMaster {
		r.MinCopies = max(c.Int("minInSyncReplicas"), 1)
	}
	if c.Bool("haFlowControlEnable") {
		r.MaxBytesPerSec = c.Int64("maxHaTransferByteInSecond")
	}
	if _, ok := c.Found("haTransferBatchSize"); ok {
		r.PieceBytes = max(c.Int("haTransferBatchSize"), 1)
	}
	return r
}

// checkRole looks at the role and the keys that go with it.
func (c *Config) checkRole() error {
	if c.IsSlave() && c.Int64("brokerId") <= 0 {
		return fmt.Errorf("%s: brokerRole=SLAVE needs a brokerId above 0, it is %d: the master of the group has 0", c.Where("brokerRole"), c.Int64("brokerId"))
	}
	if a := c.Text("haMasterAddress"); a != "" && !settings.IsHostPort(a) {
		return fmt.Errorf("%s: haMasterAddress=%s is not of the form host:port", c.Where("haMasterAddress"), a)
	}
	return nil
}

// Assumed lists, as sentences, what this broker takes for granted and a stock broker does not.
func (c *Config) Assumed() []string {
	var all []string
	if n, assumed := c.Copies(); assumed {
		all = append(all, fmt.Sprintf("brokerRole=SYNC_MASTER without inSyncReplicas means %d copies, the master's own included; stock's default of 1 waits for no slave", n))
	}
	if s, ok := c.Found("brokerId"); ok && !c.IsSlave() && s.Value != "0" {
		all = append(all, fmt.Sprintf("%s: brokerId=%s counts for nothing: a master has 0", s.Where, s.Value))
	}
	return all
}
