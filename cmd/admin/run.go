package admin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"ringmq/cmd/ask"
)

// Options of a run.
type Options struct {
	NameServers []string
	Timeout     time.Duration // of a connection, and of an answer
	Format      Format
	// Now, nil: time.Now.
	Now func() time.Time
	// Wait waits between two looks of one command; nil: for so long, or until ctx ends.
	Wait func(ctx context.Context, d time.Duration) error
	// BodyDir is where bodies of messages are put that are looked up one by one; "": where stock puts them.
	BodyDir string
	// Progress is told how far a long command is; nil: nobody wants to know. total is 0 when it is not known.
	Progress func(what string, done, total int64)
	// Steps is told how it stands with everything that a command waits for, again and again; nil: nobody wants to know.
	Steps func(all []Step)
	// Stop ends the process of the broker at an address, and says what it did; nil: nobody can. An error says what to do instead.
	Stop func(ctx context.Context, addr string) (string, error)
}

// Run runs one command once, on connections of its own. What was found before something failed is written too.
func Run(ctx context.Context, o Options, c *Command, a Args, w io.Writer) (err error) {
	if err := c.check(a); err != nil {
		return err
	}
	s := newSession(o)
	defer func() { s.ask.Close() }()
	buf := bufio.NewWriterSize(w, 64<<10)
	out := newOut(buf, o.Format)
	err = c.Run(ctx, s, a, out)
	if err == nil || out.began() {
		err = errors.Join(err, out.close())
	}
	return errors.Join(err, buf.Flush())
}

// clearScreen makes a terminal show what follows from its first line on.
const clearScreen = "\x1b[H\x1b[2J\x1b[3J"

// Watch runs a command again and again until ctx ends. In a terminal every run takes the place of the one before. What fails is
// written, and tried again: a broker that restarts is what one watches. A run is shown when it is whole: what was there before stays to be
// read as long as the next one asks.
func Watch(ctx context.Context, o Options, c *Command, a Args, every time.Duration, w io.Writer, terminal bool) error {
	if err := c.check(a); err != nil {
		return err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	for first := true; ; first = false {
		var screen bytes.Buffer
		switch {
		case terminal:
			fmt.Fprintf(&screen, "%severy %s: ringmq admin %s, %s\n\n", clearScreen, every, c.Name, o.Now().Format(time.DateTime))
		case !first && o.Format == Table:
			screen.WriteByte('\n')
		}
		err := Run(ctx, o, c, a, &screen)
		if err != nil && ctx.Err() != nil {
			return nil
		}
		if err != nil {
			fmt.Fprintln(&screen, "ringmq:", err)
		}
		if _, err := w.Write(screen.Bytes()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}

func newSession(o Options) *Session {
	s := &Session{ask: ask.New(o.Timeout), timeout: o.Timeout, names: o.NameServers, now: o.Now, wait: o.Wait, bodyDir: o.BodyDir, progress: o.Progress, steps: o.Steps, stop: o.Stop}
	if s.now == nil {
		s.now = time.Now
	}
	if s.wait == nil {
		s.wait = func(ctx context.Context, d time.Duration) error {
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	if s.bodyDir == "" {
		s.bodyDir = filepath.Join(os.TempDir(), "rocketmq", "msgbodys")
	}
	if s.progress == nil {
		s.progress = func(string, int64, int64) {}
	}
	if s.steps == nil {
		s.steps = func([]Step) {}
	}
	return s
}
