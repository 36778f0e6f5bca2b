package broker

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/disk"
)

// TestGroupsShareTheWorkers: a group whose reads all hang has few workers, another one's are done; when the disk is back, so are the first
// one's.
func TestGroupsShareTheWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newPullReaders()
		gate := make(chan struct{})
		var running, most atomic.Int32
		const reads = 40
		var done [reads]atomic.Int32
		for i := range reads {
			if !r.try("A", 100, func() {
				most.Store(max(most.Load(), running.Add(1)))
				<-gate
				done[i].Add(1)
				running.Add(-1)
			}) {
				t.Fatal("no room")
			}
		}
		synctest.Wait()
		if n := running.Load(); n != groupReads {
			t.Errorf("%d reads of one group at a time", n)
		}
		others := make(chan struct{})
		for range 3 {
			r.try("B", 100, func() { others <- struct{}{} })
		}
		for range 3 {
			<-others
		}
		if r.try("A", maxReadingBytes, func() {}) {
			t.Error("more waits than there is room for")
		}
		close(gate)
		synctest.Wait()
		for i := range done {
			if n := done[i].Load(); n != 1 {
				t.Errorf("read %d was done %d times", i, n)
			}
		}
		if len(r.groups) > 0 || most.Load() > groupReads || r.bytes.Held() != 0 {
			t.Error(len(r.groups), "groups left,", most.Load(), "reads at a time,", r.bytes.Held(), "bytes held")
		}
		r.close()
	})
}

// coldStore is a broker on a disk of which the commit log can be cold, with one loop. Before it a first broker has stored messages of a
// kilobyte in Cold-0, so that none of them is in memory.
func coldStore(t *testing.T, messages int, more ...string) (*rig, *disk.Faulty) {
	return coldStoreWith(t, messages, Options{}, more...)
}

// coldStoreWith is coldStore with more options.
func coldStoreWith(t *testing.T, messages int, o Options, more ...string) (*rig, *disk.Faulty) {
	return coldStoreAltered(t, messages, o, func(*Broker) {}, more...)
}

// coldStoreAltered is coldStoreWith with a broker that was changed after it was made.
func coldStoreAltered(t *testing.T, messages int, o Options, change func(*Broker), more ...string) (*rig, *disk.Faulty) {
	f := disk.NewFaulty()
	o.Loops, o.alterStore = 1, func(o *store.Options) {
		o.FS = f
		o.MemoryBytes = 100 << 20 // the log is within 40 % of it
	}
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	start := func() {
		r.startWith(o, change, more...)
	}
	start()
	c := r.dial()
	for i := range messages {
		want(t, c.call(sendTo("Cold", 0, "", fmt.Sprint(i, " ", strings.Repeat("c", 1000)))), remoting.RespSuccess, "")
	}
	r.visibleMax("Cold", 0, int64(messages))
	c.Close()
	r.stopBroker()
	start()
	return r, f
}

// inLog makes the commit log cold, as far as the first messages reach.
func inLog(bytes int64) func(name string, off, n int64) bool {
	return func(name string, off, _ int64) bool { return strings.Contains(name, "/commitlog/") && off < bytes }
}

// TestColdReadersHoldNobodyUp: while a slow disk has pulls of cold messages wait, more of them than there are workers, sends on the same
// loop are answered, and so are pulls of what is in memory and of what is in the page cache.
func TestColdReadersHoldNobodyUp(t *testing.T) {
	const messages, cold = 600, 256 << 10
	r, f := coldStore(t, messages, "maxTransferBytesOnMessageInMemory=1048576")
	c, reader := r.dial(), r.dial()
	want(t, c.call(sendTo("Hot", 0, "", "hot")), remoting.RespSuccess, "")
	r.visibleMax("Hot", 0, 1)
	f.SetCold(inLog(cold))
	gate, reached := make(chan struct{}), make(chan struct{})
	tell := sync.OnceFunc(func() { close(reached) })
	f.OnRead(func(name string, off int64, _ int) {
		if inLog(cold)(name, off, 0) {
			tell()
			<-gate
		}
	})
	release := sync.OnceFunc(func() { f.OnRead(nil); f.SetCold(nil); close(gate) })
	t.Cleanup(release)
	const readers = 30
	var waits []<-chan *remoting.Command
	for i := range readers {
		waits = append(waits, reader.start(pullOf("Slow", "Cold", 0, int64(i), "*", 0)))
	}
	<-reached
	var took []time.Duration
	for range 200 {
		began := time.Now()
		want(t, c.call(sendTo("Hot", 0, "", "more")), remoting.RespSuccess, "")
		if a := c.call(pullOf("G", "Hot", 0, 0, "*", 0)); a.Code != remoting.RespSuccess || len(bodies(t, a)) == 0 {
			t.Fatal("of what is in memory", a.Code)
		}
		if a := c.call(pullOf("G", "Cold", 0, 500, "*", 0)); a.Code != remoting.RespSuccess || !strings.HasPrefix(bodies(t, a)[0], "500 ") {
			t.Fatal("of what is in the page cache", a.Code)
		}
		took = append(took, time.Since(began))
	}
	soon(t, took)
	if a := r.dial().call(pullOf("Other", "Cold", 0, 520, "*", 0)); a.Code != remoting.RespSuccess {
		t.Error("another group", a.Code)
	}
	for _, w := range waits {
		select {
		case a := <-w:
			t.Fatal("the disk is not back, and a pull is answered:", a.Code)
		default:
		}
	}
	release()
	for i, w := range waits {
		if a := await(t, w); a.Code != remoting.RespSuccess || !strings.HasPrefix(bodies(t, a)[0], fmt.Sprint(i, " ")) {
			t.Error("pull", i, a.Code)
		}
	}
	st := r.broker.store.Stats()
	// Once, and not for each reader. What the kernel had let go of, of what was in the page cache, is on top.
	if st.ColdReadBytes < cold || st.ColdReadBytes >= 2*cold || st.WarmReadBytes == 0 {
		t.Errorf("%d bytes came from the disk, %d from the page cache", st.ColdReadBytes, st.WarmReadBytes)
	}
}

