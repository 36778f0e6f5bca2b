package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ringmq/netpoll/local"
)

// stopTime is how long a process is waited for that was told to end: a broker closes within ten seconds, and the kernel has to take
// back its memory.
const stopTime = 30 * time.Second

// stopProcess has the process of this machine that listens on host:port end in order, and waits for its end. A process that a service
// manager started is left to that one, which might start it again.
func stopProcess(ctx context.Context, addr string) (string, error) {
	pid, err := local.FindPID(ctx, addr)
	if err != nil {
		return "", fmt.Errorf("%w; stop it where it runs, with systemctl stop or SIGTERM", err)
	}
	if pid == os.Getpid() {
		return "", errors.New("the broker runs in this process")
	}
	if unit := unitOf("/proc", pid); unit != "" {
		return "", fmt.Errorf("process %d belongs to the unit %s: systemctl stop %s", pid, unit, unit)
	}
	began, err := startedAt("/proc", pid)
	if err != nil {
		return "", fmt.Errorf("process %d: %w", pid, err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return "", fmt.Errorf("process %d cannot be told to end: %w", pid, err)
	}
	for since := time.Now(); ; {
		if now, err := startedAt("/proc", pid); err != nil || now != began {
			return fmt.Sprintf("process %d ended after %s", pid, time.Since(since).Round(time.Millisecond)), nil
		}
		if time.Since(since) > stopTime {
			return "", fmt.Errorf("process %d was told to end and goes on after %s", pid, stopTime)
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("process %d was told to end; it was not waited for", pid)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// startedAt tells a process from another one that got its number later. One that has ended, and that nobody has taken leave of yet, is
// gone.
func startedAt(proc string, pid int) (string, error) {
	const state, start = 0, 19
	f, err := local.Stat(proc, pid)
	if err != nil {
		return "", err
	}
	if f[state] == "Z" || f[state] == "X" {
		return "", os.ErrNotExist
	}
	return f[start], nil
}

// unitOf is the unit of systemd whose process this is; "": of none. A process that somebody started in a shell has that shell's group as
// its own, which may be a service's too: only what a service manager started itself counts.
func unitOf(proc string, pid int) string {
	const parent = 1
	f, err := local.Stat(proc, pid)
	if err != nil {
		return ""
	}
	by, err := os.ReadFile(filepath.Join(proc, f[parent], "comm"))
	if err != nil || strings.TrimSpace(string(by)) != "systemd" {
		return ""
	}
	b, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cgroup"))
	for line := range strings.SplitSeq(string(b), "\n") {
		if name := path.Base(line); strings.HasSuffix(name, ".service") {
			return name
		}
	}
	return ""
}
