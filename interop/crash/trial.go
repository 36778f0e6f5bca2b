package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/interop/rig"
)

const mainTopic = "CrashTopic"

// errNothing says that a kill came before the first acknowledgement: the round shows nothing and is tried again, maxTries times in all.
var errNothing = errors.New("nothing was acknowledged before the kill")

const maxTries = 5

// trial runs many rounds over one store directory.
type trial struct {
	mode       mode
	bin        string
	dir        string
	queues     int
	rng        *rand.Rand
	readyLimit time.Duration

	dark  atomic.Bool // the power is being cut
	power *rig.Disk   // nil: a kill, otherwise a power cut of that disk

	port  int
	lanes []*lane   // the main topic's queues, and one of a topic that the last round created by sending to it
	lives int       // starts so far that got a load
	ready []float64 // seconds from start to ready, per start
	total int64

	highest int64 // log offset of the last acknowledged message
	low     int64 // where the log begins
	reused  int   // segments that are old ones under a new name
	expired int64 // acknowledged messages that went with their segment before they were looked at
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
			fmt.Printf("FAIL crash/%s round %d: %v\n", t.mode, r, err)
			break
		}
		passed++
	}
	if failed == 0 && rounds > 0 {
		if err := t.last(); err != nil {
			passed, failed = passed-1, 1
			fmt.Printf("FAIL crash/%s after the last round: %v\n", t.mode, err)
		}
	}
	recycled := ""
	if t.mode.recycled {
		recycled = fmt.Sprintf(", %d segments given up and %d used again, %d messages gone with them unseen", t.low/t.mode.segmentBytes(), t.reused, t.expired)
		if failed == 0 && rounds > 0 && (t.low == 0 || t.reused == 0) {
			passed, failed = passed-1, 1
			fmt.Printf("FAIL crash/%s shows nothing%s\n", t.mode, recycled)
		}
	}
	sort.Float64s(t.ready)
	if n := len(t.ready); n > 0 {
		fmt.Printf("crash/%s: %d kills, %d messages acknowledged%s, ready after median %.3f s, longest %.3f s\n",
			t.mode, passed, t.total, recycled, t.ready[n/2], t.ready[n-1])
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
	c, err := rig.Dial(ctx, t.addr())
	if err != nil {
		return err
	}
	defer c.Close()
	if r == 0 {
		if err := rig.CreateTopic(ctx, c, mainTopic, t.queues); err != nil {
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
	c, err := rig.Dial(ctx, t.addr())
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
	var w *watcher
	if t.mode.recycled {
		w = watch(t.logDir())
	}
	select {
	case <-moment:
	case <-early:
	}
	if w != nil {
		// A kill before any segment was used again would show no more than without recycling.
		select {
		case <-w.again:
		case <-time.After(reuseLimit):
		}
		t.reused += w.end()
	}
	if t.power != nil {
		// What is acknowledged from here on was promised by a machine that had no power any more.
		t.dark.Store(true)
		defer t.dark.Store(false)
		if err := t.power.Cut(); err != nil {
			return err
		}
	}
	p.kill()
	cancel()
	all.Wait()
	if t.power != nil {
		return t.power.Replug()
	}
	return nil
}

// properties of a lane's messages: every other lane's ask for no more than that they are taken, which a kill must not take back. The cut of the
// power may: there all wait.
func (t *trial) properties(l *lane) string {
	if l.queue%2 == 1 && t.power == nil {
		return "WAIT\x01false\x02"
	}
	return ""
}

func (t *trial) produce(ctx context.Context, l *lane) {
	c, err := rig.Dial(ctx, t.addr())
	if err != nil {
		return
	}
	defer c.Close()
	for {
		seq := l.next
		l.next++
		offset, log, err := rig.SendWith(ctx, c, "CrashProducer", l.topic, l.queue, t.properties(l), body(l.queue, seq))
		if err != nil {
			return
		}
		if t.dark.Load() {
			return
		}
		l.acked = append(l.acked, ack{seq, offset, log})
		if l.first != nil && len(l.acked) == 1 {
			close(l.first)
		}
	}
}

// root is where the store lies: on the disk whose power is cut, or beside the log.
func (t *trial) root() string {
	if t.power != nil {
		return t.power.Mount
	}
	return t.dir
}

func (t *trial) logDir() string { return filepath.Join(t.root(), "store", "commitlog") }

func (t *trial) addr() string { return "127.0.0.1:" + strconv.Itoa(t.port) }
