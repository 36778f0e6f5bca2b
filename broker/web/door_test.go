package web

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

// inside is how many connections the door has let in.
func (d *door) inside() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open
}

// TestManyConnections that ask for nothing keep nobody out, and take no more than their descriptors.
func TestManyConnections(t *testing.T) {
	s := serve(t, Metrics(registry()))
	var all []net.Conn
	for range 3 * maxConns {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		all = append(all, c)
	}
	if code, _ := get(t, "http://"+s.Addr().String()+"/metrics"); code != http.StatusOK {
		t.Error(code)
	}
	if n := s.door.inside(); n > maxConns {
		t.Errorf("%d connections are open", n)
	}
	if err := all[0].SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := all[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the first is open:", err)
	}
	for _, c := range all {
		c.Close()
	}
	if code, _ := get(t, "http://"+s.Addr().String()+"/metrics"); code != http.StatusOK {
		t.Error("nobody is let in after they have gone:", code)
	}
}

// TestNobodyIsCutOffForANewcomer: where all are being answered, the one that comes is closed; one that was answered leaves its place.
func TestNobodyIsCutOffForANewcomer(t *testing.T) {
	asking, gate, ended := make(chan struct{}, maxConns+1), make(chan struct{}), make(chan error, maxConns)
	s := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asking <- struct{}{}
		<-gate
	}))
	url := "http://" + s.Addr().String() + livePath // no bound but that of connections
	ask := func() error {
		r, err := http.Get(url)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		_, err = io.Copy(io.Discard, r.Body)
		return err
	}
	for range maxConns {
		go func() { ended <- ask() }()
	}
	for range maxConns {
		<-asking
	}
	late := make(chan error, 1)
	go func() { late <- ask() }()
	select {
	case err := <-late:
		if err == nil {
			t.Error("answered, and how?")
		}
	case <-asking:
		t.Error("one more was let in")
	}
	close(gate)
	for range maxConns {
		if err := <-ended; err != nil {
			t.Error("cut off:", err)
		}
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
}
