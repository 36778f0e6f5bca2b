package settings

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var table = NewTable([]Key{
	{Name: "listenPort", Default: "10911", Kind: Int},
	{Name: "flushDiskType", Default: "SYNC_FLUSH", Choices: []string{"SYNC_FLUSH", "ASYNC_FLUSH"}, Runtime: true},
	{Name: "longPollingEnable", Default: "true", Kind: Bool, Runtime: true},
	{Name: "warmMapedFileEnable", Default: "false", Kind: Bool, Ignored: true},
	{Name: "ratio", Default: "0.5", Kind: Double},
	{Name: "name", Default: ""},
})

func TestParseProperties(t *testing.T) {
	text := "# a comment\n! another\n\n  brokerName = a b \nlisten\\:Port:1\nlong\\\n   er value\\u0041\\n\nempty=\nbare\r\nw=c:\\\\x"
	got, err := ParseProperties("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []Setting{
		{"brokerName", "a b", File, "f:4"}, {"listen:Port", "1", File, "f:5"}, {"longer", "valueA\n", File, "f:6"},
		{"empty", "", File, "f:8"}, {"bare", "", File, "f:9"}, {"w", `c:\x`, File, "f:10"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q", got)
	}
	if _, err := ParseProperties("f", []byte(`a=\u12`)); err == nil || !strings.Contains(err.Error(), "f:1") {
		t.Fatal(err)
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add([]byte("a=b\\\n c\n#x\nk : v\\u00e4"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := ParseProperties("f", text)
		if err == nil && len(all) > strings.Count(string(text), "\n")+1 {
			t.Fatal("more settings than lines")
		}
	})
}

func TestPrecedenceAndRefusal(t *testing.T) {
	flag, err := FromFlag("listenPort=4")
	if err != nil {
		t.Fatal(err)
	}
	v, err := table.Merge([]Setting{flag}, []Setting{{"listenPort", "2", File, "f:1"}, {"strange", "x", File, "f:2"}, {"warmMapedFileEnable", "true", File, "f:3"}},
		FromEnvironment([]string{"RINGMQ_listenPort=3", "RINGMQ_ratio=0.25", "HOME=/"}))
	if err != nil {
		t.Fatal(err)
	}
	if v.Int("listenPort") != 4 || v.Float64("ratio") != 0.25 || !v.Bool("longPollingEnable") || v.Text("flushDiskType") != "SYNC_FLUSH" {
		t.Fatal(v.Properties())
	}
	if got := v.WithoutEffect(); !reflect.DeepEqual(got, []string{"strange", "warmMapedFileEnable"}) {
		t.Fatal(got)
	}
	for _, bad := range []Setting{{"listenPort", "x1", File, "b.conf:7"}, {"flushDiskType", "FLUSH", File, "b.conf:7"}, {"longPollingEnable", "yes", File, "b.conf:7"}, {"ratio", "half", File, "b.conf:7"}} {
		_, err := table.Merge([]Setting{bad})
		if err == nil || !strings.Contains(err.Error(), "b.conf:7") || !strings.Contains(err.Error(), bad.Key) || !strings.Contains(err.Error(), bad.Value) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if _, err := FromFlag("listenPort"); err == nil {
		t.Fatal("a flag without =")
	}
}

func TestChangeAndRewrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broker.conf")
	if err := os.WriteFile(path, []byte("name=old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	file, err := ParseProperties(path, text)
	if err != nil {
		t.Fatal(err)
	}
	flag, _ := FromFlag("ratio=0.75")
	v, err := table.Merge(file, []Setting{flag})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Change([]Setting{{Key: "name", Value: "new"}, {Key: "listenPort", Value: "x"}}); err == nil || v.Text("name") != "old" {
		t.Fatal("half a change:", err)
	}
	if _, err := v.Change([]Setting{{Key: "name", Value: "new"}, {Key: "unknown", Value: "kept"}}); err != nil {
		t.Fatal(err)
	}
	if err := v.Rewrite(path); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(path)
	if s := string(got); !strings.Contains(s, "name=new\n") || !strings.Contains(s, "unknown=kept\n") || strings.Contains(s, "ratio") {
		t.Fatal(s)
	}
	if bak, _ := os.ReadFile(path + ".bak"); string(bak) != "name=old\n" {
		t.Fatalf("%q", bak)
	}
}
