package bench

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"ringmq/netpoll/local"
)

// Target is a broker that is measured.
type Target struct {
	Name  string
	Addr  string // host:port
	PID   int    // its process on this machine; 0: not looked at
	Doubt string // why PID may be no process of this broker; "": nothing speaks against it
}

// ParseTarget reads name=host:port[,pid=N] or name=host:port,pid=auto, which local.FindPID resolves.
func ParseTarget(ctx context.Context, s string) (Target, error) {
	bad := func(why string) (Target, error) {
		return Target{}, fmt.Errorf("target %q: %s; write name=host:port, name=host:port,pid=1234 or name=host:port,pid=auto", s, why)
	}
	name, rest, ok := strings.Cut(s, "=")
	if !ok || name == "" || strings.ContainsAny(name, ",:") {
		return bad("it has no name")
	}
	addr, option, hasOption := strings.Cut(rest, ",")
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
		return bad("its address is not host:port")
	}
	t := Target{Name: name, Addr: addr}
	if !hasOption {
		return t, nil
	}
	pid, ok := strings.CutPrefix(option, "pid=")
	if !ok {
		return bad(fmt.Sprintf("%q is unknown", option))
	}
	var err error
	if t.PID, t.Doubt, err = ParsePID(ctx, pid, addr); err != nil {
		return bad(err.Error())
	}
	return t, nil
}

// ParsePID reads a process id, or finds the process that listens on addr when s is "auto"; "" and "0" are none. doubt is why the
// process may be another's, "" when nothing speaks against it; one that is not there is an error.
func ParsePID(ctx context.Context, s, addr string) (pid int, doubt string, err error) {
	switch s {
	case "", "0":
		return 0, "", nil
	case "auto":
		pid, err = local.FindPID(ctx, addr)
		return pid, "", err
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, "", fmt.Errorf("pid %q: a number or auto", s)
	}
	if _, err := usage(n); err != nil {
		return 0, "", fmt.Errorf("pid %d: no such process", n)
	}
	return n, pidDoubt(ctx, n, addr), nil
}

// pidDoubt says why a process that was named may not be the one that listens on addr. Behind a forwarded port it need not be.
func pidDoubt(ctx context.Context, pid int, addr string) string {
	switch listens, known, err := local.Listens(ctx, pid, addr); {
	case err != nil:
		return fmt.Sprintf("process %d was named for %s: %v", pid, addr, err)
	case known && !listens:
		return fmt.Sprintf("process %d does not listen on %s: its figures may be those of something else", pid, addr)
	}
	return ""
}
