package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringmq/store/disk"
)

// filled makes a store in a directory that has one file of ours of every kind but cut.json, and tells its options.
func filled(t *testing.T) Options {
	t.Helper()
	o := smallOptions(disk.OS())
	o.Root = t.TempDir()
	o.CommitLogDir = o.Root + "/commitlog"
	s := mustOpen(t, o)
	for i := range 30 {
		mustAppend(t, s, message("A", 0, fmt.Sprint(i)))
	}
	mustAppend(t, s, message("Gone", 0, "gone"))
	settled(t, s)
	if err := s.DeleteTopic("Gone"); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	return o
}

// contents is every file below a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		all[strings.TrimPrefix(name, dir)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// later is a file of ours as a release to come may write it: with a higher version, whole, and with content that this one cannot guess.
func later(b []byte) (text []byte, version int) {
	var s struct {
		FormatVersion int `json:"formatVersion"`
	}
	if json.Unmarshal(bytes.TrimRight(b, "\x00 "), &s) != nil || s.FormatVersion == 0 {
		return nil, 0
	}
	return seal(s.FormatVersion+1, map[string]any{"ranges": [][]int{{1, 2}}}), s.FormatVersion + 1
}

// TestFilesOfALaterRelease: what lies in STORE/ringmq, and what docs/OPERATIONS.md says of each file when this program is the older one. A
// file that is refused keeps the store closed and as it is, to the byte; of one that is passed over the log says so, and everything is served.
func TestFilesOfALaterRelease(t *testing.T) {
	table := map[string]struct{ refused bool }{
		"commitlog.mark": {false}, "queues.json": {false}, "replay.json": {false}, "history.json": {false},
		gravesName: {true}, cutName: {true},
	}
	o := filled(t)
	for name := range contents(t, o.Root+"/ringmq") {
		if _, ok := table[name[1:]]; !ok {
			t.Errorf("nothing is known of ringmq%s", name)
		}
	}
	guide, err := os.ReadFile("../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range table {
		t.Run(name, func(t *testing.T) {
			documented := false
			for line := range strings.Lines(string(guide)) {
				cells := strings.Split(line, "|")
				documented = documented || len(cells) == 5 && strings.Contains(cells[1], "`"+name+"`") && strings.HasPrefix(cells[3], map[bool]string{true: " refused", false: " passed over"}[c.refused])
			}
			if !documented {
				t.Errorf("docs/OPERATIONS.md does not say it of %s", name)
			}
			o := filled(t)
			file := o.Root + "/ringmq/" + name
			was := []byte(`{"formatVersion":2}`) // no cut is under way
			if name != cutName {
				if was, err = os.ReadFile(file); err != nil {
					t.Fatal(err)
				}
			}
			text, version := later(was)
			if version == 0 {
				t.Fatalf("%s has no version: %s", name, was)
			}
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
			before := contents(t, o.Root)
			var said bytes.Buffer
			o.Logger = slog.New(slog.NewTextHandler(&said, nil))
			s, err := Open(o)
			if c.refused {
				if err == nil {
					closeStore(t, s)
				}
				if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), fmt.Sprint("format version ", version)) {
					t.Errorf("opened: %v", err)
				}
				if after := contents(t, o.Root); !maps.Equal(before, after) {
					t.Error("a start that was refused has changed the store")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("passed over\" file=%s formatVersion=%d", name, version); !strings.Contains(said.String(), want) {
				t.Errorf("not said: %s\n%s", want, &said)
			}
			if p := mustAppend(t, s, message("A", 0, "next")); p.QueueOffset != 30 {
				t.Errorf("the next queue offset is %d", p.QueueOffset)
			}
			settled(t, s)
			got := served(t, s)
			if len(got[at{"A", 0}]) != 31 || len(got[at{"Gone", 0}]) != 0 {
				t.Errorf("%d messages are served, %d of a deleted topic", len(got[at{"A", 0}]), len(got[at{"Gone", 0}]))
			}
			closeStore(t, s)
		})
	}
}
