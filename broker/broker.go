package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/broker/config"
	"ringmq/broker/member"
	"ringmq/broker/meta"
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
	readers   *netpoll.Workers // for pulls that need the disk: nothing else may keep them waiting
	pending   *netpoll.Budget  // of requests that wait: for workers, for a client's answer, for their topic
	slow      *netpoll.Workers // for what may wait long, or needs much memory: few at a time
	handlers  *[maxCode]handler
	loops     []*loopState
	holds     *holds
	registrar *registrar
	advertise netip.AddrPort // as clients know this broker
	region    string
	opening   *remoting.Opening // of the answers to sends that were stored
	cluster   string
	name      string
	maxLevel  int
	slave     bool                   // it copies a master, and stores nothing of its own
	copies    atomic.Pointer[copies] // nil: nobody waits for slaves
	visible   func() int64           // how far the log is safe
	failed    func() error           // what ended the log
	uptime    func() time.Duration   // since New, on the clock that nobody sets
	syncLimit time.Duration
	closing   atomic.Bool
	diskUse   atomic.Pointer[string]
	warned    atomic.Int64 // the second in which a send that was not stored was logged last

	inForce      configuration
	configured   atomic.Int64 // changes by requests
	configuredAt atomic.Int64 // ms of the last one

	replication replication

	mu    sync.Mutex
	conns map[uint64]*netpoll.Conn

	listening chan struct{} // closed when net and advertise are set: no connection is opened before
	stop      chan struct{}
	done      sync.WaitGroup
}

// documents are the persister's numbers.
type documents struct{ topics, groups, offsets int }

// New opens the store and the tables; nothing listens yet. The store is locked until Shutdown.
func New(o Options) (*Broker, error) {
	b := &Broker{o: o, c: o.Config, logger: o.Logger, began: time.Now(), conns: map[uint64]*netpoll.Conn{}, listening: make(chan struct{}), stop: make(chan struct{})}
	b.uptime = func() time.Duration { return time.Since(b.began) }
	b.makeLoops()
	b.makeRole()
	b.inForce.read(b.c)
	b.region, b.cluster, b.name = b.c.Text("regionId"), b.c.Text("brokerClusterName"), b.c.Text("brokerName")
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
	for _, l := range b.loops {
		l.appends = b.store.NewTurn(func() int { return b.net.Bell(l.index) })
	}
	visible := b.store.Visible()
	b.visible, b.failed = visible.Load, visible.Err
	visible.Subscribe(b.wakePassed)
	b.holds = newHolds(b)
	b.store.OnArrive(b.holds.arrived)
	b.store.OnRound(b.holds.roundEnded)
	b.store.WhenWaited(func() bool { return b.holds.count.Load() > 0 })
	b.delay, err = delay.New(delay.Options{Store: b.store, Levels: so.DelayLevels, Delivered: b.delivered, Logger: b.logger})
	if err != nil {
		b.persister.Close()
		return nil, errors.Join(err, b.store.Close(context.Background()))
	}
	b.handlers = b.table()
	return b, nil
}

// openTables reads the documents and makes what must exist.
func (b *Broker) openTables() error {
	b.registrar = newRegistrar(b)
	topicsFrom, err := b.readTables()
	if err != nil {
		return err
	}
	b.persister = meta.NewPersister(b.logger)
	save := func(d store.Doc) func([]byte) error {
		return func(doc []byte) error { return b.store.SaveDoc(d, doc) }
	}
	b.documents.topics = b.addTopicsDocument(save(store.DocTopics))
	b.documents.groups = b.persister.Add("groups", b.groups.Document, save(store.DocGroups))
	b.documents.offsets = b.persister.Add("consumer offsets", b.offsets.Document, save(store.DocConsumerOffsets))
	b.system = meta.System{
		Cluster: b.cluster, Broker: b.name, AutoCreate: b.c.Bool("autoCreateTopicEnable"),
		AutoQueues: int32(b.c.Int("defaultTopicQueueNums")), ClusterTopic: b.c.Bool("clusterTopicEnable"), BrokerTopic: b.c.Bool("brokerTopicEnable"),
		Trace: b.c.Bool("traceTopicEnable"), TraceName: b.c.Text("msgTraceTopicName"), ScheduleLevels: int32(b.maxLevel),
	}
	for _, c := range b.system.Topics() {
		b.topics.Ensure(c)
	}
	b.warnOfLostTopics(topicsFrom)
	b.declared.Store(b.topics)
	b.groupsChanged()
	if b.slave {
		b.offsets.BeSlave()
	} else {
		b.offsets.BeMaster()
	}
	b.members, b.locks, b.notices = member.New(time.Now), member.NewLocks(time.Now), member.NewNotices(b.notify)
	b.stats = stats.New(b.cluster, time.Now)
	b.uniqKeys = record.NewUniqKeys(b.advertise.Addr(), os.Getpid(), rand.Uint32(), time.Now)
	return nil
}

// readTables makes the tables of what is on disk, and says where the topics came from.
func (b *Broker) readTables() (topicsFrom store.DocFrom, err error) {
	auto := func() bool { return b.c.Bool("autoCreateSubscriptionGroup") }
	topicsFrom, err = b.store.ReadDoc(store.DocTopics, func(doc []byte) (err error) {
		b.topics, err = meta.NewTopics(doc, time.Now, b.topicsChanged)
		return err
	})
	if err != nil {
		return topicsFrom, err
	}
	_, err = b.store.ReadDoc(store.DocGroups, func(doc []byte) (err error) {
		b.groups, err = meta.NewGroups(doc, time.Now, auto, b.groupsChanged)
		return err
	})
	if err != nil {
		return topicsFrom, err
	}
	_, err = b.store.ReadDoc(store.DocConsumerOffsets, func(doc []byte) (err error) {
		b.offsets, err = meta.NewOffsets(doc, time.Now)
		return err
	})
	return topicsFrom, err
}

