package admin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// edited is a file of export's with a change.
func edited(t *testing.T, file string, change func(d *transfer)) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := readTransfer(text)
	if err != nil {
		t.Fatal(err)
	}
	change(d)
	name := filepath.Join(t.TempDir(), "edited.json")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.write(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestByTimeForAllQueues: the earliest time of a group in a topic counts for every queue, whichever it comes from; where one time is not known,
// nothing is set.
func TestByTimeForAllQueues(t *testing.T) {
	t.Parallel()
	r, file := source(t)
	m := r.dial(nil)
	const byTime = " -b broker-a --groups G --topics T --overwrite --offsets time"
	rest := map[string]stepState{"topic T": stepEqual, "group G": stepEqual, "order T": stepEqual}
	for _, c := range []struct {
		what   string
		change func(d *transfer)
		words  string
		a, b   int64 // in queues 0 and 1, afterwards; 1: it was left
	}{
		{"as it is", func(*transfer) {}, " --margin 0s", 3, 3},
		{"as it is, less the margin", func(*transfer) {}, "", 0, 0},
		{"one queue without progress", func(d *transfer) { d.Offsets = d.Offsets[:1] }, " --margin 0s", 3, 3},
		{"another broker's queue was the earliest", func(d *transfer) {
			early := d.Offsets[0]
			d.Offsets[0].StoreTimestamp = d.Offsets[1].StoreTimestamp
			early.Broker, early.QueueID = "broker-z", 7
			d.Offsets = append(d.Offsets, early)
		}, " --margin 0s", 3, 3},
		{"one time is not known", func(d *transfer) { d.Offsets[1].StoreTimestamp = 0 }, " --margin 0s", 1, 1},
	} {
		m.commit("G", "T", 0, 1)
		m.commit("G", "T", 1, 1)
		plan, err := r.imports(edited(t, file, c.change) + byTime + c.words)
		want := map[string]stepState{"offset G T queue 0": stepChange, "offset G T queue 1": stepChange}
		if c.a == 1 {
			want = map[string]stepState{"offset G T": stepLeft}
			if detail := plan["offset G T"].Detail; !strings.HasPrefix(detail, "the file does not say when the next message of queue 1 of broker-a was stored") {
				t.Error(detail)
			}
		}
		if (err != nil) != (c.a == 1) {
			t.Error(c.what, err)
		}
		for k, v := range rest {
			want[k] = v
		}
		wantPlan(t, plan, want)
		if a, b := r.progressOf("G", "T", 0), r.progressOf("G", "T", 1); a != c.a || b != c.b {
			t.Errorf("%s: %d and %d, want %d and %d", c.what, a, b, c.a, c.b)
		}
	}
	if _, err := r.imports(file + " -b broker-a --offsets exact --margin 1s"); err == nil || err.Error() != "--margin is for --offsets time" {
		t.Error(err)
	}
}

// TestMembersThatCameMeanwhile: a group that got members after the plan was made keeps its progress.
func TestMembersThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	r, file := source(t)
	m := r.dial(nil)
	m.commit("G", "T", 0, 1)
	m.commit("G", "T", 1, 1)
	came := false
	r.o.Progress = func(what string, _, _ int64) {
		if what == "items" && !came {
			came = true
			m.beat("member", "G", "T")
		}
	}
	text, err := r.run("import " + file + " -b broker-a --groups G --topics T --offsets exact --overwrite")
	if !came || err == nil || err.Error() != "2 of 5 items failed" || strings.Count(text, "1 members are connected, member: stop them first") != 2 {
		t.Errorf("%v %s", err, text)
	}
	if a, b := r.progressOf("G", "T", 0), r.progressOf("G", "T", 1); a != 1 || b != 1 {
		t.Errorf("%d and %d although a member is connected", a, b)
	}
}
