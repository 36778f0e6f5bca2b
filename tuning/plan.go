package tuning

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// keptIn says in which of the files that Apply keeps a line stands.
type keptIn string

const (
	inSysctl   keptIn = "sysctl"
	inLimits   keptIn = "limits"
	inUnit     keptIn = "unit"
	inUdev     keptIn = "udev"
	inTmpfiles keptIn = "tmpfiles"
)

// keptFiles by kind; the unit's depends on its name.
var keptFiles = map[keptIn]string{
	inSysctl:   "/etc/sysctl.d/90-ringmq.conf",
	inLimits:   "/etc/security/limits.d/90-ringmq.conf",
	inUnit:     "/etc/systemd/system/%s.d/90-ringmq-tune.conf",
	inUdev:     "/etc/udev/rules.d/90-ringmq.rules",
	inTmpfiles: "/etc/tmpfiles.d/90-ringmq.conf",
}

// Line is one setting in a file that is read at the start of the host, of the unit, or at a login.
type Line struct {
	File  keptIn `json:"file"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// form is how a kind of file writes a line, and what stands on top of them.
var forms = map[keptIn]struct{ between, after, head string }{
	inSysctl:   {" = ", "", ""},
	inLimits:   {" ", "", ""},
	inUnit:     {"=", "", "[Service]\n"},
	inUdev:     {`="`, `"`, ""},
	inTmpfiles: {" ", "", ""},
}

// keptHead is the first line of each file of ours. A file without it is somebody else's, and left alone.
const keptHead = "# Kept by ringmq tune --apply --persist; ringmq tune --undo takes it back.\n"

func (l *Line) text() string {
	f := forms[l.File]
	return l.Name + f.between + l.Value + f.after
}

// parseKept reads a file of ours back. ok is false for one that is not ours.
func parseKept(kind keptIn, text string) (lines []Line, ok bool) {
	rest, ok := strings.CutPrefix(text, keptHead)
	if !ok {
		return nil, false
	}
	f := forms[kind]
	for line := range strings.Lines(strings.TrimPrefix(rest, f.head)) {
		line = strings.TrimSuffix(strings.TrimSpace(line), f.after)
		if at := strings.LastIndex(line, f.between); at > 0 {
			lines = append(lines, Line{kind, line[:at], line[at+len(f.between):]})
		}
	}
	return lines, true
}

// keptText is the file with those lines, in order of their names; but schedulers come first, since a new one brings its own depth.
func keptText(kind keptIn, lines []Line) string {
	rank := func(l Line) int {
		if strings.Contains(l.Name, "ATTR{queue/scheduler}") {
			return 0
		}
		return 1
	}
	slices.SortFunc(lines, func(a, b Line) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a.Name, b.Name)) })
	var b strings.Builder
	b.WriteString(keptHead + forms[kind].head)
	for _, l := range lines {
		b.WriteString(l.text() + "\n")
	}
	return b.String()
}

// File is one that Apply keeps.
type File struct {
	kind keptIn // how its lines are written

	Name string `json:"name"`
	Text string `json:"text"`
	Was  string `json:"was"` // "": it is not there
}

// Plan is what Apply does about advice.
type Plan struct {
	Writes  []Write  `json:"writes"`
	Files   []File   `json:"files"`
	Refused []string `json:"refused"` // what is not done, and why
	Notes   []string `json:"notes"`   // what else somebody has to know
}

// MakePlan turns advice into writes and, if it is to be kept, files. What was applied before is kept too, and what such a file
// of ours already says stays there, so that a second time changes nothing. It reads and changes nothing.
func MakePlan(t Tree, f *Facts, all []Advice, keep bool, applied []Write) Plan {
	p := Plan{Writes: []Write{}, Files: []File{}, Refused: []string{}, Notes: []string{}}
	lines := map[keptIn][]Line{}
	add := func(all []Line) {
		for _, l := range all {
			lines[l.File] = slices.DeleteFunc(lines[l.File], func(old Line) bool { return old.Name == l.Name })
			lines[l.File] = append(lines[l.File], l)
		}
	}
	for _, w := range applied {
		add(w.Keep)
	}
	for _, a := range all {
		p.Writes = append(p.Writes, a.Set...)
		for _, w := range a.Set {
			add(w.Keep)
		}
		add(a.Keep)
	}
	if !keep {
		return p
	}
	for _, kind := range []keptIn{inSysctl, inLimits, inUnit, inUdev, inTmpfiles} {
		if len(lines[kind]) > 0 {
			p.keep(t, kind, keptFile(kind, f.Files.Unit), lines[kind])
		}
	}
	p.Notes = append(p.Notes, overridden(t, f.Files.Unit, lines)...)
	return p
}

func keptFile(kind keptIn, unit string) string {
	if kind == inUnit {
		return fmt.Sprintf(keptFiles[kind], unit)
	}
	return keptFiles[kind]
}

// keep adds a file with those lines and the ones that it has already.
func (p *Plan) keep(t Tree, kind keptIn, name string, lines []Line) {
	was := ""
	if _, err := t.Mode(name); err == nil {
		text, err := t.ReadFile(name)
		if err != nil {
			p.Refused = append(p.Refused, fmt.Sprintf("%s cannot be read: %v", name, err))
			return
		}
		was = string(text)
		there, ours := parseKept(kind, was)
		if !ours {
			p.Refused = append(p.Refused, name+" is somebody else's")
			return
		}
		for _, old := range there {
			if !slices.ContainsFunc(lines, func(l Line) bool { return l.Name == old.Name }) {
				lines = append(lines, old)
			}
		}
	}
	if text := keptText(kind, slices.Clone(lines)); text != was {
		p.Files = append(p.Files, File{kind: kind, Name: name, Text: text, Was: was})
	}
}

// withoutRefused is the files without the lines of writes that were refused, and what is to be said about those: a value that the kernel does
// not take now is no better at the next start. In their place is what applied, earlier, had them say, or else what the file says. A file that
// says nothing new then is left out.
func withoutRefused(files []File, refused []Write, applied []written) (left []File, dropped []string) {
	for _, f := range files {
		lines, _ := parseKept(f.kind, f.Text)
		var gone []string
		for _, w := range refused {
			for _, l := range w.Keep {
				i := slices.IndexFunc(lines, func(o Line) bool { return l.File == f.kind && o.text() == l.text() })
				if i < 0 {
					continue
				}
				older, ok := f.older(&l, applied)
				if ok && older.text() == l.text() {
					continue
				}
				gone = append(gone, l.text())
				if lines = slices.Delete(lines, i, i+1); ok {
					lines = append(lines, older)
				}
			}
		}
		if len(gone) > 0 {
			dropped = append(dropped, fmt.Sprintf("%s does not keep %s, which is refused now", f.Name, strings.Join(gone, "; ")))
			f.Text = keptText(f.kind, lines)
		}
		if len(gone) == 0 || len(lines) > 0 && f.Text != f.Was {
			left = append(left, f)
		}
	}
	return left, dropped
}

// older is the line by which another value for the same was applied, or which the file has.
func (f *File) older(l *Line, applied []written) (Line, bool) {
	there, _ := parseKept(f.kind, f.Was)
	for _, w := range applied {
		there = slices.Concat(slices.DeleteFunc(slices.Clone(w.Keep), func(o Line) bool { return o.File != f.kind || o.text() == l.text() }), there)
	}
	i := slices.IndexFunc(there, func(o Line) bool { return o.Name == l.Name })
	if i < 0 {
		return Line{}, false
	}
	return there[i], true
}
