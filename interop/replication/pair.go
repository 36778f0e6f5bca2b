package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"ringmq/interop/rig"
)

// stage is what all scenes of a run have in common.
type stage struct {
	bin, rmq, jars string
	work           string // folder for everything
	base           int    // first port; see pair
	nsMaker        string
	heap           string // of a stock broker's JVM
	segment        int64  // bytes
	rate           int    // messages per second
	disks          bool
	scenes         int // so far
}

func (s *stage) flags() {
	home, _ := os.UserHomeDir()
	flag.StringVar(&s.bin, "bin", "bin/ringmq", "binary under test")
	flag.StringVar(&s.rmq, "rmq", "interop/stock/rmq", "program that runs the reference broker")
	flag.StringVar(&s.jars, "jars", filepath.Join(home, ".cache", "stock-rmq"), "where its jars are")
	flag.StringVar(&s.nsMaker, "namesrv", ours, "whose name server: ours or stock")
	flag.IntVar(&s.base, "port", 24400, "first of fifty ports")
	flag.Int64Var(&s.segment, "segment", 512<<10, "bytes of a segment")
	flag.IntVar(&s.rate, "rate", 2000, "messages per second")
	flag.BoolVar(&s.disks, "disks", os.Getuid() == 0, "stores on file systems of their own, which can be filled and made to fail (needs root)")
}

func (s *stage) nsAddr() string { return loopback(s.base) }

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// Ports of a pair, from the base on: the name server, the master (fast port two below, HA one above), the slave, the link.
const (
	masterPort = 10
	slavePort  = 20
	linkPort   = 30
	deskPort   = 31
	newPort    = 40 // a slave that comes later
)

// pair is a name server, a master and a slave. In scenes the slave reaches the master over a link that can fail.
type pair struct {
	*stage
	name          string
	ns            *process
	master, slave *node
	link          *link // nil, as the desk: the slave dials the master
	desk          *desk
	history       *history
	reader        *reader
	progress      progress

	compared int64 // the logs are equal so far
	stop     context.CancelFunc
	load     sync.WaitGroup
}

