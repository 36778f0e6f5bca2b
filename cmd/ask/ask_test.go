package ask

import (
	"context"
	"net"
	"testing"
	"time"
)

// TestDialsAnewWhatHasEnded: servers close connections that are idle, and the next question goes over a new one.
func TestDialsAnewWhatHasEnded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	a, addr := New(30*time.Second), l.Addr().String()
	defer a.Close()
	first, err := a.Dial(context.Background(), addr)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := a.Dial(context.Background(), addr); again != first || err != nil {
		t.Fatal("a second connection", err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = server.Close()
	<-first.Done()
	second, err := a.Dial(context.Background(), addr)
	if err != nil || second == first {
		t.Fatal("the connection that has ended", err)
	}
	if again, _ := a.Dial(context.Background(), addr); again != second {
		t.Fatal("a third connection")
	}
}
