package replica

import (
	"context"
	"log/slog"
)

// said is a line for the log that waits until Leader.mu is free: every acknowledgement needs that, and a log may be slow.
type said struct {
	level slog.Level
	text  string
	args  []any
}

// say logs at the next unlock. mu is held.
func (l *Leader) say(level slog.Level, text string, args ...any) {
	l.lines = append(l.lines, said{level, text, args})
}

// unlock gives mu back and logs what was said under it.
func (l *Leader) unlock() {
	lines := l.lines
	l.lines = nil
	l.mu.Unlock()
	for _, s := range lines {
		l.logger.Log(context.Background(), s.level, s.text, s.args...)
	}
}
