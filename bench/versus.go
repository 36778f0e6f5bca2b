package bench

import (
	"context"
	"fmt"
)

// Run is a workload's function: it loads a broker and reports. onTick, if not nil, is called once a counted second.
type Run func(ctx context.Context, w Workload, onTick func(Second)) (*Report, error)

// Versus runs the workload against both targets in turns, A B A B, so that what changes on the machine meanwhile meets both.
// rounds is 1 or more. Both are asked about themselves first, so that one that is not there is known before anything is measured.
// before, if not nil, is called ahead of every run and returns what is told of its seconds.
//
// When ctx ends, or a broker goes away, the rounds that are complete are the result, and its Stopped says so; without any it is an
// error.
func Versus(ctx context.Context, a, b Target, w Workload, rounds int, run Run, before func(round int, t Target) func(Second)) (*Result, error) {
	if a.Name == b.Name {
		return nil, fmt.Errorf("both targets are called %s", a.Name)
	}
	if rounds < 1 {
		return nil, fmt.Errorf("rounds is %d, it must be at least 1", rounds)
	}
	for _, t := range []Target{a, b} {
		if _, err := Ask(ctx, t.Addr); err != nil {
			return nil, fmt.Errorf("%s: %w", t.Name, stoppedBefore(ctx, err, "before the first round"))
		}
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
			switch {
			case ctx.Err() != nil:
				return result.ended(rounds, nil)
			case err == nil && r.Stopped != "":
				err = fmt.Errorf("%s", r.Stopped)
			}
			if err != nil {
				return result.ended(rounds, fmt.Errorf("round %d, %s: %w", round+1, t.Name, err))
			}
			r.Name, r.Host = t.Name, &host
			if t.Doubt != "" {
				r.Warnings = append(r.Warnings, t.Doubt)
			}
			pair[i] = r
		}
		result.A.Reports = append(result.A.Reports, pair[0])
		result.B.Reports = append(result.B.Reports, pair[1])
	}
	return result.titled(), nil
}

// ended is the result of rounds that were broken off: by err, or by whoever ran them.
func (r *Result) ended(rounds int, err error) (*Result, error) {
	if len(r.A.Reports) == 0 {
		if err == nil {
			err = fmt.Errorf("%w before the first round was complete", ErrStopped)
		}
		return nil, err
	}
	r.Stopped = fmt.Sprintf("stopped after %d of %d rounds", len(r.A.Reports), rounds)
	if err != nil {
		r.Stopped += ": " + err.Error()
	}
	r.Note = capital(r.Stopped) + "."
	return r.titled(), nil
}

func (r *Result) titled() *Result {
	r.Title = fmt.Sprintf("%s: %s and %s, %s", r.A.Reports[0].Kind, r.A.Name, r.B.Name, plural(len(r.A.Reports), "round"))
	return r
}
