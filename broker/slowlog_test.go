package broker

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/disk"
)

// TestSlowSendIsTold, with where the time went; while the disk stands still there are no more lines than a few.
func TestSlowSendIsTold(t *testing.T) {
	log := &logged{}
	f := disk.NewFaulty()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	var later atomic.Int64 // a clock that stands still: nothing is slow but what is meant to be, and all of it in one second
	r.startWith(Options{Loops: 1, Logger: slog.New(slog.NewTextHandler(log, nil)), alterStore: func(o *store.Options) { o.FS = f }}, func(b *Broker) {
		b.uptime = func() time.Duration { return time.Duration(later.Load()) }
	}, "flushDiskType=SYNC_FLUSH", "syncFlushTimeout=3600000", "slowLogThresholdMs=500", "adminHttpAddress=127.0.0.1:0")
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "before")), 0, "")
	reached, release := stall(f)
	t.Cleanup(release)
	const sends = 3 * slowLinesPerSecond
	waits := []<-chan *remoting.Command{c.start(sendTo("T", 0, "", "0"))}
	<-reached
	for i := 1; i < sends; i++ {
		waits = append(waits, c.start(sendTo("T", 0, "", strconv.Itoa(i))))
	}
	r.parkedNow(sends)
	later.Store(int64(time.Minute))
	release()
	for _, w := range waits {
		want(t, await(t, w), 0, "")
	}
	if n := scrapes(t, r.broker.web.admin)[`ringmq_slow_requests_total{request="send"}`]; n != sends {
		t.Error(n, "slow sends are counted")
	}
	want(t, c.call(sendTo("T", 0, "", "fast")), 0, "")
	r.stopBroker()
	lines := log.lines("slow send")
	if len(lines) == 0 || len(lines) > slowLinesPerSecond {
		t.Error(len(lines), "lines")
	}
	for _, text := range []string{"request=SEND_MESSAGE_V2 response=SUCCESS topic=T queueId=0 queueOffset=1 client=127.0.0.1:", " totalMs=60", " topicMs=0 ", " queueMs=", " diskMs=", " replicaMs=", " committed=true "} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, text) }) {
			t.Errorf("%q is in none of %q", text, lines)
		}
	}
}

// startStepping starts a broker of one loop whose clock moves on by step with every look at it.
func startStepping(t *testing.T, log slog.Handler, keys ...string) (r *rig, step *atomic.Int64) {
	r, step = &rig{t: t, root: t.TempDir()}, new(atomic.Int64)
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{Loops: 1, Logger: slog.New(log)}, func(b *Broker) {
		var looks atomic.Int64
		b.uptime = func() time.Duration { return time.Since(b.began) + time.Duration(looks.Add(step.Load())) }
	}, keys...)
	return r, step
}

// TestSlowPullIsTold: what a worker had to read, and for whom.
func TestSlowPullIsTold(t *testing.T) {
	log := &logged{}
	r, step := startStepping(t, slog.NewTextHandler(log, nil), "slowLogThresholdMs=30000")
	c := r.dial()
	// What is in queues of batches only workers read.
	want(t, c.call(request(remoting.CodeUpdateAndCreateTopic, "topic", "Kept", "readQueueNums", 1, "writeQueueNums", 1, "perm", 6, "attributes", "+queue.type=BatchCQ")), 0, made.Remark)
	want(t, c.call(sendTo("Kept", 0, "", "x")), 0, "")
	r.visibleMax("Kept", 0, 1)
	want(t, c.call(pullOf("G", "Kept", 0, 0, "*", 0)), 0, "FOUND")
	if lines := log.lines("slow pull"); len(lines) != 0 {
		t.Error("not slow:", lines)
	}
	step.Store(int64(time.Minute))
	want(t, c.call(pullOf("G", "Kept", 0, 0, "*", 0)), 0, "FOUND")
	step.Store(0)
	r.stopBroker()
	lines := log.lines("slow pull")
	if len(lines) != 1 || !strings.Contains(lines[0], `status=FOUND topic=Kept queueId=0 queueOffset=0 group=G client=127.0.0.1:`) || r.broker.slow.pulls.Load() != 1 {
		t.Fatal(lines)
	}
}

