package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMarkedKeysAreRead: a key that the table says has a meaning here is named by some code that is no test. Otherwise a user
// who sets it would not be told that it does nothing.
func TestMarkedKeysAreRead(t *testing.T) {
	var source strings.Builder
	for _, root := range []string{"..", "../../cmd"} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			text, err := os.ReadFile(name)
			source.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	marked := 0
	for _, line := range strings.Split(strings.TrimRight(keys, "\n"), "\n") {
		f := strings.Split(line, "\t")
		if !strings.Contains(f[3], "m") {
			if strings.Contains(f[3], "r") {
				t.Errorf("%s takes effect at run time but has no meaning", f[0])
			}
			continue
		}
		marked++
		if !strings.Contains(source.String(), `"`+f[0]+`"`) {
			t.Errorf("%s has the mark m and is read nowhere", f[0])
		}
	}
	if marked < 40 {
		t.Fatal("marked keys found:", marked)
	}
}
