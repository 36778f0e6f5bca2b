package broker

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/replica"
	"ringmq/store"
	"ringmq/store/disk"
)

const adminHTTP = "adminHttpAddress=127.0.0.1:0"

// probed asks a probe.
func (r *rig) probed(path string) (code int, text string) {
	r.t.Helper()
	resp, err := http.Get("http://" + r.broker.web.admin.Addr().String() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// turns waits until a probe answers with a code, and a line.
func (r *rig) turns(path string, code int, line string) {
	r.t.Helper()
	last := ""
	defer func() {
		if r.t.Failed() {
			r.t.Log(last)
		}
	}()
	until(r.t, path+": "+line, func() bool {
		got, text := r.probed(path)
		last = text
		return got == code && strings.Contains(text, line)
	})
}

// TestHealth: a broker that serves is alive and ready, and says of what it looked at.
func TestHealth(t *testing.T) {
	r := newRig(t, adminHTTP)
	r.dial()
	r.turns("/readyz", http.StatusOK, "readyz ok")
	for path, want := range map[string][]string{
		"/livez":  {"[+]event-loops: ", "[+]log-writer: the disk has all of the log\n", "livez ok\n"},
		"/readyz": {"[+]store: takes messages\n", "[+]disk: ", "[+]name-servers: registered at " + r.routes.Addr().String(), "[+]serving: ", "readyz ok\n"},
	} {
		code, text := r.probed(path)
		for _, w := range want {
			if code != http.StatusOK || !strings.Contains(text, w) {
				t.Errorf("%s: %d, no %q in\n%s", path, code, w, text)
			}
		}
	}
}

// TestNotReadyWithoutNameServers, but alive: another start would not help.
func TestNotReadyWithoutNameServers(t *testing.T) {
	t.Parallel()
	r := newRig(t, adminHTTP)
	if err := r.routes.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.dial().call(sendTo("New", 0, "", "a topic that it would register")) // a name server that ends in this process may not be missed before
	r.turns("/readyz", http.StatusServiceUnavailable, "[-]name-servers: registered at none: "+r.routes.Addr().String())
	r.turns("/livez", http.StatusOK, "livez ok")
}

// TestNotAliveOnAStalledDisk: first it is not ready, then it is not alive, and both again when the disk goes on.
func TestNotAliveOnAStalledDisk(t *testing.T) {
	for _, flush := range []string{"SYNC_FLUSH", "ASYNC_FLUSH"} {
		t.Run(flush, func(t *testing.T) {
			t.Parallel()
			f, shift := disk.NewFaulty(), atomic.Int64{}
			r := &rig{t: t, root: t.TempDir()}
			r.startRoutes("127.0.0.1", 0)
			r.startWith(Options{alterStore: func(o *store.Options) { o.FS = f }}, func(b *Broker) {
				b.uptime = func() time.Duration { return time.Hour + time.Duration(shift.Load()) } // it stands still: what is late is so because of shift
			}, adminHTTP, "flushDiskType="+flush, "syncFlushTimeout=3600000")
			want(t, r.dial().call(sendTo("T", 0, "", "before")), 0, "")
			reached, release := stall(f)
			t.Cleanup(release) // before the broker's end, which waits for the disk
			waits := r.dial().start(sendTo("T", 0, "", "waits"))
			<-reached
			until(t, "somebody notices", func() bool { return r.broker.pulse.stuck.Load() != 0 })
			r.turns("/readyz", http.StatusOK, "[+]log-writer: the disk is at work\n")
			shift.Add(int64(2 * lateWriter))
			r.turns("/readyz", http.StatusServiceUnavailable, "[-]log-writer: the disk has taken nothing of the log for 2")
			r.turns("/livez", http.StatusOK, "[+]log-writer: the disk is at work\n")
			shift.Add(int64(deadWriter))
			r.turns("/livez", http.StatusServiceUnavailable, "[-]log-writer: the disk has taken nothing of the log for ")
			release()
			want(t, await(t, waits), 0, "")
			r.turns("/livez", http.StatusOK, "livez ok")
			r.turns("/readyz", http.StatusOK, "readyz ok")
		})
	}
}

// TestNotAliveWithAFailedLog: only another start lets it take writes again.
func TestNotAliveWithAFailedLog(t *testing.T) {
	f := disk.NewFaulty()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{alterStore: func(o *store.Options) { o.FS = f }}, func(*Broker) {}, adminHTTP, "flushDiskType=SYNC_FLUSH")
	want(t, r.dial().call(sendTo("T", 0, "", "before")), 0, "")
	f.OnOp(func(op int, kind, name string) {
		if kind == "datasync" && strings.Contains(name, "commitlog") {
			f.FailAt(op, syscall.EIO)
		}
	})
	if resp := r.dial().call(sendTo("T", 0, "", "lost")); resp.Code == remoting.RespSuccess {
		t.Fatal("acknowledged by a disk that fails")
	}
	t.Cleanup(func() {
		r.down = true
		if r.broker.Shutdown(context.Background()) == nil {
			t.Error("a failed log was closed as if it were whole")
		}
	})
	r.turns("/livez", http.StatusServiceUnavailable, "[-]log-writer: the log takes no writes until another start: ")
	r.turns("/readyz", http.StatusServiceUnavailable, "[-]store: store is not writable: ")
}

// TestNotReadyOnAFullDisk, and again when there is room.
func TestNotReadyOnAFullDisk(t *testing.T) {
	t.Parallel()
	f := disk.NewFaulty()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{alterStore: func(o *store.Options) { o.FS = f }}, func(*Broker) {}, adminHTTP, "cleanResourceInterval=10",
		"diskMaxUsedSpaceRatio=75", "diskSpaceCleanForciblyRatio=85", "diskSpaceWarningLevelRatio=90", "cleanFileForciblyEnable=false")
	r.turns("/readyz", http.StatusOK, "[+]disk: 50.0 % used, sends are refused beyond 90 %\n")
	f.SetFree(0)
	r.turns("/readyz", http.StatusServiceUnavailable, "[-]disk: 100.0 % used, sends are refused beyond 90 %\n")
	r.turns("/readyz", http.StatusServiceUnavailable, "[-]store: store is not writable: the disk is full beyond its warning ratio\n")
	r.turns("/livez", http.StatusOK, "livez ok")
	f.SetFree(-1)
	r.turns("/readyz", http.StatusOK, "readyz ok")
}

