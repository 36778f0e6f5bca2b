package settings

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var table = NewTable([]Key{
	{Name: "listenPort", Default: "10911", Kind: Int},
	{Name: "flushDiskType", Default: "SYNC_FLUSH", Choices: []string{"SYNC_FLUSH", "ASYNC_FLUSH"}, Runtime: true},
	{Name: "longPollingEnable", Default: "true", Kind: Bool, Runtime: true},
	{Name: "warmMapedFileEnable", Default: "false", Kind: Bool, Ignored: true},
	{Name: "ratio", Default: "0.5", Kind: Double},
	{Name: "name", Default: ""},
	{Name: "note", Default: ""},
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
	if err := os.WriteFile(path, []byte("name=old\nunknown=given\n"), 0o644); err != nil {
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
	// A key that no table knows is passed over, whether it is in the file or not.
	keys, err := v.Change([]Setting{{Key: "name", Value: "new"}, {Key: "unknown", Value: "moved"}, {Key: "foreign", Value: "x"}})
	if err != nil || !slices.Equal(keys, []string{"name"}) || v.All()["unknown"] != "given" || v.All()["foreign"] != "" {
		t.Fatal(keys, err)
	}
	if err := v.Rewrite(path); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(path)
	if s := string(got); !strings.Contains(s, "name=new\n") || !strings.Contains(s, "unknown=given\n") || strings.Contains(s, "ratio") || strings.Contains(s, "foreign") {
		t.Fatal(s)
	}
	if bak, _ := os.ReadFile(path + ".bak"); string(bak) != "name=old\nunknown=given\n" {
		t.Fatalf("%q", bak)
	}
	if _, err := v.Change([]Setting{{Key: "name", Value: "newer"}}); err != nil {
		t.Fatal(err)
	}
	// Somebody has edited the file meanwhile: what requests do not name is left as it is.
	if err := os.WriteFile(path, []byte("# mine\nunknown=edited\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := v.Rewrite(path); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path: "# mine\nunknown=edited\nname=newer\n", path + ".bak": "# mine\nunknown=edited\n", path + ".orig": "name=old\nunknown=given\n"} {
		if got, _ := os.ReadFile(name); string(got) != want {
			t.Errorf("%s: %q, not %q", filepath.Base(name), got, want)
		}
	}
}

// TestRewriteKeepsTheFilesOwn: a flag hides what the file says while the process runs; it does not take it out of the file.
func TestRewriteKeepsTheFilesOwn(t *testing.T) {
	folder := t.TempDir()
	target := filepath.Join(folder, "real.conf")
	if err := os.WriteFile(target, []byte("listenPort=20000\nname=a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "broker.conf")
	if err := os.Symlink("real.conf", path); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	file, err := ParseProperties(path, text)
	if err != nil {
		t.Fatal(err)
	}
	flag, _ := FromFlag("listenPort=30000")
	v, err := table.Merge(file, FromEnvironment([]string{"RINGMQ_ratio=0.25", "RINGMQ_name=hidden"}), []Setting{flag})
	if err != nil {
		t.Fatal(err)
	}
	nasty := " \\a=b:c\n\t#ü " // must come back as it is
	if _, err := v.Change([]Setting{{Key: "longPollingEnable", Value: "false"}, {Key: "note", Value: nasty}, {Key: "warmMapedFileEnable", Value: "true"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := v.Rewrite(path); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Fatal("the link was replaced", err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal("the file's mode has changed", err)
	}
	text, _ = os.ReadFile(path)
	again, err := ParseProperties(path, text)
	if err != nil {
		t.Fatal(err)
	}
	v2, err := table.Merge(again)
	if err != nil {
		t.Fatal(err)
	}
	all := v2.All()
	if all["listenPort"] != "20000" || all["name"] != "a" || all["ratio"] != "0.5" || all["longPollingEnable"] != "false" || all["note"] != nasty || all["warmMapedFileEnable"] != "true" {
		t.Fatalf("%q\n%s", all, text)
	}
	if _, ok := v2.Found("ratio"); ok {
		t.Fatal("what the environment said is in the file")
	}
	// A request that sets a hidden key is in force at once, and in the file.
	if _, err := v.Change([]Setting{{Key: "listenPort", Value: "40000"}}); err != nil || v.Int("listenPort") != 40000 {
		t.Fatal(v.Int("listenPort"), err)
	}
	if err := v.Rewrite(path); err != nil {
		t.Fatal(err)
	}
	if text, _ = os.ReadFile(path); !strings.Contains(string(text), "listenPort=40000\n") {
		t.Fatal(string(text))
	}
}

// TestEditKeepsLines: comments, order, blank lines and line ends stay; only what was changed differs.
func TestEditKeepsLines(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "a=1\nb=x y\n"},
		{"# top\n\nz = 9\na : 7 \n# end", "# top\n\nz = 9\na=1\n# end\nb=x y\n"},
		{"a=0\nb=\\\n   long\nc=3\na=5\n", "a=0\nb=x y\nc=3\na=1\n"},
		{"a 0\r\n# b=1\r\n", "a=1\r\n# b=1\r\nb=x y\r\n"},
		{"a=0\nc=3\\", "a=1\nc=3\\\n\nb=x y\n"},
		{"\\u0061=0\nb=0", "a=1\nb=x y\n"},
	} {
		got := edit(c.text, map[string]string{"a": "1", "b": "x y"})
		if got != c.want {
			t.Errorf("%q became %q, not %q", c.text, got, c.want)
		}
		if again := edit(got, map[string]string{"a": "1", "b": "x y"}); again != got {
			t.Errorf("%q became %q the second time", got, again)
		}
	}
}

func FuzzEdit(f *testing.F) {
	f.Add("a=b\\\n c\n#x\nk : v", "k", " v\\")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		if _, err := ParseProperties("f", []byte(text)); err != nil || key == "" || !utf8.ValidString(key+value) {
			return
		}
		all, err := ParseProperties("f", []byte(edit(text, map[string]string{key: value})))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range slices.Backward(all) {
			if s.Key == key {
				if s.Value != value {
					t.Fatalf("%q=%q reads as %q", key, value, s.Value)
				}
				return
			}
		}
		t.Fatalf("%q is not in the file", key)
	})
}

func TestEscapes(t *testing.T) {
	got, err := ParseProperties("f", []byte(`a=\ud83d\ude00\u00e4\ud83d`+"\nb=\\\\\\\nc=\\=\\:\n"))
	if err != nil || got[0].Value != "😀ä\uFFFD" || got[1].Value != `\c==:` {
		t.Fatalf("%q %v", got, err)
	}
	for _, bad := range []string{`=a`, ` : b`, `a=\u`, `a=\u00g0`, `\u1=b`} {
		if _, err := ParseProperties("f", []byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestReadingTakesNoLockAndAllocatesNothing(t *testing.T) {
	v, err := table.Merge()
	if err != nil {
		t.Fatal(err)
	}
	v.mu.Lock() // a change that takes its time
	defer v.mu.Unlock()
	if n := testing.AllocsPerRun(100, func() {
		if v.Int("listenPort") != 10911 || !v.Bool("longPollingEnable") || v.Text("name") != "" || v.Float64("ratio") != 0.5 {
			t.Error("values")
		}
	}); n != 0 {
		t.Error("allocations:", n)
	}
}

func TestFaultsOfProgrammers(t *testing.T) {
	v, err := table.Merge()
	if err != nil {
		t.Fatal(err)
	}
	for what, fn := range map[string]func(){
		"a key that is not there": func() { v.Text("no such key") },
		"a key of another kind":   func() { v.Int("name") },
		"a key twice":             func() { NewTable([]Key{{Name: "a"}, {Name: "a"}}) },
		"a malformed default":     func() { NewTable([]Key{{Name: "a", Default: "x", Kind: Int}}) },
		"a short row":             func() { ParseTable("a\tint\t1", nil) },
		"an unknown variable":     func() { ParseTable("a\ttext\t${nothing}\tm", nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error(what, "goes through")
				}
			}()
			fn()
		}()
	}
}

func TestParseTable(t *testing.T) {
	made := ParseTable("a\tint\t${n}\tmr\nb\tX|Y\tX\tm\nc\tbool\ttrue\t\nf\tbool\ttrue\t\nd\tdouble\t0.5\tm\ne\tlong\t5000000000\tm\n", map[string]string{"n": "7"})
	v, err := made.Merge([]Setting{{Key: "c", Value: "FALSE"}, {Key: "f", Value: "TRUE"}})
	if err != nil {
		t.Fatal(err)
	}
	if v.Int("a") != 7 || v.Text("b") != "X" || v.Bool("c") || v.Float64("d") != 0.5 || v.Int64("e") != 5000000000 {
		t.Fatal(v.Properties())
	}
	if !v.AtRuntime("a") || v.AtRuntime("b") || v.AtRuntime("c") || v.AtRuntime("no such key") || !v.Known("a") || v.Known("z") {
		t.Fatal("marks")
	}
	if got := v.WithoutEffect(); !reflect.DeepEqual(got, []string{"c"}) {
		t.Fatal(got)
	}
}

func TestSlipsOfThePen(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"listenPort", "lisenPort"}: true, {"listenPort", "listennPort"}: true, {"listenPort", "lsitenPort"}: true, {"listenPort", "listenPord"}: true,
		{"listenPort", "listenPo"}: false, {"listenPort", "lisetnPotr"}: false, {"haPort", "h"}: false, {"abcd", "abcx"}: false, {"listenPort", "istenPort"}: true,
	} {
		if slips(pair[0], pair[1]) != want || slips(pair[1], pair[0]) != want {
			t.Error(pair, !want)
		}
	}
}

// TestAddresses: one rule for addresses to ask and one for those to listen on.
func TestAddresses(t *testing.T) {
	for a, want := range map[string]struct{ ask, listen bool }{
		"127.0.0.1:1": {true, true}, "[::1]:65535": {true, true}, "host-1.example_2:80": {true, true}, "10.0.0.1.nip:80": {true, true},
		":80": {false, true}, "localhost:0": {false, true}, ":0": {false, true},
		"": {false, true}, "80": {}, "host": {}, "host:": {}, "host:http": {}, "host:65536": {}, "host:-1": {}, "1.2.3:80": {}, "::1:80": {}, "a b:80": {}, "http://a:80": {},
	} {
		if got := IsHostPort(a); got != want.ask {
			t.Errorf("%q: an address to ask: %v", a, got)
		}
		v, err := NewTable([]Key{{Name: "address"}}).Merge([]Setting{{Key: "address", Value: a, Origin: Flag}})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.CheckListen("address"); (err == nil) != want.listen || err != nil && !strings.Contains(err.Error(), "address="+a+" is not of the form host:port") {
			t.Errorf("%q: an address to listen on: %v", a, err)
		}
	}
}
