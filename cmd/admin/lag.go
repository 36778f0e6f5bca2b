package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

func lagOfGroups() *Command {
	return &Command{
		Name: "lag", Short: "Show how far consumer groups are behind, for how long they will be, and why", Reads: true, Run: runLag,
		Flags: []Flag{
			{Short: "g", Long: "groupName", Usage: "one group; all that have consumed from the brokers if it is not given", Names: Groups},
			{Short: "t", Long: "topic", Usage: "one topic", Names: Topics},
			{Short: "l", Long: "level", Usage: "only those that are so many messages behind, or more", Kind: Number},
			{Short: "w", Long: "windowMs", Usage: "how long to look, for the rates; 2000 if it is not given", Kind: Number},
		},
	}
}

// Bounds of the time between the two looks from which rates come.
const (
	defaultWindowMs = 2_000
	maxWindowMs     = 600_000
)

// runLag looks twice at what groups have consumed, and asks those that are behind, and their brokers, for the reason.
func runLag(ctx context.Context, s *Session, a Args, out *Out) error {
	window := time.Duration(a.Number("windowMs", defaultWindowMs)) * time.Millisecond
	if window <= 0 || window > maxWindowMs*time.Millisecond {
		return fmt.Errorf("-w (--windowMs) %s: 1 to %d", a["windowMs"], maxWindowMs)
	}
	before, err := s.lookAtLag(ctx, a, nil)
	if err != nil {
		return err
	}
	if err := s.wait(ctx, window); err != nil {
		return err
	}
	after, err := s.lookAtLag(ctx, a, before.silent)
	if err != nil {
		return err
	}
	rows := compareLooks(before, after)
	brokers, dead := map[string]*brokerLook{}, map[string]int64{}
	shown := rows[:0]
	for i := range s.counted("groups", len(rows)) {
		r := rows[i]
		if r.Diff < a.Number("level", 0) {
			continue
		}
		s.countFailures(ctx, r, dead, after.silent)
		if r.ill() {
			s.gather(ctx, r, brokers)
		}
		r.judge()
		shown = append(shown, r)
	}
	slices.SortStableFunc(shown, func(x, y *lagRow) int {
		if x.Diff != y.Diff {
			return int(min(max(y.Diff-x.Diff, -1), 1))
		}
		return strings.Compare(x.Group+"\x00"+x.Topic, y.Group+"\x00"+y.Topic)
	})
	writeLag(shown, out)
	return after.silent.err()
}

func writeLag(rows []*lagRow, out *Out) {
	out.Table("groups", "%-32[1]v  %-32[2]v  %12[3]v  %14[4]v  %10[5]v  %10[6]v  %8[7]v  %8[8]v  %14[9]v  %-20[10]v\n%[11]v", Col{"#Group", "group"}, Col{"#Topic", "topic"}, Col{"#Diff", "diff"},
		Col{"#Behind", "behindMs"}, Col{"#In/s", "inTps"}, Col{"#Out/s", "outTps"}, Col{"#Retry", "retry"}, Col{"#Dead", "dead"}, Col{"#Drained in", "drainMs"}, Col{"#Cause", "cause"},
		Col{"", "evidence"})
	for _, r := range rows {
		out.Row(front(r.Group, 32), front(r.Topic, 32), r.Diff, r.behindCell(), fixed(r.In, 1), fixed(r.Out, 1), r.Retry, r.Dead, r.drainCell(), r.Cause, r.evidenceCell())
	}
}

func (r *lagRow) behindCell() Cell {
	if r.OldestMs == 0 {
		if r.Diff > 0 {
			return Cell{nil, "unknown"}
		}
		return Cell{0, "-"}
	}
	behind := max(r.At.Sub(stampTime(r.OldestMs)), 0)
	return Cell{behind.Milliseconds(), spanText(behind)}
}

func (r *lagRow) drainCell() Cell {
	switch d, ever := r.drain(); {
	case r.Diff <= 0:
		return Cell{0, "-"}
	case !ever:
		return Cell{nil, "never"}
	default:
		return Cell{d.Milliseconds(), spanText(d)}
	}
}

func (r *lagRow) evidenceCell() Cell {
	var text strings.Builder
	for _, e := range r.Evidence {
		text.WriteString("    " + e + "\n")
	}
	all := r.Evidence
	if all == nil {
		all = []string{}
	}
	return Cell{all, text.String()}
}

// spanText writes a span of time with the two units that matter.
func spanText(d time.Duration) string {
	switch d = max(d, -d); {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", int(d/time.Hour), int(d/time.Minute)%60)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", int(d/time.Minute), int(d/time.Second)%60)
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
