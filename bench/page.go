package bench

import (
	"fmt"
	"html/template"
	"io"
	"time"

	_ "embed"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// Page is one HTML document: nothing is loaded from elsewhere, and no script is in it, so that it can be mailed.
type Page struct {
	Title   string
	Results []*Result
}

// Write renders the page.
func (p *Page) Write(w io.Writer) error {
	v := pageView{Title: p.Title}
	for i, r := range p.Results {
		v.Sections = append(v.Sections, r.section(i))
	}
	if len(p.Results) > 1 {
		v.Summary = summary(p.Results)
	}
	return pageTemplate.Execute(w, &v)
}

// pageView is what the template reads.
type pageView struct {
	Title    string
	Summary  []summaryRow
	Sections []section
}

type section struct {
	ID, Title, Workload, Note, Command, Made string
	Words                                    []string
	Head                                     []string
	Rows                                     [][]string
	Charts                                   []chartView
	Facts                                    [][2]string
	Runs                                     [][]string // the heading first
}

type chartView struct {
	Title  string
	SVG    template.HTML
	Legend template.HTML
}

func (r *Result) section(i int) section {
	first := r.A.Reports[0]
	cells := r.cells()
	cells[0][0] = "median of the rounds"
	if r.B == nil && len(r.A.Reports) == 1 || r.B != nil && len(r.A.Reports)+len(r.B.Reports) == 2 {
		cells[0][0] = ""
	}
	s := section{
		ID: fmt.Sprintf("r%d", i+1), Title: r.Title, Workload: first.describe(), Note: r.Note, Command: r.Command,
		Made: first.Started.Format(time.DateTime), Words: r.Words(), Head: cells[0], Rows: cells[1:], Facts: r.facts(), Runs: r.runs(),
	}
	for _, c := range r.charts() {
		// Both are made here of escaped texts and numbers.
		s.Charts = append(s.Charts, chartView{c.title, template.HTML(c.svg()), template.HTML(c.legend())})
	}
	return s
}

// facts are the settings that are not seen in the figures.
func (r *Result) facts() (out [][2]string) {
	add := func(name, value string) {
		if value != "" {
			out = append(out, [2]string{name, value})
		}
	}
	first := r.A.Reports[0]
	add("workload", first.Kind+", "+first.describe())
	if r.B != nil {
		if other := r.B.Reports[0]; other.describe() != first.describe() {
			out = nil
			add("workload of "+r.A.Name, first.Kind+", "+first.describe())
			add("workload of "+r.B.Name, other.Kind+", "+other.describe())
		}
	}
	add("time", first.counted())
	for _, s := range r.sets() {
		name, value := s.Name, s.Reports[0].Workload.Addr
		if name == "" {
			name = "broker"
		}
		if about := s.Reports[0].About; about != nil {
			value += ": " + about.String()
		}
		add(name, value)
	}
	if r.Ringmq != "" {
		add("made by", "ringmq "+r.Ringmq)
	}
	if first.Host != nil {
		add("generator on", first.Host.String())
	}
	return out
}

// runs is a table of every run, in the order of the rounds.
func (r *Result) runs() [][]string {
	out := [][]string{{"run", "messages", "a second", "CPU a message", "cores", "memory, anonymous", "generator", "all else", "p50", "p99", "p99.9", "max", "errors"}}
	for _, s := range r.sets() {
		for i, report := range s.Reports {
			line := []string{fmt.Sprintf("%s %d", s.Name, i+1), Count(float64(report.Messages)), metrics[0].text(spreadOf(valuesOf(&Set{Reports: s.Reports[i : i+1]}, &metrics[0])).Median)}
			if b := report.Broker; b != nil {
				line = append(line, Micros(b.CPUPerMessageUs), fmt.Sprintf("%.2f", b.Cores), Bytes(float64(b.AnonymousBytes)))
			} else {
				line = append(line, "-", "-", "-")
			}
			line = append(line, fmt.Sprintf("%.2f", report.Generator.Cores))
			if report.Others != nil {
				line = append(line, fmt.Sprintf("%.2f", report.Others.Cores))
			} else {
				line = append(line, "-")
			}
			for _, k := range []int{0, 2, 3, 5} {
				if ms, ok := percentiles[k].known(report); ok {
					line = append(line, Millis(ms))
				} else {
					line = append(line, "-")
				}
			}
			out = append(out, append(line, Count(float64(report.ErrorCount()))))
		}
	}
	return out
}
