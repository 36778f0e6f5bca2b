package broker

import (
	"io"
	"net"
	"sync"
	"testing"
)

// haLink stands between a slave and its master's HA port, and can keep from the slave what the master sends.
type haLink struct {
	ln  net.Listener
	to  string
	all sync.WaitGroup

	mu     sync.Mutex
	moved  *sync.Cond
	held   bool
	closed bool
	open   []net.Conn
}

func newHALink(t *testing.T, to string) *haLink {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &haLink{ln: ln, to: to}
	l.moved = sync.NewCond(&l.mu)
	l.all.Go(l.accept)
	t.Cleanup(l.close)
	return l
}

func (l *haLink) accept() {
	for {
		slave, err := l.ln.Accept()
		if err != nil {
			return
		}
		master, err := net.Dial("tcp", l.to)
		if err != nil {
			_ = slave.Close()
			continue
		}
		l.mu.Lock()
		l.open = append(l.open, slave, master)
		if l.closed {
			_, _ = slave.Close(), master.Close()
		}
		l.mu.Unlock()
		l.all.Go(func() {
			_, _ = io.Copy(master, slave)
			_, _ = slave.Close(), master.Close()
		})
		l.all.Go(func() {
			l.down(slave, master)
			_, _ = slave.Close(), master.Close()
		})
	}
}

// down passes on what the master sends. When hold returns, nothing is on its way any more.
func (l *haLink) down(slave, master net.Conn) {
	b := make([]byte, 64<<10)
	for {
		n, err := master.Read(b)
		if err != nil {
			return
		}
		l.mu.Lock()
		for l.held && !l.closed {
			l.moved.Wait()
		}
		_, err = slave.Write(b[:n])
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (l *haLink) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = true
}

func (l *haLink) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = false
	l.moved.Broadcast()
}

func (l *haLink) close() {
	_ = l.ln.Close()
	l.mu.Lock()
	l.closed = true
	for _, c := range l.open {
		_ = c.Close()
	}
	l.moved.Broadcast()
	l.mu.Unlock()
	l.all.Wait()
}

// newLinkedPair is newPair with a link that the log goes through. more are settings of both.
func newLinkedPair(t *testing.T, change func(master *Broker), more ...string) (*pairRig, *haLink) {
	t.Helper()
	m := &rig{t: t, root: t.TempDir()}
	m.startRoutes("127.0.0.1", 0)
	p := &pairRig{t: t, master: m, slave: &rig{t: t, root: t.TempDir(), routes: m.routes}, masterKeys: more}
	m.startAltered(change, more...)
	link := newHALink(t, m.broker.replication.leader.Addr().String())
	p.slaveKeys = append([]string{"brokerRole=SLAVE", "brokerId=1", "slaveReadEnable=true", "haMasterAddress=" + link.ln.Addr().String()}, more...)
	p.startSlave()
	return p, link
}

// promote ends both and starts the slave's store as the master's.
func (p *pairRig) promote() *client {
	p.t.Helper()
	p.master.stopBroker()
	p.slave.stopBroker()
	p.slave.startBroker(append([]string{"brokerRole=ASYNC_MASTER", "brokerId=0"}, p.masterKeys...)...)
	return p.slave.dial()
}
