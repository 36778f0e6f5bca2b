package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringmq/bench"
)

// TestVerdict: what a result comes to, and the exit code.
func TestVerdict(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	report := func(change func(*bench.Report)) *bench.Result {
		r := &bench.Report{Kind: "verify", Name: "n", Messages: 5}
		change(r)
		return bench.Single(r)
	}
	pair := report(func(*bench.Report) {})
	pair.B = &bench.Set{Name: "b", Reports: []*bench.Report{{Kind: "verify"}}}
	gone := report(func(*bench.Report) {})
	gone.Stopped = "stopped after 1 of 3 rounds: round 2, b: gone"
	for _, c := range []struct {
		name   string
		ctx    context.Context
		r      *bench.Result
		o      benchOptions
		code   exitCode // 0 with a text: 1
		text   string
		passed bool
	}{
		{name: "fine", r: report(func(*bench.Report) {}), passed: true},
		{name: "fine, though a signal came at its end", ctx: stopped, r: report(func(*bench.Report) {}), passed: true},
		{name: "stopped", ctx: stopped, r: report(func(r *bench.Report) { r.Stopped = "stopped after 1.0 s of 10s" }), code: 130, text: "stopped after 1.0 s of 10s"},
		{name: "failed before it was stopped", ctx: stopped, r: report(func(r *bench.Report) {
			r.Stopped, r.Failures = "stopped after 1.0 s of 10s", []string{"1 message lost"}
		}), text: "verify failed: 1 message lost"},
		{name: "ended early", r: report(func(r *bench.Report) { r.Stopped = "ended after 1.0 s of 10s" }), text: "ended after"},
		{name: "rounds broken off", r: gone, text: "stopped after 1 of 3 rounds: round 2, b: gone"},
		{name: "not checked", r: report(func(r *bench.Report) { r.Unjudged = "it went away" }), code: 3, text: "verify was not checked: it went away"},
		{name: "nothing acknowledged", r: report(func(r *bench.Report) { r.Messages = 0 }), text: "nothing was acknowledged or delivered by n"},
		{name: "by one of two", r: pair, text: "nothing was acknowledged or delivered by b"},
		{name: "errors", r: report(func(r *bench.Report) { r.Errors = map[string]int64{"code 2": 3} }), passed: true},
		{name: "errors that count", r: report(func(r *bench.Report) { r.Errors = map[string]int64{"code 2": 3} }), o: benchOptions{failOnErrors: true}, text: "3 requests failed"},
		{name: "a rate that was not kept", r: report(func(r *bench.Report) { r.Workload.Rate, r.PerSecond = 100, 50 }), passed: true},
		{name: "one that had to be kept", r: report(func(r *bench.Report) { r.Workload.Rate, r.PerSecond = 100, 50 }), o: benchOptions{failOnRate: true}, text: "the rate of 100 messages a second was not kept, 50 were reached"},
	} {
		if c.ctx == nil {
			c.ctx = t.Context()
		}
		err := c.o.verdict(c.ctx, c.r)
		var end *endError
		code := exitCode(0)
		if errors.As(err, &end) {
			code = end.code
		}
		if (err == nil) != c.passed || code != c.code || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %d, %v", c.name, code, err)
		}
	}
	var end *endError
	for _, err := range []error{context.Canceled, fmt.Errorf("%w while messages were sent", bench.ErrStopped)} {
		if got := stoppedError(stopped, err); !errors.As(got, &end) || end.code != exitStopped {
			t.Errorf("%v: %v", err, got)
		}
	}
	if other := errors.New("another"); !errors.Is(stoppedError(stopped, other), other) || !errors.Is(stoppedError(t.Context(), context.Canceled), context.Canceled) {
		t.Error("an error that is no signal's was taken for one")
	}
}

// TestOutFile: a file keeps what it holds until there is something new, and one that was made and not written goes.
func TestOutFile(t *testing.T) {
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, "old"), filepath.Join(dir, "fresh")
	if err := os.WriteFile(old, []byte("a long text"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := benchOptions{output: "table", jsonFile: old, htmlFile: fresh}
	out, err := o.open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("not there before the run: %v", err)
	}
	out.close()
	if _, err := os.Stat(fresh); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
	if b, err := os.ReadFile(old); err != nil || string(b) != "a long text" {
		t.Errorf("%q, %v", b, err)
	}
	if out, err = o.open(); err != nil {
		t.Fatal(err)
	}
	if err := out.json.write(func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Fatal(err)
	}
	out.close()
	if b, err := os.ReadFile(old); err != nil || string(b) != "new" {
		t.Errorf("%q, %v", b, err)
	}
	o.htmlFile = filepath.Join(dir, "none", "x")
	if _, err := o.open(); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
