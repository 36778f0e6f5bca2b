package tuning

import (
	"testing"
)

// TestSetMeanwhile: what somebody else has set between two Applies is what undo brings back; what the host's start has brought back, or Apply itself
// had set, is not.
func TestSetMeanwhile(t *testing.T) {
	const swappiness, dirtyBytes, ratio = "/proc/sys/vm/swappiness", "/proc/sys/vm/dirty_bytes", "/proc/sys/vm/dirty_ratio"
	limit := Write{File: dirtyBytes, Value: "1073741824", Moves: []string{ratio}}
	set := func(value string) Write { return Write{File: swappiness, Value: value} }
	for _, c := range []struct {
		name    string
		first   []Write // by one Apply each
		between [][2]string
		last    Write
		killed  int // after so many changes; 0: it is not
		back    map[string]string
	}{
		{name: "nothing", first: []Write{set("10")}, last: set("5"), back: map[string]string{swappiness: "60"}},
		{name: "a start", first: []Write{set("10")}, between: [][2]string{{swappiness, "60"}}, last: set("10"), back: map[string]string{swappiness: "60"}},
		{name: "a start, then somebody", first: []Write{set("10")}, between: [][2]string{{swappiness, "60"}, {swappiness, "30"}}, last: set("10"), back: map[string]string{swappiness: "30"}},
		{name: "somebody, before one that is killed", first: []Write{set("10")}, between: [][2]string{{swappiness, "30"}}, last: set("5"), killed: 2, back: map[string]string{swappiness: "30"}},
		{name: "a start that set what an earlier one had", first: []Write{set("10"), set("7")}, between: [][2]string{{swappiness, "10"}}, last: set("5"), back: map[string]string{swappiness: "60"}},
		{name: "a start, of bytes", first: []Write{limit}, between: [][2]string{{ratio, "20"}}, last: limit, back: map[string]string{dirtyBytes: "0", ratio: "20"}},
		{name: "somebody, by the ratio", first: []Write{limit}, between: [][2]string{{ratio, "40"}}, last: limit, back: map[string]string{dirtyBytes: "0", ratio: "40"}},
	} {
		h := makeHost(t, "metal-nvme")
		tree := h.host().Tree
		for _, w := range c.first {
			must(Apply(tree, undoName, Plan{Writes: []Write{w}}))
		}
		for _, b := range c.between {
			check(t, tree.Set(b[0], b[1]))
		}
		if c.killed > 0 {
			_, _ = Apply(&dyingTree{tree, c.killed}, undoName, Plan{Writes: []Write{c.last}})
		} else {
			must(Apply(tree, undoName, Plan{Writes: []Write{c.last}}))
		}
		if res := must(Undo(tree, undoName, false)); len(res.Refused) > 0 {
			t.Errorf("%s: %v", c.name, res.Refused)
		}
		for file, want := range c.back {
			if now := must(value(tree, file)); now != want {
				t.Errorf("%s: %s is %s and was %s", c.name, file, now, want)
			}
		}
	}
}