// TestSendParts: they add up, whatever is known and in whatever order the clocks were read.
func TestSendParts(t *testing.T) {
	for _, c := range []struct {
		handed, began, ended time.Duration
		committed            bool
		want                 sendParts
	}{
		{22, 30, 60, true, sendParts{10, 2, 8, 30, 40}}, {22, 0, 0, false, sendParts{10, 2, 0, 78, 0}}, {22, 15, 60, true, sendParts{10, 0, 0, 40, 40}},
		{22, 30, 200, true, sendParts{10, 2, 8, 70, 0}}, {22, 150, 200, true, sendParts{10, 2, 78, 0, 0}}, {22, 5, 15, true, sendParts{10, 0, 0, 0, 80}},
		{25, 23, 60, true, sendParts{10, 3, 0, 37, 40}}, {120, 130, 140, true, sendParts{10, 80, 0, 0, 0}}, {0, 0, 0, false, sendParts{10, 0, 0, 80, 0}},
	} {
		s := slowSend{came: 10, appended: 20, handed: c.handed, answered: 100, began: c.began, ended: c.ended, committed: c.committed}
		got := s.parts()
		if got != c.want || got.topic+got.decode+got.queue+got.disk+got.replica != 90 {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestPullParts: they add up, however far a pull came.
func TestPullParts(t *testing.T) {
	for _, c := range []struct {
		held                     bool
		ran, handed, began, read time.Duration
		want                     pullParts
	}{
		{false, 0, 0, 0, 0, pullParts{wait: 90}}, {false, 30, 0, 0, 0, pullParts{wait: 20, loop: 70}}, {false, 30, 31, 0, 0, pullParts{wait: 20, decode: 1, loop: 69}},
		{false, 30, 31, 40, 80, pullParts{20, 1, 9, 40, 20}}, {true, 30, 31, 40, 80, pullParts{0, 1, 9, 40, 20}}, {true, 100, 0, 0, 0, pullParts{}},
	} {
		p := slowPull{pullAnswer: pullAnswer{came: 10, held: c.held, ran: c.ran, handed: c.handed, began: c.began, read: c.read}, answered: 100}
		got := p.parts()
		if got != c.want || got.wait+got.decode+got.queue+got.disk+got.loop != 100-p.since() {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestSlowLogIsBounded: a line for so many a second, and the next one says how many had none.
func TestSlowLogIsBounded(t *testing.T) {
	s := &slowLog{}
	told := 0
	for range 100 {
		if _, ok := s.mayTell(time.Minute); ok {
			told++
		}
	}
	untold, ok := s.mayTell(time.Minute + time.Second)
	if told != slowLinesPerSecond || !ok || untold != 100-slowLinesPerSecond {
		t.Fatal(told, untold, ok)
	}
}

// slowLine is a line of the slow log as JSON.
type slowLine struct {
	Response, Status, Topic, Error                                                           string
	QueueOffset                                                                              int64
	TotalMs, TopicMs, WaitMs, DecodeMs, QueueMs, DiskMs, ReplicaMs, LoopMs, NetworkMs, RttMs float64
	Taken, Committed                                                                         bool
}

// slowLines waits for so many lines and reads them.
func slowLines(t *testing.T, log *logged, text string, n int) (all []slowLine) {
	t.Helper()
	var lines []string
	until(t, fmt.Sprint(n, " lines"), func() bool { lines = log.lines(text); return len(lines) >= n })
	for _, line := range lines {
		var s slowLine
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err, line)
		}
		all = append(all, s)
	}
	return all
}

// grew checks that one part of a line is at least so long and the longest, and that all parts add up.
func (s slowLine) grew(t *testing.T, name string, least time.Duration) {
	t.Helper()
	parts := map[string]float64{"topic": s.TopicMs, "wait": s.WaitMs, "decode": s.DecodeMs, "queue": s.QueueMs, "disk": s.DiskMs, "replica": s.ReplicaMs, "loop": s.LoopMs, "network": s.NetworkMs}
	sum := 0.0
	for other, v := range parts {
		if sum += v; other != name && v >= parts[name] {
			t.Errorf("%s is %v, %s %v: %+v", other, v, name, parts[name], s)
		}
	}
	if parts[name] < ms(least) {
		t.Errorf("%s is %v of at least %v: %+v", name, parts[name], ms(least), s)
	}
	if sum < s.TotalMs-0.01 || sum > s.TotalMs+0.01 {
		t.Errorf("the parts are %v of %v: %+v", sum, s.TotalMs, s)
	}
}

// hangs is for how long something is held up by tests that look where the time went: much longer than all else takes, also where tests wait for a
// processor. What takes longer than slowHere is slow in them: that, and nothing else.
const (
	hangs    = 2 * time.Second
	slowHere = "slowLogThresholdMs=1000"
)

// hang returns when hangs has passed, with how long it was.
func hang(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	until(t, "some time", func() bool { return time.Since(began) > hangs })
	return time.Since(began)
}

// TestSlowDiskIsNamed: while the disk stands still, in the part of the send whose batch it has, and in the part of the one behind that waits
// for it.
func TestSlowDiskIsNamed(t *testing.T) {
	t.Parallel()
	log, f := &logged{}, disk.NewFaulty()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{Loops: 1, Logger: slog.New(slog.NewJSONHandler(log, nil)), alterStore: func(o *store.Options) { o.FS = f }}, func(*Broker) {},
		"flushDiskType=SYNC_FLUSH", "syncFlushTimeout=3600000", slowHere)
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "before")), 0, "")
	reached, release := stallOf(f, func(kind, name string) bool { return kind == "write" && strings.Contains(name, "/commitlog/") })
	t.Cleanup(release)
	first := c.start(sendTo("T", 0, "", "with the disk"))
	<-reached
	r.parkedNow(1)
	second := c.start(sendTo("T", 0, "", "behind it"))
	r.parkedNow(2)
	took := hang(t)
	release()
	want(t, await(t, first), 0, "")
	want(t, await(t, second), 0, "")
	lines := slowLines(t, log, "slow send", 2)
	slices.SortFunc(lines, func(a, b slowLine) int { return int(a.QueueOffset - b.QueueOffset) })
	lines[0].grew(t, "disk", took)
	lines[1].grew(t, "queue", took)
	for i, line := range lines {
		if line.Topic != "T" || line.QueueOffset != int64(1+i) || line.Response != "SUCCESS" || !line.Committed || !line.Taken || line.RttMs <= 0 {
			t.Errorf("%+v", line)
		}
	}
}

