package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/broker/config"
	"ringmq/broker/member"
	"ringmq/broker/meta"
	"ringmq/broker/push"
	"ringmq/broker/quota"
	"ringmq/broker/stats"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/replica"
	"ringmq/store"
	"ringmq/store/delay"
	"ringmq/store/record"
)

// Options of a broker.
type Options struct {
	Config     *config.Config
	ConfigFile string        // rewritten when a request changes the configuration; "": nothing is written
	Version    string        // of this build, for operators
	Loops      int           // event loops; 0: GOMAXPROCS
	Linger     time.Duration // of the event loops, see netpoll.Options; 0: not at all
	Servers    int           // that share the descriptors of this process; 0: 1
	Logger     *slog.Logger

	// For tests; nil: the real ones.
	alterStore func(*store.Options) // before it is opened
	lead       func(replica.LeaderOptions) (leader, error)
	follow     func(replica.FollowerOptions) follower
}

// Broker is one broker process: store, tables, sockets and its registration at the name servers.
type Broker struct {
	o      Options
	c      *config.Config
	logger *slog.Logger
	began  time.Time

	store     *store.Store
	delay     *delay.Service
	topics    *meta.Topics
	declared  atomic.Pointer[meta.Topics] // topics, for the store, which is there before them
	groups    *meta.Groups
	offsets   *meta.Offsets
	persister *meta.Persister
	documents documents
	members   *member.Manager
	notices   *member.Notices
	locks     *member.Locks
	settling  settling
	system    meta.System
	stats     *stats.Stats
	uniqKeys  *record.UniqKeys

	net       *netpoll.Server
	connBytes int64            // what connections together may hold in buffers; 0: as netpoll has it
	connShort time.Duration    // its ShortTimeout; 0: as netpoll has it
	workers   *netpoll.Workers // for requests that answer when they are done
	readWaits readWaits        // of pulls that need those
	readers   *pullReaders     // for pulls that need the disk: nothing else may keep them waiting
	pending   *netpoll.Budget  // of requests that wait: for workers, for a client's answer, for their topic
	few       *netpoll.Workers // for what may wait long, or needs much memory: few at a time
	decoders  *netpoll.Workers // for long bodies of clients
	slow      slowLog
	handlers  *[maxCode]handler
	gate      *netpoll.Gate
	admits    func(*netpoll.Conn, *remoting.Command) bool // gate's
	loops     []*loopState
	holds     *holds

	holdsEvery int // seconds from one look at all held pulls to the next

	clients *quota.Table
	ticks   atomic.Int64                // of clients' figures: a loop that sees another number tells what its own have used
	after   func(time.Duration, func()) // afterwards

	// quotaWaits are sends and pulls that had to wait because their client is over its quota, each once, however long it did.
	quotaWaits struct{ sends, pulls atomic.Int64 }

	coldControl *coldControl
	coldHeld    coldHeld

	registrar *registrar
	advertise netip.AddrPort // as clients know this broker
	region    string
	added     string            // properties that messages get which have none of them
	opening   *remoting.Opening // of the answers to sends that were stored
	cluster   string
	name      string
	maxLevel  int
	slave     bool                   // it copies a master, and stores nothing of its own
	copies    atomic.Pointer[copies] // nil: nobody waits for slaves
	visible   func() int64           // how far the log is safe
	written   func() int64           // and how far a kill takes nothing back
	failed    func() error           // what ended the log
	uptime    func() time.Duration   // since New, on the clock that nobody sets
	syncLimit time.Duration
	closing   atomic.Bool
	diskUse   atomic.Pointer[string]
	warned    netpoll.Seldom // of sends that were not stored

	toldRoom   netpoll.Seldom // of what was not made for a client
	pullWarned netpoll.Seldom // of failed pulls

	inForce      configuration
	configured   atomic.Int64 // changes by requests
	configuredAt atomic.Int64 // ms of the last one

	replication replication
	lags        *lagWatch
	scrapedAges *ageBook // of who looks at metrics, one at a time
	web         webServers
	pusher      *push.Pusher // nil: nobody asked for it. Set before anybody looks at metrics
	pulse       pulse

	mu    sync.Mutex
	conns map[uint64]*netpoll.Conn

	listening chan struct{} // closed when net and advertise are set: no connection is opened before
	stop      chan struct{}
	done      sync.WaitGroup
}

