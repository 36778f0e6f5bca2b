package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ringmq/bench"
)

// untilSignal is a context that the first signal ends; the second one then ends the process.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// single runs a workload against one broker.
func (o *benchOptions) single(cmd *cobra.Command, wl *workload) error {
	w, err := o.loaded(cmd, wl)
	if err != nil {
		return err
	}
	out, err := o.open()
	if err != nil {
		return err
	}
	defer out.close()
	ctx, stop := untilSignal(context.Background())
	defer stop()
	target, err := o.chosen(ctx, w.Topic)
	if err != nil {
		return stoppedError(ctx, err)
	}
	warn(cmd, target)
	w.Addr, w.PID, w.Namesrv = target.Addr, target.PID, o.namesrv
	defer o.cleanUp(cmd, &w)()
	p := newProgress(cmd.ErrOrStderr(), &w)
	r, err := wl.run(ctx, w, p.begin(""))
	p.end()
	if err != nil {
		return stoppedError(ctx, err)
	}
	if r.Started.IsZero() {
		return &endError{exitStopped, "stopped during the warm-up: nothing was counted"}
	}
	host := bench.ThisHost()
	r.Name, r.Host, r.Ringmq, r.Command = target.Name, &host, version, commandLine()
	if target.Doubt != "" {
		r.Warnings = append(r.Warnings, target.Doubt)
	}
	result := bench.Single(r)
	if err := o.deliver(cmd, out, r, result); err != nil {
		return err
	}
	return o.verdict(ctx, result)
}

// cleanUp has a run keep what topics it makes, and returns what deletes them, also after a signal; without --delete-topic nothing.
func (o *benchOptions) cleanUp(cmd *cobra.Command, w *bench.Workload) func() {
	if !o.deleteTopic {
		return func() {}
	}
	made := &bench.Made{}
	w.Made = made
	return func() {
		n, err := made.Delete(context.Background())
		if err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "warning:", err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "topics deleted that this run had made: %d\n", n)
	}
}

// warn says ahead of a run what may make its figures worthless.
func warn(cmd *cobra.Command, t bench.Target) {
	if t.Doubt != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", t.Doubt)
	}
}

// writeFile writes a file whole or says why not.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// commandLine is how this process was called, fit for a shell.
func commandLine() string {
	words := []string{"ringmq"}
	for _, a := range os.Args[1:] {
		if a == "" || strings.ContainsAny(a, " \t\n\"'\\$&|;<>()*?[]#~`!{}") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}
