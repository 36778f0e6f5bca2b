package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const mainTopic = "CrashTopic"

// errNothing says that a kill came before the first acknowledgement: the round shows nothing and is tried again, maxTries times in all.
var errNothing = errors.New("nothing was acknowledged before the kill")

const maxTries = 5

// lane is one queue and the one producer that fills it. Its producer alone advances next and acked while it runs.
type lane struct {
	topic    string
	queue    int
	next     int64 // number of the next message
	acked    []ack // acknowledged and not yet verified
	verified int64 // queue offset up to which the queue was checked
	last     int64 // highest number seen in the queue so far

	first chan struct{} // closed with the first acknowledgement; nil where nobody waits for it
}

// ack is what a producer was told about one message.
type ack struct {
	seq    int64
	offset int64
}

// trial runs many rounds over one store directory.
type trial struct {
	mode       mode
	bin        string
	dir        string
	queues     int
	rng        *rand.Rand
	readyLimit time.Duration

	dark  atomic.Bool // the power is being cut
	power *disk       // nil: a kill, otherwise a power cut of that disk

	port  int
	lanes []*lane   // the main topic's queues, and one of a topic that the last round created by sending to it
	lives int       // starts so far that got a load
	ready []float64 // seconds from start to ready, per start
	total int64
}

func (t *trial) run(rounds int) (passed, failed int) {
	if err := os.MkdirAll(t.dir, 0o755); err != nil {
		fatal(err)
	}
	for q := range t.queues {
		t.lanes = append(t.lanes, &lane{topic: mainTopic, queue: q, last: -1})
	}
	for r := 0; r < rounds; r++ {
		err := t.round(r)
		for try := 1; errors.Is(err, errNothing) && try < maxTries; try++ {
			err = t.round(r)
		}
		if err != nil {
			failed++
			fmt.Printf("FAIL crash/%s/%s round %d: %v\n", t.mode.flush, t.mode.engine, r, err)
			break
		}
		passed++
	}
	if failed == 0 && rounds > 0 {
		if err := t.last(); err != nil {
			passed, failed = passed-1, 1
			fmt.Printf("FAIL crash/%s/%s after the last round: %v\n", t.mode.flush, t.mode.engine, err)
		}
	}
	sort.Float64s(t.ready)
	if n := len(t.ready); n > 0 {
		fmt.Printf("crash/%s/%s: %d kills, %d messages acknowledged, ready after median %.3f s, longest %.3f s\n",
			t.mode.flush, t.mode.engine, passed, t.total, t.ready[n/2], t.ready[n-1])
	}
	return passed, failed
}

// round starts the broker, verifies what earlier rounds left, loads it and kills it.
func (t *trial) round(r int) error {
	p, err := t.start()
	if err != nil {
		return err
	}
	defer p.kill()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	c, err := dial(ctx, t.addr())
	if err != nil {
		return err
	}
	defer c.Close()
	if r == 0 {
		if err := createTopic(ctx, c, mainTopic, t.queues); err != nil {
			return err
		}
	}
	if err := t.verifyAll(ctx, c, p); err != nil {
		return err
	}
	fresh := &lane{topic: "CrashFresh" + strconv.Itoa(t.lives), last: -1, first: make(chan struct{})}
	t.lives++
	t.lanes = append(t.lanes[:t.queues], fresh)
	moment := time.After(time.Duration(20+t.rng.Intn(700)) * time.Millisecond)
	// The names of new files are at risk only until something else makes the file system write its journal: every other power cut
	// comes as soon as a topic that did not exist has acknowledged its first message.
	early := fresh.first
	if t.power == nil || r%2 == 0 {
		early = nil
	}
	if err := t.load(p, moment, early); err != nil {
		return err
	}
	for _, l := range t.lanes {
		if len(l.acked) > 0 {
			return nil
		}
	}
	return errNothing
}

// last starts the broker once more and verifies what the last round was told.
func (t *trial) last() error {
	p, err := t.start()
	if err != nil {
		return err
	}
	defer p.kill()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	c, err := dial(ctx, t.addr())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := t.verifyAll(ctx, c, p); err != nil {
		return err
	}
	if t.total == 0 {
		return errNothing
	}
	return nil
}

func (t *trial) verifyAll(ctx context.Context, c caller, p *process) error {
	for _, l := range t.lanes {
		if err := t.verify(ctx, c, l); err != nil {
			return fmt.Errorf("queue %d of %s: %w (log %s)", l.queue, l.topic, err, p.log)
		}
	}
	return nil
}

// load sends from every queue's producer until the kill, which comes with the first of the two.
func (t *trial) load(p *process, moment <-chan time.Time, early <-chan struct{}) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var all sync.WaitGroup
	for _, l := range t.lanes {
		all.Add(1)
		go func() {
			defer all.Done()
			t.produce(ctx, l)
		}()
	}
	select {
	case <-moment:
	case <-early:
	}
	if t.power != nil {
		// What is acknowledged from here on was promised by a machine that had no power any more.
		t.dark.Store(true)
		defer t.dark.Store(false)
		if err := t.power.cut(); err != nil {
			return err
		}
	}
	p.kill()
	cancel()
	all.Wait()
	if t.power != nil {
		return t.power.replug()
	}
	return nil
}