// TestSlowReplicaIsNamed: the disk has the message at once, and a slave says late that it has it.
func TestSlowReplicaIsNamed(t *testing.T) {
	t.Parallel()
	log := &logged{}
	r, p := newLatePair(t, func(m *rig) {
		m.startWith(Options{Logger: slog.New(slog.NewJSONHandler(log, nil))}, func(*Broker) {}, "brokerRole=SYNC_MASTER", "flushDiskType=SYNC_FLUSH", "slaveTimeout=600000", slowHere)
	})
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "in time")), 0, "")
	p.keep(true)
	waits := c.start(sendTo("T", 0, "", "late"))
	r.parkedNow(1)
	end := r.broker.store.LogMax()
	until(t, "the disk has it", func() bool { return r.broker.store.Durable().Load() >= end })
	took := hang(t)
	p.keep(false)
	want(t, await(t, waits), 0, "")
	line := slowLines(t, log, "slow send", 1)[0]
	line.grew(t, "replica", took)
	if line.QueueOffset != 1 || !line.Committed {
		t.Errorf("%+v", line)
	}
}

// TestSlowTopicIsNamed: a name server keeps the first send to a topic waiting, and those behind it, of which one is refused then and one asks
// for neither disk nor copies. Nobody is left out.
func TestSlowTopicIsNamed(t *testing.T) {
	t.Parallel()
	s, routes := serveSlowRoutes(t)
	log := &logged{}
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{Loops: 1, Logger: slog.New(slog.NewJSONHandler(log, nil))}, func(b *Broker) { b.registrar.timeout = time.Hour }, slowHere, "namesrvAddr="+r.routes.Addr().String()+";"+routes)
	asked := s.hush()
	var frames []byte
	for i, cmd := range []*remoting.Command{sendTo("Late", 0, "", "stored"), sendTo("Late", 99, "", "refused"), sendTo("Late", 0, "WAIT\x01false\x02", "asks for nothing")} {
		frames = append(frames, encodedAs(int32(i), cmd)...)
	}
	reader := r.slowReader()
	if _, err := reader.conn.Write(frames); err != nil {
		t.Fatal(err)
	}
	<-asked
	took := hang(t)
	s.speak()
	for range 3 {
		if reader.read(t) == nil {
			t.FailNow()
		}
	}
	var responses []string
	for _, line := range slowLines(t, log, "slow send", 3) {
		line.grew(t, "topic", took)
		responses = append(responses, line.Response)
		if refused := line.Response == "INVALID_PARAMETER"; line.Topic != "Late" || !line.Taken || refused != strings.Contains(line.Error, "queueId[99] is illegal") || line.Committed != (line.QueueOffset >= 0) {
			t.Errorf("%+v", line)
		}
	}
	slices.Sort(responses)
	if !slices.Equal(responses, []string{"INVALID_PARAMETER", "SUCCESS", "SUCCESS"}) {
		t.Error(responses)
	}
}

