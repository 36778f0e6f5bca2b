package store

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"testing"

	"ringmq/store/disk"
)

func TestWholeJSON(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`: true, ` [1,2] `: true, `{1:2,"a":{"b":[{}]}}`: true, `{{"q":1}:9}`: true, `{"a":"}\"{"}`: true, "{\n}\n": true,
		``: false, `{`: false, `}`: false, `{"a}`: false, `{}{}`: false, `[}`: false, `{]}`: false, "\x00\x00": false, "{\x00}": false, `1`: false, `{"a":"\`: false,
	} {
		if got := wholeJSON([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzWholeJSON(f *testing.F) {
	f.Add([]byte(`{"a":{1:"x\"y"}}`))
	f.Fuzz(func(t *testing.T, b []byte) { wholeJSON(b) })
}

// TestDocuments: save, load, the text before in .bak, and .bak where the document is damaged.
func TestDocuments(t *testing.T) {
	f := disk.NewFaulty()
	s := mustOpen(t, smallOptions(f))
	defer closeStore(t, s)
	if b, err := s.LoadDoc(DocTopics); b != nil || err != nil {
		t.Fatalf("no document: %q %v", b, err)
	}
	for i := range 3 {
		if err := s.SaveDoc(DocTopics, fmt.Appendf(nil, `{"n":%d}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := s.LoadDoc(DocTopics); string(b) != `{"n":2}` || err != nil {
		t.Errorf("loaded %s %v", b, err)
	}
	for name, damage := range map[string]string{"empty": "", "cut": `{"n":`, "zeros": "\x00\x00\x00\x00"} {
		if err := writeWhole(f, "/store/config/topics.json", []byte(damage)); err != nil {
			t.Fatal(err)
		}
		if b, err := s.LoadDoc(DocTopics); string(b) != `{"n":1}` || err != nil {
			t.Errorf("%s: loaded %s %v", name, b, err)
		}
	}
	// A damaged document does not take the place of the whole one before it.
	if err := s.SaveDoc(DocTopics, []byte(`{"n":3}`)); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove("/store/config/topics.json"); err != nil {
		t.Fatal(err)
	}
	if b, err := s.LoadDoc(DocTopics); string(b) != `{"n":1}` || err != nil {
		t.Errorf("the document before: %s %v", b, err)
	}
}

// TestDocumentCrash: a crash at any operation of a save leaves the old or the new document; the new one once it returned.
func TestDocumentCrash(t *testing.T) {
	for op := 1; op < 30; op++ {
		for seed := range int64(5) {
			f := disk.NewFaulty()
			if err := errors.Join(f.MkdirAll("/c", 0o755), f.SyncDir("/"), f.SyncDir("/c")); err != nil {
				t.Fatal(err)
			}
			c := documents{fs: f, dir: "/c", logger: smallOptions(f).Logger}
			saved := -1
			f.CrashAt(f.Ops() + op)
			for i := range 3 {
				if c.save(DocGroups, fmt.Appendf(nil, `{"n":%d}`, i)) != nil {
					break
				}
				saved = i
			}
			f = f.Crash(rand.New(rand.NewSource(seed)))
			c.fs = f
			b, err := c.load(DocGroups)
			if errors.Is(err, os.ErrNotExist) || err != nil {
				t.Fatal(err)
			}
			got := -1
			if b != nil {
				if _, err := fmt.Sscanf(string(b), `{"n":%d}`, &got); err != nil {
					t.Fatalf("%q: %v", b, err)
				}
			}
			if got != saved && got != saved+1 {
				t.Fatalf("crash at %d: document %d is there, %d was saved", op, got, saved)
			}
		}
	}
}