// TestColdPullsAreKeptBack: with stock's control a push consumer that has read its share is refused, a pull consumer waits and gets one
// message, others go on; and 2003 tells what was read.
func TestColdPullsAreKeptBack(t *testing.T) {
	r, f := coldStore(t, 600, "coldDataFlowControlEnable=true", "cgColdReadThreshold=1000", "maxTransferBytesOnMessageInMemory=1048576")
	f.SetCold(inLog(1 << 30))
	c := r.dial()
	for _, consumer := range []struct{ group, kind string }{{"Push", "CONSUME_PASSIVELY"}, {"Pull", "CONSUME_ACTIVELY"}} {
		b := beat("c", consumer.group, "Cold", "*", 1)
		b.Body = []byte(strings.ReplaceAll(string(b.Body), "CONSUME_PASSIVELY", consumer.kind))
		want(t, c.call(b), remoting.RespSuccess, "")
	}
	full := func(group string, offset int64) {
		t.Helper()
		if a := c.call(pullOf(group, "Cold", 0, offset, "*", 0)); a.Code != remoting.RespSuccess || len(bodies(t, a)) < 8 {
			t.Fatal(group, a.Code, string(a.Remark))
		}
	}
	full("Push", 0)
	full("Pull", 300)
	full("TOOLS_CONSUMER", 500)
	r.broker.coldControl.mu.Lock()
	push, pull, exempt := r.broker.coldControl.groups["Push"], r.broker.coldControl.groups["Pull"], r.broker.coldControl.groups["TOOLS_CONSUMER"]
	if push == nil || pull == nil || exempt != nil {
		t.Error("counted", push, pull, exempt)
	}
	r.broker.coldControl.mu.Unlock()
	if n := r.broker.store.Stats().ColdReadBytes; n < 512<<10 || n > 768<<10 {
		t.Error("read from the disk", n)
	}
	full("Push", 10) // not cold: the window is kept
	// From here on they have read enough, whatever the clock says.
	r.broker.coldControl.setLimit("Push", 0)
	r.broker.coldControl.setLimit("Pull", 0)
	want(t, c.call(pullOf("Push", "Cold", 0, 560, "*", 0)), remoting.RespSuccess, "FOUND")
	f.SetCold(func(name string, _, _ int64) bool { return strings.Contains(name, "/consumequeue/") })
	want(t, c.call(pullOf("Push", "Cold", 0, 0, "*", 0)), remoting.RespSystemBusy, coldRefusal)
	full("TOOLS_CONSUMER", 0)
	full("Nobody", 0)
	waits := r.dial().start(pullOf("Pull", "Cold", 0, 0, "*", 0))
	until(t, "a pull that is kept back", func() bool {
		r.broker.coldHeld.mu.Lock()
		defer r.broker.coldHeld.mu.Unlock()
		return len(r.broker.coldHeld.list) == 1
	})
	r.broker.coldHeld.release(r.broker, r.broker.uptime()+coldHoldTime)
	if a := await(t, waits); a.Code != remoting.RespSuccess || len(bodies(t, a)) != 1 {
		t.Error("a pull that was kept back", a.Code, len(bodies(t, a)))
	}
	gone := r.dial()
	gone.start(pullOf("Pull", "Cold", 0, 0, "*", 0))
	until(t, "another one", func() bool {
		r.broker.coldHeld.mu.Lock()
		defer r.broker.coldHeld.mu.Unlock()
		return len(r.broker.coldHeld.list) == 1
	})
	gone.Close()
	r.broker.coldHeld.release(r.broker, r.broker.uptime()+coldHoldTime)
	until(t, "its memory back", func() bool { return r.broker.holds.bytes.Held() == 0 })
}

