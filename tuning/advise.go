package tuning

import (
	"fmt"
	"slices"
	"strings"
)

// State says what is to be done about a piece of advice.
type State string

// States of advice.
const (
	Good     State = "good"     // as it should be
	Change   State = "change"   // Apply can set it, or keep it for the next start
	ByHand   State = "by hand"  // to be done, and not by Apply
	Consider State = "consider" // there are reasons for either; nothing is left undone by leaving it
	OnHost   State = "host"     // belongs to whoever runs the host of this container
	NotSeen  State = "unseen"   // it could not be read
	Note     State = "note"     // nothing to set here; said because articles do
)

// Sure says what a reason rests on.
type Sure string

// What reasons rest on.
const (
	Documented Sure = "documented" // by those who made the thing
	Measured   Sure = "measured"   // by this project; the text says where
	Judged     Sure = "judged"     // by whoever wrote this, from both
)

// Profile is what a host is for.
type Profile string

// Profiles. Auto is Container inside of one, else Production.
const (
	Auto        Profile = "auto"
	Production  Profile = "production"
	Development Profile = "development" // only what loses data or keeps a broker from working is to be changed
	Container   Profile = "container"   // nothing is set from inside
)

// ParseProfile reads the name of a profile.
func ParseProfile(name string) (Profile, error) {
	for _, p := range []Profile{Auto, Production, Development, Container} {
		if string(p) == name {
			return p, nil
		}
	}
	return "", fmt.Errorf("profile %q is none of auto, production, development, container", name)
}

// Advice is one thing about a host: how it is, how it should be, and why.
type Advice struct {
	Key    string  `json:"key"`
	Area   string  `json:"area"`
	State  State   `json:"state"`
	Now    string  `json:"now"`
	Want   string  `json:"want"` // "": nothing else
	Here   string  `json:"here"` // what there is to say about this host alone
	Why    string  `json:"why"`
	Source string  `json:"source"`
	Gain   string  `json:"gain"`
	Risk   string  `json:"risk"`
	Sure   Sure    `json:"sure"`
	Set    []Write `json:"set"`  // what Apply writes
	Keep   []Line  `json:"keep"` // what Apply can only keep for the next start of the unit, or the next login
}

// Write is a value for a file of the kernel's.
type Write struct {
	File  string   `json:"file"`
	Value string   `json:"value"`
	Moves []string `json:"moves,omitempty"` // files whose values the kernel changes along with it
	Keep  []Line   `json:"keep,omitempty"`  // what says the same to the next start of the host
}

// Left says that somebody has something to do about it, here.
func (a *Advice) Left() bool { return a.State == Change || a.State == ByHand }

// knob is one row of the tables: the reasons, and the rule that looks at a host.
type knob struct {
	key    string // with a star where there is one for each device
	want   string // in words, for the page
	why    string
	source string
	gain   string
	risk   string
	sure   Sure
	danger bool // it loses data or keeps a broker from working: also for development
	inside bool // it is of the process, so that a container's own settings decide, not the host's kernel
	files  []string
	judge  func(f *Facts) []finding
}

// finding is what a rule has to say about one thing.
type finding struct {
	key   string // "": the knob's
	state State  // "": it is not there
	now   string
	want  string
	here  string
	set   []Write
	keep  []Line
}

// area is a table of knobs.
type area struct {
	name  string
	about string // on top of its part of the page
	knobs []knob
}

func areas() []area {
	return []area{memoryArea(), filesArea(), storeArea(), deviceArea(), cpuArea(), networkArea(), ringArea(), runtimeArea()}
}

// Advise says what is to be said about a host. It is pure.
func Advise(f *Facts, p Profile) []Advice {
	if p == Auto {
		p = Production
		if f.Kernel.Container != "" {
			p = Container
		}
	}
	var all []Advice
	for _, a := range areas() {
		for _, k := range a.knobs {
			for _, one := range k.judge(f) {
				if a, ok := k.advice(a.name, one, f, p); ok {
					all = append(all, a)
				}
			}
		}
	}
	return all
}

// advice lays what a rule found over what the knob always says, as the profile wants it.
func (k *knob) advice(area string, one finding, f *Facts, p Profile) (Advice, bool) {
	a := Advice{Key: k.key, Area: area, State: one.state, Now: one.now, Want: one.want, Here: one.here,
		Why: k.why, Source: k.source, Gain: k.gain, Risk: k.risk, Sure: k.sure, Set: []Write{}, Keep: []Line{}}
	if one.key != "" {
		a.Key = one.key
	}
	switch a.State {
	case "":
		i := slices.IndexFunc(f.Unseen, func(u Unseen) bool {
			return slices.ContainsFunc(k.files, func(name string) bool { return strings.HasPrefix(u.Name, name) })
		})
		if i < 0 {
			return a, false
		}
		a.State, a.Here = NotSeen, fmt.Sprintf("%s: %s", f.Unseen[i].Name, f.Unseen[i].Why)
	case Change, ByHand:
		switch {
		case p == Container && !k.inside:
			a.State = OnHost
		case p == Container:
			a.State = ByHand
		case p == Development && !k.danger:
			a.State = Consider
		case a.State == Change:
			a.Set, a.Keep = append(a.Set, one.set...), append(a.Keep, one.keep...)
		}
	}
	return a, true
}

func one(f finding) []finding { return []finding{f} }

// sysctl is a value of the kernel's for now, and for the next start.
func sysctl(name, value string, moves ...string) []Write {
	w := Write{File: sysctlFile(name), Value: value, Keep: []Line{{File: inSysctl, Name: name, Value: value}}}
	for _, m := range moves {
		w.Moves = append(w.Moves, sysctlFile(m))
	}
	return []Write{w}
}

func sysctlFile(name string) string { return "/proc/sys/" + strings.ReplaceAll(name, ".", "/") }

// numberIs is the finding about a value that is a number: good, or to be what it should be.
func numberIs(key string, now int64, good bool, want int64, here string, moves ...string) []finding {
	if now < 0 {
		return one(finding{})
	}
	f := finding{state: Good, now: fmt.Sprint(now), here: here}
	if !good {
		f.state, f.want = Change, fmt.Sprint(want)
		f.set = sysctl(key, f.want, moves...)
	}
	return one(f)
}

// size is a number of bytes for a reader.
func size(bytes int64) string {
	for _, u := range []struct {
		name  string
		bytes int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if bytes >= u.bytes {
			if bytes%u.bytes == 0 {
				return fmt.Sprintf("%d %s", bytes/u.bytes, u.name)
			}
			return fmt.Sprintf("%.1f %s", float64(bytes)/float64(u.bytes), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", bytes)
}
