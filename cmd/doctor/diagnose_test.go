package doctor

import (
	"net/netip"
	"slices"
	"testing"
)

var addrPort = netip.MustParseAddrPort("127.0.0.1:10911")

// diagnosed checks that a diagnosis is among the findings, in its state, and that every finding that is not good says why it matters
// and how to mend it, by commands that can be run.
func diagnosed(t *testing.T, all []Finding, state State, name string) {
	t.Helper()
	for _, f := range all {
		if f.Check == "" || f.About == "" || f.Seen == "" || f.State != OK && (f.Why == "" || f.Fix == "") {
			t.Errorf("not whole: %+v", f)
		}
		runs(t, f)
	}
	if slices.ContainsFunc(all, func(f Finding) bool { return f.Name == name && f.State == state }) {
		return
	}
	t.Errorf("no finding %s %s among:", state, name)
	for _, f := range all {
		t.Logf("%s %s (%s): %s", f.State, f.Name, f.About, f.Seen)
	}
}

// nothingBroken checks the opposite.
func nothingBroken(t *testing.T, all []Finding, but ...string) {
	t.Helper()
	for _, f := range all {
		if (f.State == Broken || f.State == Warning) && !slices.Contains(but, f.Name) {
			t.Errorf("%s %s (%s): %s", f.State, f.Name, f.About, f.Seen)
		}
	}
}
