package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Set is the reports of one target under one workload, in the order in which they were made.
type Set struct {
	Name    string
	Reports []*Report
}

// Result is a workload run against one target or two, as often as there are reports. It is what is rendered.
type Result struct {
	FormatVersion int `json:",omitempty"` // set by WriteJSON

	Key     string `json:"-"` // by which a bar finds it
	Title   string
	Command string `json:",omitempty"` // that made it
	Note    string `json:",omitempty"` // what a reader must know
	Stopped string `json:",omitempty"` // "stopped after X of Y rounds", and why where a broker was the cause
	Ringmq  string `json:",omitempty"` // version of what made it
	Mixed   bool   `json:",omitempty"` // latency of a closed loop and an open one is compared all the same
	Rounds  bool   // the reports of both sets were made in turns, so that those of one round belong together
	A       Set
	B       *Set `json:",omitempty"` // nil: one target
}

// Single is a result of one report.
func Single(r *Report) *Result {
	return &Result{Title: r.Kind + " " + r.Name, Command: r.Command, Ringmq: r.Ringmq, A: Set{r.Name, []*Report{r}}}
}

// formatVersion is that of the JSON, which docs/BENCH.md describes. Members may be added within one; a reader passes over those it
// does not know.
const formatVersion = 1

// WriteJSON writes a *Report or a *Result as ReadResult reads it.
func WriteJSON(w io.Writer, v any) error {
	switch it := v.(type) {
	case *Report:
		own := *it
		own.FormatVersion = formatVersion
		v = &own
	case *Result:
		own := *it
		own.FormatVersion = formatVersion
		v = &own
	}
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// ReadResult reads what WriteJSON wrote: a *Result as it is, and reports, one behind the other, as a set.
func ReadResult(r io.Reader) (*Result, error) {
	d := json.NewDecoder(bufio.NewReader(r))
	out := &Result{}
	for {
		var raw json.RawMessage
		switch err := d.Decode(&raw); {
		case errors.Is(err, io.EOF) && len(out.A.Reports) > 0:
			out.A.Name = out.A.Reports[0].Name
			out.Title = out.A.Reports[0].Kind + " " + out.A.Name
			out.Command, out.Ringmq = out.A.Reports[0].Command, out.A.Reports[0].Ringmq
			return out, nil
		case errors.Is(err, io.EOF):
			return nil, errors.New("no report in it")
		case err != nil:
			return nil, err
		}
		result, err := readOne(raw, out)
		if err != nil || result != nil {
			return result, err
		}
	}
}

// readOne reads one document; reports are added to out, a result is returned.
func readOne(raw json.RawMessage, out *Result) (*Result, error) {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		var reports []*Report
		if err := json.Unmarshal(raw, &reports); err != nil {
			return nil, err
		}
		for _, r := range reports {
			if r == nil || r.Kind == "" {
				return nil, errors.New("it holds what is no report")
			}
		}
		out.A.Reports = append(out.A.Reports, reports...)
		return nil, nil
	}
	var probe struct {
		FormatVersion int
		Kind          string
		A             *struct{ Reports []struct{ Kind string } }
	}
	if err := json.Unmarshal(raw, &probe); err != nil {
		return nil, err
	}
	switch {
	case probe.FormatVersion > formatVersion:
		return nil, fmt.Errorf("its FormatVersion is %d, of a later ringmq: this one reads up to %d", probe.FormatVersion, formatVersion)
	case probe.Kind != "":
		r := &Report{}
		if err := json.Unmarshal(raw, r); err != nil {
			return nil, err
		}
		r.FormatVersion = 0
		out.A.Reports = append(out.A.Reports, r)
		return nil, nil
	case probe.A != nil && len(out.A.Reports) == 0:
		result := &Result{}
		if err := json.Unmarshal(raw, result); err != nil {
			return nil, err
		}
		result.FormatVersion = 0
		return result, result.check()
	}
	return nil, errors.New("it holds neither a report nor a result")
}

func (r *Result) check() error {
	for _, s := range r.sets() {
		if len(s.Reports) == 0 {
			return fmt.Errorf("no report of %q", s.Name)
		}
		for _, report := range s.Reports {
			if report == nil || report.Kind == "" {
				return fmt.Errorf("what is no report of %q", s.Name)
			}
		}
	}
	return nil
}

// ErrorCount is how many requests failed in all runs.
func (r *Result) ErrorCount() (n int64) {
	for _, s := range r.sets() {
		for _, report := range s.Reports {
			n += report.ErrorCount()
		}
	}
	return n
}

// Failures are what the brokers must not do and did, each once.
func (r *Result) Failures() (out []string) {
	for _, s := range r.sets() {
		for _, report := range s.Reports {
			for _, f := range report.Failures {
				if r.B != nil {
					f = s.Name + ": " + f
				}
				if !slices.Contains(out, f) {
					out = append(out, f)
				}
			}
		}
	}
	return out
}

// Stops say which runs did not come to their end, and how far they came; none: all did.
func (r *Result) Stops() []string {
	out := r.each(func(report *Report) string { return report.Stopped })
	if r.Stopped != "" {
		out = append([]string{r.Stopped}, out...)
	}
	return out
}

// Unjudged are the reasons why there is no verdict where there should be one.
func (r *Result) Unjudged() []string {
	return r.each(func(report *Report) string { return report.Unjudged })
}

// Shortfalls say which runs did not keep the rate that they were given.
func (r *Result) Shortfalls() []string { return r.each((*Report).shortfall) }

// Empty are the targets none of whose runs has a message: nothing was acknowledged or delivered.
func (r *Result) Empty() (out []string) {
	for _, s := range r.sets() {
		if !slices.ContainsFunc(s.Reports, func(report *Report) bool { return report.Messages > 0 }) {
			out = append(out, s.Name)
		}
	}
	return out
}

// each collects what the reports say, each thing once, with the target's name where there are two.
func (r *Result) each(says func(*Report) string) (out []string) {
	for _, s := range r.sets() {
		for _, report := range s.Reports {
			text := says(report)
			if text == "" {
				continue
			}
			if r.B != nil {
				text = s.Name + ": " + text
			}
			if !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	return out
}

// judged says that every report has a verdict.
func (r *Result) judged() bool {
	for _, s := range r.sets() {
		for _, report := range s.Reports {
			if !report.Judged {
				return false
			}
		}
	}
	return true
}

// sets are the one or two that there are.
func (r *Result) sets() []*Set {
	if r.B == nil {
		return []*Set{&r.A}
	}
	return []*Set{&r.A, r.B}
}
