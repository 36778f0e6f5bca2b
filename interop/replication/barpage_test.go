package main

import (
	"math"
	"os"
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	least, most := bar{atLeast: true, ratio: 5}, bar{ratio: 0.2}
	for _, c := range []struct {
		bar    bar
		ratio  float64
		rounds int
		want   string
	}{
		{least, 5, 3, "yes"}, {least, 4.99, 3, "**no**"}, {least, 6, 1, "not judged (one round); as it stands yes"},
		{most, 0.2, 3, "yes"}, {most, 0.21, 3, "**no**"}, {most, 0.3, 1, "not judged (one round); as it stands no"},
		{most, 0, 3, "not judged (nothing to compare with)"}, {least, math.NaN(), 3, "not judged (nothing to compare with)"},
	} {
		if got := c.bar.verdict(finding{ratio: c.ratio}, c.rounds); got != c.want {
			t.Errorf("%v in %d rounds: %q, want %q", c.ratio, c.rounds, got, c.want)
		}
	}
}

// TestBarTable: every bar has its line, one that is missed its paragraph, and only a missed one makes the run fail.
func TestBarTable(t *testing.T) {
	note := func(section string) string { return "why " + section }
	found := map[string]finding{besideSingle: {"7/s, beside 10/s", 0.7}, besideStock: {"7/s, beside 7/s", 1}, besideCopier: {"1 s, beside 2 s", 0.5},
		catchUpSpeed: {"1 GiB/s", 0.4}, catchUpWait: {"9 ms, beside 1 ms", 9}}
	table, missed := barTable(found, 3, note)
	if !missed {
		t.Error("a missed bar is not told")
	}
	for _, want := range []string{
		"| >= 0.7 x | 0.70 (7/s, beside 10/s) | yes | - |\n",
		"| >= 5 x | 1.00 (7/s, beside 7/s) | **no** | why pair-sends [more](benchmarks-notes.md#pair-sends) |\n",
		"| <= 0.5 x | 0.50 (1 s, beside 2 s) | yes | - |\n",
		"| <= 0.2 x | - | not measured | - |\n",
		"| <= 1.3 x | 9.00 (9 ms, beside 1 ms) | **no** | as above [more](benchmarks-notes.md#pair-catch-up) |\n",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	if got := strings.Count(table, "\n"); got != len(barList)+2 {
		t.Errorf("%d lines for %d bars", got, len(barList))
	}
	for _, what := range []string{besideStock, catchUpSpeed, catchUpWait} {
		delete(found, what)
	}
	if _, missed := barTable(found, 3, note); missed {
		t.Error("what is not measured counts as missed")
	}
}

// TestBarNotes: whatever is missed, there is a paragraph about it.
func TestBarNotes(t *testing.T) {
	text, err := os.ReadFile("../../docs/benchmarks-notes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range barList {
		if firstParagraph(string(text), r.note) == "" {
			t.Errorf("%s: the notes have no section %s", r.what, r.note)
		}
	}
	if got := firstParagraph("# T\n\n## a\n\nOne\nline.\n\nMore.\n## b\n\nNo.\n", "a"); got != "One line." {
		t.Errorf("%q", got)
	}
	if got := firstParagraph("## a b\n\nNo.\n", "a"); got != "" {
		t.Errorf("%q of another section", got)
	}
}

func TestSpread(t *testing.T) {
	if got, want := beside([]float64{3, 1, 2}, []float64{5}, "%.0f/s"), "2/s (1/s to 3/s), beside 5/s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestBarPair: a pair that is measured has nothing between its brokers, what is set for scenes is not set, and all of ours have one engine.
func TestBarPair(t *testing.T) {
	b := &bars{stage: &stage{work: t.TempDir(), base: 24400, segment: barSegment}, engine: "pwrite"}
	for place, maker := range []string{ours, stock} {
		p, err := b.barPair(place, maker, "ringmq")
		if err != nil {
			t.Fatal(err)
		}
		if p.link != nil || p.desk != nil {
			t.Error("there is a link in between")
		}
		engine := map[string]string{ours: "pwrite"}[maker]
		for _, n := range []*node{p.master, p.slave} {
			conf := map[string]string{}
			for _, kv := range n.conf {
				conf[kv.key] = kv.value
			}
			if conf["namesrvAddr"] != p.nsAddr() || conf["diskEngine"] != engine {
				t.Errorf("%s %s: name server %s, engine %q", maker, n.name, conf["namesrvAddr"], conf["diskEngine"])
			}
			for _, kv := range (&node{}).inHaste().conf {
				if v, set := conf[kv.key]; set {
					t.Errorf("%s %s: %s=%s", maker, n.name, kv.key, v)
				}
			}
			if v, set := conf["haMasterAddress"]; set {
				t.Errorf("%s %s: haMasterAddress=%s", maker, n.name, v)
			}
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		list []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{5, 1}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 100, 2}, 3}} {
		if got := median(c.list); got != c.want {
			t.Errorf("%v: %v, want %v", c.list, got, c.want)
		}
	}
}
