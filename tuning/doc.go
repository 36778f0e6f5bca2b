// Package tuning looks at a host with the eyes of a broker and says what should be otherwise, sets it, and takes it back.
//
//	Probe -> Facts -> Advise -> []Advice -> Apply -> undo file -> Undo
//
// Everything is read and written through a Tree, which is the machine's own file tree or one made for a test. Probe only reads. Advise is
// pure: the same facts give the same advice. Apply writes nothing that it could not write back before it tried, and notes what was there
// before it writes.
//
// Reading order: tree.go (what is read and written through), facts.go (what is known of a host), mount.go, probe.go and probe_*.go (one set of facts
// each), advise.go (what advice is and how it is made), knobs_*.go (one table of knobs each: the rules and the reasons), plan.go
// (which files advice becomes), later.go (what is read after them), apply.go, undo.go, report.go and page.go (what is shown).
package tuning
