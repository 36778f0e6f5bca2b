package replica

import (
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/store"
)

// Leader serves a master's log to its slaves, and keeps Store.Confirm at what enough copies have.
type Leader struct {
	o       LeaderOptions
	store   *store.Store
	logger  *slog.Logger
	quorum  quorum
	listen  net.Listener
	started time.Time

	agreed  atomic.Pointer[Agreement]
	senders atomic.Pointer[[]*slave] // those that are sent to; replaced whole
	stop    chan struct{}
	resting atomic.Bool   // watch has no timer armed
	stir    chan struct{} // one token: it shall have one
	done    sync.WaitGroup
	unheed  func() // of the subscription to Sendable

	turnedAway atomic.Int64
	toldAway   atomic.Int64 // the second in which that was logged last
	toldAside  atomic.Int64 // likewise, of a backup that was refused

	examining sync.Mutex
	sparing   sparing

	// mu orders everything that makes Agreed what it is.
	mu       sync.Mutex
	peers    map[*slave]struct{} // every connection
	turned   map[string]Refusal  // by host: slaves that were refused
	garbage  int64
	fellOut  int64
	closed   bool
	standing []standing
	offsets  []int64
	reached  int64 // highest offset up to which as many copies as were needed had the log at some time
	lines    []said
}

// Lead listens. Close ends it.
func Lead(o LeaderOptions) (*Leader, error) {
	o = o.withDefaults()
	listen, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	l := &Leader{o: o, store: o.Store, logger: o.Logger, quorum: quorum{copies: o.Copies, minCopies: o.MinCopies, auto: o.Auto}, listen: listen,
		started: time.Now(), stop: make(chan struct{}), stir: make(chan struct{}, 1), peers: map[*slave]struct{}{}, turned: map[string]Refusal{}}
	l.senders.Store(&[]*slave{})
	l.agreed.Store(&Agreement{InStep: 1, Enough: true})
	l.mu.Lock()
	l.judge()
	l.unlock()
	l.sparing.stored, l.sparing.safe = l.store.LogMax, l.store.Sendable().Load
	l.unheed = l.store.Sendable().Subscribe(func(to int64, _ error) {
		l.sparing.committed(to)
		l.wakeWatch()
		for _, s := range *l.senders.Load() {
			poke(s.wake)
		}
	})
	l.done.Add(2)
	go l.accept()
	go l.watch()
	return l, nil
}

// Addr is the address listened on.
func (l *Leader) Addr() netip.AddrPort { return l.listen.Addr().(*net.TCPAddr).AddrPort() }

// Close disconnects every slave. Records that waited for copies are confirmed no more.
func (l *Leader) Close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	for s := range l.peers {
		_ = s.conn.Close()
	}
	l.mu.Unlock()
	close(l.stop)
	_ = l.listen.Close()
	l.unheed()
	l.done.Wait()
}

// Agreement says how far enough copies have had the log, and whether there are enough of them at all. It is published before Visible moves
// because of it: a record that has become visible has got its copies if Offset has reached its end, and was made visible without them
// otherwise. That stays so when those who made them leave: a copy that was acknowledged is one, whoever looks later.
type Agreement struct {
	Offset  int64         // enough copies have had everything before it, never back; math.MaxInt64 while the master's own suffices
	InStep  int           // copies in step, the master's own included
	Enough  bool          // InStep suffices: records wait for their copies. Otherwise records are confirmed once the master has them
	Since   time.Duration // of Uptime: when Enough became false last; answers that waited then are told FLUSH_SLAVE_TIMEOUT, later ones SLAVE_NOT_AVAILABLE
	Refuses bool          // fewer than MinCopies are in step: sends are to be refused
}

// Agreed returns the agreement of the moment. Any goroutine; it takes no lock and allocates nothing.
func (l *Leader) Agreed() Agreement { return *l.agreed.Load() }

// Uptime is the clock of Agreement.Since: monotonic, since Lead.
func (l *Leader) Uptime() time.Duration { return time.Since(l.started) }

