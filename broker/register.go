package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// registrar keeps the broker in the tables of every name server: in full at the start, every period and after a broken
// connection, and the topics that changed as soon as they do.
type registrar struct {
	b       *Broker
	targets []*nameServer // never changed
	timeout time.Duration // registerTimeout

	mu      sync.Mutex
	waiting []func() // called after a round that began later
	closed  bool

	wake   chan struct{}
	whole  atomic.Bool // the next round registers everything
	stop   chan struct{}
	ctx    context.Context // ends with the registrar
	cancel context.CancelFunc
	done   sync.WaitGroup
}

const (
	coalesce        = 5 * time.Millisecond
	registerTimeout = 3 * time.Second
	redialInterval  = time.Second
)

func newRegistrar(b *Broker) *registrar {
	r := &registrar{b: b, timeout: registerTimeout, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for _, addr := range remoting.ServerNames(b.c.Text("namesrvAddr")) {
		r.targets = append(r.targets, &nameServer{r: r, addr: addr, redial: make(chan struct{}, 1)})
	}
	return r
}

// poke says that topics may have changed. Any goroutine, it does not block.
func (r *registrar) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// full has everything registered soon, so that the answers say what is new. Any goroutine, it does not block.
func (r *registrar) full() {
	r.whole.Store(true)
	r.poke()
}

// after has fn called when every name server that answers has what has changed so far: at once, or on the registrar's goroutine,
// which fn must not hold up. Any goroutine.
func (r *registrar) after(fn func()) {
	r.mu.Lock()
	if len(r.targets) == 0 || r.closed {
		r.mu.Unlock()
		fn()
		return
	}
	r.waiting = append(r.waiting, fn)
	r.mu.Unlock()
	r.poke()
}

// start registers with all name servers and returns when each has answered or failed.
func (r *registrar) start() {
	if len(r.targets) == 0 {
		r.b.logger.Warn("no name server is configured (namesrvAddr): clients will not find this broker")
		return
	}
	r.each(func(t *nameServer) { _ = t.register(true) })
	r.done.Add(1 + len(r.targets))
	go r.run()
	for _, t := range r.targets {
		go t.keep()
	}
}

// NotRegistered are the name servers that do not have this broker in their tables, as far as is known, with the reason: from Start on.
// They are tried again every second.
func (b *Broker) NotRegistered() map[string]error {
	failed := map[string]error{}
	for _, t := range b.registrar.targets {
		if why := t.why.Load(); why != nil {
			failed[t.addr] = *why
		}
	}
	return failed
}

// Registered are the name servers that have this broker in their tables, as far as is known.
func (b *Broker) Registered() []string {
	var addrs []string
	for _, t := range b.registrar.targets {
		if !t.lost.Load() {
			addrs = append(addrs, t.addr)
		}
	}
	return addrs
}

func (r *registrar) each(fn func(t *nameServer)) {
	var all sync.WaitGroup
	for _, t := range r.targets {
		all.Add(1)
		go func() {
			defer all.Done()
			fn(t)
		}()
	}
	all.Wait()
}

// run sends changes as they come, those of a few milliseconds together, and everything once a period.
func (r *registrar) run() {
	defer r.done.Done()
	period := time.Duration(min(max(r.b.c.Int("registerNameServerPeriod"), 10_000), 60_000)) * time.Millisecond
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		full := false
		select {
		case <-r.stop:
			return
		case <-tick.C:
			full = true
		case <-r.wake:
			timer := time.NewTimer(coalesce)
			select {
			case <-r.stop:
				timer.Stop()
				return
			case <-timer.C:
			}
		}
		r.round(r.whole.Swap(false) || full)
	}
}

func (r *registrar) round(full bool) {
	r.mu.Lock()
	waiting := r.waiting
	r.waiting = nil
	r.mu.Unlock()
	r.each(func(t *nameServer) {
		if t.lost.Load() {
			return // keep registers everything as soon as it answers again
		}
		_ = t.register(full)
	})
	for _, fn := range waiting {
		fn()
	}
}

// close takes the broker out of the tables.
func (r *registrar) close(ctx context.Context) {
	close(r.stop)
	r.cancel()
	r.done.Wait()
	r.mu.Lock()
	r.closed = true
	waiting := r.waiting
	r.waiting = nil
	r.mu.Unlock()
	for _, fn := range waiting {
		fn()
	}
	r.each(func(t *nameServer) { t.unregister(ctx) })
}

// nameServer is one name server and the connection to it. The connection is kept: its end tells the name server at once that
// the broker is gone.
type nameServer struct {
	r      *registrar
	addr   string
	mu     sync.Mutex // one registration at a time
	client *netpoll.Client
	parts  int64                 // requests that were not the last of their registration
	sent   remoting.DataVersion  // version that it has, all of it
	told   bool                  // how the first registration ended was logged
	why    atomic.Pointer[error] // of lost
	lost   atomic.Bool           // it did not answer the last time
	at     atomic.Int64          // Broker.uptime when it last had this broker enter; 0: it never had
	redial chan struct{}
}

