package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringmq/interop/golden"
)

// ringmq runs a command line and returns what it prints.
func ringmq(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.Execute()
	return out.String(), err
}

// dumps are the command lines that show a whole recorded store.
func dumps(dir string) map[string][]string {
	return map[string][]string{
		"commitlog":    {"dump", "commitlog", dir},
		"consumequeue": {"dump", "consumequeue", dir},
		"index":        {"dump", "index", "--slots", "500", dir},
		"checkpoint":   {"dump", "checkpoint", dir},
	}
}

// TestDumpGolden: in directories closed by a stock broker nothing is wrong, and every message it served is shown.
func TestDumpGolden(t *testing.T) {
	for _, name := range []string{"clean", "crc", "batchcq", "ext", "timer"} {
		dir := golden.Store(t, name)
		out := map[string]string{}
		for what, args := range dumps(dir) {
			var err error
			if out[what], err = ringmq(t, args...); err != nil || strings.Contains(out[what], "WRONG") {
				t.Errorf("%s of %s: %v\n%.2000s", what, name, err, out[what])
			}
		}
		shown := map[string]bool{}
		for _, line := range strings.Split(out["commitlog"], "\n") {
			place, _, _ := strings.Cut(line, "\tbody ")
			shown[place] = true
		}
		messages := 0
		for _, m := range golden.Manifest(t, name) {
			if m.Kind != "message" || m.InnerIndex != nil || m.Topic == "Compacted" { // compacted topics are served from files of their own
				continue
			}
			messages++
			record := fmt.Sprintf("%d\t%d\t%s/%d\t%d\t%s", m.PhysicalOffset, m.RecordSize, m.Topic, m.QueueID, m.QueueOffset, timeText(m.StoreTimestamp))
			if m.RecordSize > 0 && !shown[record] {
				t.Errorf("%s: commit log shows no %q", name, record)
			}
		}
		if messages == 0 {
			t.Errorf("%s: the manifest has no message", name)
		}
	}
}

// TestDumpDamaged: damage is named with its place, in the file it was done to.
func TestDumpDamaged(t *testing.T) {
	for _, c := range []struct{ name, what, place, why string }{
		{"clean-flip-first-file", "commitlog", "78510\t", "body checksum differs"},
		{"clean-flip-last-file", "commitlog", "2173600\t", "body checksum differs"},
		{"clean-torn-tail", "commitlog", "2251390\t", "properties are torn"},
		{"killed-torn-tail", "commitlog", "2670288\t", "no record follows"},
		{"killed-torn-tail-5", "commitlog", "2662430\t", "the next record is 1963 bytes further"},
		{"killed-odd-size", "commitlog", "/commitlog/00000000000003145728\t", "missing"},
	} {
		dir, _ := golden.DamagedStore(t, c.name)
		args := dumps(dir)[c.what]
		out, err := ringmq(t, append(args, "--wrong")...)
		if err == nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, c.place) || !strings.Contains(out, "WRONG: ") || !strings.Contains(out, c.why) {
			t.Errorf("%s: %v\n%.1000s", c.name, err, out)
		}
	}
	dir, _ := golden.DamagedStore(t, "killed-no-queues")
	if out, err := ringmq(t, "dump", "consumequeue", dir); err == nil {
		t.Errorf("a store without queues: %s", out)
	}
}

// damage writes bytes over a file and returns what undoes it.
func damage(t *testing.T, path string, at int64, b []byte) (undo func()) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	after := append([]byte(nil), before...)
	for int64(len(after)) < at+int64(len(b)) {
		after = append(after, 0)
	}
	copy(after[at:], b)
	write := func(content []byte) {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(after)
	return func() { write(before) }
}

