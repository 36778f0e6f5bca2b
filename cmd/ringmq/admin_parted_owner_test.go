package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const cutChildKey = "RINGMQ_TEST_CUT_CHILD"

// TestChildThatCuts is the program of TestAdminCutLogAsRoot: a process that has become another user is that for good.
func TestChildThatCuts(t *testing.T) {
	args := os.Getenv(cutChildKey)
	if args == "" {
		t.Skip("it is for the test that runs it")
	}
	if out, err := ringmq(t, strings.Split(args, "\n")...); err != nil || !strings.Contains(out, "The log was cut at") {
		t.Error(out, err)
	}
}

// TestAdminCutLogAsRoot: what root does to the store of another user leaves nothing that this one cannot write.
func TestAdminCutLogAsRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root becomes another user")
	}
	const owner = 65534
	dir, err := os.MkdirTemp("", "ringmq-owner-") // what t.TempDir makes is below a directory of root's own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for above := dir; above != "/"; above = filepath.Dir(above) {
		if info, err := os.Stat(above); err != nil || info.Mode()&1 == 0 {
			t.Skip("other users do not get to where temporary files are:", above, err)
		}
	}
	s := &side{t: t, root: filepath.Join(dir, "store")}
	s.open()
	s.put("T", 10)
	at := s.st.LogMax()
	s.put("Behind", 7)
	s.close()
	each := func(fn func(name string, info fs.FileInfo) error) {
		t.Helper()
		if err := filepath.Walk(s.root, func(name string, info fs.FileInfo, err error) error {
			if err != nil {
				return err
			}
			return fn(name, info)
		}); err != nil {
			t.Fatal(err)
		}
	}
	each(func(name string, _ fs.FileInfo) error { return os.Chown(name, owner, owner) })
	child := exec.Command(os.Args[0], "-test.run=^TestChildThatCuts$")
	child.Env = append(os.Environ(), cutChildKey+"="+strings.Join(append([]string{"admin", "cutLog", "--yes", "--at", fmt.Sprint(at)}, s.sets()...), "\n"))
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	saved := 0
	each(func(name string, info fs.FileInfo) error {
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != owner {
			t.Errorf("%s belongs to %d", name, uid)
		}
		if filepath.Dir(name) == filepath.Join(s.root, "ringmq", "cut") {
			saved++
		}
		return nil
	})
	if saved != 1 {
		t.Error(saved, "files with what was cut")
	}
}