// declareTopics has the store know the topics' kinds while it looks at what the last run left: before the tables are there.
func (b *Broker) declareTopics(so store.Options) {
	doc, err := store.PeekDoc(so, store.DocTopics)
	if err == nil {
		var topics *meta.Topics
		if topics, err = meta.NewTopics(doc, time.Now, func() {}); err == nil {
			b.declared.Store(topics)
		}
	}
	if err != nil {
		b.logger.Warn("topics are not known while the store is opened", "error", err)
	}
}

// delivered counts a delayed message that has come to its topic.
func (b *Broker) delivered(topic []byte, bytes int64) {
	if b.c.Bool("enableScheduleMessageStats") {
		b.stats.Delivered(topic, bytes)
	}
}

// addTopicsDocument has the topics written, and tells them how far they are on disk.
func (b *Broker) addTopicsDocument(save func([]byte) error) int {
	var counter int64 // of a version that the content at hand has; the persister's own
	content := func() ([]byte, error) {
		counter = b.topics.Version().Counter
		return b.topics.Document()
	}
	return b.persister.Add("topics", content, func(doc []byte) error {
		err := save(doc)
		if err == nil {
			b.topics.Saved(counter)
		}
		return err
	})
}

// isBatchTopic says that a topic keeps batches as they are.
func (b *Broker) isBatchTopic(topic []byte) bool {
	topics := b.declared.Load()
	if topics == nil {
		return false
	}
	t, ok := topics.Get(topic)
	return ok && keepsBatches(t)
}

func keepsBatches(t *remoting.TopicConfig) bool { return t.Attributes["queue.type"] == "BatchCQ" }

func (b *Broker) topicsChanged() {
	if b.documents.ready(b.persister) {
		b.persister.Mark(b.documents.topics, nil)
	}
	b.registrar.poke()
}

func (b *Broker) groupsChanged() {
	if b.documents.ready(b.persister) {
		b.persister.Mark(b.documents.groups, nil)
	}
}

// ready is false while the tables are being read: what is made then is marked when the documents are registered.
func (d documents) ready(p *meta.Persister) bool { return p != nil && d.offsets != 0 }

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
	b.readers = netpoll.NewWorkers(16, 4096, netpoll.NewBudget(maxReadingBytes))
	b.slow = netpoll.NewWorkers(maxQueries, 4096, b.pending)
	b.noteDiskUse()
	if !b.slave {
		b.takeOffsetsBack()
	}
	n, err := netpoll.Serve(netpoll.Options{
		Addrs: []string{net.JoinHostPort(host, strconv.Itoa(port)), net.JoinHostPort(host, strconv.Itoa(fast))},
		Loops: len(b.loops), Logger: b.logger, IdleTimeout: time.Duration(b.c.Int("serverChannelMaxIdleTimeSeconds")) * time.Second,
		TotalBytes: b.connBytes, ShortTimeout: b.connShort, TurnEnded: func(loop int) { b.loop(loop).turnEnded() },
		Rung: func(loop int) { b.loop(loop).appends.Rung() }, Linger: b.o.Linger,
	}, &handlerSide{b})
	if err != nil {
		b.workers.Close()
		b.readers.Close()
		b.slow.Close()
		b.persister.Close()
		return errors.Join(fmt.Errorf("broker: %w", err), b.delay.Close(context.Background()), b.store.Close(context.Background()))
	}
	b.net = n
	b.advertise = netip.AddrPortFrom(b.advertise.Addr(), n.Addrs()[0].Port())
	if err := b.startReplication(); err != nil {
		close(b.listening)
		return errors.Join(fmt.Errorf("broker: %w", err), b.Shutdown(context.Background()))
	}
	close(b.listening)
	if !b.slave {
		b.delay.Start()
	}
	b.done.Add(2)
	go b.everySecond()
	go b.persistOffsets()
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
		l := &loopState{b: b, index: i}
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
		}
		b.replication.sample()
		b.wakeParked()
		if n%5 == 0 || !b.inForce.get().longPolling {
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
	b.registrar.close(ctx)
	b.net.StopAccepting()
	b.closing.Store(true)
	b.holds.answerAll()
	err := b.delay.Close(ctx)
	if f := b.replication.follower; f != nil {
		f.Close()
	}
	_ = b.store.Visible().Wait(ctx, b.store.LogMax())
	b.awaitReleased(ctx)
	if l := b.replication.leader; l != nil {
		l.Close()
	}
	close(b.stop)
	b.done.Wait()
	err = errors.Join(err, b.net.Shutdown(ctx))
	b.notices.Close()
	b.workers.Close()
	b.readers.Close()
	b.slow.Close()
	b.persister.Mark(b.documents.offsets, nil)
	b.persister.Close()
	err = errors.Join(err, b.store.Close(ctx))
	b.net.ReleaseBells()
	return err
}

// awaitReleased returns when no answer is parked any more.
func (b *Broker) awaitReleased(ctx context.Context) {
	for _, l := range b.loops {
		for l.waitsFor.Load() != 0 && ctx.Err() == nil {
			b.net.Wake(l.index)
			time.Sleep(time.Millisecond)
		}
	}
}
