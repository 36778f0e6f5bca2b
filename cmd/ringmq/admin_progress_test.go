package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/cmd/admin"
)

// pictures are what was drawn, one behind the other, each without the codes that take away what was there before.
func pictures(drawn string) []string {
	all := strings.Split(drawn, "\r\x1b[K")
	return all[1:]
}

// TestProgressBar: what is quick draws nothing; what is long draws ten pictures a second, the whole at its end, and leaves no trace.
func TestProgressBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &adminProgress{w: &out, after: progressAfter}
		for i := range int64(50) { // of 10 ms
			p.show("quick", i, 50)
			time.Sleep(10*time.Millisecond - 1)
		}
		p.show("quick", 50, 50)
		p.clear()
		if out.Len() != 0 {
			t.Errorf("drawn before %s: %q", progressAfter, out.String())
		}

		p = &adminProgress{w: &out, after: progressAfter}
		const total = 250
		for i := range int64(total) {
			p.show("long", i, total)
			time.Sleep(10 * time.Millisecond)
		}
		p.show("long", total, total)
		p.clear()
		all := pictures(out.String())
		if len(all) != 20+1+1 { // two seconds, the end, and nothing
			t.Fatalf("%d pictures: %q", len(all), all)
		}
		for i, want := range map[int]string{
			0:  fmt.Sprintf("long [%-30s]  20%%, 50 of 250", strings.Repeat("#", 6)),
			10: fmt.Sprintf("long [%-30s]  60%%, 150 of 250", strings.Repeat("#", 18)),
			20: fmt.Sprintf("long [%s] 100%%, 250 of 250", strings.Repeat("#", 30)),
			21: "",
		} {
			if all[i] != want {
				t.Errorf("picture %d: %q, not %q", i, all[i], want)
			}
		}
		out.Reset()
		p.clear()
		if out.Len() != 0 {
			t.Errorf("taken away twice: %q", out.String())
		}
	})
}

// TestProgressBarOdd: figures that cannot be do not break the line.
func TestProgressBarOdd(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		want        string
	}{
		{5, 0, ""}, {5, -1, ""},
		{-3, 4, fmt.Sprintf("\r\x1b[Kx [%30s]   0%%, 0 of 4", "")},
		{9, 4, fmt.Sprintf("\r\x1b[Kx [%s] 100%%, 4 of 4", strings.Repeat("#", 30))},
	} {
		var out bytes.Buffer
		(&adminProgress{w: &out}).show("x", c.done, c.total)
		if out.String() != c.want {
			t.Errorf("%d of %d: %q, not %q", c.done, c.total, out.String(), c.want)
		}
	}
}

// TestProgressBarFits: a line that is longer than the terminal could not be taken away again.
func TestProgressBarFits(t *testing.T) {
	p := newPty(t, 20)
	bar := &adminProgress{w: p.file}
	bar.show(strings.Repeat("w", 15), 1, 2)
	bar.clear()
	if got := pictures(p.all()); len(got) != 2 || got[0] != "wwwwwwwwwwwwwww [##" || got[1] != "" {
		t.Errorf("%q", got)
	}
}

// runWithBars runs a command that draws as soon as there is something to tell.
func runWithBars(out, errs io.Writer, name string, args ...string) error {
	for _, c := range admin.All() {
		if c.Name != name {
			continue
		}
		cmd := (&adminFlags{}).command(c)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetOut(out)
		cmd.SetErr(errs)
		cmd.SetArgs(args)
		return cmd.Execute()
	}
	return errors.New("no command " + name)
}

// TestProgressOfCommands: a long command draws on a terminal, up to the whole, and takes it away before its answer comes; into a pipe and
// into a file it writes nothing of it.
func TestProgressOfCommands(t *testing.T) {
	p := &standaloneProcess{both: parsed(t, nil, small(filepath.Join(t.TempDir(), "data"))...), logger: quiet()}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.shutdown(context.Background()) })
	args := []string{"-n", p.ns.Addr().String(), "-c"}
	screen := newPty(t, 120)
	if err := runWithBars(screen.file, screen.file, "topicList", args...); err != nil {
		t.Fatal(err)
	}
	drawn := screen.all()
	bar, answer, ended := strings.Cut(drawn, "\r\x1b[K#Cluster Name")
	if !ended || !strings.Contains(bar, "\r\x1b[Ktopics [") || !strings.Contains(bar, "] 100%, ") || strings.Contains(answer, "\x1b") || !strings.Contains(answer, "TBW102") {
		t.Errorf("on a terminal: %q", drawn)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	var out bytes.Buffer
	if err := runWithBars(&out, write, "topicList", args...); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	var errs bytes.Buffer
	if _, err := errs.ReadFrom(read); err != nil || errs.Len() != 0 {
		t.Errorf("into a pipe: %q %v", errs.String(), err)
	}
	if strings.Contains(out.String(), "\x1b") || !strings.Contains(out.String(), "TBW102") {
		t.Errorf("answer: %q", out.String())
	}
}
