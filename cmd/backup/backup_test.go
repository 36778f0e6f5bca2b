package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/disk"
)

// load sends to a broker, makes topics and deletes them, and lets a group follow, until it is stopped.
type load struct {
	r    *rig
	done sync.WaitGroup
	stop chan struct{}
	mu   sync.Mutex
	acks []sent
	made int // topics, deleted or not
}

const loadSenders = 3

func newLoad(r *rig) *load {
	l := &load{r: r, stop: make(chan struct{})}
	for i := range loadSenders {
		m := r.dial()
		l.run(func(n int) { l.send(m, i, n) })
	}
	m, follower := r.dial(), r.dial()
	l.run(func(n int) { l.topics(m, n) })
	l.run(func(int) { l.follow(follower) })
	return l
}

// run calls fn again and again, with a number that grows.
func (l *load) run(fn func(n int)) {
	l.done.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-l.stop:
				return
			default:
				fn(n)
			}
		}
	})
}

func (l *load) end() {
	close(l.stop)
	l.done.Wait()
}

// send is one sender's next: to a queue of its own, one that all share, a topic that keeps batches, and now and then with a delay.
func (l *load) send(m *member, sender, n int) {
	topic, queue, body := "Load", sender, fmt.Sprintf("%d %d %s", sender, n, strings.Repeat("x", 500))
	switch n % 8 {
	case 3:
		queue = loadSenders
	case 5:
		topic, queue = "Batches", 0
	case 7:
		m.send("Delayed", 0, body, "DELAY", "3", "TAGS", "late")
		return
	}
	if s, ok := m.send(topic, queue, body, "TAGS", "tag"+strconv.Itoa(n%3), "KEYS", strconv.Itoa(n)); ok {
		l.mu.Lock()
		l.acks = append(l.acks, s)
		l.mu.Unlock()
	}
}

// topics makes a topic, sends to it and has a group follow; most are deleted again, and some names come again and again.
func (l *load) topics(m *member, n int) {
	name := "Kept" + strconv.Itoa(n)
	if n%3 != 0 {
		name = "Again" + strconv.Itoa(n%5)
	}
	m.makeTopic(name, "")
	for i := range 3 {
		s, ok := m.send(name, 0, fmt.Sprint(name, " ", n, " ", i))
		if !ok {
			return
		}
		m.commit("G", name, 0, s.offset+1)
		if n%3 == 0 {
			l.mu.Lock()
			l.acks = append(l.acks, s)
			l.mu.Unlock()
		}
	}
	l.mu.Lock()
	l.made++
	l.mu.Unlock()
	if n%3 != 0 {
		m.deleteTopic(name)
	}
}

// follow has a group commit what was acknowledged: the end of the queue at that moment.
func (l *load) follow(m *member) {
	if s, ok := m.send("Load", 0, "progress"); ok {
		l.mu.Lock()
		l.acks = append(l.acks, s)
		l.mu.Unlock()
		m.commit("G", "Load", 0, s.offset+1)
	}
}

// acknowledged are all so far, once there are more than some and so many topics were made.
func (l *load) acknowledged(more, topics int) []sent {
	l.r.t.Helper()
	var all []sent
	eventually(l.r.t, fmt.Sprint(more, " messages are acknowledged"), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		all = append(all[:0], l.acks...)
		return len(all) >= more && l.made >= topics
	})
	return all
}

// has sees to it that a broker has what was acknowledged, each once, at its place, and in the order of every sender.
func has(t *testing.T, m *member, acks []sent) {
	t.Helper()
	type queueOf struct {
		topic string
		queue int
	}
	read := map[queueOf][]string{}
	for _, s := range acks {
		k := queueOf{s.topic, s.queue}
		if _, ok := read[k]; !ok {
			read[k] = m.read(s.topic, s.queue)
		}
		if s.offset >= int64(len(read[k])) || read[k][s.offset] != s.body {
			t.Fatalf("%s/%d: message %d is not there, of %d", s.topic, s.queue, s.offset, len(read[k]))
		}
	}
	for k, bodies := range read {
		last := map[string]int{}
		for i, body := range bodies {
			words := strings.Fields(body)
			if len(words) != 3 || k.topic != "Load" && k.topic != "Batches" {
				continue
			}
			n, _ := strconv.Atoi(words[1])
			if was, ok := last[words[0]]; ok && n <= was {
				t.Fatalf("%v: message %d of sender %s comes at %d behind %d", k, n, words[0], i, was)
			}
			last[words[0]] = n
		}
	}
}