// New opens the store and the tables; nothing listens yet. The store is locked until Shutdown.
func New(o Options) (*Broker, error) {
	b := &Broker{o: o, c: o.Config, logger: o.Logger, began: time.Now(), conns: map[uint64]*netpoll.Conn{}, listening: make(chan struct{}), stop: make(chan struct{})}
	b.uptime = func() time.Duration { return time.Since(b.began) }
	b.holdsEvery = 5
	b.makeLoops()
	b.makeRole()
	b.inForce.read(b.c)
	b.slow.b = b
	b.clients, b.after = quota.NewTable(cmp.Or(b.logger, slog.Default())), afterwards
	b.coldControl = b.newColdControl()
	b.region, b.cluster, b.name = b.c.Text("regionId"), b.c.Text("brokerClusterName"), b.c.Text("brokerName")
	b.added = record.PropertyRegion + "\x01" + b.region + "\x02" + record.PropertyTrace + "\x01true\x02" + record.PropertyCluster + "\x01" + b.cluster + "\x02"
	b.opening = remoting.NewOpening(remoting.RespSuccess, "MSG_REGION", b.region, "TRACE_ON", "true")
	addr, err := netip.ParseAddr(b.c.Text("brokerIP1"))
	if err != nil {
		return nil, fmt.Errorf("brokerIP1: %w", err)
	}
	b.advertise = netip.AddrPortFrom(addr, uint16(b.c.Int("listenPort")))
	so := b.c.StoreOptions()
	so.StoreHost, so.Logger, so.BatchTopic = b.advertise, b.logger, b.isBatchTopic
	if o.alterStore != nil {
		o.alterStore(&so)
	}
	b.maxLevel = len(so.DelayLevels)
	b.syncLimit = time.Duration(b.c.Int("syncFlushTimeout")) * time.Millisecond
	b.declareTopics(so)
	if b.store, err = store.Open(so); err != nil {
		return nil, err
	}
	if err := b.openTables(); err != nil {
		return nil, errors.Join(err, b.store.Close(context.Background()))
	}
	b.store.SetReadAhead(b.c.Bool("dataReadAheadEnable"))
	for _, l := range b.loops {
		l.figures.init(b.stats)
		l.appends = b.store.NewTurn(func() int { return b.net.Bell(l.index) })
	}
	visible, written := b.store.Visible(), b.store.Written()
	b.visible, b.written, b.failed = visible.Load, written.Load, visible.Err
	visible.Subscribe(b.wakePassed)
	written.Subscribe(b.wakeWritten)
	b.holds = newHolds(b)
	b.store.OnArrive(b.holds.arrived)
	b.store.OnRound(b.holds.roundEnded)
	b.store.OnSettled(b.holds.gapsSettled)
	b.store.WhenWaited(func() bool { return b.holds.count.Load() > 0 })
	b.delay, err = delay.New(delay.Options{Store: b.store, Levels: so.DelayLevels, Delivered: b.delivered, Logger: b.logger})
	if err != nil {
		b.persister.Close()
		return nil, errors.Join(err, b.store.Close(context.Background()))
	}
	b.handlers = b.table()
	b.gate = netpoll.NewGate(b.c.Administrators(), b.logger)
	b.admits = b.gate.Admits
	b.lags, b.scrapedAges = newLagWatch(b), newAgeBook(b)
	return b, nil
}

// Bounds of requests that wait, all connections together. Pulls have their own: what others send must not keep them waiting.
const (
	maxPendingBytes = 64 << 20
	maxReadingBytes = 16 << 20
)

// Start listens and registers. A broker that could not listen is closed. When it returns, requests are answered and the broker is in the route of every name server
// that could be reached.
func (b *Broker) Start() error {
	port := b.c.Int("listenPort")
	fast := max(0, port-2)
	host := b.c.Text("bindAddress")
	b.pending = netpoll.NewBudget(maxPendingBytes)
	b.workers = netpoll.NewWorkers(16, 4096, b.pending)
	b.readers = newPullReaders()
	b.few = netpoll.NewWorkers(maxQueries, 4096, b.pending)
	b.decoders = netpoll.NewWorkers(maxDecoded, 4096, b.pending)
	b.noteDiskUse()
	if !b.slave {
		b.takeOffsetsBack()
		b.clampOffsets()
		b.sayLeftovers()
	}
	n, err := netpoll.Serve(netpoll.Options{
		Addrs: []string{net.JoinHostPort(host, strconv.Itoa(port)), net.JoinHostPort(host, strconv.Itoa(fast))},
		Loops: len(b.loops), Logger: b.logger, IdleTimeout: time.Duration(b.c.Int("serverChannelMaxIdleTimeSeconds")) * time.Second,
		TotalBytes: b.connBytes, ShortTimeout: b.connShort, TurnEnded: func(loop int) { b.loop(loop).turnEnded() },
		Rung: func(loop int) { b.loop(loop).appends.Rung() }, Linger: b.o.Linger,
		MaxConns: b.c.Int64("maxConnections"), MaxConnsPerHost: b.c.Int64("maxConnectionsPerHost"), Servers: b.o.Servers, Prefers: b.isSlave,
	}, &handlerSide{b})
	if err != nil {
		b.workers.Close()
		b.readers.close()
		b.few.Close()
		b.decoders.Close()
		b.persister.Close()
		return errors.Join(fmt.Errorf("broker: %w", err), b.delay.Close(context.Background()), b.store.Close(context.Background()))
	}
	b.net = n
	b.advertise = netip.AddrPortFrom(b.advertise.Addr(), n.Addrs()[0].Port())
	err = b.startReplication()
	if err == nil {
		err = b.startMetrics()
	}
	if err != nil {
		close(b.listening)
		return errors.Join(fmt.Errorf("broker: %w", err), b.Shutdown(context.Background()))
	}
	close(b.listening)
	if !b.slave {
		b.delay.Start()
	}
	b.done.Add(3)
	go b.everySecond()
	go b.persistOffsets()
	go b.until(b.lags.run)
	if b.lags.hook != nil {
		b.done.Add(1)
		go b.until(b.lags.hook.run)
	}
	b.registrar.start()
	if r := &b.replication; b.slave {
		b.done.Add(2)
		go b.until(r.group.run)
		go b.until(r.sync.run)
	}
	return nil
}

