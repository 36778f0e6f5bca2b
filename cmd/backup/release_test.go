package backup

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupOfALaterRelease: one whose manifest has a version that this release does not know is refused by all that open one, with the
// version, and stays as it is to the byte.
func TestBackupOfALaterRelease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, ok := r.dial().send("T", 0, "x"); !ok {
		t.Fatal("not sent")
	}
	dir := filepath.Join(t.TempDir(), "backup")
	m := r.take(dir)
	name := filepath.Join(dir, ManifestName)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(string(b), fmt.Sprintf(`"formatVersion": %d,`, m.FormatVersion), fmt.Sprintf(`"formatVersion": %d,`, m.FormatVersion+1), 1)
	if later == string(b) {
		t.Fatalf("the version is not where it was: %s", b)
	}
	if err := os.WriteFile(name, []byte(later), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.dial().send("T", 0, "a run would have something to take"); !ok {
		t.Fatal("not sent")
	}
	before := contents(t, dir)
	to := filepath.Join(t.TempDir(), "to")
	_, take := Take(t.Context(), Options{Dir: dir, Broker: r.addr()})
	_, verify := Verify(t.Context(), VerifyOptions{Dir: dir})
	_, restore := Restore(t.Context(), RestoreOptions{From: dir, To: to})
	for what, err := range map[string]error{"take": take, "verify": verify, "restore": restore} {
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s in %s has format version %d", ManifestName, dir, m.FormatVersion+1)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if after := contents(t, dir); !maps.Equal(before, after) {
		t.Error("what was refused was changed")
	}
	if _, err := os.Stat(filepath.Join(to, "commitlog")); err == nil {
		t.Error("something was restored")
	}
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