// accept lets connections in.
func (l *Leader) accept() {
	defer l.done.Done()
	for {
		conn, err := l.listen.Accept()
		if err != nil {
			select {
			case <-l.stop:
				return
			case <-time.After(100 * time.Millisecond): // no descriptors left, most likely
				continue
			}
		}
		if !l.lets(conn.(*net.TCPConn)) {
			_ = conn.Close()
			continue
		}
		s := &slave{l: l, conn: conn.(*net.TCPConn), addr: conn.RemoteAddr().String(), wake: make(chan struct{}, 1), came: l.Uptime(), healing: healing{st: l.store, every: l.o.HeartbeatTime}}
		if err := l.admit(s); err != nil {
			l.turnAway(conn.RemoteAddr(), err)
			_ = conn.Close()
			continue
		}
		go s.serve()
	}
}

// leave forgets a connection that is over.
func (l *Leader) leave(s *slave) {
	l.mu.Lock()
	delete(l.peers, s)
	was := s.reported
	if was {
		l.listSenders()
		if s.progress.inStep && !l.closed {
			l.fellOut++
		}
		if !l.closed {
			l.say(slog.LevelInfo, s.what()+" left", s.what(), s.addr, "acknowledged", s.progress.acked, "why", s.why)
		}
	} else if s.silent {
		l.garbage++
	}
	changed := was && l.judge()
	l.unlock()
	l.tell(changed)
}

// listSenders makes the list for those who wake them. mu is held.
func (l *Leader) listSenders() {
	list := make([]*slave, 0, len(l.peers))
	for s := range l.peers {
		if s.reported {
			list = append(list, s)
		}
	}
	l.senders.Store(&list)
	l.wakeWatch()
}

// join counts a slave whose first report was accepted.
func (l *Leader) join(s *slave, acked, start int64) {
	l.mu.Lock()
	s.reported = true
	l.replace(s)
	s.progress.begin(acked, start, l.store.Sendable().Load(), l.Uptime())
	if !s.aside {
		delete(l.turned, hostOf(s.addr))
	}
	l.listSenders()
	changed := l.judge()
	l.unlock()
	l.logger.Info(s.what()+" joined", s.what(), s.addr, "ours", s.ours, "has", acked, "from", start)
	l.tell(changed)
}

// refuse remembers a slave that is not taken, and says so once as long as the reason stays. A backup is not remembered, and said once a second at
// most: anybody may come again and again.
func (l *Leader) refuse(s *slave, why refusal, offset int64) {
	if s.aside {
		if now := time.Now().Unix(); l.toldAside.Swap(now) != now {
			l.logger.Info("a backup was refused", "from", s.addr, "why", why.String(), "backupEnd", offset, "begins", l.store.LogMin(), "ends", l.store.Sendable().Load())
		}
		return
	}
	host := hostOf(s.addr)
	l.mu.Lock()
	was, known := l.turned[host]
	if !known && len(l.turned) >= maxPeers {
		for other := range l.turned { // any one
			delete(l.turned, other)
			break
		}
	}
	l.turned[host] = Refusal{Host: host, Why: why.String(), Offset: offset, At: time.Now(), Times: was.Times + 1}
	l.mu.Unlock()
	if !known || was.Why != why.String() {
		l.logger.Error("slave refused: nothing is copied to it until somebody decides", "slave", s.addr, "why", why.String(), "slaveEnd", offset,
			"begins", l.store.LogMin(), "ends", l.store.Sendable().Load())
	}
}

func hostOf(addr string) string {
	host, _, _ := net.SplitHostPort(addr)
	return host
}

// lookInterval is how often slaves are looked at, at least: how far they are behind grows without a word of theirs.
const lookInterval = 100 * time.Millisecond