// until runs what ends with the broker.
func (b *Broker) until(run func(stop <-chan struct{})) {
	defer b.done.Done()
	run(b.stop)
}

// makeLoops makes the state of every event loop.
func (b *Broker) makeLoops() {
	for i := range cmp.Or(b.o.Loops, runtime.GOMAXPROCS(0)) {
		l := &loopState{b: b, index: i, warm: warmBytes, parked: parking{limit: maxParkedBytes}}
		l.tags.match = l.tags.wanted
		l.topics.b = b
		b.loops = append(b.loops, l)
	}
}

// Addr is the main address listened on.
func (b *Broker) Addr() netip.AddrPort { return b.net.Addrs()[0] }

// Engine says which disk engine writes the log, and why.
func (b *Broker) Engine() string {
	s := b.store.Stats()
	return s.Engine + " (" + s.EngineReason + ")"
}

// everySecond does what has a clock: expired clients, late commits, figures.
func (b *Broker) everySecond() {
	defer b.done.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-b.stop:
			return
		case now := <-tick.C:
			b.stats.Sample(now)
			b.stats.SamplePuts(now, b.store.PutDistribution(), b.putMicros())
		}
		b.feelPulse()
		b.replication.sample()
		b.replication.noteSlaves()
		b.wakeParked()
		b.tickClients()
		b.tendCold(n)
		if n%b.holdsEvery == 0 || !b.inForce.get().longPolling {
			b.holds.checkAll()
		}
		if n%10 == 0 {
			b.expireClients()
			b.locks.Expire()
			b.noteDiskUse()
		}
	}
}

func (b *Broker) persistOffsets() {
	defer b.done.Done()
	for {
		interval := time.Duration(max(b.c.Int("flushConsumerOffsetInterval"), 100)) * time.Millisecond
		timer := time.NewTimer(interval)
		select {
		case <-b.stop:
			timer.Stop()
			return
		case <-timer.C:
			b.persister.Mark(b.documents.offsets, nil)
		}
	}
}

// Shutdown leaves the route, answers what is held, takes no more sends, and closes the store in order. After ctx the store is
// closed as it is: the next start looks at the log again.
func (b *Broker) Shutdown(ctx context.Context) error {
	b.pulse.stopping.Store(true)
	b.registrar.close(ctx)
	b.net.StopAccepting()
	b.closing.Store(true)
	b.web.close()
	b.holds.answerAll()
	b.coldHeld.release(b, b.uptime()+coldHoldTime)
	err := b.delay.Close(ctx)
	if f := b.replication.follower; f != nil {
		f.Close()
	}
	_ = b.store.Visible().Wait(ctx, b.store.LogMax())
	b.awaitReleased(ctx)
	if b.pusher != nil {
		b.pusher.Close(ctx) // while there is something to look at, and nothing is counted any more
	}
	if l := b.replication.leader; l != nil {
		l.Close()
	}
	close(b.stop)
	b.done.Wait()
	err = errors.Join(err, b.net.Shutdown(ctx))
	b.notices.Close()
	b.workers.Close()
	b.readers.close()
	b.few.Close()
	b.decoders.Close()
	b.persister.Mark(b.documents.offsets, nil)
	b.persister.Close()
	err = errors.Join(err, b.store.Close(ctx))
	b.net.ReleaseBells()
	return err
}

// awaitReleased returns when no answer is parked any more.
func (b *Broker) awaitReleased(ctx context.Context) {
	for _, l := range b.loops {
		for l.parked.waits() && ctx.Err() == nil {
			b.net.Wake(l.index)
			time.Sleep(time.Millisecond)
		}
	}
}