// connection returns the open connection or makes one. fresh: a new one, so that a full registration is due.
func (t *nameServer) connection(ctx context.Context) (c *netpoll.Client, fresh bool, err error) {
	if t.client != nil {
		select {
		case <-t.client.Done():
			t.client = nil
		default:
			return t.client, false, nil
		}
	}
	c, err = netpoll.Dial(ctx, t.addr, netpoll.DialOptions{})
	if err != nil {
		return nil, false, err
	}
	t.client = c
	return c, true, nil
}

// register sends what changed since the last time, everything if full is set or over a new connection. A connection that failed is
// given up.
//
// A name server passes over topics that come with the version it has. So a version is sent only with all that belongs to it: what
// was altered between two looks at the table may be left out of none.
func (t *nameServer) register(full bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.call(full)
	t.tell(err)
	if err != nil && t.client != nil {
		t.client.Close()
		t.client = nil
	}
	return err
}

var errConnectionLost = errors.New("connection lost")

// tell notes how a registration ended, and says so where it is news.
func (t *nameServer) tell(err error) {
	log := t.r.b.logger
	switch lost := t.lost.Load(); {
	case err == nil && (lost || !t.told):
		log.Info("registered", "namesrv", t.addr)
	case err == nil || t.r.ctx.Err() != nil: // no news, or the end
	case !t.told:
		log.Warn("not registered yet, tried again every second", "namesrv", t.addr, "error", err)
	case !lost:
		log.Warn("registration lost, tried again every second", "namesrv", t.addr, "error", err)
	}
	t.told = true
	if t.lost.Store(err != nil); err != nil {
		t.why.Store(&err)
	} else {
		t.why.Store(nil)
	}
}

func (t *nameServer) call(full bool) error {
	ctx, cancel := context.WithTimeout(t.r.ctx, t.r.timeout)
	c, fresh, err := t.connection(ctx)
	cancel()
	if err != nil {
		return err
	}
	if fresh {
		full = true
		select {
		case t.redial <- struct{}{}:
		default:
		}
	}
	var table map[string]*remoting.TopicConfig
	var version remoting.DataVersion
	if full {
		table, version = t.r.b.topics.Snapshot()
	} else if table, version, full = t.r.b.topics.Since(t.sent.Counter); version == t.sent {
		return nil
	} else if !full && version.Counter == t.sent.Counter {
		table, version = t.r.b.topics.Snapshot() // another master's, by chance with the same number
	}
	if err := t.send(c, table, version); err != nil {
		return err
	}
	t.sent = version
	return nil
}

// send registers topics that make up a version, in as many requests as they need. The last alone carries the version: until then the
// name server has one that is no version of the table, another with every request, for it passes over topics that come with the
// version it has.
func (t *nameServer) send(c *netpoll.Client, table map[string]*remoting.TopicConfig, version remoting.DataVersion) error {
	parts := registrationParts(table, maxRegistrationBytes)
	for i, part := range parts {
		v := version
		if i < len(parts)-1 {
			t.parts++
			v.Timestamp, v.Counter = time.Now().UnixMilli(), -t.parts
		}
		ctx, cancel := context.WithTimeout(t.r.ctx, t.r.timeout)
		resp, err := c.Call(ctx, t.r.b.registration(part, v))
		cancel()
		if err != nil {
			return err
		}
		if resp.Code != remoting.RespSuccess {
			return fmt.Errorf("code %d: %s", resp.Code, resp.Remark)
		}
		t.at.Store(int64(max(t.r.b.uptime(), 1)))
		if g := t.r.b.replication.group; g != nil {
			g.registered(resp.Text("masterAddr"), resp.Text("haServerAddr"))
		}
	}
	return nil
}

// keep watches the connection and makes a new one every second while it is broken.
func (t *nameServer) keep() {
	defer t.r.done.Done()
	pause := time.NewTimer(redialInterval)
	defer pause.Stop()
	for {
		t.mu.Lock()
		c := t.client
		t.mu.Unlock()
		var ended <-chan struct{}
		var again <-chan time.Time
		if c != nil {
			ended = c.Done()
		} else {
			pause.Reset(redialInterval)
			again = pause.C
		}
		select {
		case <-t.r.stop:
			return
		case <-t.redial: // there is a new connection to watch
			continue
		case <-ended:
			t.r.b.logger.Warn("name server connection lost", "namesrv", t.addr)
			t.why.Store(&errConnectionLost)
			t.lost.Store(true)
		case <-again:
		}
		_ = t.register(true)
	}
}

func (t *nameServer) unregister(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	cmd := remoting.NewRequest(remoting.CodeUnregisterBroker)
	t.r.b.identify(cmd)
	if _, err := t.client.Call(ctx, cmd); err != nil {
		t.r.b.logger.Warn("not unregistered", "namesrv", t.addr, "error", err)
	}
	t.client.Close()
	t.client = nil
}
