package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// State says how bad a finding is. The order is that of reports: worst first.
type State int

// States of a finding.
const (
	Broken  State = iota // something does not work, or soon will not
	Warning              // it works, and somebody should look at it
	Unknown              // it could not be looked at
	OK
)

var stateNames = [...]string{"broken", "warning", "unknown", "ok"}

func (s State) String() string { return stateNames[s] }

// MarshalText implements encoding.TextMarshaler.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one diagnosis. Unless it is OK, it says why it matters and how to mend it.
type Finding struct {
	Check string `json:"check"` // which look it comes from: names, address, clock ...
	Name  string `json:"name"`  // the diagnosis
	State State  `json:"state"`
	About string `json:"about"` // the server, topic, group, file or key
	Seen  string `json:"seen"`
	Why   string `json:"why,omitempty"`
	Fix   string `json:"fix,omitempty"`
}

// because completes a finding with why it matters and how to mend it.
func (f Finding) because(why, fix string, args ...any) Finding {
	if len(args) > 0 {
		fix = fmt.Sprintf(fix, args...)
	}
	f.Why, f.Fix = why, fix
	return f
}

func finding(state State, check, name, about, seen string, args ...any) Finding {
	if len(args) > 0 {
		seen = fmt.Sprintf(seen, args...)
	}
	return Finding{Check: check, Name: name, State: state, About: about, Seen: seen}
}

func broken(check, name, about, seen string, args ...any) Finding {
	return finding(Broken, check, name, about, seen, args...)
}

func warning(check, name, about, seen string, args ...any) Finding {
	return finding(Warning, check, name, about, seen, args...)
}

func unknown(check, name, about, seen string, args ...any) Finding {
	return finding(Unknown, check, name, about, seen, args...)
}

func ok(check, name, about, seen string, args ...any) Finding {
	return finding(OK, check, name, about, seen, args...)
}

// Report is all that was found, worst first.
type Report struct {
	NameServers []string
	Brokers     []string
	LookedAt    int // servers that answered, files and stores that could be read
	Findings    []Finding
}

// Count is how many findings have a state.
func (r *Report) Count(s State) (n int) {
	for _, f := range r.Findings {
		if f.State == s {
			n++
		}
	}
	return n
}

// Exit codes of the command.
const (
	ExitFine    = 0 // nothing is broken
	ExitBroken  = 1
	ExitNothing = 2 // nothing could be looked at
)

// ExitCode is the code that the process ends with.
func (r *Report) ExitCode() int {
	switch {
	case r.LookedAt == 0:
		return ExitNothing
	case r.Count(Broken) > 0:
		return ExitBroken
	}
	return ExitFine
}

// sorted puts the worst first and leaves the order of the checks within a state.
func sorted(all []Finding) []Finding {
	slices.SortStableFunc(all, func(a, b Finding) int { return int(a.State) - int(b.State) })
	return all
}

// list joins names for a sentence: a few of them, and how many more there are.
func list(names []string) string {
	const most = 5
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
