package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
)

// TestDoctor: flags that mean nothing are refused, and the exit code says that nothing could be looked at.
func TestDoctor(t *testing.T) {
	run := func(args ...string) (string, error) {
		root := newRoot()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&out)
		root.SetArgs(append([]string{"doctor"}, args...))
		err := root.Execute()
		return out.String(), err
	}
	for text, args := range map[string][]string{
		`"xml" is neither table nor json`: {"-o", "xml"}, `"red" is none of auto, always, never`: {"--color", "red"}, "0s is no time to wait": {"--timeout", "0s"}, `"more" stands without a flag`: {"more"},
	} {
		if _, err := run(args...); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v: %v", args, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	_ = l.Close()
	var code exitCode
	out, err := run("-n", dead)
	if !errors.As(err, &code) || code != 2 || !strings.Contains(out, "name-server-unreachable") || strings.Contains(out, "\x1b") {
		t.Error(err, out)
	}
	if out, err = run("-n", dead, "--color", "always"); !errors.As(err, &code) || !strings.Contains(out, "\x1b[1;31mbroken") {
		t.Error(err, out)
	}
	out, err = run("-n", dead, "-o", "json")
	var d struct {
		Result string
		Broken int
	}
	if json.Unmarshal([]byte(out), &d) != nil || d.Result != "broken" || d.Broken != 1 || !errors.As(err, &code) {
		t.Error(err, out)
	}
}

// TestDoctorNameServers: what was named comes before what the environment says, and that before the default.
func TestDoctorNameServers(t *testing.T) {
	for _, c := range []struct{ namesrv, broker, store, environ, want string }{
		{"a:1;b:2", "", "", "e:1", "a:1 b:2"}, {"", "", "", "e:1", "e:1"}, {"", "", "", "", "127.0.0.1:9876"}, {"", "x:1", "", "e:1", ""}, {"", "", "/s", "", ""}, {"", "", "/s", "e:1", "e:1"},
	} {
		f := doctorFlags{namesrv: c.namesrv}
		f.o.Broker, f.o.Store = c.broker, c.store
		if got := strings.Join(f.nameServers(c.environ), " "); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
