package store

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestManyGaps: behind a full list places are logged once a minute, not with every read.
func TestManyGaps(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	g := gaps{logger: slog.New(slog.NewTextHandler(&out, nil)), clock: func() time.Time { return now }}
	lines := func() int { return strings.Count(out.String(), "\n") }
	for round := range 3 {
		for i := range maxGaps {
			g.add(int64(i), int64(i)+1, "rot")
		}
		if lines() != maxGaps || g.count() != maxGaps {
			t.Fatalf("round %d: %d lines, %d gaps", round, lines(), g.count())
		}
	}
	for range 100 {
		g.add(1<<40, 1<<40+1, "rot")
		g.add(1<<41, 1<<41+1, "rot")
	}
	if lines() != maxGaps+1 {
		t.Errorf("%d lines for the places behind", lines()-maxGaps)
	}
	now = now.Add(logGapsEvery)
	g.add(1<<40, 1<<40+1, "rot")
	if lines() != maxGaps+2 || !strings.Contains(out.String(), "others=199") || g.count() != maxGaps {
		t.Errorf("%d lines a minute later, %d gaps", lines()-maxGaps, g.count())
	}
}
