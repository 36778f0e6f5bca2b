package broker

import (
	"log/slog"
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
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
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
