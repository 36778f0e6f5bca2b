package doctor

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Colours of states, for terminals that have them.
var colours = [...]string{"\x1b[1;31m", "\x1b[33m", "\x1b[36m", "\x1b[32m"}

const plainColour = "\x1b[0m"

// aboutColumns is how wide the column of what a finding is about gets; longer ones stand out.
const aboutColumns = 28

// WriteTable writes the report for a reader, the worst first. width: columns of the terminal, 0: lines are not broken.
func (r *Report) WriteTable(w io.Writer, colour bool, width int) error {
	b := bufio.NewWriter(w)
	names := [2]int{}
	rows := folded(r.Findings)
	for _, f := range rows {
		names[0], names[1] = max(names[0], utf8.RuneCountInString(f.Name)), max(names[1], min(utf8.RuneCountInString(f.About), aboutColumns))
	}
	for _, f := range rows {
		state := fmt.Sprintf("%-7s", f.State)
		if colour {
			state = colours[f.State] + state + plainColour
		}
		head := fmt.Sprintf("  %-*s  %-*s  ", names[0], f.Name, names[1], f.About)
		indent := 7 + utf8.RuneCountInString(head)
		if width > 0 && width-indent < 30 {
			indent = 9
			head = strings.TrimRight(head, " ") + fmt.Sprintf("\n%*s", indent, "")
		}
		fmt.Fprintf(b, "%s%s", state, head)
		wrap(b, f.Seen, indent, width)
		if f.State == OK {
			continue
		}
		const inner = 9
		fmt.Fprintf(b, "%*swhy  ", inner, "")
		wrap(b, f.Why, inner+5, width)
		fmt.Fprintf(b, "%*sfix  ", inner, "")
		wrap(b, f.Fix, inner+5, width)
	}
	fmt.Fprintf(b, "%s\n", r.Verdict())
	return b.Flush()
}

// foldedRows is how many good findings of one name may have a row each.
const foldedRows = 3

// folded puts good findings of one name that are more than a few into one row: a screen is for what is wrong.
func folded(all []Finding) (rows []Finding) {
	count := map[string]int{}
	for _, f := range all {
		if f.State == OK {
			count[f.Name]++
		}
	}
	for _, f := range all {
		n := count[f.Name]
		switch {
		case f.State != OK || n > 0 && n <= foldedRows:
			rows = append(rows, f)
		case n > foldedRows:
			rows = append(rows, Finding{State: OK, Check: f.Check, Name: f.Name, About: "all " + strconv.Itoa(n), Seen: "the first: " + f.About + ", " + f.Seen})
			count[f.Name] = 0
		}
	}
	return rows
}

// Verdict is the last line: how many findings of each state there are.
func (r *Report) Verdict() string {
	return fmt.Sprintf("%d broken, %s, %d not looked at, %d ok", r.Count(Broken), plural(r.Count(Warning), "warning"), r.Count(Unknown), r.Count(OK))
}

// wrap writes a text whose first line begins at column indent, and the others under it.
func wrap(b *bufio.Writer, text string, indent, width int) {
	col := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case width > 0 && indent+col+1+n > width:
			fmt.Fprintf(b, "\n%*s", indent, "")
			col = 0
		default:
			_ = b.WriteByte(' ')
			col++
		}
		_, _ = b.WriteString(word)
		col += n
	}
	_ = b.WriteByte('\n')
}
