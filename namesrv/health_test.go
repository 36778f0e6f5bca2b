package namesrv

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll/remoting/settings"
)

// TestHealth: it serves when it has waited for brokers, if it is to wait, and until it stops.
func TestHealth(t *testing.T) {
	now := atomic.Pointer[time.Time]{}
	began := time.Now()
	now.Store(&began)
	s, c := startWith(t, Options{Clock: func() time.Time { return *now.Load() }}, "needWaitForService=true", "waitSecondsForService=45")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if text, err := s.Turns(ctx); err != nil || !strings.Contains(text, "answered") {
		t.Fatal(text, err)
	}
	if _, err := s.Serves(ctx); err == nil || err.Error() != "routes are not answered for another 45s (needWaitForService)" {
		t.Fatal(err)
	}
	later := began.Add(46 * time.Second)
	now.Store(&later)
	registerTopics(t, dial(t, s), "b1", "1.1.1.1:1", "T1", "U1")
	if code := routeCode(t, c, "T1"); code != 0 {
		t.Fatal(code)
	}
	if text, err := s.Serves(ctx); err != nil || text != "1 broker names, 1 brokers, 2 topics" {
		t.Fatal(text, err)
	}
	s.stopOnce.Do(func() { close(s.stop) })
	if _, err := s.Serves(ctx); err == nil || err.Error() != "the name server is stopping" {
		t.Fatal(err)
	}
}

func TestCheckAdminAddress(t *testing.T) {
	for address, good := range map[string]bool{"": true, "127.0.0.1:0": true, ":10921": true, "10921": false, "h:http": false, "h:70000": false, "a b:1": false, "1.2.3:1": false} {
		v, err := Keys().Merge([]settings.Setting{{Key: "adminHttpAddress", Value: address, Origin: settings.Flag}})
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(v); (err == nil) != good || err != nil && !strings.Contains(err.Error(), "adminHttpAddress="+address+" is not of the form host:port") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
