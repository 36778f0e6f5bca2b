package main

import (
	"errors"
	"testing"
	"time"
)

// TestWhatCannotBeShown: a scene that could not be played is no failure, unless everything must be shown.
func TestWhatCannotBeShown(t *testing.T) {
	for _, c := range []struct {
		name           string
		must           bool
		err            error
		passed, failed int
	}{
		{"played", true, nil, 1, 0},
		{"failed", false, errors.New("lost"), 0, 1},
		{"skipped", false, skipped("needs root"), 0, 0},
		{"skipped, and it must be shown", true, skipped("needs root"), 0, 1},
		{"skipped by one of its steps, and it must be shown", true, errors.Join(errors.New("step"), skipped("needs root")), 0, 1},
	} {
		tally := &tally{must: c.must}
		tally.counts(c.name, time.Now(), "", c.err)
		if tally.passed != c.passed || tally.failed != c.failed {
			t.Errorf("%s: %d passed, %d failed, want %d and %d", c.name, tally.passed, tally.failed, c.passed, c.failed)
		}
	}
}
