package tuning

import (
	"errors"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ringmq/store/disk"
)

// A host is described by a text, one file a line:
//
//	# a comment
//	include NAME                 the lines of NAME.host first; later ones win
//	/path = text                 a file of one line
//	/path = <<                   a file of the lines up to one that says >>
//	/path -> target              a symbolic link
//	/path/                       a directory
//	/path !                      a file that may not be read
//	- /path                      take away what an included text has
//	space TOTAL FREE INODES      what the file system under the store has, bytes
//	noring WHY                   no io_uring can be had
type madeHost struct {
	root   string
	locked map[string]bool
	space  disk.Space
	ring   error
}

// makeHost unpacks a description into a directory of the test's.
func makeHost(t *testing.T, name string) *madeHost {
	t.Helper()
	h := &madeHost{root: t.TempDir(), locked: map[string]bool{}, space: disk.Space{TotalBytes: 1 << 40, FreeBytes: 1 << 39, FreeInodes: 1 << 26}}
	h.read(t, name)
	return h
}

func (h *madeHost) read(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "hosts", name+".host"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		w := strings.Fields(line)
		switch {
		case line == "" || line[0] == '#':
		case w[0] == "include":
			h.read(t, w[1])
		case w[0] == "space":
			for k, to := range []*int64{&h.space.TotalBytes, &h.space.FreeBytes, &h.space.FreeInodes} {
				*to = must(strconv.ParseInt(w[k+1], 10, 64))
			}
		case w[0] == "noring":
			h.ring = errors.New(strings.TrimPrefix(line, "noring "))
		case w[0] == "-":
			check(t, os.RemoveAll(filepath.Join(h.root, w[1])))
		case len(w) == 3 && w[1] == "->":
			h.below(t, w[0])
			check(t, os.Symlink(w[2], filepath.Join(h.root, w[0])))
		case len(w) == 2 && w[1] == "!":
			h.locked[w[0]] = true
			h.write(t, w[0], "")
		case len(w) == 1 && strings.HasSuffix(line, "/"):
			check(t, os.MkdirAll(filepath.Join(h.root, line), 0o755))
		case len(w) > 1 && w[1] == "=":
			file, value, _ := strings.Cut(line, " =")
			value = strings.TrimPrefix(value, " ")
			if value == "<<" {
				var all []string
				for i++; i < len(lines) && strings.TrimSpace(lines[i]) != ">>"; i++ {
					all = append(all, lines[i])
				}
				value = strings.Join(all, "\n")
			}
			h.write(t, file, strings.ReplaceAll(value, `\t`, "\t")+"\n")
		default:
			t.Fatalf("%s.host:%d: %q", name, i+1, line)
		}
	}
}

func (h *madeHost) below(t *testing.T, file string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(filepath.Join(h.root, file)), 0o755))
}

func (h *madeHost) write(t *testing.T, file, text string) {
	t.Helper()
	h.below(t, file)
	check(t, os.WriteFile(filepath.Join(h.root, file), []byte(text), 0o644))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// host is the tree as Probe takes it.
func (h *madeHost) host() Host {
	return Host{Tree: &kernelTree{Tree: Under(h.root), locked: h.locked}, Space: func(string) (disk.Space, error) { return h.space, nil }, TryRing: func() error { return h.ring },
		Fits: func(m *disk.Measured, _ string) error {
			if m.Device != "x" {
				return errors.New("measured on another file system")
			}
			return nil
		}}
}

// kernelTree answers writes as a kernel does: lists keep their words, bytes and ratios exclude each other, a scheduler brings its own
// depth and settings, huge pages raise what is kept free, a table of flows has a power of two of entries, and some values are refused.
type kernelTree struct {
	Tree
	locked map[string]bool
	refuse func(name, value string) error // nil: nothing more is refused
	sets   int
	own    map[string][]string // settings of a scheduler that has gone
}

func (k *kernelTree) ReadFile(name string) ([]byte, error) {
	if k.locked[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EACCES}
	}
	return k.Tree.ReadFile(name)
}

// brings is what else a choice does.
func (k *kernelTree) brings(name, value string, another bool) error {
	if name == hugePages+"enabled" {
		if text, err := k.Tree.ReadFile(minFree); err == nil && number(strings.TrimSpace(string(text))) < 67584 {
			return k.Tree.Set(minFree, "67584")
		}
		return nil
	}
	own := strings.TrimSuffix(name, "scheduler") + "iosched"
	names, err := k.Tree.ReadDir(own)
	if !strings.HasSuffix(name, "/scheduler") || !another || err != nil && k.own[name] == nil {
		return nil
	}
	if k.own == nil {
		k.own = map[string][]string{}
	}
	if err == nil {
		k.own[name] = names
	}
	for _, n := range names {
		if err := k.Tree.Remove(own + "/" + n); err != nil {
			return err
		}
	}
	if value == "none" {
		return k.Tree.Remove(own)
	}
	if err := k.Tree.Mkdir(own); err != nil {
		return err
	}
	for _, n := range k.own[name] {
		if err := k.Tree.Replace(own+"/"+n, []byte("500\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (k *kernelTree) Set(name, value string) error {
	k.sets++
	if k.refuse != nil {
		if err := k.refuse(name, value); err != nil {
			return &fs.PathError{Op: "write", Path: name, Err: err}
		}
	}
	text, err := k.Tree.ReadFile(name)
	if err != nil {
		return err
	}
	old, all := choice(string(text))
	invalid := &fs.PathError{Op: "write", Path: name, Err: syscall.EINVAL}
	if strings.Contains(string(text), "[") {
		found := false
		for i, w := range all {
			if w == value {
				all[i], found = "["+w+"]", true
			}
		}
		if !found {
			return invalid
		}
		if err := k.brings(name, value, old != value); err != nil {
			return err
		}
		if strings.HasSuffix(name, "/scheduler") && old != value {
			depth := map[string]string{"none": "1023"}[value]
			if depth == "" {
				depth = "256"
			}
			if err := k.Tree.Set(strings.TrimSuffix(name, "scheduler")+"nr_requests", depth); err != nil {
				return err
			}
			if old == "bfq" { // which had switched it off
				if err := k.Tree.Set(strings.TrimSuffix(name, "scheduler")+"wbt_lat_usec", "2000"); err != nil {
					return err
				}
			}
		}
		return k.Tree.Set(name, strings.Join(all, " "))
	}
	for _, pair := range [][2]string{{"dirty_bytes", "dirty_ratio"}, {"dirty_background_bytes", "dirty_background_ratio"}} {
		for i, one := range pair {
			if filepath.Base(name) != one {
				continue
			}
			if i == 0 && value == "0" {
				return invalid
			}
			if strings.TrimSpace(string(text)) != value {
				if err := k.Tree.Set(filepath.Join(filepath.Dir(name), pair[1-i]), "0"); err != nil {
					return err
				}
			}
		}
	}
	switch n, err := strconv.Atoi(value); {
	case filepath.Base(name) == "rps_cpus" && len(value) < 8:
		value = strings.Repeat("0", 8-len(value)) + value
	case filepath.Base(name) == "rps_flow_cnt" && err == nil && n > 0: // rounded up to a power of two
		value = strconv.Itoa(1 << bits.Len(uint(n-1)))
	}
	return k.Tree.Set(name, value)
}