// watch looks at the slaves' silence while nothing else makes anybody look, and at what commits take. Without slaves, and when nothing has
// been stored for a while, nothing ticks.
func (l *Leader) watch() {
	defer l.done.Done()
	every := min(max(l.o.SlaveTimeout/20, time.Millisecond), lookInterval)
	tick := time.NewTicker(every)
	defer tick.Stop()
	safe, since := l.store.Sendable().Load(), time.Now()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		l.sparing.look(time.Now())
		if len(*l.senders.Load()) == 0 {
			if at, now := l.store.Sendable().Load(), time.Now(); at != safe {
				safe, since = at, now
			} else if now.Sub(since) >= desertion {
				tick.Stop()
				if !l.rest(safe) {
					return
				}
				tick.Reset(every)
				since = time.Now()
			}
			continue
		}
		l.mu.Lock()
		changed := l.judge()
		l.unlock()
		l.tell(changed)
	}
}

// rest returns when there is a slave, or more of the log than safe; false when the leader is closed.
func (l *Leader) rest(safe int64) bool {
	l.resting.Store(true)
	defer l.resting.Store(false)
	// Whoever changed one of these before resting was set has poked nobody.
	if len(*l.senders.Load()) > 0 || l.store.Sendable().Load() != safe {
		return true
	}
	select {
	case <-l.stop:
		return false
	case <-l.stir:
		return true
	}
}

// wakeWatch ends a rest of watch. Any goroutine.
func (l *Leader) wakeWatch() {
	if l.resting.Load() {
		poke(l.stir)
	}
}

// judge looks at every slave, publishes what follows and lets the store know. It returns whether that changed in another way than by
// growing. mu is held.
func (l *Leader) judge() (changed bool) {
	if l.closed {
		return false
	}
	end, now := l.store.Sendable().Load(), l.Uptime()
	list := l.standing[:0]
	for s := range l.peers {
		if !s.isCopy() {
			continue
		}
		was := s.progress.inStep
		in := s.progress.look(end, now, pace{l.o.SlaveTimeout, l.o.MaxGapBytes})
		if was && !in {
			l.fellOut++
		}
		if was != in {
			text := "slave in step"
			if !in {
				text = "slave out of step"
			}
			l.say(slog.LevelInfo, text, "slave", s.addr, "acknowledged", s.progress.acked, "behindBytes", end-s.progress.acked)
		}
		list = append(list, standing{s.progress.acked, in})
	}
	var v verdict
	v, l.offsets = l.quorum.decide(end, list, l.offsets)
	l.standing = list
	old := l.agreed.Load()
	l.reached = max(l.reached, v.offset)
	if old.Offset == math.MaxInt64 {
		l.reached = max(l.reached, end) // until now the master's own was enough
	}
	a := Agreement{Offset: l.reached, InStep: v.inStep, Enough: v.enough, Since: old.Since, Refuses: v.refuses}
	limit := l.reached
	if v.needed <= 1 {
		a.Offset, limit = math.MaxInt64, math.MaxInt64
	}
	if !a.Enough {
		limit = math.MaxInt64
		if old.Enough {
			a.Since = now
		}
	}
	changed = a.InStep != old.InStep || a.Enough != old.Enough || a.Refuses != old.Refuses || a.Offset < old.Offset // it may leave math.MaxInt64
	if changed || a != *old {
		l.agreed.Store(&a)
	}
	if a.Enough != old.Enough || a.Refuses != old.Refuses {
		level, text := slog.LevelInfo, enoughCopies
		switch {
		case a.Enough:
		case a.Refuses:
			level, text = slog.LevelWarn, tooFewCopies+": sends are refused"
		default:
			level, text = slog.LevelWarn, tooFewCopies+": sends are stored here alone and answered with code 11, those that wait for a slave with 12"
		}
		l.say(level, text, "inStep", a.InStep, "needed", v.needed, "confirmed", l.reached, "end", end)
	}
	l.store.Confirm(limit)
	return changed
}

// What is said when the copies become too few, and enough again. The master's own is one of them.
const (
	enoughCopies = "enough copies of the log are in step, the master's own included"
	tooFewCopies = "too few copies of the log are in step, the master's own included"
)

func (l *Leader) tell(changed bool) {
	if changed && l.o.Changed != nil {
		l.o.Changed()
	}
}

// poke leaves a token in a channel that holds one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
