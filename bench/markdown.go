package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Document is several results as Markdown.
type Document struct {
	Title   string
	Intro   string   // Markdown, in front of everything
	Machine string   // Markdown, behind the line about the machine
	Missing []string // what was not measured, and why
	Results []*Result

	Bars      []Bar
	Notes     Notes  // what is behind a bar that is not reached
	NotesLink string // to the whole of them; "": none
}

// Write writes what it comes to, a table with a line for every result, their interpretation, the brokers and the machine.
func (d *Document) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", d.Title)
	if d.Intro != "" {
		fmt.Fprintf(&b, "%s\n\n", strings.TrimSpace(d.Intro))
	}
	b.WriteString(barTable(d.Bars, d.Results, d.Notes, d.NotesLink))
	b.WriteString(standings(d.Results, d.Missing))
	fmt.Fprintf(&b, "## The figures\n\nEvery cell holds the median of the first target, then that of the second; a ratio is the first divided by the second.\n"+
		"Behind it is from where to where the ratios of the single rounds reach.\n"+
		"Counted is how many rounds, of how long each, warm-up excluded. Spread is how far the farthest round lies from the median. Agree is how many\n"+
		"rounds have the same winner as the medians. Memory is what is no file's (RssAnon): what is resident counts the pages of mapped files too, which\n"+
		"a broker that maps its log has by the GiB and the kernel takes back when it likes. All else is the share of the machine's processors that\n"+
		"neither the broker nor the generator used: other programs, and the kernel's own threads.\n\n")
	b.WriteString("| row | counted | messages/s | ratio | spread | agree | broker CPU a message | ratio | generator CPU a message | all else | memory | ratio | p99 | ratio | spread |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, s := range summary(d.Results) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", cell(s.Title), s.Counted, s.Rate, s.RateRatio.markdown(), s.RateSpread, s.Agree,
			s.CPU, s.CPURatio.markdown(), s.Generator, s.Others, s.Memory, s.MemoryRatio.markdown(), s.P99, s.P99Ratio.markdown(), s.P99Spread)
	}
	b.WriteString(dearGenerators(d.Results))
	b.WriteString("\n## What each row is\n")
	for _, r := range d.Results {
		fmt.Fprintf(&b, "\n### %s\n\n", r.Title)
		if r.Note != "" {
			fmt.Fprintf(&b, "%s\n\n", r.Note)
		}
		if r.Command != "" {
			fmt.Fprintf(&b, "    %s\n\n", r.Command)
		}
		for _, s := range r.Words() {
			fmt.Fprintf(&b, "- %s\n", s)
		}
	}
	if all := brokersOf(d.Results); len(all) > 0 {
		fmt.Fprintf(&b, "\n## The brokers\n\nAs they said themselves.\n\n- %s\n", strings.Join(all, "\n- "))
	}
	if h := hostOf(d.Results); h != "" {
		fmt.Fprintf(&b, "\n## The machine\n\nEverything, generator included, ran on one: %s.\n", h)
	}
	if d.Machine != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(d.Machine))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// dearGenerators names the rows in which the instrument cost more than it should; "" without results of two.
func dearGenerators(results []*Result) string {
	var out []string
	compared := false
	for _, r := range results {
		if r.B == nil {
			continue
		}
		compared = true
		if dear := r.dearGenerator(); dear != "" {
			out = append(out, fmt.Sprintf("- %s: %s", r.Title, dear))
		}
	}
	switch {
	case !compared:
		return ""
	case len(out) == 0:
		return "\nThe generator cost at most a quarter of what the broker used for a message, in every row.\n"
	}
	return "\nThe generator is to cost at most a quarter of what it measures. It cost more here, and there part of a difference may be its own:\n\n" + strings.Join(out, "\n") + "\n"
}

// brokersOf are all different answers of brokers about themselves.
func brokersOf(results []*Result) (out []string) {
	for _, r := range results {
		for _, s := range r.sets() {
			for _, report := range s.Reports {
				if report.About == nil {
					continue
				}
				if line := s.Name + ": " + report.About.String(); !slices.Contains(out, line) {
					out = append(out, line)
				}
			}
		}
	}
	return out
}