// TestColdRequests: 2001 to 2004 as stock answers them.
func TestColdRequests(t *testing.T) {
	r := newRig(t, "cgColdReadThreshold=7", "globalColdReadThreshold=9")
	c := r.dial()
	ask := func(code int32, body string, fields ...any) *remoting.Command {
		cmd := request(code, fields...)
		cmd.Body = []byte(body)
		return c.call(cmd)
	}
	info := func(limits string) {
		t.Helper()
		const around = `{"runtimeTable":{},"configTable":%s,"cgColdReadThreshold":7,"globalColdReadThreshold":9,"globalAcc":0}`
		a := ask(remoting.CodeGetColdDataFlowCtrInfo, "")
		want(t, a, remoting.RespSuccess, "")
		if got, want := string(a.Body), fmt.Sprintf(around, limits); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	info("{}")
	want(t, ask(remoting.CodeUpdateColdDataFlowCtrConfig, ""), remoting.RespSuccess, "")
	want(t, ask(remoting.CodeUpdateColdDataFlowCtrConfig, "G1=5000\nG2=12\nG3=abc\n"), remoting.RespSuccess, "")
	info(`{"G1":5000,"G2":12}`)
	want(t, ask(remoting.CodeRemoveColdDataFlowCtrConfig, "G2"), remoting.RespSuccess, "")
	want(t, ask(remoting.CodeRemoveColdDataFlowCtrConfig, "nobody"), remoting.RespSuccess, "")
	want(t, ask(remoting.CodeRemoveColdDataFlowCtrConfig, ""), remoting.RespSuccess, "")
	info(`{"G1":5000}`)
	mode := func(v string) *remoting.Command {
		return ask(remoting.CodeSetCommitlogReadMode, "", "READ_AHEAD_MODE", v)
	}
	want(t, ask(remoting.CodeSetCommitlogReadMode, ""), remoting.RespSystemError, "set commitlog readahead mode param error")
	want(t, mode("2"), remoting.RespInvalidParameter, "set commitlog readahead mode param value error")
	want(t, mode("x"), remoting.RespSystemError, "set commitlog readahead mode failed")
	for _, m := range []string{"1", "0"} {
		want(t, mode(m), remoting.RespSuccess, "set commitlog readahead mode success, mode: "+m)
		if on := r.broker.c.Bool("dataReadAheadEnable"); on != (m == "0") {
			t.Error("mode", m, "is not in the configuration")
		}
	}
}

// TestResidencyScan: with stock's keys for it the runtime figures tell how much of the log is in the page cache, without them nothing.
func TestResidencyScan(t *testing.T) {
	const messages = 100
	r, f := coldStore(t, messages)
	c := r.dial()
	figures := func() map[string]string {
		t.Helper()
		var table remoting.KVTable
		if err := json.Unmarshal(c.call(request(remoting.CodeGetBrokerRuntimeInfo)).Body, &table); err != nil {
			t.Fatal(err)
		}
		return table.Table
	}
	r.broker.tendCold(1)
	if got, there := figures()["commitLogResidentBytes"]; there {
		t.Error("nobody asked, and it is told:", got)
	}
	set := request(remoting.CodeUpdateBrokerConfig)
	set.Body = []byte("coldDataFlowControlEnable=true\ncoldDataScanEnable=true\ntimerColdDataCheckIntervalMs=1000000\n")
	want(t, c.call(set), remoting.RespSuccess, "")
	r.broker.tendCold(1)
	all := strconv.FormatInt(r.broker.c.Int64("mappedFileSizeCommitLog"), 10)
	if got := figures(); got["commitLogResidentBytes"] != all || got["pullColdReadBytes"] != "0" {
		t.Errorf("%s of %s bytes, %s read from the disk", got["commitLogResidentBytes"], all, got["pullColdReadBytes"])
	}
	f.SetCold(inLog(1 << 30))
	r.broker.tendCold(2)
	if got := figures()["commitLogResidentBytes"]; got != all {
		t.Error("it was looked at again too early:", got)
	}
	r.broker.tendCold(1001)
	want(t, c.call(pullOf("G", "Cold", 0, 0, "*", 0)), remoting.RespSuccess, "FOUND")
	if got := figures(); got["commitLogResidentBytes"] != "0" || got["pullColdReadBytes"] == "0" {
		t.Errorf("%s bytes, %s read from the disk", got["commitLogResidentBytes"], got["pullColdReadBytes"])
	}
}
