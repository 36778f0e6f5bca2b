package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAdminImportFile: the file stands without a flag, and what is wrong with it is said before any server is asked.
func TestAdminImportFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "all.json")
	if err := os.WriteFile(file, []byte(`{"formatVersion":7}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"ringmq admin import: FILE is missing": {},
		"takes FILE, and got 2: a b":           {"a", "b"},
		"no such file":                         {filepath.Join(t.TempDir(), "none")},
		"formatVersion 7":                      {file},
		`"sometimes" is neither`:               {file, "--offsets", "sometimes"},
		"--topics":                             {file, "--topics", "("},
	} {
		out, err := ringmq(t, append([]string{"admin", "import", "-n", "127.0.0.1:1", "-b", "127.0.0.1:1"}, args...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s\n%s", args, err, want, out)
		}
	}
}
