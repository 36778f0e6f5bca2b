package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// adminProgress draws how far a long command is in one line of a terminal. Commands that are quick draw nothing.
type adminProgress struct {
	w     io.Writer
	began time.Time
	drawn time.Time
}

const (
	progressAfter = 500 * time.Millisecond // commands that take less draw nothing
	progressEvery = 100 * time.Millisecond
	progressCells = 30
)

func (p *adminProgress) show(what string, done, total int64) {
	now := time.Now()
	if p.began.IsZero() {
		p.began = now
	}
	if now.Sub(p.began) < progressAfter || now.Sub(p.drawn) < progressEvery || total <= 0 {
		return
	}
	p.drawn = now
	full := int(min(max(done, 0), total) * progressCells / total)
	fmt.Fprintf(p.w, "\r\x1b[K%s [%s%s] %d of %d", what, strings.Repeat("#", full), strings.Repeat(" ", progressCells-full), done, total)
}

// clear leaves the line as if nothing had been drawn.
func (p *adminProgress) clear() {
	if !p.drawn.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