func (t *trial) produce(ctx context.Context, l *lane) {
	c, err := dial(ctx, t.addr())
	if err != nil {
		return
	}
	defer c.Close()
	for {
		seq := l.next
		l.next++
		offset, err := send(ctx, c, l.topic, l.queue, body(l.queue, seq))
		if err != nil {
			return
		}
		if t.dark.Load() {
			return
		}
		l.acked = append(l.acked, ack{seq, offset})
		if l.first != nil && len(l.acked) == 1 {
			close(l.first)
		}
	}
}

// verify reads the queue from where the last check ended and holds every acknowledgement against it.
func (t *trial) verify(ctx context.Context, c caller, l *lane) error {
	if len(l.acked) == 0 && l.topic != mainTopic {
		return nil // the topic may never have come to be
	}
	last, err := maxOffset(ctx, c, l.topic, l.queue)
	if err != nil {
		return err
	}
	found := map[int64]int64{}
	for next := l.verified; next < last; {
		got, after, err := pull(ctx, c, l.topic, l.queue, next)
		if err != nil {
			return err
		}
		for _, m := range got {
			if m.offset != next {
				return fmt.Errorf("queue offset %d follows %d: a gap", m.offset, next-1)
			}
			seq, err := parseBody(m.body, l.queue)
			if err != nil {
				return fmt.Errorf("queue offset %d: %w", m.offset, err)
			}
			if seq < l.last {
				return fmt.Errorf("queue offset %d holds message %d behind %d", m.offset, seq, l.last)
			}
			l.last = seq
			found[m.offset] = seq
			next++
		}
		if len(got) == 0 {
			return fmt.Errorf("nothing at queue offset %d of %d (next %d)", next, last, after)
		}
	}
	for _, a := range l.acked {
		if seq, ok := found[a.offset]; !ok || seq != a.seq {
			return fmt.Errorf("message %d was acknowledged at queue offset %d: found %v, message %d (maximum %d)", a.seq, a.offset, ok, seq, last)
		}
	}
	t.total += int64(len(l.acked))
	l.acked, l.verified = l.acked[:0], last
	return nil
}

// body is the numbered text, padded to a length that varies so that records end anywhere in a block.
func body(q int, seq int64) []byte {
	b := []byte("q" + strconv.Itoa(q) + " n" + strconv.FormatInt(seq, 10) + " ")
	for n := int(seq*2654435761%1500) + 20; len(b) < n; {
		b = append(b, byte('a'+len(b)%26))
	}
	return b
}

func parseBody(b []byte, q int) (int64, error) {
	words := strings.SplitN(string(b), " ", 3)
	if len(words) < 2 || words[0] != "q"+strconv.Itoa(q) || len(words[1]) < 2 {
		return 0, fmt.Errorf("a body that nobody sent: %.40q", b)
	}
	seq, err := strconv.ParseInt(words[1][1:], 10, 64)
	if err != nil {
		return 0, err
	}
	if string(body(q, seq)) != string(b) {
		return 0, fmt.Errorf("message %d has a changed body", seq)
	}
	return seq, nil
}

// root is where the store lies: on the disk whose power is cut, or beside the log.
func (t *trial) root() string {
	if t.power != nil {
		return t.power.mount
	}
	return t.dir
}

func (t *trial) addr() string { return "127.0.0.1:" + strconv.Itoa(t.port) }

// process is one life of the broker.
type process struct {
	cmd  *exec.Cmd
	log  string
	done bool
}

func (p *process) kill() {
	if p.done {
		return
	}
	p.done = true
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
}

// start runs the binary and waits until it answers; the time it took counts against the limit.
func (t *trial) start() (*process, error) {
	ports, err := freePorts()
	if err != nil {
		return nil, err
	}
	t.port = ports[0]
	logName := filepath.Join(t.dir, "broker.log")
	log, err := os.OpenFile(logName, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{"standalone"}
	for _, s := range []string{
		"listenPort=" + strconv.Itoa(ports[0]), "namesrvListenPort=" + strconv.Itoa(ports[1]),
		"storePathRootDir=" + filepath.Join(t.root(), "store"), "storePathCommitLog=" + filepath.Join(t.root(), "store", "commitlog"),
		"mappedFileSizeCommitLog=8388608", "mappedFileSizeConsumeQueue=20000", "maxHashSlotNum=5000", "maxIndexNum=20000",
		"flushDiskType=" + t.mode.flush, "diskEngine=" + t.mode.engine,
	} {
		args = append(args, "--set", s)
	}
	cmd := exec.Command(t.bin, args...)
	cmd.Stdout, cmd.Stderr = log, log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: logName}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if answered(ctx, t.addr()) {
			break
		}
		if ctx.Err() != nil {
			p.kill()
			return nil, fmt.Errorf("no answer 30 s after the start (log %s)", logName)
		}
		time.Sleep(5 * time.Millisecond)
	}
	took := time.Since(began)
	t.ready = append(t.ready, took.Seconds())
	if took > t.readyLimit {
		p.kill()
		return nil, fmt.Errorf("ready only after %s (log %s)", took, logName)
	}
	return p, nil
}

// freePorts finds a broker port whose neighbours (the second port two below, one above) are free too, and one for the name server.
func freePorts() ([2]int, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return [2]int{}, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		free := port > 1100 && port < 65000
		for _, p := range []int{port - 2, port + 1, port + 2} {
			n, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(p))
			if err != nil {
				free = false
				break
			}
			_ = n.Close()
		}
		if free {
			return [2]int{port, port + 2}, nil
		}
	}
	return [2]int{}, fmt.Errorf("no run of free ports found")
}
