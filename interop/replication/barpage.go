package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// bar is a ratio that a pair must reach.
type bar struct {
	what    string
	reach   string
	atLeast bool // the ratio is to be this or more; or else this or less
	ratio   float64
	note    string // the section of docs/benchmarks-notes.md that says what is behind it where it is missed
}

// The bars, by which what was found is filed.
const (
	besideSingle   = "sends/s of a pair, SYNC_MASTER and SYNC_FLUSH, beside our single broker, SYNC_FLUSH"
	besideStock    = "the same beside a stock pair, SYNC_MASTER and SYNC_FLUSH"
	besideCopier   = "the master's CPU per GiB that it sends, beside ours with a copy through user space"
	besideStockCPU = "the same beside a stock master"
	catchUpSpeed   = "an empty slave catches up while the master takes sends"
	catchUpWait    = "p99 of sends meanwhile, beside with the slave in step"
	deafWait       = "p99 of sends beside a peer that asks for the whole log and reads nothing, beside without it"
)

// barList is all of them in the order of the page.
var barList = []bar{
	{besideSingle, ">= 0.7 x", true, 0.7, "pair-sends"},
	{besideStock, ">= 5 x", true, 5, "pair-sends"},
	{besideCopier, "<= 0.5 x", false, 0.5, "pair-sending"},
	{besideStockCPU, "<= 0.2 x", false, 0.2, "pair-sending"},
	{catchUpSpeed, ">= 1 GiB/s, or the disk's speed where that is less", true, 1, "pair-catch-up"},
	{catchUpWait, "<= 1.3 x", false, 1.3, "pair-catch-up"},
	{deafWait, "<= 1.3 x", false, 1.3, "pair-deaf-peer"},
}

// finding is what was measured for a bar.
type finding struct {
	figures string
	ratio   float64 // of medians
}

func (b *bars) add(what, figures string, ratio float64) {
	b.found[what] = finding{figures, ratio}
	fmt.Fprintf(os.Stderr, "bars: %s: %.2f (%s)\n", what, ratio, figures)
}

// verdict says whether a bar is reached. One round has no median, and what is no number tells nothing.
func (r *bar) verdict(f finding, rounds int) string {
	reached := "**no**"
	switch {
	case f.ratio <= 0 || f.ratio != f.ratio:
		return "not judged (nothing to compare with)"
	case r.atLeast && f.ratio >= r.ratio, !r.atLeast && f.ratio <= r.ratio:
		reached = "yes"
	}
	if rounds == 1 {
		return "not judged (one round); as it stands " + strings.Trim(reached, "*")
	}
	return reached
}

// barTable is the table of the page, and whether a bar was missed. note is the paragraph of a section.
func barTable(found map[string]finding, rounds int, note func(section string) string) (table string, missed bool) {
	var t strings.Builder
	t.WriteString("| bar | to reach | figure | reached | what is behind it |\n| --- | --- | --- | --- | --- |\n")
	told := map[string]bool{}
	for i := range barList {
		r := &barList[i]
		figure, verdict, cost := "-", "not measured", "-"
		if f, ok := found[r.what]; ok {
			figure, verdict = fmt.Sprintf("%.2f (%s)", f.ratio, f.figures), r.verdict(f, rounds)
		}
		missed = missed || verdict == "**no**"
		if verdict != "yes" && verdict != "not measured" {
			if cost = note(r.note); told[r.note] {
				cost = "as above"
			}
			told[r.note] = true
			cost += fmt.Sprintf(" [more](benchmarks-notes.md#%s)", r.note)
		}
		fmt.Fprintf(&t, "| %s | %s | %s | %s | %s |\n", r.what, r.reach, figure, verdict, cost)
	}
	return t.String(), missed
}

// firstParagraph is that of a section of a Markdown text, in one line.
func firstParagraph(text, section string) string {
	_, rest, ok := strings.Cut("\n"+text, "\n## "+section+"\n")
	if !ok {
		return ""
	}
	paragraph, _, _ := strings.Cut(strings.TrimSpace(rest), "\n\n")
	return strings.Join(strings.Fields(paragraph), " ")
}

// beside is two lists of figures, with how far each reached.
func beside(mine, other []float64, form string) string {
	return spread(mine, form) + ", beside " + spread(other, form)
}

// spread is the median of some figures, with the least and the most of several.
func spread(list []float64, form string) string {
	text := fmt.Sprintf(form, median(list))
	if len(list) > 1 {
		text += fmt.Sprintf(" ("+form+" to "+form+")", slices.Min(list), slices.Max(list))
	}
	return text
}