// TestBackupOfALiveStore is the whole story: backups while messages are sent and topics made and deleted, the second one of what is new;
// put back, and a broker goes on with it.
func TestBackupOfALiveStore(t *testing.T) {
	t.Parallel()
	r := newRig(t, "flushDiskType=SYNC_FLUSH")
	r.dial().makeGroup("G")
	if !r.dial().makeTopic("Batches", "+queue.type=BatchCQ") {
		t.Fatal("no topic")
	}
	l := newLoad(r)
	dir := filepath.Join(t.TempDir(), "backup")
	before := l.acknowledged(1000, 10)
	first := r.take(dir)
	if !first.Complete() || first.From != 0 || first.To == 0 || first.Broker != "broker-a" || first.Cluster != "DefaultCluster" {
		t.Errorf("%+v", first)
	}
	rep := fine(t, dir)
	if int(rep.Records) < len(before) || rep.Entries == 0 || rep.LogBytes != first.To {
		t.Errorf("%+v", rep)
	}
	before = l.acknowledged(len(before)+500, 20)
	second := r.take(dir)
	l.end()
	if second.Before != first.To || second.From != 0 || second.To <= first.To {
		t.Errorf("%+v after %+v", second, first)
	}
	fine(t, dir)

	to := filepath.Join(t.TempDir(), "restored")
	if rep, err := Restore(t.Context(), RestoreOptions{From: dir, To: to}); err != nil || !rep.Fine() {
		t.Fatalf("%+v, %v", rep, err)
	}
	fine(t, dir)
	back := startRig(t, to)
	m := back.dial()
	has(t, m, before)
	if at, end := m.progress("G", "Load", 0), m.end("Load", 0); at == 0 || at > end {
		t.Errorf("the group is at %d in a queue that ends at %d", at, end)
	}
	s, ok := m.send("Load", 0, "after")
	if !ok || s.offset+1 != eventuallyEnd(t, m, s) {
		t.Errorf("%+v", s)
	}
	// The backup goes on with whoever has its history: the one that was put back now, and no more the other one.
	r.take(filepath.Join(t.TempDir(), "other"))
	back.take(dir)
	fine(t, dir)
	if _, err := Take(t.Context(), Options{Dir: dir, Broker: r.addr()}); err == nil {
		t.Error("two histories in one backup")
	}
}

// eventuallyEnd is the end of a queue once a message can be seen.
func eventuallyEnd(t *testing.T, m *member, s sent) (end int64) {
	t.Helper()
	eventually(t, "it can be seen", func() bool { end = m.end(s.topic, s.queue); return end > s.offset })
	return end
}

// TestKilledInTheMiddle: the directory says that it is under way, nothing is made of it, and the next run goes on with it. What was complete
// before can be had as far as it came.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	r := newRig(t, "haFlowControlEnable=true", "maxHaTransferByteInSecond=3000000", "haTransferBatchSize=65536")
	m := r.dial()
	var acks []sent
	fill := func(n int) {
		for range n {
			s, ok := m.send("T", 0, strings.Repeat("y", 4000))
			if !ok {
				t.Fatal("not sent")
			}
			acks = append(acks, s)
		}
		eventuallyEnd(t, m, acks[len(acks)-1])
	}
	fill(700)
	dir := filepath.Join(t.TempDir(), "backup")
	kill := func(least int64) {
		t.Helper()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childBroker+"="+r.addr(), childDir+"="+dir, childLeast+"="+strconv.FormatInt(least, 10))
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if at, err := strconv.ParseInt(lines.Text(), 10, 64); err != nil {
				t.Error("it came to its end:", lines.Text())
			} else if at < least {
				continue
			}
			break
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		got, err := ReadManifest(dir)
		if err != nil || got.Complete() {
			t.Fatalf("%+v, %v", got, err)
		}
		if _, err := Verify(t.Context(), VerifyOptions{Dir: dir}); err == nil {
			t.Error("it is taken for complete")
		}
		if _, err := Restore(t.Context(), RestoreOptions{From: dir, To: filepath.Join(t.TempDir(), "to")}); err == nil {
			t.Error("it is taken for complete")
		}
	}
	kill(500_000)
	if _, err := Restore(t.Context(), RestoreOptions{From: dir, To: filepath.Join(t.TempDir(), "to"), Interrupted: true}); err == nil {
		t.Error("it never had tables")
	}
	r.take(dir)
	fine(t, dir)
	first := len(acks)
	fill(600)
	kill(4_000_000)
	to := filepath.Join(t.TempDir(), "restored")
	rep, err := Restore(t.Context(), RestoreOptions{From: dir, To: to, Interrupted: true})
	if err != nil || !rep.Fine() || rep.Unchecked == "" || int(rep.Records) < first {
		t.Fatalf("%+v, %v", rep, err)
	}
	has(t, startRig(t, to).dial(), acks[:first])
	r.take(dir)
	if rep := fine(t, dir); int(rep.Records) != len(acks) {
		t.Errorf("%+v, %d were sent", rep, len(acks))
	}
}

