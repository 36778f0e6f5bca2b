package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"ringmq/store/memory"
)

const (
	// drainLimit is how long a shutdown may wait for work in progress, closeLimit when the process ends at the latest.
	drainLimit = 9 * time.Second
	closeLimit = 10 * time.Second
	// sameSignal is how long a repeated signal still counts as the first: timeout(1) and shells signal a process and its group.
	sameSignal = 300 * time.Millisecond

	gcPercent = 200
)

// process is what a server subcommand runs.
type process interface {
	// buffersBytes is what it keeps outside of the Go heap, at most.
	buffersBytes() int64
	// start returns when requests are answered. What it opened it closes again if it fails.
	start() error
	// report prints a few lines for whoever started the process by hand.
	report(w io.Writer)
	shutdown(ctx context.Context) error
}

// serve runs p until SIGTERM or SIGINT, then drains and closes it; a second signal ends the process at once.
func serve(stdout io.Writer, logger *slog.Logger, p process) error {
	limitMemory(os.Getenv, memory.Of(os.DirFS("/")), p.buffersBytes())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	return run(stdout, logger, p, signals, sameSignal)
}

// run is serve with the signals given; a second one ends it if it comes after `same`.
func run(stdout io.Writer, logger *slog.Logger, p process, signals <-chan os.Signal, same time.Duration) error {
	began := time.Now()
	started := make(chan error, 1)
	go func() { started <- p.start() }()
	select {
	case err := <-started:
		if err != nil {
			return err
		}
	case <-signals: // reading a long log again takes its time
		return errors.New("stopped while starting; the next start recovers the store")
	}
	p.report(stdout)
	fmt.Fprintf(stdout, "ringmq %s is ready after %.3f s; Ctrl-C stops it\n", version, time.Since(began).Seconds())
	tell(logger, "READY=1")
	why := <-signals
	logger.Info("stopping", "signal", why.String())
	tell(logger, "STOPPING=1")
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	began = time.Now()
	closed := make(chan error, 1)
	go func() { closed <- p.shutdown(ctx) }()
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	for {
		select {
		case err := <-closed:
			if err != nil {
				return fmt.Errorf("stopped, but not in order: %w", err)
			}
			fmt.Fprintf(stdout, "stopped in order after %.3f s\n", time.Since(began).Seconds())
			return nil
		case <-signals:
			if time.Since(began) >= same {
				return errors.New("a second signal: stopped at once; the next start recovers the store")
			}
		case <-limit.C:
			return fmt.Errorf("not closed within %s: stopped as it is; the next start recovers the store", closeLimit)
		}
	}
}

// tell is notify for a process that goes on whether somebody hears it or not.
func tell(logger *slog.Logger, state string) {
	if err := notify(os.Getenv, state); err != nil {
		logger.Warn("the service manager was not told", "state", state, "error", err)
	}
}

// limitMemory keeps the process small unless its environment says otherwise: garbage is collected half as often as by
// default, which the small live heap affords, and earlier when the heap nears its limit, which follows from the memory that the
// process may have and from its buffers.
func limitMemory(getenv func(string) string, memoryBytes, buffersBytes int64) {
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory.HeapLimit(memoryBytes, buffersBytes))
	}
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// keyTable tells of configuration keys: whether there is such a key, and which one somebody may have meant ("").
type keyTable interface {
	Known(key string) bool
	Alike(key string) string
}

// withoutEffect names, in a line each, what was asked for and is not built yet, keys that there are not, and keys that do nothing here.
func withoutEffect(w io.Writer, unsupported, keys []string, table keyTable) {
	var unknown, idle []string
	for _, k := range keys {
		switch meant := table.Alike(k); {
		case table.Known(k):
			idle = append(idle, k)
		case meant != "":
			unknown = append(unknown, k+" ("+meant+"?)")
		default:
			unknown = append(unknown, k)
		}
	}
	for _, line := range []struct {
		title string
		words []string
	}{
		{"not yet        asked for and not supported yet: ", unsupported},
		{"unknown        no such key, the setting is passed over: ", unknown},
		{"no effect      ", idle},
	} {
		if len(line.words) > 0 {
			fmt.Fprintf(w, "%s%s\n", line.title, strings.Join(line.words, ", "))
		}
	}
}

// reachable is an address to give to a client on this host, for one that may be of all interfaces.
func reachable(a netip.AddrPort) string {
	if a.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port()).String()
	}
	return a.String()
}

func printText(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}
