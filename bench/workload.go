package bench

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"ringmq/netpoll/remoting"
)

// Workload says what a generator does to one broker. The zero value of a field means its default.
type Workload struct {
	Addr  string // broker, host:port
	Group string // producer or consumer group; ringmq-bench. Of several groups the beginning of their names

	Namesrv string `json:",omitempty"` // name servers, host:port;host:port, which are asked for routes where the broker does not tell

	Topic    string        // RingmqBench; the prefix of the names when there are several
	Topics   int           // 1
	Queues   int           // of each topic; 8, or with Existing as many as it has
	Existing bool          // the topics are there: none is made
	Encoding string        // of the headers: json or binary
	Conns    int           // connections; 4
	Window   int           // requests in flight on each; 64. With a rate: the most that may be
	Rate     float64       // messages a second in an open loop; 0: a closed loop
	Poisson  bool          // intervals of an open loop are exponential, not constant
	Sizes    Sizes         // of bodies, bytes; 1024
	Batch    int           // messages a request; 1
	Oneway   bool          // nothing is answered: what is counted was only sent
	Tag      string        // of every message
	Keys     bool          // every message has a key of its own
	Property int           // bytes of one more property
	WarmUp   time.Duration // before counting
	Duration time.Duration // counted; 10 s
	PID      int           // the broker's process, on this machine, for its CPU, memory and disk figures; 0: none

	Groups        int     `json:",omitempty"` // Consume, EndToEnd: consumer groups, each of which reads everything; 1
	PullMessages  int     `json:",omitempty"` // at most, for one pull; 32
	Drain         bool    `json:",omitempty"` // Consume: until the end of every queue, however long it takes, and not for Duration
	Again         bool    `json:",omitempty"` // Consume: at the end of a queue begin it again, until Duration is over
	Fill          bool    `json:",omitempty"` // Consume: send FillMessages first, and read from there on
	FillMessages  int     `json:",omitempty"` // 100,000
	Ledger        string  `json:",omitempty"` // Verify: file of what was acknowledged
	Check         bool    `json:",omitempty"` // Verify: send nothing, check what Ledger says
	BacklogBytes  int64   `json:",omitempty"` // Catchup: of bodies that lie there when the consumers begin; 1 GiB, or with Existing what is there
	DropCache     bool    `json:",omitempty"` // Catchup: empty the machine's page cache before the consumers begin; needs root
	PeakShare     float64 `json:",omitempty"` // Soak: Rate is this share of what a closed loop reaches; without either 0.8
	GrowthMiBHour float64 `json:",omitempty"` // Soak: MiB an hour by which the broker's memory may grow; 20

	Metrics string `json:",omitempty"` // Soak: URL of the broker's page of metrics, for its goroutines

	ToSlave bool  `json:",omitempty"` // send to a broker that says it is a slave
	Made    *Made `json:"-"`          // keeps which topics were made, for whoever wants them gone; nil: nobody does

	Phase func(string) `json:"-"` // is told what is done ahead of the counted time and behind it; nil: nobody

	about   *About        // what open learnt of the broker
	doubts  []string      // and what a reader of the report must know
	visible time.Duration // how long an acknowledged message may take until its queue shows it; 3 s
}

// Limits of a workload.
const (
	maxTopics   = 100_000
	maxQueues   = 100_000 // of all topics together
	maxConns    = 10_000
	maxInFlight = 1 << 20
	maxBody     = 4 << 20
	maxBatch    = 10_000
	maxGroups   = 10_000
)

// withDefaults fills in what was left open.
func (w Workload) withDefaults() Workload {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&w.Topics, 1)
	def(&w.Queues, 8)
	def(&w.Conns, 4)
	def(&w.Window, 64)
	def(&w.Batch, 1)
	def(&w.Groups, 1)
	def(&w.PullMessages, 32)
	def(&w.FillMessages, 100_000)
	if w.Group == "" {
		w.Group = "ringmq-bench"
	}
	if w.Topic == "" {
		w.Topic = "RingmqBench"
	}
	if w.Encoding == "" {
		w.Encoding = "json"
	}
	if w.Sizes.empty() {
		w.Sizes = FixedSize(1024)
	}
	if w.Duration == 0 {
		w.Duration = 10 * time.Second
	}
	if w.GrowthMiBHour == 0 {
		w.GrowthMiBHour = 20
	}
	return w
}

// check says what is wrong with a workload whose defaults are filled in.
func (w *Workload) check() error {
	in := func(name string, v, low, high int) error {
		if v < low || v > high {
			return fmt.Errorf("%s is %d, it must be from %d to %d", name, v, low, high)
		}
		return nil
	}
	err := errors.Join(
		in("topics", w.Topics, 1, maxTopics), in("queues", w.Queues, 1, maxQueues),
		in("connections", w.Conns, 1, maxConns), in("window", w.Window, 1, maxInFlight), in("connections times window", w.Conns*w.Window, 1, maxInFlight),
		in("batch", w.Batch, 1, maxBatch), in("largest body", w.Sizes.Largest(), 1, maxBody), in("property", w.Property, 0, 30_000),
		in("groups", w.Groups, 1, maxGroups), in("topics times queues times groups", w.Topics*w.Queues*w.Groups, 1, maxQueues),
		in("messages a pull", w.PullMessages, 1, 100_000), in("messages to fill", w.FillMessages, 1, 1<<40),
	)
	if w.Rate < 0 || w.Rate > 1e8 {
		err = errors.Join(err, fmt.Errorf("rate is %g, it must be from 0 to 100000000", w.Rate))
	}
	if w.Encoding != "json" && w.Encoding != "binary" {
		err = errors.Join(err, fmt.Errorf("encoding is %q, it must be json or binary", w.Encoding))
	}
	if w.WarmUp < 0 || w.Duration < time.Millisecond || w.Duration+w.WarmUp > 7*24*time.Hour {
		err = errors.Join(err, fmt.Errorf("warm-up %s and duration %s: at most a week in all", w.WarmUp, w.Duration))
	}
	if w.BacklogBytes < 0 || w.BacklogBytes > 1<<50 {
		err = errors.Join(err, fmt.Errorf("backlog is %d bytes, it must be from 0 to a PiB", w.BacklogBytes))
	}
	if w.PeakShare < 0 || w.PeakShare > 10 || w.GrowthMiBHour < 0 {
		err = errors.Join(err, fmt.Errorf("share of the peak is %g, it must be from 0 to 10; growth is %g MiB an hour, it must not be below 0", w.PeakShare, w.GrowthMiBHour))
	}
	return err
}

// say tells a phase.
func (w *Workload) say(format string, a ...any) {
	if w.Phase != nil {
		w.Phase(fmt.Sprintf(format, a...))
	}
}

func (w *Workload) encoding() remoting.Encoding {
	if w.Encoding == "binary" {
		return remoting.Binary
	}
	return remoting.JSON
}

// topic is the name of topic i.
func (w *Workload) topic(i int) string {
	if w.Topics == 1 {
		return w.Topic
	}
	return w.Topic + "-" + strconv.Itoa(i)
}

// group is the name of consumer group i.
func (w *Workload) group(i int) string {
	if w.Groups <= 1 {
		return w.Group
	}
	return w.Group + "-" + strconv.Itoa(i)
}