// TestDumpDamagedByHand damages one thing after the other in a good store.
func TestDumpDamagedByHand(t *testing.T) {
	dir := golden.Store(t, "clean")
	files, err := numberedFiles(filepath.Join(dir, "index"))
	if err != nil {
		t.Fatal(err)
	}
	log, queue := "commitlog/00000000000000000000", "consumequeue/Plain/0/00000000000000000000"
	index, entry := "index/"+filepath.Base(files[0].path), int64(40+500*4+20) // of entry 1
	for _, c := range []struct {
		what, file string
		at         int64
		bytes      []byte
		want       string
	}{
		{"commitlog", log, 4, make([]byte, 4), "0\tWRONG: record: magic number is not a record's; the next record is 324 bytes further"},
		{"commitlog", log, 324, make([]byte, 443), "324\tWRONG: nothing is written here, but something is at 769; the next record is 443 bytes further"},
		{"consumequeue", queue, 20 + 7, []byte{1}, "no record of that size begins at that offset"},
		{"consumequeue", queue, 40, make([]byte, 20), "no entry is written from 2 on"},
		{"consumequeue", queue, 40, make([]byte, 8), "the entry before reaches to"},
		{"consumequeue", queue, 40 + 4, []byte{255}, "the commit log does not reach that far"},
		{"consumequeue", queue, 40, []byte{255}, "neither an entry nor empty"},
		{"consumequeue", log, 78510 + 100, []byte{255, 1, 254}, "the record there: damaged: "},
		{"index", index, entry + 16, []byte{0, 0, 0, 9}, "the entry before it in slot"},
		{"index", index, entry + 4, []byte{9}, "the offset is not between those of the header"},
		{"index", index, 36, []byte{9}, "the file has room for 799"},
		{"index", index, 35, []byte{9}, "the header counts 265 used slots"},
		{"checkpoint", "checkpoint", 8, []byte{255}, "the time is negative"},
		{"checkpoint", "checkpoint", 4096, []byte{0}, "4097 bytes instead of 4096"},
	} {
		undo := damage(t, filepath.Join(dir, filepath.FromSlash(c.file)), c.at, c.bytes)
		out, err := ringmq(t, append(dumps(dir)[c.what], "--wrong")...)
		if err == nil || !strings.Contains(out+err.Error(), c.want) {
			t.Errorf("%s, %s: %v\n%.1000s", c.what, c.want, err, out)
		}
		undo()
	}
}

// TestDumpNoCheckpoint: a file of another kind is not read as times, and what lies beside a copy is not taken for its marks.
func TestDumpNoCheckpoint(t *testing.T) {
	dir := t.TempDir()
	text, junk, copied := filepath.Join(dir, "README.md"), filepath.Join(dir, "junk"), filepath.Join(dir, "copy")
	good, err := os.ReadFile(filepath.Join(golden.Store(t, "clean"), "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{text: []byte("# title"), junk: []byte(strings.Repeat("text", 1024)), copied: good} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "ringmq"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ringmq", "replay.json"), []byte("none"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{text, junk} {
		if out, err := ringmq(t, "dump", "checkpoint", name); err == nil || !strings.Contains(err.Error(), "is no checkpoint") || out != "" {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if out, err := ringmq(t, "dump", "checkpoint", copied); err != nil || !strings.Contains(out, "durable up to") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestUnknownCommands: a name that no command has is an error everywhere.
func TestUnknownCommands(t *testing.T) {
	for _, args := range [][]string{{"nothing"}, {"dump", "nothing", "x"}, {"bench", "nothing"}, {"standalone", "x"}} {
		if out, err := ringmq(t, args...); err == nil {
			t.Errorf("%q: %s", args, out)
		}
	}
	for _, args := range [][]string{{"--version"}, {"-v"}} {
		if out, err := ringmq(t, args...); err != nil || !strings.HasPrefix(out, "ringmq dev (go") {
			t.Errorf("%q: %v %s", args, err, out)
		}
	}
}

func TestDumpOneFileAndNothing(t *testing.T) {
	dir := golden.Store(t, "clean")
	out, err := ringmq(t, "dump", "commitlog", filepath.Join(dir, "commitlog", "00000000000001048576"))
	if err != nil || !strings.HasPrefix(out, "1048576\t") {
		t.Errorf("%v\n%.300s", err, out)
	}
	out, err = ringmq(t, "dump", "consumequeue", filepath.Join(dir, "consumequeue", "Plain", "3", "00000000000000004000"))
	if err != nil || !strings.HasPrefix(out, "Plain/3\t200\t") {
		t.Errorf("%v\n%.300s", err, out)
	}
	if out, err := ringmq(t, "dump", "index", dir); err == nil || !strings.Contains(out, "is --slots the store's maxHashSlotNum?") {
		t.Errorf("wrong number of slots: %v\n%s", err, out)
	}
	for _, what := range []string{"commitlog", "consumequeue", "index", "checkpoint"} {
		if out, err := ringmq(t, "dump", what, t.TempDir()); err == nil {
			t.Errorf("%s of an empty directory: %s", what, out)
		}
		if _, err := ringmq(t, "dump", what, filepath.Join(dir, "nothing")); err == nil {
			t.Errorf("%s of nothing", what)
		}
	}
}
