package bench

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bar is what a figure is to reach.
type Bar struct {
	Note   string // the section of the notes that says what the remaining cost is
	What   string
	Key    string // of the result that has the figure; anyKey: of each, and the worst counts; "": it is on another page
	Metric string // of that result
	Text   string // the bar in words
	Where  string // Markdown: the other page, or where the figure is when the result is not there

	least bool    // the figure is to be at least the value
	apart bool    // and must not equal it
	value float64 // in the unit's smallest: ms, bytes
	unit  string  // "x": of the ratio of first to second; else of the first target's median
}

// perCPUSecond is the metric of a bar that is the inverse of another.
const perCPUSecond = "messages per broker CPU second"

// anyKey is the key of a bar that every result must reach, with both its targets.
const anyKey = "*"

var barForm = regexp.MustCompile(`^(>=|<=|<|>) ([0-9.]+) ?(x|times|us|ms|s|MiB)$`)

// ReadBars reads bars, one a line: note | what | key, metric | bar | where. Empty lines and those that begin with # are nothing. A bar is
// an operator, a number and a unit: x is the ratio of the first target to the second, times a ratio that the first has measured itself.
// The key * is every result, of which the worst figure counts, whichever target's it is.
func ReadBars(r io.Reader) (out []Bar, err error) {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "|")
		if len(fields) != 5 {
			return nil, fmt.Errorf("line %d: %d fields, not 5", n, len(fields))
		}
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		b := Bar{Note: fields[0], What: fields[1], Text: fields[3], Where: fields[4]}
		key, metric, measured := strings.Cut(fields[2], ",")
		b.Key, b.Metric = strings.TrimSpace(key), strings.TrimSpace(metric)
		if err := b.parse(); measured && err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if !measured && (b.Key != "" || b.Where == "") {
			return nil, fmt.Errorf("line %d: neither the key and metric of a result nor where the figure is", n)
		}
		if b.Key == anyKey && b.unit == "x" {
			return nil, fmt.Errorf("line %d: a bar of every result is of a figure, not of the ratio of two", n)
		}
		out = append(out, b)
	}
	return out, lines.Err()
}

func (b *Bar) parse() error {
	m := barForm.FindStringSubmatch(b.Text)
	if m == nil {
		return fmt.Errorf("bar %q: as >= 6 x or < 2 ms", b.Text)
	}
	n, err := strconv.ParseFloat(m[2], 64)
	if err != nil {
		return fmt.Errorf("bar %q: %w", b.Text, err)
	}
	b.least, b.apart = m[1][0] == '>', len(m[1]) == 1
	b.unit = m[3]
	b.value = n * map[string]float64{"x": 1, "times": 1, "us": 1e-3, "ms": 1, "s": 1e3, "MiB": 1 << 20}[b.unit]
	return nil
}

// reached says whether a figure does.
func (b *Bar) reached(figure float64) bool {
	switch {
	case figure == b.value:
		return !b.apart
	case b.least:
		return figure > b.value
	}
	return figure < b.value
}

// find writes what results have of a bar, and what that comes to; "" and "": none of them is the bar's.
func (b *Bar) find(results []*Result) (figure, verdict string) {
	if b.Key == "" {
		return "", ""
	}
	if b.Key == anyKey {
		return b.worst(results)
	}
	at := slices.IndexFunc(results, func(r *Result) bool { return r.Key == b.Key })
	if at < 0 {
		return "", ""
	}
	if figure, verdict = b.judge(results[at]); figure == "" {
		return "not measured by these rounds", "not judged"
	}
	return figure, verdict
}

// worst judges the bar by the target of a result that is farthest from it.
func (b *Bar) worst(results []*Result) (figure, verdict string) {
	worst, of, rounds := math.NaN(), 0, 0
	for _, r := range results {
		if r.B == nil || r.Key == "" {
			continue
		}
		for _, row := range r.rows() {
			for i, spread := range []Spread{row.A, row.B} {
				if row.Name != b.Metric || spread.N == 0 {
					continue
				}
				of++
				if math.IsNaN(worst) || spread.Median != worst && (spread.Median < worst) == b.least {
					worst, rounds = spread.Median, spread.N
					figure = fmt.Sprintf("%s (%s, %s)", row.m.text(worst), r.Key, r.sets()[i].Name)
				}
			}
		}
	}
	if of == 0 {
		return "", ""
	}
	why := ""
	if rounds < 2 {
		why = "one round"
	}
	return fmt.Sprintf("%s, the worst of %d", figure, of), b.verdict(worst, why)
}