// newPair makes the pair of a scene, with empty stores; nothing but the name server runs yet.
func (s *stage) newPair(name, masterMaker, slaveMaker string) (*pair, error) {
	p, err := s.plainPair(name, masterMaker, slaveMaker)
	if err != nil {
		return nil, err
	}
	for _, n := range []*node{p.master, p.slave} {
		n.inHaste()
		if n.maker == ours {
			n.set("diskEngine", []string{"io_uring", "pwrite"}[p.scenes/2%2])
		}
	}
	if err = p.between(); err == nil {
		err = p.names()
	}
	if err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

// plainPair is a pair as an operator sets it up: the slave dials the master, whose address it has from the name server. Nothing runs yet.
func (s *stage) plainPair(name, masterMaker, slaveMaker string) (*pair, error) {
	s.scenes++
	folder := fmt.Sprintf("%02d", s.scenes)
	sub := *s
	sub.work = filepath.Join(s.work, folder)
	if err := os.MkdirAll(sub.work, 0o755); err != nil {
		return nil, err
	}
	p := &pair{stage: &sub, name: name, history: newHistory("r"+folder, 1, 1, 1, 1, 8, 8)}
	p.reader = newReader(p.history, p.nsAddr(), map[int64]bool{0: masterMaker == ours, 1: slaveMaker == ours})
	if err := p.members(masterMaker, slaveMaker); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

func (p *pair) members(masterMaker, slaveMaker string) error {
	for _, side := range []struct {
		to          **node
		name, maker string
		id, port    int
		role        string
	}{{&p.master, "master", masterMaker, 0, p.base + masterPort, "SYNC_MASTER"}, {&p.slave, "slave", slaveMaker, 1, p.base + slavePort, "SLAVE"}} {
		at, err := p.newPlace(side.name)
		if err != nil {
			return err
		}
		n := p.broker(side.name, side.maker, "broker-a", side.id, side.port, at)
		n.set("brokerRole", side.role)
		n.set("flushDiskType", "SYNC_FLUSH")
		n.set("inSyncReplicas", "2")
		*side.to = n
	}
	return nil
}

// names starts the name server.
func (p *pair) names() (err error) {
	conf := filepath.Join(p.work, "namesrv.conf")
	text := fmt.Sprintf("listenPort=%d\nkvConfigPath=%s\n", p.base, filepath.Join(p.work, "kv.json"))
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return err
	}
	if p.ns, err = p.serve("namesrv", p.nsMaker, "namesrv", conf); err != nil {
		return err
	}
	return p.waitFor(p.ns, 60*time.Second, func(ctx context.Context) bool {
		c, err := rig.Dial(ctx, p.nsAddr())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// between puts a link between slave and master. The slave is told of it by the name server, every other one of ours by its file.
func (p *pair) between() (err error) {
	linkAddr := loopback(p.base + linkPort)
	if p.link, err = newLink(linkAddr, p.master.haAddr()); err != nil {
		return err
	}
	if p.desk, err = newDesk(loopback(p.base+deskPort), p.nsAddr(), linkAddr); err != nil {
		return err
	}
	if p.slave.maker == ours && p.scenes%2 == 0 {
		p.slave.set("haMasterAddress", linkAddr)
		return nil
	}
	p.slave.set("namesrvAddr", loopback(p.base+deskPort))
	return nil
}

// start runs both brokers, makes the topic, and waits until the slave follows: an empty stock slave gets the master's last segment only, so
// nothing much may be written before.
func (p *pair) start() error {
	if err := p.master.start(); err != nil {
		return err
	}
	if err := p.slave.start(); err != nil {
		return err
	}
	if err := p.prime(); err != nil {
		return err
	}
	s := &sender{history: p.history, lane: p.history.lanes[0], addr: p.master.addr()}
	for end := time.Now().Add(p.patience()); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err := s.one(context.Background()); err != nil {
			continue
		}
		s.conn.Close()
		return p.settle()
	}
	return fmt.Errorf("no send is acknowledged after the start (%s)", p.history)
}

// prime makes the topic on both: a slave would copy it too, but stock's only after a minute.
func (p *pair) prime() error { return p.makeTopic(p.master, p.slave) }

func (p *pair) primeMaster() error { return p.makeTopic(p.master) }

func (p *pair) makeTopic(on ...*node) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, n := range on {
		c, err := rig.Dial(ctx, n.addr())
		if err != nil {
			return err
		}
		err = rig.CreateTopic(ctx, c, topic, len(p.history.lanes))
		c.Close()
		if _, answered := rig.Refused(err); err != nil && (n == p.master || !answered) {
			return fmt.Errorf("topic on the %s: %w", n.name, err)
		}
	}
	return nil
}

// run begins to send and to read.
func (p *pair) run() {
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	p.load.Go(func() { p.history.produce(ctx, p.master.addr(), p.rate) })
	p.load.Go(func() { p.reader.run(ctx) })
}

// underLoad starts the pair, and sending and reading, and waits for the first acknowledgement. rest ends the load, whatever is returned.
func (p *pair) underLoad() error {
	if err := p.start(); err != nil {
		return err
	}
	p.run()
	_, err := p.recovered()
	return err
}

// rest ends sending and reading.
func (p *pair) rest() {
	if p.stop != nil {
		p.stop()
		p.load.Wait()
		p.stop = nil
	}
}

// end lets go of everything.
func (p *pair) end() error {
	p.rest()
	if p.link != nil {
		p.link.close()
	}
	for _, n := range []*node{p.master, p.slave} {
		if n != nil && n.proc != nil && !n.proc.ended() {
			n.proc.kill()
		}
	}
	if p.desk != nil {
		p.desk.close()
	}
	if p.ns != nil {
		p.ns.kill()
	}
	var errs []error
	for _, n := range []*node{p.master, p.slave} {
		if n != nil && n.at != nil {
			errs = append(errs, n.at.discard())
		}
		if n != nil && n.memory != nil {
			errs = append(errs, n.memory.Remove())
		}
	}
	return errors.Join(errs...)
}

// oursOnly says whether both brokers are ours: then more is asked of them.
func (p *pair) oursOnly() bool { return p.master.maker == ours && p.slave.maker == ours }

// patience is how long a pair may take for what it does by itself. A stock slave waits 5 s before it tries its master again.
func (p *pair) patience() time.Duration {
	if p.oursOnly() {
		return 30 * time.Second
	}
	return 60 * time.Second
}

// settle waits until both logs end at the same place and stay so. Producers must be at rest.
func (p *pair) settle() error {
	end := time.Now().Add(p.patience())
	quiet, before := 0, int64(-1)
	for {
		for _, n := range []*node{p.master, p.slave} {
			if err := n.at.view.walk(p.history); err != nil {
				return fmt.Errorf("the %s's log: %w", n.name, err)
			}
		}
		m, s := p.master.at.view, p.slave.at.view
		if m.pos == s.pos && m.pos == before && m.start >= 0 {
			if quiet++; quiet == 2 {
				return nil
			}
		} else {
			quiet = 0
		}
		before = m.pos
		if time.Now().After(end) {
			return fmt.Errorf("after %s the master's log ends at %d (%s), the slave's at %d (%s)", p.patience(), m.pos, m.end, s.pos, s.end)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// check has producers pause, waits until the slave has everything, and holds both logs against the history.
func (p *pair) check() error {
	p.history.gate.Lock()
	defer p.history.gate.Unlock()
	if err := p.settle(); err != nil {
		return err
	}
	m, s := p.master.at.view, p.slave.at.view
	if p.oursOnly() && m.start != s.start {
		return fmt.Errorf("the master's log begins at %d, the slave's at %d", m.start, s.start)
	}
	if err := sameBytes(m, s, p.compared); err != nil {
		return err
	}
	p.compared = max(0, m.pos-p.segment)
	for _, n := range []*node{p.master, p.slave} {
		if err := n.at.view.promises(p.history); err != nil {
			return fmt.Errorf("the %s's log: %w", n.name, err)
		}
	}
	if err := p.history.order(); err != nil {
		return err
	}
	if err := p.drained(); err != nil {
		return err
	}
	return p.reader.consumed(m, false)
}

// drained waits until the reader has read everything; without a load there is no reader at work.
func (p *pair) drained() error {
	if p.stop == nil {
		return nil
	}
	ends := p.master.at.view.ends()
	for end := time.Now().Add(p.patience()); ; time.Sleep(20 * time.Millisecond) {
		behind := p.reader.behind(ends)
		if behind == "" {
			return nil
		}
		if time.Now().After(end) {
			return errors.New("consumers stand still: " + behind)
		}
	}
}

// recovered waits until a send is acknowledged that was not before, and returns how long that took.
func (p *pair) recovered() (time.Duration, error) {
	since, before := time.Now(), p.history.promised.Load()
	for p.history.promised.Load() == before {
		if time.Since(since) > p.patience() {
			return 0, fmt.Errorf("no send is acknowledged %s after the last fault was healed (%s)", p.patience(), p.history)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(since), nil
}

// keep copies the logs of a failed scene out of file systems that are about to go.
func (p *pair) keep() error {
	var errs []error
	for _, n := range []*node{p.master, p.slave} {
		if n.at.disk != nil {
			errs = append(errs, os.CopyFS(filepath.Join(p.work, "kept-"+n.name), os.DirFS(n.at.dir)))
		}
	}
	return errors.Join(errs...)
}
