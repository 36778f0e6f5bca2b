package namesrv

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

// Options of a name server.
type Options struct {
	Values     *settings.Values // see Keys
	ConfigFile string           // rewritten when a request changes the configuration; "": nothing is written
	Version    string           // of the build, for those who ask
	Logger     *slog.Logger
	Clock      func() time.Time // nil: time.Now
	Servers    int              // that share the descriptors of this process; 0: 1
}

// Server is one name server.
type Server struct {
	o            Options
	v            *settings.Values
	logger       *slog.Logger
	routes       *routes
	kv           *kv
	net          *netpoll.Server
	workers      *netpoll.Workers
	gate         *netpoll.Gate
	admits       func(*netpoll.Conn, *remoting.Command) bool // gate's
	brokers      *netpoll.Gate
	admitsBroker func(*netpoll.Conn, *remoting.Command) bool // brokers'
	networks     []netip.Prefix                              // of brokers; none: they are everywhere
	started      time.Time

	reported time.Time // when the size of the tables was told last; scan's own

	registrar *netpoll.Workers // one, for long requests that bring topics
	backlog   backlog
	toldFull  netpoll.Seldom // of registrations beyond the bounds

	mu    sync.Mutex
	conns map[uint64]*netpoll.Conn // by which brokers registered
	caps  *netpoll.Server          // net, for those who may ask before Start is over; nil: it does not listen yet

	closing  atomic.Bool // the connections end because the server does: nothing leaves the tables any more
	stop     chan struct{}
	stopOnce sync.Once
	done     sync.WaitGroup
}

// New makes a name server; nothing listens before Start.
func New(o Options) (*Server, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	store, err := openKV(o.Values.Text("kvConfigPath"))
	if err != nil {
		return nil, err
	}
	administrators, err := o.Values.Prefixes("adminAllowedCidrs")
	if err != nil {
		return nil, err
	}
	brokers, err := o.Values.Prefixes("brokerAllowedCidrs")
	if err != nil {
		return nil, err
	}
	gate, brokerGate := netpoll.NewGate(administrators, o.Logger), netpoll.NewBrokerGate(brokers, o.Logger)
	return &Server{o: o, v: o.Values, logger: o.Logger, routes: newRoutes(), kv: store,
		gate: gate, admits: gate.Admits, brokers: brokerGate, admitsBroker: brokerGate.Admits, networks: brokers,
		backlog: backlog{count: map[addrKey]int{}}, conns: map[uint64]*netpoll.Conn{}, stop: make(chan struct{})}, nil
}

// waitingBytes bounds the requests that wait for the disk and the registrar.
const waitingBytes = 64 << 20

// Start listens; requests are answered when it returns.
func (s *Server) Start() error {
	s.begin()
	waiting := netpoll.NewBudget(waitingBytes)
	s.workers, s.registrar = netpoll.NewWorkers(2, 1024, waiting), netpoll.NewWorkers(1, 1024, waiting)
	addr := net.JoinHostPort(s.v.Text("bindAddress"), strconv.Itoa(s.v.Int("listenPort")))
	idle := time.Duration(s.v.Int("serverChannelMaxIdleTimeSeconds")) * time.Second
	if idle <= 0 {
		idle = math.MaxInt64 // as stock: connections may be idle for ever
	}
	n, err := netpoll.Serve(netpoll.Options{
		Addrs: []string{addr}, Logger: s.logger, Clock: s.o.Clock, IdleTimeout: idle, Servers: s.o.Servers, Prefers: s.isBroker,
		MaxConns: s.v.Int64("maxConnections"), MaxConnsPerHost: s.v.Int64("maxConnectionsPerHost"),
	}, (*handler)(s))
	if err != nil {
		s.workers.Close()
		s.registrar.Close()
		return fmt.Errorf("name server: %w", err)
	}
	s.net = n
	s.mu.Lock()
	s.caps = n
	s.mu.Unlock()
	s.capConnections() // a request may have changed the keys meanwhile
	s.done.Add(1)
	go s.scan()
	return nil
}

