package broker

import (
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestStartOnATakenPort: a broker that cannot listen says on which port, and leaves its directory to the next one.
func TestStartOnATakenPort(t *testing.T) {
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	port := takenPort(t)
	b, err := New(Options{Config: r.config("listenPort=" + port), Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() { failed <- b.Start() }()
	select {
	case err := <-failed:
		if err == nil || !strings.Contains(err.Error(), ":"+port) || !strings.Contains(err.Error(), "address already in use") {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("Start did not return")
	}
	r.startBroker() // the lock of the directory was given back
	want(t, r.dial().call(sendTo("T", 0, "", "x")), 0, "")
}

// takenPort is a port that somebody listens on until the test ends.
func takenPort(t *testing.T) string {
	t.Helper()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	return strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
}

// freeAddr is an address that nobody listens on at the moment, nor at the one two ports below. It is none that an outgoing connection may be given
// meanwhile.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(6_000)*2
		at := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
		free := true
		for _, p := range []int{port - 2, port} {
			l, err := net.Listen("tcp", at(p))
			if free = free && err == nil; err == nil {
				_ = l.Close()
			}
		}
		if free {
			return at(port)
		}
	}
	t.Fatal("no free port")
	return ""
}

// TestServedFromTheFirstMoment: a client that is there before the broker finds it whole. The race detector sees what was not set yet.
func TestServedFromTheFirstMoment(t *testing.T) {
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	addr, forSlaves := freeAddr(t), freeAddr(t)
	answered := make(chan error, 1)
	go func() {
		for deadline := time.Now().Add(patience); ; {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				if time.Now().After(deadline) {
					answered <- err
					return
				}
				continue
			}
			defer func() { _ = c.Close() }()
			w := &wire{t: t, conn: c, in: make([]byte, 1<<20)}
			w.exchange(encoded(8, sendTo("BenchmarkTest", 0, "", "x")), 8)
			answered <- nil
			return
		}
	}()
	_, port, _ := net.SplitHostPort(addr)
	_, haPort, _ := net.SplitHostPort(forSlaves)
	r.startBroker("listenPort="+port, "haListenPort="+haPort)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
}

// TestStartWithoutThePortForSlaves: a master that cannot be copied does not run, and leaves its directory to the next one.
func TestStartWithoutThePortForSlaves(t *testing.T) {
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	port := takenPort(t)
	b, err := New(Options{Config: r.config("haListenPort=" + port), Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err == nil || !strings.Contains(err.Error(), "haListenPort="+port) || !strings.Contains(err.Error(), "address already in use") {
		t.Fatal(err)
	}
	r.startBroker()
	want(t, r.dial().call(sendTo("T", 0, "", "x")), 0, "")
}
