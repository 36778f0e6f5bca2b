package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Target is a broker that is measured.
type Target struct {
	Name string
	Addr string // host:port
	PID  int    // its process on this machine; 0: not looked at
}

// ParseTarget reads name=host:port[,pid=N] or name=host:port,pid=auto, which FindPID resolves.
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
	n, err := ParsePID(ctx, pid, addr)
	if err != nil {
		return bad(err.Error())
	}
	t.PID = n
	return t, nil
}

// ParsePID reads a process id, or finds the process that listens on addr when s is "auto"; "" and "0" are none.
func ParsePID(ctx context.Context, s, addr string) (int, error) {
	switch s {
	case "", "0":
		return 0, nil
	case "auto":
		return FindPID(ctx, addr)
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("pid %q: a number or auto", s)
	}
	return n, nil
}

// Run is a workload's function: it loads a broker and reports. onTick, if not nil, is called once a counted second.
type Run func(ctx context.Context, w Workload, onTick func(Second)) (*Report, error)

// Versus runs the workload against both targets in turns, A B A B, so that what changes on the machine meanwhile meets both.
// before, if not nil, is called ahead of every run and returns what is told of its seconds. When ctx ends, the rounds that are
// complete are the result; without any it is an error.
func Versus(ctx context.Context, a, b Target, w Workload, rounds int, run Run, before func(round int, t Target) func(Second)) (*Result, error) {
	if a.Name == b.Name {
		return nil, fmt.Errorf("both targets are called %s", a.Name)
	}
	result := &Result{Rounds: true, A: Set{Name: a.Name}, B: &Set{Name: b.Name}}
	host := ThisHost()
	for round := range rounds {
		var pair [2]*Report
		for i, t := range []Target{a, b} {
			var onTick func(Second)
			if before != nil {
				onTick = before(round, t)
			}
			w.Addr, w.PID = t.Addr, t.PID
			r, err := run(ctx, w, onTick)
			if ctx.Err() != nil {
				return result.ended(rounds)
			}
			if err != nil {
				return nil, fmt.Errorf("round %d, %s: %w", round+1, t.Name, err)
			}
			r.Name, r.Host = t.Name, &host
			pair[i] = r
		}
		result.A.Reports = append(result.A.Reports, pair[0])
		result.B.Reports = append(result.B.Reports, pair[1])
	}
	return result.titled(), nil
}

// ended is the result of rounds that were broken off.
func (r *Result) ended(rounds int) (*Result, error) {
	if len(r.A.Reports) == 0 {
		return nil, errors.New("stopped before the first round was complete")
	}
	r.Note = fmt.Sprintf("Stopped after %d of %d rounds.", len(r.A.Reports), rounds)
	return r.titled(), nil
}

func (r *Result) titled() *Result {
	r.Title = fmt.Sprintf("%s: %s and %s, %s", r.A.Reports[0].Kind, r.A.Name, r.B.Name, plural(len(r.A.Reports), "round"))
	return r
}