// capConnections has the caps that the keys say in force. Any goroutine.
func (s *Server) capConnections() {
	s.mu.Lock()
	n := s.caps
	s.mu.Unlock()
	if n != nil {
		n.Cap(s.v.Int64("maxConnections"), s.v.Int64("maxConnectionsPerHost"))
	}
}

// isBroker says whether brokers sit at an address: in their networks, or, where these are not known, if one has registered from there. They
// come in though clients have taken all places: a broker that is not heard leaves the routes.
func (s *Server) isBroker(remote netip.Addr) bool {
	if len(s.networks) > 0 {
		return netpoll.IsWithin(remote, netip.Addr{}, s.networks)
	}
	return s.routes.registeredFrom(remote)
}

// begin notes when the server began.
func (s *Server) begin() {
	s.started = s.o.Clock()
	s.reported = s.started
}

// Addr is the address listened on.
func (s *Server) Addr() netip.AddrPort { return s.net.Addrs()[0] }

// Shutdown stops accepting, waits for work in progress and closes all connections. After Start only.
func (s *Server) Shutdown(ctx context.Context) error {
	s.net.StopAccepting()
	s.stopOnce.Do(func() { close(s.stop) })
	s.done.Wait()
	s.workers.Close()
	s.registrar.Close()
	s.closing.Store(true)
	return s.net.Shutdown(ctx)
}

const reportInterval = 10 * time.Minute

// scan forgets brokers that have fallen silent, and tells the size of the tables now and then.
func (s *Server) scan() {
	defer s.done.Done()
	tick := time.NewTicker(time.Duration(max(1, s.v.Int("scanNotActiveBrokerInterval"))) * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		now := s.o.Clock()
		s.forgetSilent(now)
		s.report(now)
	}
}

func (s *Server) forgetSilent(now time.Time) {
	for _, r := range s.routes.expire(now) {
		s.logger.Warn("broker removed, it has fallen silent", "broker", r.addr)
		s.mu.Lock()
		c := s.conns[r.conn]
		s.mu.Unlock()
		if c != nil {
			c.Close()
		}
	}
}

// report tells the size of the tables, if that was long ago.
func (s *Server) report(now time.Time) {
	if now.Sub(s.reported) < reportInterval {
		return
	}
	s.reported = now
	clusters, brokers, live, topics, filters := s.routes.sizes()
	s.logger.Info("route tables", "clusters", clusters, "brokers", brokers, "live", live, "topics", topics, "filterServers", filters)
}

// handler is the server as netpoll sees it.
type handler Server

func (h *handler) Opened(*netpoll.Conn) {}
func (h *handler) Woken(int)            {}

func (h *handler) Closed(c *netpoll.Conn, _ error) {
	(*Server)(h).connectionClosed(c)
}

// connectionClosed forgets what registered by a connection that has ended. Any goroutine. At the server's own end the tables stay as
// they are: nobody will read them, and taking out one broker after the other costs a look at all topics each.
func (s *Server) connectionClosed(c *netpoll.Conn) {
	s.mu.Lock()
	_, broker := s.conns[c.ID()]
	delete(s.conns, c.ID())
	s.mu.Unlock()
	if !broker || s.closing.Load() {
		return
	}
	for _, r := range s.routes.connectionClosed(c.ID()) {
		s.logger.Warn("broker removed, its connection has ended", "broker", r.addr)
	}
}

// smallAnswerBytes is how long an answer may be when peers that do not read have taken the memory.
const smallAnswerBytes = 4 << 10

const busy = "[OVERLOAD]system busy, start flow control for a while"

func (h *handler) Serve(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
	s := (*Server)(h)
	code, remark, reply := s.handle(c, req)
	switch {
	case req.IsOneway(), code == later:
	case reply != nil:
		out := c.Out()
		start := len(out)
		out = reply(out)
		if len(out)-start > smallAnswerBytes && c.Spent() {
			out = remoting.AppendReply(out[:start], req.Encoding, req.Opaque, remoting.RespSystemBusy, busy)
		}
		c.PutOut(out)
	default:
		c.PutOut(remoting.AppendReply(c.Out(), req.Encoding, req.Opaque, code, remark))
	}
	return netpoll.Done
}
