package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// adminProgress draws how far a long command is in one line of a terminal.
type adminProgress struct {
	w     io.Writer
	after time.Duration // work that takes less is not drawn
	began time.Time
	drawn time.Time
	shown bool // the line is there
}

const (
	progressAfter = 500 * time.Millisecond
	progressEvery = 100 * time.Millisecond
	progressCells = 30
)

// show draws at most every tenth of a second, but the end of what was begun: a bar that vanishes before it is full looks like one that
// was given up.
func (p *adminProgress) show(what string, done, total int64) {
	now := time.Now()
	if p.began.IsZero() {
		p.began = now
	}
	soon := now.Sub(p.drawn) < progressEvery && (done < total || !p.shown)
	if now.Sub(p.began) < p.after || soon || total <= 0 {
		return
	}
	p.drawn, p.shown = now, true
	done = min(max(done, 0), total)
	full := int(done * progressCells / total)
	line := fmt.Sprintf("%s [%s%s] %3d%%, %d of %d", what, strings.Repeat("#", full), strings.Repeat(" ", progressCells-full), done*100/total, done, total)
	fmt.Fprintf(p.w, "\r\x1b[K%s", fitting(line, p.w))
}

// clear leaves the line as if nothing had been drawn.
func (p *adminProgress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// fitting cuts a line to what a terminal has room for in one: what is longer could not be taken away again.
func fitting(line string, w io.Writer) string {
	f, ok := w.(*os.File)
	if !ok {
		return line
	}
	text := []rune(line)
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 1 && len(text) >= width {
		return string(text[:width-1])
	}
	return line
}

// isTerminal says that what is written is seen by somebody, and can be drawn over.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
