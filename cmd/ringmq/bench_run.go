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
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// single runs a workload against one broker.
func (o *benchOptions) single(cmd *cobra.Command, wl *workload) error {
	w, err := o.loaded(cmd, wl)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal()
	defer stop()
	target, err := o.chosen(ctx, w.Topic)
	if err != nil {
		return err
	}
	w.Addr, w.PID = target.Addr, target.PID
	p := newProgress(cmd.ErrOrStderr(), &w)
	r, err := wl.run(ctx, w, p.begin(""))
	p.end()
	if err != nil {
		return err
	}
	if r.Started.IsZero() {
		return errors.New("stopped during the warm-up: nothing was counted")
	}
	host := bench.ThisHost()
	r.Name, r.Host = target.Name, &host
	result := bench.Single(r)
	result.Command = commandLine()
	return errors.Join(o.deliver(cmd.OutOrStdout(), r, result), failed(result))
}

// failed is the error that a broker's failures are: one line, so that a script sees the code and a reader the reason.
func failed(result *bench.Result) error {
	all := result.Failures()
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("%s failed: %s", result.A.Reports[0].Kind, strings.Join(all, "; "))
}

// deliver prints and saves a result. saved is what JSON has of it: a report, or the result itself.
func (o *benchOptions) deliver(out io.Writer, saved any, result *bench.Result) error {
	var err error
	if o.output == "json" {
		err = bench.WriteJSON(out, saved)
	} else {
		err = result.Text(out)
	}
	if o.jsonFile != "" {
		err = errors.Join(err, writeFile(o.jsonFile, func(w io.Writer) error { return bench.WriteJSON(w, saved) }))
	}
	if o.htmlFile != "" {
		page := bench.Page{Title: result.Title, Results: []*bench.Result{result}}
		err = errors.Join(err, writeFile(o.htmlFile, page.Write))
	}
	if n := result.ErrorCount(); err == nil && o.failOnErrors && n > 0 {
		err = fmt.Errorf("%d requests failed", n)
	}
	return err
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
