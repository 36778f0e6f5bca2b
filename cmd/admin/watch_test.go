package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// screen is a terminal's writer: it keeps what each write brought, and when.
type screen struct {
	began  time.Time
	writes []string
	at     []time.Duration
	full   error // what writing fails with
}

func (s *screen) Write(b []byte) (int, error) {
	if s.full != nil {
		return 0, s.full
	}
	s.writes, s.at = append(s.writes, string(b)), append(s.at, time.Since(s.began))
	return len(b), nil
}

// counting is a command that takes a while and writes which of its runs this is. The runs named in fail find nothing.
func counting(takes time.Duration, fail ...int) *Command {
	run := 0
	return &Command{Name: "counting", Reads: true, Run: func(ctx context.Context, s *Session, _ Args, out *Out) error {
		run++
		out.Textf("begun %d\n", run)
		if err := s.wait(ctx, takes); err != nil {
			return err
		}
		if slices.Contains(fail, run) {
			return errors.New("nobody answers")
		}
		out.Table("runs", "run %v\n", Col{"", "run"})
		out.Row(run)
		return nil
	}}
}

// TestWatch: runs come at their times, each whole and in the place of the one before in a terminal, one below the other elsewhere.
func TestWatch(t *testing.T) {
	const second = time.Second
	for name, c := range map[string]struct {
		command  *Command
		terminal bool
		format   Format
		every    time.Duration
		until    time.Duration
		at       []time.Duration
		texts    []string
	}{
		"terminal":               {counting(0), true, Table, 5 * second, 12 * second, []time.Duration{0, 5 * second, 10 * second}, []string{"begun 1\nrun 1\n", "begun 2\nrun 2\n", "begun 3\nrun 3\n"}},
		"time of a run":          {counting(3 * second), true, Table, 5 * second, 20 * second, []time.Duration{3 * second, 11 * second, 19 * second}, []string{"begun 1\nrun 1\n", "begun 2\nrun 2\n", "begun 3\nrun 3\n"}},
		"ended in a run":         {counting(3 * second), true, Table, 5 * second, 9 * second, []time.Duration{3 * second}, []string{"begun 1\nrun 1\n"}},
		"ended in the first run": {counting(3 * second), true, Table, 5 * second, 2 * second, nil, nil},
		"fails and goes on":      {counting(0, 1), true, Table, second, 1500 * time.Millisecond, []time.Duration{0, second}, []string{"begun 1\nringmq: nobody answers\n", "begun 2\nrun 2\n"}},
		"pipe":                   {counting(0), false, Table, 2 * second, 3 * second, []time.Duration{0, 2 * second}, []string{"begun 1\nrun 1\n", "\nbegun 2\nrun 2\n"}},
		"JSON in a pipe":         {counting(0), false, JSON, 2 * second, 3 * second, []time.Duration{0, 2 * second}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := &screen{began: began}
				ctx, cancel := context.WithTimeout(t.Context(), c.until)
				defer cancel()
				if err := Watch(ctx, Options{Format: c.format}, c.command, Args{}, c.every, s, c.terminal); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took != c.until {
					t.Errorf("ended %s after the beginning, and was told to after %s", took, c.until)
				}
				if !slices.Equal(s.at, c.at) {
					t.Errorf("shown after %v, not %v:\n%q", s.at, c.at, s.writes)
				}
				if c.format == JSON {
					s.wantRuns(t, len(c.at))
					return
				}
				for i, text := range c.texts {
					if c.terminal {
						text = fmt.Sprintf("%severy %s: ringmq admin counting, %s\n\n%s", clearScreen, c.every, began.Add(s.at[i]-tookOf(name)).Format(time.DateTime), text)
					}
					if i < len(s.writes) && s.writes[i] != text {
						t.Errorf("shown\n%q\nnot\n%q", s.writes[i], text)
					}
				}
				if all := strings.Join(s.writes, ""); !c.terminal && strings.Contains(all, "\x1b") {
					t.Errorf("a pipe gets %q", all)
				}
			})
		})
	}
}

// tookOf is how long a run takes in a case: a picture has the time of its beginning.
func tookOf(name string) time.Duration {
	if name == "time of a run" || name == "ended in a run" {
		return 3 * time.Second
	}
	return 0
}

// wantRuns reads one JSON object for each run.
func (s *screen) wantRuns(t *testing.T, n int) {
	t.Helper()
	type runs struct{ Runs []struct{ Run int } }
	d := json.NewDecoder(strings.NewReader(strings.Join(s.writes, "")))
	for i := range n {
		var r runs
		if err := d.Decode(&r); err != nil || len(r.Runs) != 1 || r.Runs[0].Run != i+1 {
			t.Fatalf("object %d: %+v %v", i+1, r, err)
		}
	}
	if err := d.Decode(&runs{}); err != io.EOF {
		t.Error("behind the last object:", err)
	}
}

// TestWatchEnds: at once when it is interrupted while it waits, when nobody reads any more, and before it asks anybody when flags are wrong.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- Watch(ctx, Options{}, counting(0), Args{}, time.Hour, io.Discard, true) }()
		synctest.Wait() // it has shown the first run, and waits
		began := time.Now()
		cancel()
		if err := <-ended; err != nil || time.Since(began) != 0 {
			t.Errorf("%v, %s after it was interrupted", err, time.Since(began))
		}
		gone := errors.New("nobody reads")
		if err := Watch(t.Context(), Options{}, counting(0), Args{}, time.Hour, &screen{full: gone}, false); !errors.Is(err, gone) || time.Since(began) != 0 {
			t.Errorf("%v, after %s", err, time.Since(began))
		}
		c := counting(0)
		c.Flags = []Flag{{Short: "t", Long: "topic", Usage: "topic name", Required: true}}
		var out bytes.Buffer
		if err := Watch(t.Context(), Options{}, c, Args{}, time.Hour, &out, true); err == nil || out.Len() != 0 || time.Since(began) != 0 {
			t.Errorf("%v, after %s: %q", err, time.Since(began), out.String())
		}
	})
}
