package broker

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// logged is a log that may be read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// lines returns the lines with a text.
func (l *logged) lines(text string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// TestLostTopicsAreNamed: when topics.json is not there, or an older one was taken, one line says which topics have messages that
// nobody finds; some of them by name.
func TestLostTopicsAreNamed(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	file := filepath.Join(r.root, "store", "config", "topics.json")
	// start starts the broker and returns what it warns of.
	start := func() string {
		t.Helper()
		log := &logged{}
		r.startWith(Options{Logger: slog.New(slog.NewTextHandler(log, nil))}, func(*Broker) {})
		found := log.lines("updateTopic")
		if len(found) > 1 {
			t.Fatal(found)
		}
		return strings.Join(found, "")
	}
	lose := func() {
		t.Helper()
		r.stopBroker()
		for _, name := range []string{file, file + ".bak"} {
			if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	if got := start(); got != "" {
		t.Fatal("the first start: ", got)
	}
	lose()
	if got := start(); got != "" {
		t.Fatal("no messages, nothing is lost: ", got)
	}
	want(t, r.dial().call(sendTo("BenchmarkTest", 0, "", "x")), 0, "")
	lose()
	if got := start(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, "lostTopics=0 ") {
		t.Fatal("messages, though of topics that are always there: ", got)
	}
	const topics = 12
	c := r.dial()
	want(t, c.call(sendTo("T00", 0, "", "x")), 0, "")
	early, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < topics; i++ {
		want(t, c.call(sendTo(fmt.Sprintf("T%02d", i), 0, "", "x")), 0, "")
	}
	want(t, c.call(beat("c", "G", "T00", "*", 1)), 0, "")
	want(t, c.call(sendTo("%RETRY%G", 0, "", "x")), 0, "")
	r.visibleMax("T11", 0, 1)
	r.visibleMax("%RETRY%G", 0, 1)
	r.stopBroker()
	if got := start(); got != "" {
		t.Fatal("nothing is lost: ", got)
	}
	lose()
	if err := os.WriteFile(file+".bak", early, fs.FileMode(0o644)); err != nil {
		t.Fatal(err)
	}
	named := `named="T01 T02 T03 T04 T05 T06 T07 T08 T09 T10"`
	if got := start(); !strings.Contains(got, "topics.json.bak") || !strings.Contains(got, "lostTopics=11 ") || !strings.Contains(got, named) {
		t.Error("an older file: ", got)
	}
	lose()
	named = `named="T00 T01 T02 T03 T04 T05 T06 T07 T08 T09"`
	if got := start(); !strings.Contains(got, "not there") || !strings.Contains(got, "lostTopics=12 ") || !strings.Contains(got, named) {
		t.Error("no file: ", got)
	}
	// Whoever sends to one has all of it back.
	c = r.dial()
	want(t, c.call(sendTo("T07", 0, "", "y")), 0, "")
	r.visibleMax("T07", 0, 2)
	if got := bodies(t, c.call(pullOf("G", "T07", 0, 0, "*", 0))); fmt.Sprint(got) != "[x y]" {
		t.Error(got)
	}
}
