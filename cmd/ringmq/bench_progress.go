package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"golang.org/x/term"

	"ringmq/bench"
)

// progress is one line on a terminal that says how a run goes. Where no terminal is it says only what phase begins.
type progress struct {
	w        io.Writer
	on       bool
	columns  int
	duration time.Duration
	warmUp   time.Duration
	label    string
	seconds  int
	errors   int64
}

func newProgress(w io.Writer, load *bench.Workload) *progress {
	p := &progress{w: w, duration: load.Duration, warmUp: load.WarmUp, columns: 80}
	load.Phase = p.phase
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	p.on = true
	if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
		p.columns = n
	}
	return p
}

// phase tells what is done ahead of the counted time or behind it. Where no terminal is it is a line of its own: a log whose writer is
// silent for long looks like one that hangs.
func (p *progress) phase(text string) {
	if p.on {
		p.show(text)
	} else {
		fmt.Fprintln(p.w, text)
	}
}

// begin starts the line of a run; what it returns is told every counted second.
func (p *progress) begin(label string) func(bench.Second) {
	p.label, p.seconds, p.errors = label, 0, 0
	if !p.on {
		return nil
	}
	if p.warmUp > 0 {
		p.show(fmt.Sprintf("warming up for %s", p.warmUp))
	} else {
		p.show("starting")
	}
	return p.tick
}

func (p *progress) tick(s bench.Second) {
	p.seconds++
	p.errors += s.Errors
	left := max(p.duration-time.Duration(p.seconds)*time.Second, 0)
	line := fmt.Sprintf("%s/s  p50 %s  p99 %s", bench.Count(float64(s.Messages)), bench.Millis(s.Latency.P50), bench.Millis(s.Latency.P99))
	if s.BrokerCPU > 0 {
		line += fmt.Sprintf("  broker %.2f cores", s.BrokerCPU)
	}
	line += "  errors " + bench.Count(float64(p.errors))
	if left > 0 { // some go on until they are through
		line += fmt.Sprintf("  %.0f s left", math.Ceil(left.Seconds()))
	}
	p.show(line)
}

func (p *progress) show(line string) {
	if p.label != "" {
		line = p.label + "  " + line
	}
	fmt.Fprintf(p.w, "\r\x1b[K%.*s", p.columns-1, line)
}

// end takes the line away.
func (p *progress) end() {
	if p.on {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
