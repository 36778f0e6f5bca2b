package tuning

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Report is what a look at a host came to, as it is printed.
type Report struct {
	FormatVersion int      `json:"formatVersion"` // 1
	Profile       Profile  `json:"profile"`
	Left          int      `json:"left"` // pieces of advice that leave something to do here
	Facts         *Facts   `json:"facts"`
	Advice        []Advice `json:"advice"`
}

// NewReport makes one of facts and the advice about them.
func NewReport(f *Facts, p Profile) *Report {
	if p == Auto && f.Kernel.Container != "" {
		p = Container
	} else if p == Auto {
		p = Production
	}
	r := &Report{FormatVersion: 1, Profile: p, Facts: f, Advice: Advise(f, p)}
	for i := range r.Advice {
		if r.Advice[i].Left() {
			r.Left++
		}
	}
	return r
}

// WriteJSON writes any of what this package reports.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

const columns = 120

// Text prints what is to be done with its reasons, and the rest in a line each; everything with its reasons if all is set.
func (r *Report) Text(w io.Writer, all bool) error {
	var b strings.Builder
	f := r.Facts
	fmt.Fprintf(&b, "profile %s; kernel %s; %d processors; memory %s; store %s", r.Profile, orUnknown(f.Kernel.Release), f.CPU.Online, size(max(f.Memory.TotalBytes, 0)), f.Store.Dir)
	if f.Store.LogDir != "" {
		fmt.Fprintf(&b, ", its log %s", f.Store.LogDir)
	}
	if len(f.Devices) > 0 {
		names := make([]string, 0, len(f.Devices))
		for _, d := range f.Devices {
			names = append(names, strings.TrimSpace(d.Name+" "+d.Model))
		}
		fmt.Fprintf(&b, " on %s over %s", f.Store.Type, strings.Join(names, ", "))
	}
	b.WriteString("\n\n")
	for _, s := range []State{Change, ByHand, OnHost, Consider} {
		for i := range r.Advice {
			if r.Advice[i].State == s {
				r.Advice[i].explain(&b)
			}
		}
	}
	for _, s := range []State{Good, Note, NotSeen} {
		for i := range r.Advice {
			switch a := &r.Advice[i]; {
			case a.State != s:
			case all:
				a.explain(&b)
			default:
				fmt.Fprintf(&b, "%-9s %-36s %s\n", a.State, a.Key, nowText(a))
			}
		}
	}
	b.WriteString("\n" + r.unseen() + r.summary())
	_, err := io.WriteString(w, b.String())
	return err
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func nowText(a *Advice) string {
	switch {
	case a.Now == "":
		return a.Here
	case a.Here == "":
		return a.Now
	}
	return a.Now + " (" + a.Here + ")"
}

// explain prints a piece of advice with its reasons.
func (a *Advice) explain(b *strings.Builder) {
	fmt.Fprintf(b, "%-9s %-36s %s", a.State, a.Key, a.Now)
	if a.Want != "" {
		fmt.Fprintf(b, " -> %s", a.Want)
	}
	b.WriteString("\n")
	if a.Here != "" {
		wrap(b, "here: "+a.Here)
	}
	wrap(b, a.Why)
	wrap(b, "gain: "+a.Gain)
	if a.Risk != "" {
		wrap(b, "risk: "+a.Risk)
	}
	wrap(b, fmt.Sprintf("%s: %s", a.Sure, a.Source))
	b.WriteString("\n")
}

func wrap(b *strings.Builder, text string) {
	const indent = "          "
	line := indent
	for word := range strings.FieldsSeq(text) {
		if line != indent && len(line)+1+len(word) > columns {
			b.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
}

// unseen says what could not be looked at, and why that may be.
func (r *Report) unseen() string {
	var b strings.Builder
	if r.Facts.Kernel.Release == "" {
		b.WriteString("/proc is not here, or not open to this user: next to nothing of the kernel could be seen\n")
	}
	if r.Facts.CPU.Online == 0 {
		b.WriteString("/sys is not here, or not open to this user: processors, devices, huge pages and network cards could not be seen\n")
	}
	if len(r.Facts.Unseen) == 0 {
		return b.String()
	}
	b.WriteString("could not be read:")
	for _, u := range r.Facts.Unseen {
		fmt.Fprintf(&b, " %s (%s)", u.Name, u.Why)
	}
	if !r.Facts.Kernel.Root {
		b.WriteString("; root sees more")
	}
	return b.String() + "\n"
}

func (r *Report) summary() string {
	var parts []string
	for _, s := range []struct {
		state State
		text  string
	}{{Change, "to change (--apply)"}, {ByHand, "to be done by hand"}, {OnHost, "for whoever runs the host"}, {Consider, "to consider"}, {NotSeen, "not seen"}, {Good, "good"}} {
		n := 0
		for i := range r.Advice {
			if r.Advice[i].State == s.state {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.text))
		}
	}
	text := strings.Join(parts, ", ") + "\n"
	if r.Facts.Kernel.Container != "" {
		text = fmt.Sprintf("this is a container (%s): its kernel's settings belong to the host\n", r.Facts.Kernel.Container) + text
	}
	return text
}

// Script prints the plan as a shell would do it.
func (p *Plan) Script(t Tree, w io.Writer) error {
	var b strings.Builder
	for _, one := range p.Writes {
		now, err := value(t, one.File)
		if err != nil {
			now = "unknown: " + err.Error()
		}
		fmt.Fprintf(&b, "echo '%s' > '%s'  # now %s\n", one.Value, one.File, now)
	}
	for _, f := range p.Files {
		if len(missingDirs(t, f.Name)) > 0 {
			fmt.Fprintf(&b, "mkdir -p '%s'\n", path.Dir(f.Name))
		}
		fmt.Fprintf(&b, "cat > '%s' <<'END'\n%sEND\n", f.Name, f.Text)
	}
	for _, r := range p.Refused {
		fmt.Fprintf(&b, "# not done: %s\n", r)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "# %s\n", n)
	}
	if b.Len() == 0 {
		b.WriteString("# nothing to do\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Text prints what was done.
func (r *Result) Text(w io.Writer) error {
	var b strings.Builder
	for _, c := range r.Values {
		fmt.Fprintf(&b, "set       %s: %s -> %s\n", c.File, c.From, c.To)
	}
	for _, f := range r.Files {
		fmt.Fprintf(&b, "wrote     %s\n", f)
	}
	for _, s := range r.Refused {
		fmt.Fprintf(&b, "not done  %s\n", s)
	}
	for _, s := range r.Notes {
		fmt.Fprintf(&b, "note      %s\n", s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Only leaves the advice about those keys; a star stands for anything. Keys that match nothing are returned.
func (r *Report) Only(keys []string) (unknown []string) {
	used := make([]bool, len(keys))
	r.Advice = slices.DeleteFunc(r.Advice, func(a Advice) bool {
		for i, k := range keys {
			if matches(k, a.Key) {
				used[i] = true
				return false
			}
		}
		return true
	})
	r.Left = 0
	for i := range r.Advice {
		if r.Advice[i].Left() {
			r.Left++
		}
	}
	for i, k := range keys {
		if !used[i] {
			unknown = append(unknown, k)
		}
	}
	return unknown
}

func matches(pattern, key string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == key
	}
	return strings.HasPrefix(key, first) && len(key) >= len(first)+len(rest) && strings.HasSuffix(key, rest)
}
