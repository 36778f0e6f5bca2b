package meta

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"ringmq/interop/golden"
	"ringmq/netpoll/remoting"
)

func clock() time.Time { return time.UnixMilli(1_700_000_000_000) }

func yes() bool { return true }

func roomy(int64) bool { return true }

func none() {}

func noTopics() {}

// meaning decodes a document, stock's dialect included, into plain values.
func meaning(t *testing.T, doc []byte) any {
	t.Helper()
	standard, err := remoting.StandardJSON(doc)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(standard, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// tables open the three documents and save them again.
var tables = map[string]func(doc []byte) ([]byte, error){
	"topics.json": func(doc []byte) ([]byte, error) {
		t, err := NewTopics(doc, clock, noTopics)
		if err != nil {
			return nil, err
		}
		return t.Document()
	},
	"subscriptionGroup.json": func(doc []byte) ([]byte, error) {
		g, err := NewGroups(doc, clock, yes, roomy, none)
		if err != nil {
			return nil, err
		}
		return g.Document()
	},
	"consumerOffset.json": func(doc []byte) ([]byte, error) {
		o, err := NewOffsets(doc, clock)
		if err != nil {
			return nil, err
		}
		return o.Document()
	},
}

// TestGoldenDocuments: what a stock broker wrote is saved again with the same meaning, and our own text reads back the same.
func TestGoldenDocuments(t *testing.T) {
	seen := 0
	for _, name := range golden.Stores(t) {
		root := golden.Store(t, name)
		for file, again := range tables {
			doc, err := os.ReadFile(filepath.Join(root, "config", file))
			if os.IsNotExist(err) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			seen++
			out, err := again(doc)
			if err != nil {
				t.Fatalf("%s/%s: %v", name, file, err)
			}
			if !json.Valid(out) {
				t.Fatalf("%s/%s: not JSON: %s", name, file, out)
			}
			if got, want := meaning(t, out), meaning(t, doc); !reflect.DeepEqual(got, want) {
				t.Errorf("%s/%s: saved differently:\n%v\n%v", name, file, got, want)
			}
			twice, err := again(out)
			if err != nil || string(twice) != string(out) {
				t.Errorf("%s/%s: our own text changes when it is read back (%v)", name, file, err)
			}
		}
	}
	if seen < 9 {
		t.Fatalf("only %d documents found", seen)
	}
}

// TestGoldenManifest: the tables hold what the stock broker said it served from the same files.
func TestGoldenManifest(t *testing.T) {
	for _, name := range []string{"clean", "killed"} {
		root := golden.Store(t, name)
		read := func(file string) []byte {
			doc, err := os.ReadFile(filepath.Join(root, "config", file))
			if err != nil {
				t.Fatal(err)
			}
			return doc
		}
		topics, err := NewTopics(read("topics.json"), clock, noTopics)
		if err != nil {
			t.Fatal(err)
		}
		offsets, err := NewOffsets(read("consumerOffset.json"), clock)
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for _, line := range golden.Manifest(t, name) {
			switch line.Kind {
			case "topic":
				var want remoting.TopicConfig
				if err := json.Unmarshal(line.Config, &want); err != nil {
					t.Fatal(err)
				}
				got, ok := topics.Lookup(want.TopicName)
				if !ok || !SameTopic(got, &want) {
					t.Errorf("%s: topic %s: %+v, served as %+v", name, want.TopicName, got, want)
				}
				checked++
			case "offset":
				if got, ok := offsets.Query([]byte(line.Group), []byte(line.Topic), line.QueueID); !ok || got != line.Offset {
					t.Errorf("%s: %s of %s, queue %d: %d %v, served as %d", name, line.Group, line.Topic, line.QueueID, got, ok, line.Offset)
				}
				checked++
			}
		}
		if checked < 10 {
			t.Fatalf("%s: only %d lines of the manifest compared", name, checked)
		}
	}
}

func TestLayoutIsStocks(t *testing.T) {
	root := golden.Store(t, "clean")
	for _, file := range []string{"topics.json", "subscriptionGroup.json"} {
		want, err := os.ReadFile(filepath.Join(root, "config", file))
		if err != nil {
			t.Fatal(err)
		}
		var compact json.RawMessage
		if err := json.Unmarshal(want, &compact); err != nil {
			t.Fatal(err)
		}
		if got := layout(compactJSON(t, compact)); string(got) != string(want) {
			t.Errorf("%s: other layout than the stock broker's:\n%s", file, got)
		}
	}
}

// compactJSON drops white space and keeps the order of members.
func compactJSON(t *testing.T, b []byte) []byte {
	t.Helper()
	out := make([]byte, 0, len(b))
	text := false
	for i, ch := range b {
		if ch == '"' && b[i-1] != '\\' {
			text = !text
		}
		if text || ch != ' ' && ch != '\t' && ch != '\n' {
			out = append(out, ch)
		}
	}
	return out
}

func TestLayoutOfLists(t *testing.T) {
	in := `{"a":["x","y"],"b":[{"c":1,"d":{}},{"e":[]}],"f":"q\"{,["}`
	out := layout([]byte(in))
	var got, want any
	if json.Unmarshal(out, &got) != nil || json.Unmarshal([]byte(in), &want) != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s", out)
	}
}

func FuzzDocuments(f *testing.F) {
	f.Add([]byte(`{"dataVersion":{"counter":1},"topicConfigTable":{"T":{"topicName":"T","perm":6},"U":null},"offsetTable":{"T@g":{0:5,1:7},"x":{}},"forbiddenTable":{"g":{"T":4}},"subscriptionGroupTable":{"g":{}}}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		for name, again := range tables {
			out, err := again(doc)
			if err != nil {
				continue
			}
			twice, err := again(out)
			if err != nil || string(twice) != string(out) {
				t.Fatalf("%s: %q is read back as %q (%v)", name, out, twice, err)
			}
		}
	})
}

func groupName(i int) string { return "g" + strconv.Itoa(i) }
