package bench

import (
	"fmt"
	"io"
	"strings"
)

// Text writes the result for a terminal.
func (r *Result) Text(w io.Writer) error {
	if r.B == nil && len(r.A.Reports) == 1 {
		return r.A.Reports[0].Text(w)
	}
	fmt.Fprintf(w, "%s\n", r.Title)
	for _, line := range r.header() {
		fmt.Fprintf(w, "  %s\n", line)
	}
	if r.Note != "" {
		fmt.Fprintf(w, "  %s\n", r.Note)
	}
	fmt.Fprintln(w)
	t := &table{}
	for _, line := range r.cells() {
		t.add(line...)
	}
	if err := t.write(w, "  "); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, s := range r.Words() {
		for i, line := range wrap(s, 110) {
			fmt.Fprintf(w, "  %s%s\n", []string{"- ", "  "}[min(i, 1)], line)
		}
	}
	return nil
}

// header says what was run, once where both targets had the same, and against what.
func (r *Result) header() (out []string) {
	loads := []string{r.A.Reports[0].describe()}
	if r.B != nil {
		if other := r.B.Reports[0].describe(); other != loads[0] {
			loads = []string{r.A.Name + ": " + loads[0], r.B.Name + ": " + other}
		}
	}
	out = append(out, loads...)
	for _, s := range r.sets() {
		if about := s.Reports[0].About; about != nil {
			out = append(out, s.Name+": "+about.String())
		}
	}
	return out
}

// cells are the rows of the result's table, the heading first.
func (r *Result) cells() [][]string {
	head := []string{""}
	for _, s := range r.sets() {
		head = append(head, s.Name)
		if len(s.Reports) > 1 {
			head = append(head, "min..max")
		}
	}
	if r.B != nil {
		head = append(head, "ratio")
	}
	several := r.B != nil && r.Rounds && min(len(r.A.Reports), len(r.B.Reports)) > 1
	if several {
		head = append(head, "min..max")
	}
	if r.Rounds {
		head = append(head, "agree")
	}
	out := [][]string{head}
	for _, row := range r.rows() {
		line := []string{row.Name}
		for i, s := range r.sets() {
			spread := []Spread{row.A, row.B}[i]
			median, ends := spread.cells(row.m)
			line = append(line, median)
			if len(s.Reports) > 1 {
				line = append(line, ends)
			}
		}
		if r.B != nil {
			line = append(line, Ratio(row.Ratio))
		}
		if several {
			line = append(line, row.ratioEnds())
		}
		if r.Rounds {
			line = append(line, row.agreement())
		}
		out = append(out, line)
	}
	return out
}

func (row *Row) agreement() string {
	if row.Of == 0 || row.better() == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d", row.Agree, row.Of)
}

// ratioEnds are the least and the largest ratio of a round; "": there are no two.
func (row *Row) ratioEnds() string {
	if row.Each.N < 2 {
		return ""
	}
	return strings.TrimSuffix(Ratio(row.Each.Min), "x") + ".." + Ratio(row.Each.Max)
}

// cells are a spread's median and extremes; of a single run there are none.
func (s Spread) cells(m *metric) (median, ends string) {
	switch s.N {
	case 0:
		return "-", ""
	case 1:
		return m.text(s.Median), ""
	}
	low, high := m.text(s.Min), m.text(s.Max)
	// The unit is told once where both ends have it.
	if i := strings.LastIndexByte(low, ' '); i > 0 && strings.HasSuffix(high, low[i:]) {
		low = low[:i]
	}
	return m.text(s.Median), low + ".." + high
}

// wrap breaks a text into lines of up to width characters.
func wrap(s string, width int) (out []string) {
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > width {
			out = append(out, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(out, line)
}
