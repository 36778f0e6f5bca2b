package store

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"ringmq/store/disk"
)

// rewritten changes the text of a file.
func rewritten(t *testing.T, f disk.FS, name string, change func(text string) string) {
	t.Helper()
	b, err := readWhole(f, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	text := change(string(b))
	if text == string(b) {
		t.Fatalf("%s has nothing to change: %s", name, b)
	}
	if err := writeWhole(f, name, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// TestFlippedDigit: one digit of what a start goes by is another one, or all of it is of an older version: it is not believed, and nothing
// of the queues moves.
func TestFlippedDigit(t *testing.T) {
	first := func(re, with string) func(string) string {
		return func(text string) string {
			m := regexp.MustCompile(re).FindStringIndex(text)
			if m == nil {
				return text
			}
			return text[:m[0]] + regexp.MustCompile(re).ReplaceAllString(text[m[0]:m[1]], with) + text[m[1]:]
		}
	}
	older := func(text string) string {
		var s sealed
		if json.Unmarshal([]byte(text), &s) != nil {
			return text
		}
		return `{"formatVersion":1,` + string(s.Content[1:])
	}
	for _, c := range []struct {
		name, file string
		change     func(string) string
	}{
		{"max", "queues.json", first(`\[0,0,30,`, "[0,0,90,")},
		{"max, far", "queues.json", first(`\[0,0,30,`, "[0,0,9930,")},
		{"min", "queues.json", first(`\[0,0,30,`, "[0,8,30,")},
		{"version", "queues.json", older},
		{"replay", "replay.json", first(`"replayFrom":`, `"replayFrom":1`)},
		{"replay version", "replay.json", older},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := disk.NewFaulty()
			o := smallOptions(f)
			s := mustOpen(t, o)
			for i := range 30 {
				mustAppend(t, s, message("A", 0, fmt.Sprint(i)))
			}
			settled(t, s)
			closeStore(t, s)
			rewritten(t, f, "/store/ringmq/"+c.file, c.change)
			s = mustOpen(t, o)
			if low, high := s.MinOffset([]byte("A"), 0), s.MaxOffset([]byte("A"), 0); low != 0 || high != 30 {
				t.Errorf("the queue is [%d, %d)", low, high)
			}
			if p := mustAppend(t, s, message("A", 0, "next")); p.QueueOffset != 30 {
				t.Errorf("the next queue offset is %d", p.QueueOffset)
			}
			settled(t, s)
			if got := served(t, s)[at{"A", 0}]; len(got) != 31 {
				t.Errorf("%d messages are served", len(got))
			}
			closeStore(t, s)
		})
	}
}

func TestSeal(t *testing.T) {
	type content struct{ A, B int64 }
	b := seal(2, content{A: 12, B: 34})
	var got content
	if !unseal(b, 2, &got) || got != (content{12, 34}) {
		t.Fatalf("%s is read as %+v", b, got)
	}
	for _, bad := range []string{strings.Replace(string(b), "12", "13", 1), strings.Replace(string(b), `"formatVersion":2`, `"formatVersion":3`, 1), string(b[:len(b)-1]), "", "null", "{}", `{"formatVersion":2,"crc32c":0}`} {
		if unseal([]byte(bad), 2, new(content)) {
			t.Errorf("%s is believed", bad)
		}
	}
}

// FuzzUnseal: whatever a file holds, reading it ends.
func FuzzUnseal(f *testing.F) {
	f.Add(seal(endsVersion, &ends{Topics: map[string][]queueEnd{"T": {{0, 1, 2, 3, 4, 5}}}}))
	f.Add(seal(marksFormat, marksFile{Marks: []mark{{ReplayFrom: 1, End: 2}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e := new(ends)
		if unseal(b, endsVersion, e) && !unseal(seal(endsVersion, e), endsVersion, new(ends)) {
			t.Error("what was read is not written")
		}
	})
}
