package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ringmq/bench"
)

// Exit codes of bench besides 0 and 1.
const (
	exitUnchecked exitCode = 3   // there is no verdict where there should be one
	exitStopped   exitCode = 130 // by a signal, as a shell has it
)

const exitHelp = `Exit code 0: it ran to its end, and passed where it judges; 1: it failed, could not run, ended early, or nothing was acknowledged;
3: nothing could be checked, or not to its end; 130: it was stopped by a signal, and what was counted until then is printed.`

// endError is an error that ends the process with a code of its own.
type endError struct {
	code exitCode
	text string
}

func (e *endError) Error() string { return e.text }

// stoppedError is what becomes of an error of a run that ctx, which a signal ends, has ended before there was a result.
func stoppedError(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case errors.Is(err, bench.ErrStopped):
		return &endError{exitStopped, err.Error()}
	case errors.Is(err, context.Canceled):
		return &endError{exitStopped, "stopped before anything was counted"}
	}
	return err
}

// verdict is the error that a result is, and with it the exit code: one line, so that a script sees the code and a reader the reason,
// which is not said twice where the table has told it.
func (o *benchOptions) verdict(ctx context.Context, r *bench.Result) error {
	kind, stops := r.A.Reports[0].Kind, strings.Join(r.Stops(), "; ")
	if all := r.Failures(); len(all) > 0 && o.told {
		return fmt.Errorf("%s failed, for what stands above", kind)
	} else if len(all) > 0 {
		return fmt.Errorf("%s failed: %s", kind, strings.Join(all, "; "))
	}
	if stops != "" && ctx.Err() != nil {
		return &endError{exitStopped, stops}
	}
	if all := r.Unjudged(); len(all) > 0 {
		return &endError{exitUnchecked, kind + " was not checked: " + strings.Join(all, "; ")}
	}
	if stops != "" {
		return errors.New(stops)
	}
	if all := r.Empty(); len(all) > 0 {
		return fmt.Errorf("nothing was acknowledged or delivered by %s", strings.Join(all, " and "))
	}
	if n := r.ErrorCount(); o.failOnErrors && n > 0 {
		return fmt.Errorf("%d requests failed", n)
	}
	if all := r.Shortfalls(); o.failOnRate && len(all) > 0 {
		return errors.New(strings.Join(all, "; "))
	}
	return nil
}
