package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const watchChildKey = "RINGMQ_TEST_WATCH_CHILD"

// TestChildThatWatches is no test but the process that TestWatchEndsBySignal ends.
func TestChildThatWatches(t *testing.T) {
	args := os.Getenv(watchChildKey)
	if args == "" {
		t.Skip("it is for TestWatchEndsBySignal")
	}
	root := newRoot()
	root.SetArgs(strings.Fields(args))
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "ringmq:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// TestWatchEndsBySignal: what --watch repeats is drawn in the place of what was there, and either signal ends it while it waits, with code 0.
func TestWatchEndsBySignal(t *testing.T) {
	const picture = "ringmq: name server 127.0.0.1:1: "
	for _, c := range []struct {
		args     string
		signal   syscall.Signal
		pictures int
	}{
		{"--watch=1h", syscall.SIGINT, 1},
		{"--watch=10ms", syscall.SIGTERM, 3},
		{"-i 3600", syscall.SIGINT, 1},
	} {
		screen := newPty(t, 100)
		child := exec.Command(os.Args[0], "-test.run=^TestChildThatWatches$")
		child.Env = append(os.Environ(), watchChildKey+"=admin clusterList -n 127.0.0.1:1 "+c.args)
		child.Stdout, child.Stderr = screen.file, screen.file
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- child.Wait() }()
		screen.until(picture, c.pictures)
		_ = child.Process.Signal(c.signal)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%s: %v", c.args, err)
			}
		case <-time.After(30 * time.Second):
			_ = child.Process.Kill()
			<-ended
			t.Fatalf("%s: %s does not end it", c.args, c.signal)
		}
		all := strings.Split(screen.all(), "\x1b[H\x1b[2J\x1b[3J")
		if len(all)-1 < c.pictures || all[0] != "" {
			t.Fatalf("%s: %q", c.args, all)
		}
		for _, one := range all[1:] {
			if head, rest, _ := strings.Cut(one, "\n\n"); !strings.HasPrefix(head, "every ") || !strings.Contains(head, ": ringmq admin clusterList, 2") || !strings.HasPrefix(rest, picture) ||
				strings.Count(rest, "\n") != 1 {
				t.Errorf("%s: a picture is %q", c.args, one)
			}
		}
	}
}

// TestWatchFlag: what cannot be repeated has no --watch, and no time between two looks is refused.
func TestWatchFlag(t *testing.T) {
	for args, want := range map[string]string{
		"deleteTopic -t T -c C --watch": "unknown flag: --watch",
		"topicList --watch=0s":          "--watch=0s: no time between two looks",
		"topicList --watch=-1s":         "--watch=-1s: no time between two looks",
		"topicList --watch=soon":        "invalid argument",
	} {
		if out, err := ringmq(t, append([]string{"admin", "-n", "127.0.0.1:1"}, strings.Fields(args)...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s\n%s", args, err, want, out)
		}
	}
}
