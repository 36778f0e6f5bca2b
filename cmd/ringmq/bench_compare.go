package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ringmq/bench"
)

func newBenchCompare() *cobra.Command {
	o := &benchOptions{}
	inTurns, mixed := false, false
	cmd := &cobra.Command{
		Use: "compare A.json [B.json]", Short: "Compare saved reports", Args: cobra.RangeArgs(1, 2),
		Long: "Compares the reports in two files that --json wrote and says in words what the figures mean. A file may hold several\n" +
			"reports of one broker, one behind the other (cat run1.json run2.json >runs.json): then medians are compared, and the\n" +
			"spread is told. A single file must be a saved versus, which is shown again.",
		Example: examples("compare before.json after.json\ncompare ours.json stock.json --html compare.html\ncompare versus.json --html versus.html"),
		RunE: func(cmd *cobra.Command, args []string) error {
			result, err := compared(args)
			if err != nil {
				return err
			}
			if inTurns {
				result.Rounds = true
			}
			result.Mixed = result.Mixed || mixed
			out, err := o.open()
			if err != nil {
				return err
			}
			defer out.close()
			o.call(result)
			if err := o.deliver(cmd, out, result, result); err != nil {
				return err
			}
			return nil
		},
	}
	o.addGroups(cmd, []string{"output", "naming"})
	cmd.Flags().BoolVar(&inTurns, "in-turns", false, "the reports were made in turns: those of one place belong together")
	cmd.Flags().BoolVar(&mixed, "mixed-loops", false, "tell ratios of latency of a closed loop and an open one too, though they count from different moments")
	return cmd
}

// compared reads one file with a result of two targets, or two with reports.
func compared(files []string) (*bench.Result, error) {
	var results []*bench.Result
	for _, name := range files {
		r, err := readResult(name)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	a := results[0]
	if len(results) == 1 {
		if a.B == nil {
			return nil, errors.New("one file, and it holds no comparison: give a second one to compare it with")
		}
		return a, nil
	}
	b := results[1]
	if a.B != nil || b.B != nil {
		return nil, errors.New("a file that holds a comparison cannot be compared with another: give files of reports")
	}
	if x, y := a.A.Reports[0].Kind, b.A.Reports[0].Kind; x != y {
		return nil, fmt.Errorf("%s is of %s, %s of %s: they measure different things, and no ratio of them means anything", files[0], x, files[1], y)
	}
	if a.A.Name == b.A.Name {
		a.A.Name, b.A.Name = fileLabel(files[0]), fileLabel(files[1])
	}
	return &bench.Result{Title: fmt.Sprintf("%s: %s and %s", a.A.Reports[0].Kind, a.A.Name, b.A.Name), Ringmq: version, A: a.A, B: &b.A}, nil
}

func fileLabel(name string) string {
	return strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
}

func readResult(name string) (*bench.Result, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := bench.ReadResult(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

func newBenchPage() *cobra.Command {
	title, html, markdown := "Benchmarks", "", ""
	var intro, machine, bars, notes string
	var missing []string
	cmd := &cobra.Command{
		Use: "page FILE.json...", Short: "Gather saved results in one document", Args: cobra.MinimumNArgs(1),
		Long:    "Writes one document of what versus, compare and the workloads saved with --json: a table with a line for each comparison,\nthen each by itself. Markdown begins with what is better, equal, worse and not measured.",
		Example: examples("page --html all.html versus1.json versus2.json\npage --markdown benchmarks.md --title 'Ours and stock' rows/*.json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if html == "" && markdown == "" {
				return errors.New("give --html or --markdown, or both")
			}
			var results []*bench.Result
			for _, name := range args {
				r, err := readResult(name)
				if err != nil {
					return err
				}
				r.Key = fileLabel(name)
				results = append(results, r)
			}
			var err error
			if html != "" {
				err = writeFile(html, (&bench.Page{Title: title, Results: results}).Write)
			}
			if markdown != "" {
				d := bench.Document{Title: title, Missing: missing, Results: results}
				if readErr := readParts(&d, markdown, intro, machine, bars, notes); readErr != nil {
					return readErr
				}
				err = errors.Join(err, writeFile(markdown, d.Write))
			}
			if err == nil {
				wrote(cmd, html, markdown)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&title, "title", title, "`text` at the top")
	f.StringVar(&html, "html", "", "`file` of HTML to write")
	f.StringVar(&markdown, "markdown", "", "`file` of Markdown to write")
	f.StringVar(&intro, "intro", "", "`file` with Markdown to stand in front of the table")
	f.StringVar(&machine, "machine", "", "`file` with Markdown about the machine")
	f.StringVar(&bars, "bars", "", "`file` of what the figures are to reach, as interop/bars.txt says")
	f.StringVar(&notes, "notes", "", "`file` of Markdown, of whose sections the first paragraph stands beside a bar that is not reached")
	f.StringArrayVar(&missing, "missing", nil, "`text` about something that was not measured, and why; may be repeated")
	return cmd
}

// readParts fills in what a document takes from other files; those without a name are left out.
func readParts(d *bench.Document, markdown, intro, machine, bars, notes string) error {
	text := func(file string) (string, error) {
		if file == "" {
			return "", nil
		}
		b, err := os.ReadFile(file)
		return string(b), err
	}
	var err error
	if d.Intro, err = text(intro); err != nil {
		return err
	}
	if d.Machine, err = text(machine); err != nil {
		return err
	}
	lines, err := text(bars)
	if err != nil {
		return err
	}
	if d.Bars, err = bench.ReadBars(strings.NewReader(lines)); err != nil {
		return fmt.Errorf("%s: %w", bars, err)
	}
	prose, err := text(notes)
	if err != nil || notes == "" {
		return err
	}
	d.Notes, d.NotesLink = bench.ReadNotes(prose), filepath.Base(notes)
	// A link from one page to the other, wherever both lie.
	if from, absErr := filepath.Abs(filepath.Dir(markdown)); absErr == nil {
		if to, absErr := filepath.Abs(notes); absErr == nil {
			if rel, relErr := filepath.Rel(from, to); relErr == nil {
				d.NotesLink = filepath.ToSlash(rel)
			}
		}
	}
	return nil
}
