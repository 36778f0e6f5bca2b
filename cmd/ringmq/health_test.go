package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"ringmq/namesrv"
	"ringmq/netpoll/remoting/settings"
)

// nameServer is one as the subcommand runs it, with its probes on an address.
func nameServer(t *testing.T, address string) *namesrvProcess {
	t.Helper()
	var all []settings.Setting
	for key, value := range map[string]string{"listenPort": "0", "bindAddress": "127.0.0.1", "kvConfigPath": filepath.Join(t.TempDir(), "kv.json"), adminHTTPKey: address} {
		all = append(all, settings.Setting{Key: key, Value: value, Origin: settings.Flag})
	}
	v, err := namesrv.Keys().Merge(all)
	if err != nil {
		t.Fatal(err)
	}
	return &namesrvProcess{o: namesrv.Options{Values: v, Logger: quiet()}}
}

// TestHealth asks a name server, by an argument and by the environment.
func TestHealth(t *testing.T) {
	p := nameServer(t, "127.0.0.1:0")
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.shutdown(context.Background()) })
	addr := p.probes.Addr().String()
	t.Setenv("RINGMQ_"+adminHTTPKey, "")
	if out, err := ringmq(t, "health"); err != nil || out != "adminHttpAddress is not set: nothing was asked\n" {
		t.Error(out, err)
	}
	out, err := ringmq(t, "health", addr)
	if err != nil || !strings.Contains(out, "[+]event-loops: ") || !strings.Contains(out, "[+]serving: 0 broker names, 0 brokers, 0 topics\nreadyz ok\n") {
		t.Error(out, err)
	}
	_, port, _ := net.SplitHostPort(addr)
	t.Setenv("RINGMQ_"+adminHTTPKey, "0.0.0.0:"+port)
	if out, err = ringmq(t, "health", "--live"); err != nil || !strings.HasSuffix(out, "livez ok\n") {
		t.Error(out, err)
	}
	second := nameServer(t, addr)
	if err := second.start(); err == nil || !strings.HasPrefix(err.Error(), "adminHttpAddress="+addr+": ") {
		t.Error(err)
	}
}

// TestHealthOfWhatIsNot: 503 is code 1 with nothing more to say; what is no answer of ours says so.
func TestHealthOfWhatIsNot(t *testing.T) {
	code := http.StatusServiceUnavailable
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte("[-]disk: full\nreadyz failed\n"))
	}))
	defer s.Close()
	if out, err := ringmq(t, "health", s.URL); !errors.Is(err, errSilent) || out != "[-]disk: full\nreadyz failed\n" {
		t.Error(out, err)
	}
	code = http.StatusNotFound
	if _, err := ringmq(t, "health", s.URL); err == nil || !strings.Contains(err.Error(), "answers 404 Not Found: is it adminHttpAddress of a broker or a name server") {
		t.Error(err)
	}
	for args, want := range map[string]string{"127.0.0.1:1": "connection refused", "10920": "10920 is not of the form host:port", "127.0.0.1:1 --timeout 0s": "no time to wait"} {
		if _, err := ringmq(t, append([]string{"health"}, strings.Fields(args)...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
	for addr, want := range map[string]string{":80": "127.0.0.1:80", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80", "http://h:80/": "h:80", "[fd00::1]:80": "[fd00::1]:80"} {
		if got, err := askedAt(addr); err != nil || got != want {
			t.Errorf("%s: %s %v", addr, got, err)
		}
	}
}

// TestStandaloneHasOneAdminAddress: both servers know the key, and the broker has it.
func TestStandaloneHasOneAdminAddress(t *testing.T) {
	b := parsed(t, nil, adminHTTPKey+"=127.0.0.1:10920")
	if b.namesrv.Text(adminHTTPKey) != "" || b.broker.Text(adminHTTPKey) != "127.0.0.1:10920" {
		t.Errorf("name server %q, broker %q", b.namesrv.Text(adminHTTPKey), b.broker.Text(adminHTTPKey))
	}
}
