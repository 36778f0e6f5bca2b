package main

import (
	"fmt"
	"io"
	"time"

	"ringmq/cmd/admin"
)

// adminSteps shows what a command waits for: in a terminal a line for every step, drawn in place; otherwise what is news, and all of it
// now and then, so that a log tells how it went.
type adminSteps struct {
	w        io.Writer
	terminal bool
	now      func() time.Time
	drawn    int             // lines of the last picture
	done     map[string]bool // steps as they were told last
	told     time.Time       // all of them
}

// stepsEvery is how often a log is told all of it.
const stepsEvery = 15 * time.Second

func (p *adminSteps) show(all []admin.Step) {
	if p.terminal {
		p.draw(all)
		return
	}
	now := p.now()
	whole := p.told.IsZero() || now.Sub(p.told) >= stepsEvery
	if whole {
		p.told = now
	}
	if p.done == nil {
		p.done = map[string]bool{}
	}
	for _, one := range all {
		if was, known := p.done[one.Name]; whole || !known || was != one.Done {
			fmt.Fprintln(p.w, stepText(one))
		}
		p.done[one.Name] = one.Done
	}
}

func stepText(one admin.Step) string {
	state := "waiting"
	if one.Done {
		state = "done"
	}
	return fmt.Sprintf("%-10s  %-7s  %s", one.Name, state, one.Detail)
}

// draw puts the picture in the place of the one before.
func (p *adminSteps) draw(all []admin.Step) {
	p.clear()
	for _, one := range all {
		fmt.Fprintf(p.w, "%s\n", fitting(stepText(one), p.w))
	}
	p.drawn = len(all)
}

// clear leaves the terminal as if nothing had been drawn.
func (p *adminSteps) clear() {
	if p.drawn > 0 {
		fmt.Fprintf(p.w, "\x1b[%dA\r\x1b[J", p.drawn)
		p.drawn = 0
	}
}

// clearFirst takes away what was drawn before anything is written: it would be written over, or taken away afterwards.
type clearFirst struct {
	io.Writer
	clear func()
}

func (c clearFirst) Write(b []byte) (int, error) {
	c.clear()
	return c.Writer.Write(b)
}