// TestWhatIsWrongIsFound: one bit anywhere in log, queues, tables or manifest.
func TestWhatIsWrongIsFound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.dial()
	m.makeGroup("G")
	for i := range 600 {
		s, ok := m.send("T", i%2, strings.Repeat("z", 2000), "TAGS", "a")
		if !ok || i%2 == 0 && !m.commit("G", "T", 0, s.offset) {
			t.Fatal("not sent")
		}
	}
	dir := filepath.Join(t.TempDir(), "backup")
	r.take(dir)
	fine(t, dir)
	for _, c := range []struct {
		name string
		at   int64
	}{
		{"commitlog/00000000000000000000", 100_123}, {"commitlog/00000000000000000000", 0},
		{"commitlog/00000000000001048576", 1_003}, {"consumequeue/T/0/00000000000000000000", 20*7 + 5}, {"consumequeue/T/1/00000000000000000000", 20*9 + 11},
		{"consumequeue/T/1/00000000000000004000", 20*3 + 19}, {"consumequeue/T/0/00000000000000000000", 0}, {"config/topics.json", 40}, {"config/consumerOffset.json", 60}, {ManifestName, 120},
	} {
		name := filepath.Join(dir, c.name)
		was, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		bad := append([]byte(nil), was...)
		bad[c.at] ^= 1
		if err := os.WriteFile(name, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		rep, err := Verify(t.Context(), VerifyOptions{Dir: dir})
		if err == nil && rep.Fine() {
			t.Errorf("%s at %d: not found", c.name, c.at)
		}
		if _, err := Restore(t.Context(), RestoreOptions{From: dir, To: filepath.Join(t.TempDir(), "to")}); err == nil {
			t.Errorf("%s at %d: restored", c.name, c.at)
		}
		if err := os.WriteFile(name, was, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	fine(t, dir)
	if err := os.Remove(filepath.Join(dir, "commitlog/00000000000001048576")); err != nil {
		t.Fatal(err)
	}
	if rep, err := Verify(t.Context(), VerifyOptions{Dir: dir}); err == nil && rep.Fine() {
		t.Error("a segment that is missing is not found")
	}
}

// TestUnfinishedRestore: no broker starts on what is not all there.
func TestUnfinishedRestore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, ok := r.dial().send("T", 0, "x"); !ok {
		t.Fatal("not sent")
	}
	dir, to := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "to")
	r.take(dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := Restore(ctx, RestoreOptions{From: dir, To: to, Progress: func(string, int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := tryRig(t, to); err == nil || !strings.Contains(err.Error(), unfinishedName) {
		t.Fatal("a broker starts on it:", err)
	}
	if _, err := Restore(t.Context(), RestoreOptions{From: dir, To: to}); err == nil {
		t.Error("it is not empty")
	}
	if _, err := Restore(t.Context(), RestoreOptions{From: dir, To: filepath.Join(dir, "to")}); err == nil {
		t.Error("it lies in the backup")
	}
}

// TestWhatIsRefused: directories that are something else, brokers that are, and disks that are full.
func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, ok := r.dial().send("T", 0, "x"); !ok {
		t.Fatal("not sent")
	}
	refused := func(what string, o Options, part string) {
		t.Helper()
		o.Broker = r.addr()
		if _, err := Take(t.Context(), o); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("its own store", Options{Dir: r.root}, "no backup and not empty")
	dir := filepath.Join(t.TempDir(), "backup")
	r.take(dir)
	l, err := disk.OS().Lock(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	refused("one in use", Options{Dir: dir}, "in use")
	if _, err := Verify(t.Context(), VerifyOptions{Dir: dir}); !errors.Is(err, disk.ErrLocked) {
		t.Error(err)
	}
	_ = l.Close()
	fine(t, dir)

	other := newRig(t, "brokerName=broker-b")
	if _, err := Take(t.Context(), Options{Dir: dir, Broker: other.addr()}); err == nil || !strings.Contains(err.Error(), "is a backup of broker-a") {
		t.Error(err)
	}
	// A broker of the name with a log of its own: nothing of the backup is touched.
	twin := newRig(t)
	if _, ok := twin.dial().send("T", 0, "another"); !ok {
		t.Fatal("not sent")
	}
	if _, err := Take(t.Context(), Options{Dir: dir, Broker: twin.addr()}); err == nil {
		t.Error("two histories in one backup")
	}
	fine(t, dir)
	small := newRig(t, "mappedFileSizeCommitLog=2097152")
	if _, err := Take(t.Context(), Options{Dir: dir, Broker: small.addr()}); err == nil || !strings.Contains(err.Error(), "mappedFileSizeCommitLog") {
		t.Error(err)
	}
	slave, err := tryRig(t, filepath.Join(t.TempDir(), "slave"), "brokerRole=SLAVE", "brokerId=1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(t.Context(), Options{Dir: filepath.Join(t.TempDir(), "b"), Broker: slave.addr()}); err == nil || !strings.Contains(err.Error(), "is a slave") {
		t.Error(err)
	}
	r.take(dir)
	fine(t, dir)

	f := disk.NewFaulty()
	full := filepath.Join(t.TempDir(), "full")
	m := r.dial()
	for i := range 600 {
		if _, ok := m.send("T", i%2, strings.Repeat("z", 8000)); !ok {
			t.Fatal("not sent")
		}
	}
	f.SetFree(testSegment)
	refused("a full disk", Options{Dir: full, alter: func(o *store.Options) { o.FS = f }}, "")
	if m, err := ReadManifest(full); err != nil || m.Complete() {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestSynchronousMaster: a backup is no copy, so a master that wants two answers as without it.
func TestSynchronousMaster(t *testing.T) {
	t.Parallel()
	r := newRig(t, "brokerRole=SYNC_MASTER", "inSyncReplicas=2", "minInSyncReplicas=1")
	m := r.dial()
	answers := func() {
		t.Helper()
		resp, err := m.call(remoting.CodeSendMessageV2, "x", "a", "P", "b", "T", "c", "TBW102", "d", "4", "e", "0", "f", "0", "g", "1", "h", "0", "i", "", "j", "0", "k", "false", "l", "0", "m", "false")
		if err != nil || resp.Code != remoting.RespSlaveNotAvailable {
			t.Errorf("%+v, %v", resp, err)
		}
	}
	answers()
	dir := filepath.Join(t.TempDir(), "backup")
	looked := false
	if _, err := Take(t.Context(), Options{Dir: dir, Broker: r.addr(), reached: func(context.Context, int64) error {
		looked = true
		answers()
		return nil
	}}); err != nil || !looked {
		t.Fatal(err, looked)
	}
	answers()
	if rep := fine(t, dir); rep.Records != 1 {
		t.Errorf("%+v", rep)
	}
}

// TestFind: the master that is meant, by the name servers.
func TestFind(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, want := range map[string]bool{"": true, "broker-a": true, "broker-z": false} {
		addr, err := Find(t.Context(), []string{"127.0.0.1:1", r.ns.Addr().String()}, name, 10*time.Second)
		if (err == nil && addr == r.addr()) != want {
			t.Errorf("%q: %s, %v", name, addr, err)
		}
	}
}