// TestNotReadyWhileItIsWantedSo: by its permission, and while it stops.
func TestNotReadyWhileItIsWantedSo(t *testing.T) {
	t.Parallel()
	r := newRig(t, adminHTTP)
	set := func(permission string) {
		t.Helper()
		req := request(remoting.CodeUpdateBrokerConfig)
		req.Body = []byte("brokerPermission=" + permission)
		want(t, r.dial().call(req), remoting.RespSuccess, "")
	}
	for permission, line := range map[string]string{"4": "[-]serving: brokerPermission=4: sends are refused\n", "2": "[-]serving: brokerPermission=2: pulls are refused\n"} {
		set(permission)
		r.turns("/readyz", http.StatusServiceUnavailable, line)
	}
	set("6")
	r.turns("/readyz", http.StatusOK, "readyz ok")
	r.broker.pulse.stopping.Store(true)
	r.turns("/readyz", http.StatusServiceUnavailable, "[-]serving: the broker is stopping\n")
	r.turns("/livez", http.StatusOK, "livez ok")
}

// farFollower is a slave's side of replication in whatever state a test gives it.
type farFollower struct {
	state atomic.Pointer[replica.FollowerState]
}

func (*farFollower) Close()                         {}
func (f *farFollower) State() replica.FollowerState { return *f.state.Load() }
func (*farFollower) FollowsOurs() bool              { return false }

// TestReadinessOfASlave: it has to have its master, and nearly all of its log.
func TestReadinessOfASlave(t *testing.T) {
	f := &farFollower{}
	f.state.Store(&replica.FollowerState{})
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{follow: func(replica.FollowerOptions) follower { return f }}, func(*Broker) {}, adminHTTP, "brokerRole=SLAVE", "brokerId=1", "haMaxGapNotInSync=1000")
	for _, c := range []struct {
		state replica.FollowerState
		code  int
		line  string
	}{
		{replica.FollowerState{}, 503, "[-]replication: no master is known\n"},
		{replica.FollowerState{Master: "m:1"}, 503, "[-]replication: not connected to the master m:1\n"},
		{replica.FollowerState{Master: "m:1", Connected: true, Offset: 10, MasterOffset: 1011}, 503, "[-]replication: 1001 bytes behind the master m:1; haMaxGapNotInSync is 1000\n"},
		{replica.FollowerState{Master: "m:1", Connected: true, Offset: 11, MasterOffset: 1011}, 200, "[+]replication: 1000 bytes behind the master m:1\n"},
		{replica.FollowerState{Master: "m:1", Refused: "the logs have parted"}, 503, "[-]replication: nothing is copied until somebody decides: the logs have parted\n"},
	} {
		f.state.Store(&c.state)
		if code, text := r.probed("/readyz"); code != c.code || !strings.Contains(text, c.line) {
			t.Errorf("%+v: %d\n%s", c.state, code, text)
		}
	}
}

// TestASlaveWithoutItsMaster is the same with a master that goes.
func TestASlaveWithoutItsMaster(t *testing.T) {
	t.Parallel()
	m := &rig{t: t, root: t.TempDir()}
	m.startRoutes("127.0.0.1", 0)
	m.startBroker()
	s := &rig{t: t, root: t.TempDir(), routes: m.routes}
	s.startBroker("brokerRole=SLAVE", "brokerId=1", adminHTTP)
	s.turns("/readyz", http.StatusOK, "[+]replication: ")
	m.stopBroker()
	s.turns("/readyz", http.StatusServiceUnavailable, "[-]replication: no") // not connected, or none is known
	s.turns("/livez", http.StatusOK, "livez ok")
}