// slowReads makes a broker with cold messages, whose disk keeps reads of them waiting until release.
func slowReads(t *testing.T, log *logged, more ...string) (r *rig, f *disk.Faulty, reached <-chan struct{}, release func()) {
	t.Helper()
	r, f = coldStoreWith(t, 100, Options{Logger: slog.New(slog.NewJSONHandler(log, nil))}, append([]string{slowHere}, more...)...)
	f.SetCold(inLog(1 << 30))
	gate, first := make(chan struct{}), make(chan struct{})
	tell := sync.OnceFunc(func() { close(first) })
	f.OnRead(func(name string, off int64, _ int) {
		if inLog(1<<30)(name, off, 0) {
			tell()
			<-gate
		}
	})
	release = sync.OnceFunc(func() { f.OnRead(nil); close(gate) })
	t.Cleanup(release)
	return r, f, first, release
}

// TestSlowReadIsNamed, and one that fails in the end as well.
func TestSlowReadIsNamed(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{"read": nil, "failed": syscall.EIO} {
		t.Run(name, func(t *testing.T) {
			log := &logged{}
			r, f, reached, release := slowReads(t, log)
			waits := r.dial().start(pullOf("G", "Cold", 0, 3, "*", 0))
			<-reached
			took := hang(t)
			f.FailReads(fault)
			release()
			a := await(t, waits)
			line := slowLines(t, log, "slow pull", 1)[0]
			line.grew(t, "disk", took)
			if line.Topic != "Cold" || line.QueueOffset != 3 || line.Response != remoting.RespName(a.Code) || line.Status != string(a.Remark) || (fault == nil) != (a.Code == remoting.RespSuccess) ||
				fault != nil && !strings.Contains(line.Status, fault.Error()) {
				t.Errorf("%+v, answered %d %s", line, a.Code, a.Remark)
			}
			if n := r.broker.slow.pulls.Load(); n != 1 {
				t.Error(n, "slow pulls are counted")
			}
		})
	}
}

// TestHeldPullIsNotSlow: what it waits for is a message.
func TestHeldPullIsNotSlow(t *testing.T) {
	t.Parallel()
	log := &logged{}
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{Loops: 1, Logger: slog.New(slog.NewJSONHandler(log, nil))}, func(*Broker) {}, slowHere)
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	r.visibleMax("T", 0, 1)
	waits := r.dial().start(pullOf("G", "T", 0, 1, "*", time.Minute))
	until(t, "it is held", func() bool { return r.broker.holds.count.Load() == 1 })
	hang(t)
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	want(t, await(t, waits), 0, "FOUND")
	r.stopBroker()
	if lines := log.lines("slow pull"); len(lines) > 0 || r.broker.slow.pulls.Load() != 0 {
		t.Error(lines)
	}
}

// TestSlowClientIsNamed: an answer stays in the connection's buffer because its client does not read.
func TestSlowClientIsNamed(t *testing.T) {
	t.Parallel()
	log := &logged{}
	r, step := startStepping(t, slog.NewJSONHandler(log, nil), slowHere, "maxTransferBytesOnMessageInMemory=16000000", "maxTransferBytesOnMessageInDisk=16000000", "maxTransferCountOnMessageInDisk=32")
	c := r.dial()
	want(t, c.call(request(remoting.CodeUpdateAndCreateTopic, "topic", "Kept", "readQueueNums", 1, "writeQueueNums", 1, "perm", 6, "attributes", "+queue.type=BatchCQ")), 0, made.Remark)
	const messages = 14 // more bytes than the kernel keeps for a socket
	for range messages {
		want(t, c.call(sendTo("Kept", 0, "", strings.Repeat("x", 1_000_000))), 0, "")
	}
	r.visibleMax("Kept", 0, messages)
	step.Store(int64(time.Second))
	reader := r.slowReader(pullOf("G", "Kept", 0, 0, "*", 0))
	until(t, "an answer that is not taken", func() bool { return r.broker.net.Stats().OutboundBytes > 0 })
	took := hang(t)
	step.Store(0)
	if len(log.lines("slow pull")) > 0 {
		t.Fatal("told before the answer has left")
	}
	if a := reader.read(t); a == nil || a.Code != 0 || len(a.Body) < messages*1_000_000 {
		t.Fatal(a)
	}
	line := slowLines(t, log, "slow pull", 1)[0]
	if line.NetworkMs < ms(took) || line.TotalMs < line.NetworkMs || !line.Taken || line.RttMs <= 0 || line.Status != "FOUND" {
		t.Errorf("%+v after %s", line, took)
	}
}