// verdict says whether a figure reaches the bar, or why that cannot be said.
func (b *Bar) verdict(figure float64, why string) string {
	out := map[bool]string{true: "yes", false: "**no**"}[b.reached(figure)]
	if why != "" {
		out = fmt.Sprintf("not judged (%s); as it stands %s", why, strings.Trim(out, "*"))
	}
	return out
}

// judge writes what a result has of a bar, and what that comes to; "" and "": the metric was not measured.
func (b *Bar) judge(r *Result) (figure, verdict string) {
	name := b.Metric
	if name == perCPUSecond {
		name = cpuMetric
	}
	rows := r.rows()
	i := slices.IndexFunc(rows, func(row Row) bool { return row.Name == name })
	if r.B == nil || i < 0 || rows[i].A.N == 0 {
		return "", ""
	}
	row := &rows[i]
	value := row.A.Median
	if b.unit == "x" {
		if value = row.Ratio; b.Metric == perCPUSecond {
			value = 1 / value
		}
		figure = Ratio(value) + " (" + pair(row) + b.rounds(row) + ")"
	} else {
		figure = row.m.text(value)
		if row.B.N > 0 {
			figure += fmt.Sprintf(" (%s %s)", r.B.Name, row.m.text(row.B.Median))
		}
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return "", ""
	}
	why := r.unjudgeable()
	if why == "" && b.unit == "x" && row.doubtful() {
		why = "the rounds contradict each other"
	}
	return figure, b.verdict(value, why)
}

// rounds tells the ratios of the single rounds, where there are several.
func (b *Bar) rounds(row *Row) string {
	each := *row
	if b.Metric == perCPUSecond && row.Each.N > 0 {
		each.Each.Min, each.Each.Max = 1/row.Each.Max, 1/row.Each.Min
	}
	if ends := each.ratioEnds(); ends != "" {
		return "; rounds " + ends
	}
	return ""
}

// Notes are prose by the name of its section.
type Notes map[string]string

// ReadNotes takes the first paragraph of every section of a Markdown text, in one line.
func ReadNotes(text string) Notes {
	out := Notes{}
	name, done := "", true
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		heading, is := strings.CutPrefix(line, "## ")
		switch {
		case is:
			name, done = strings.TrimSpace(heading), false
		case line == "" && out[name] != "":
			done = true
		case line != "" && !done:
			out[name] = strings.TrimSpace(out[name] + " " + line)
		}
	}
	return out
}

// barTable writes bars beside what was measured, "" where there are none. more is a link to the notes, "": none.
func barTable(bars []Bar, results []*Result, notes Notes, more string) string {
	if len(bars) == 0 {
		return ""
	}
	var b, rows strings.Builder
	var n [3]int // yes, no, neither
	told := map[string]bool{}
	for i := range bars {
		bar := &bars[i]
		figure, verdict := bar.find(results)
		if figure == "" {
			figure, verdict = bar.Where, "as it says there"
			if bar.Where == "" {
				figure, verdict = "this page was made without that row", "not judged"
			}
		}
		cost := "-"
		switch verdict {
		case "yes":
			n[0]++
		case "**no**":
			n[1]++
		default:
			n[2]++
		}
		if note := notes[bar.Note]; note != "" && verdict != "yes" {
			if cost = note; told[bar.Note] {
				cost = "as above"
			}
			told[bar.Note] = true
			if more != "" {
				cost += fmt.Sprintf(" [more](%s#%s)", more, bar.Note)
			}
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s | %s |\n", cell(bar.What), cell(bar.Text), cell(figure), verdict, cell(cost))
	}
	fmt.Fprintf(&b, "## Bars\n\nWhat each figure is to reach: %s. Reached by these rounds: %d. Not reached: %d. Told by other pages, or not to be judged by these rounds: %d.\n"+
		"A ratio is the first target's median divided by the second's; of messages per broker CPU second it is the inverse of the ratio of CPU a message. Behind it\n"+
		"are the medians, and from where to where the ratios of the single rounds reach. Other figures are the first target's.\n\n"+
		"| bar | to reach | figure | reached | what the remaining cost is |\n| --- | --- | --- | --- | --- |\n%s\n", plural(len(bars), "bar"), n[0], n[1], n[2], rows.String())
	return b.String()
}
