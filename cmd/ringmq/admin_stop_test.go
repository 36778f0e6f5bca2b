package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringmq/cmd/admin"
)

const childKey = "RINGMQ_TEST_CHILD"

// TestChildThatListens is no test but the process that others of this file end: it listens until it is told to.
func TestChildThatListens(t *testing.T) {
	if os.Getenv(childKey) == "" {
		t.Skip("it is for TestStopProcess")
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fmt.Println("\nlistening on", l.Addr())
	<-end
}

// TestStopProcess: the process that listens at an address is told to end, and is not there any more when that is said.
func TestStopProcess(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.run=^TestChildThatListens$")
	child.Env = append(os.Environ(), childKey+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() })
	addr := ""
	lines := bufio.NewScanner(out)
	for addr == "" && lines.Scan() {
		addr, _ = strings.CutPrefix(lines.Text(), "listening on ")
		if addr == lines.Text() {
			addr = ""
		}
	}
	text, err := stopProcess(t.Context(), addr)
	if err != nil || !strings.HasPrefix(text, fmt.Sprintf("process %d ended after ", child.Process.Pid)) {
		t.Fatal(text, err)
	}
	for lines.Scan() {
	}
	if err := child.Wait(); err != nil {
		t.Error("not ended in order:", err)
	}
	if _, err := stopProcess(t.Context(), addr); err == nil || !strings.Contains(err.Error(), "nothing on this machine listens on "+addr) || !strings.Contains(err.Error(), "; stop it where it runs") {
		t.Error(err)
	}
	if _, err := stopProcess(t.Context(), "192.0.2.1:10911"); err == nil || !strings.Contains(err.Error(), "192.0.2.1 is no address of this machine") {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := stopProcess(t.Context(), l.Addr().String()); err == nil || err.Error() != "the broker runs in this process" {
		t.Error(err)
	}
}

// TestUnitOf: only what a service manager started itself is its unit's.
func TestUnitOf(t *testing.T) {
	proc := t.TempDir()
	process := func(pid, parent int, name, group string) {
		t.Helper()
		dir := filepath.Join(proc, strconv.Itoa(pid))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string]string{
			"stat": fmt.Sprintf("%d (%s) S %d 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 12345 1 1", pid, name, parent), "comm": name + "\n", "cgroup": group,
		} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	process(1, 0, "systemd", "0::/init.scope\n")
	process(10, 1, "ring) mq (", "0::/system.slice/ringmq.service\n")
	process(11, 1, "ringmq", "12:cpu:/\n1:name=systemd:/system.slice/ringmq-namesrv.service\n")
	process(12, 1, "ringmq", "0::/user.slice/user-1000.slice/session-3.scope\n")
	process(20, 1, "agent", "0::/system.slice/agent.service\n")
	process(21, 20, "ringmq", "0::/system.slice/agent.service\n")
	for pid, want := range map[int]string{10: "ringmq.service", 11: "ringmq-namesrv.service", 12: "", 20: "agent.service", 21: "", 99: ""} {
		if unit := unitOf(proc, pid); unit != want {
			t.Errorf("process %d: %q, want %q", pid, unit, want)
		}
	}
	if began, err := startedAt(proc, 10); err != nil || began != "12345" {
		t.Error(began, err)
	}
	process(30, 1, "gone", "")
	if err := os.WriteFile(filepath.Join(proc, "30", "stat"), []byte("30 (gone) Z 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 12345 1 1"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := startedAt(proc, 30); err == nil {
		t.Error("a process that has ended counts as running")
	}
}

// TestAdminSteps: a log gets what is news, and everything now and then; a terminal a picture in place.
func TestAdminSteps(t *testing.T) {
	var out strings.Builder
	now := time.Unix(1000, 0)
	p := &adminSteps{w: &out, now: func() time.Time { return now }}
	shown := func(all ...admin.Step) string {
		out.Reset()
		p.show(all)
		return out.String()
	}
	first := []admin.Step{{Name: "producers", Detail: "5.0 messages a second are sent"}, {Name: "slaves", Done: true, Detail: "there is none"}}
	if got := shown(first...); got != "producers   waiting  5.0 messages a second are sent\nslaves      done     there is none\n" {
		t.Errorf("%q", got)
	}
	if got := shown(admin.Step{Name: "producers", Detail: "4.0"}, first[1]); got != "" {
		t.Errorf("no news: %q", got)
	}
	if got := shown(admin.Step{Name: "producers", Done: true, Detail: "gone"}, first[1]); got != "producers   done     gone\n" {
		t.Errorf("%q", got)
	}
	now = now.Add(stepsEvery)
	if got := shown(first...); strings.Count(got, "\n") != 2 {
		t.Errorf("%q", got)
	}
	p = &adminSteps{w: &out, terminal: true}
	if got := shown(first...); strings.Contains(got, "\x1b") || strings.Count(got, "\n") != 2 {
		t.Errorf("%q", got)
	}
	if got := shown(first[0]); !strings.HasPrefix(got, "\x1b[2A\r\x1b[J") {
		t.Errorf("%q", got)
	}
	out.Reset()
	for range 2 {
		if _, err := (clearFirst{&out, p.clear}).Write([]byte("answer ")); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "\x1b[1A\r\x1b[Janswer answer " {
		t.Errorf("%q", out.String())
	}
}
