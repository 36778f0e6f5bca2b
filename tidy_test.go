// Package ringmq_test holds the rules that the whole tree obeys: who may import whom, and how large a file or a
// function may grow. They are tests so that breaking one is noticed on the machine of whoever breaks it.
package ringmq_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// room is a folder and everything below it that has no row of its own.
type room struct {
	folder string
	ours   []string // rooms it may import; a trailing slash admits everything below
	kernel []string // libraries only some rooms may say
}

const (
	gnet     = "github.com/panjf2000/gnet/v2"
	giouring = "github.com/pawelgaczynski/giouring"
	xsys     = "golang.org/x/sys"
)

// rooms in order: the first row whose folder is a prefix decides.
var rooms = []room{
	{"netpoll/remoting/settings", nil, nil},
	{"netpoll/remoting", []string{"netpoll/remoting/"}, nil},
	{"netpoll/local", nil, nil},
	{"netpoll", []string{"netpoll/remoting"}, []string{gnet, xsys}},
	{"store/record", nil, nil},
	{"store/tally", nil, nil},
	{"store/memory", nil, nil},
	{"store/disk", nil, []string{giouring, xsys}},
	{"store/queue", []string{"store/disk", "store/record"}, nil},
	{"store/index", []string{"store/disk", "store/record"}, nil},
	{"store/commitlog", []string{"store/disk", "store/record", "store/tally"}, nil},
	{"store/delay", []string{"store", "store/record"}, nil},
	{"store", []string{"store/disk", "store/record", "store/tally", "store/queue", "store/index", "store/commitlog", "store/memory"}, nil},
	{"replica", []string{"store", "store/record", "netpoll", "netpoll/remoting/"}, []string{xsys}},
	{"namesrv", []string{"netpoll", "netpoll/remoting", "netpoll/remoting/settings"}, nil},
	{"broker/lag", nil, nil},
	{"broker", []string{"netpoll", "netpoll/remoting", "netpoll/remoting/settings", "store", "store/record", "store/tally", "store/delay", "replica", "broker/"}, nil},
	{"tuning", []string{"store/disk", "store/memory"}, nil},
	{"bench/ceiling", []string{"netpoll", "netpoll/remoting", "store/disk"}, nil},
	{"bench", []string{"netpoll", "netpoll/local", "netpoll/remoting", "store/record"}, nil},
	{"cmd/ask", []string{"netpoll", "netpoll/remoting", "netpoll/remoting/settings"}, nil},
	{"cmd/admin", []string{"cmd/ask", "broker/lag", "netpoll/remoting", "netpoll/remoting/settings", "store/record"}, nil},
	{"cmd/doctor", []string{"cmd/ask", "netpoll", "netpoll/local", "netpoll/remoting", "netpoll/remoting/settings", "store/disk", "store/record", "broker/config", "namesrv"}, nil},
	{"cmd/backup", []string{"cmd/ask", "netpoll", "netpoll/remoting", "netpoll/remoting/settings", "store", "store/disk", "store/record", "replica", "broker", "broker/config", "broker/meta"}, nil},
	{"cmd", []string{"cmd/admin", "cmd/backup", "cmd/doctor", "netpoll/", "store/", "store", "netpoll", "replica", "namesrv", "broker", "broker/", "tuning", "bench"}, nil},
	{"interop/tune", []string{"tuning"}, []string{xsys}},
	{"interop/metrics", []string{"netpoll", "netpoll/remoting", "store/record", "broker/push/pushtest", "interop/rig"}, nil},
	{"interop", []string{"netpoll", "netpoll/local", "netpoll/remoting", "store/record", "interop/"}, []string{xsys}},
}

func roomOf(folder string) (room, bool) {
	for _, r := range rooms {
		if folder == r.folder || strings.HasPrefix(folder, r.folder+"/") {
			return r, true
		}
	}
	return room{}, false
}

func (r room) mayImport(target string) bool {
	for _, o := range r.ours {
		if target == strings.TrimSuffix(o, "/") || strings.HasSuffix(o, "/") && strings.HasPrefix(target, o) {
			return true
		}
	}
	return false
}

func (r room) maySay(library string) bool {
	for _, k := range []string{gnet, giouring, xsys} {
		if library == k || strings.HasPrefix(library, k+"/") {
			for _, allowed := range r.kernel {
				if allowed == k {
					return true
				}
			}
			return false
		}
	}
	return true
}

// eachGoFile calls fn for every Go file of the module that is not a test, parsed.
func eachGoFile(t *testing.T, fn func(name string, set *token.FileSet, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != "." || d.Name() == "testdata" || name == filepath.Join("interop", "goclient")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		fn(filepath.ToSlash(name), set, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestArrows: imports point downward only, and only the rooms that own the kernel and the event loop name them.
func TestArrows(t *testing.T) {
	files := map[string]int{} // by room
	eachGoFile(t, func(name string, _ *token.FileSet, f *ast.File) {
		folder := path.Dir(name)
		r, ok := roomOf(folder)
		if !ok {
			t.Errorf("%s: %s is no room of this house", name, folder)
			return
		}
		files[r.folder]++
		for _, spec := range f.Imports {
			target := strings.Trim(spec.Path.Value, `"`)
			if !r.maySay(target) {
				t.Errorf("%s: %s may not import %s", name, folder, target)
			}
			ours, inside := strings.CutPrefix(target, "ringmq/")
			if inside && ours != folder && !r.mayImport(ours) {
				t.Errorf("%s: %s may not import %s", name, folder, ours)
			}
		}
	})
	for _, r := range rooms {
		if files[r.folder] == 0 {
			t.Errorf("no file is judged by the row of %s: there is none, or an earlier row decides", r.folder)
		}
	}
}

// TestReadingOrders: a package that says in which order to read it names every file of its own, and none that is not there. A file x_y.go may
// stand behind x.go, and a pattern for all that it matches.
func TestReadingOrders(t *testing.T) {
	named := regexp.MustCompile(`[a-z0-9_*]+\.go`)
	orders, files := map[string][]string{}, map[string][]string{}
	eachGoFile(t, func(name string, _ *token.FileSet, f *ast.File) {
		folder, file := path.Split(name)
		if f.Doc != nil && strings.Contains(f.Doc.Text(), "Reading order:") {
			orders[folder] = named.FindAllString(f.Doc.Text(), -1)
		} else if file != "doc.go" {
			files[folder] = append(files[folder], file)
		}
	})
	if len(orders) == 0 {
		t.Error("no package says in which order to read it")
	}
	for folder, order := range orders {
		for _, file := range files[folder] {
			if family, _, _ := strings.Cut(strings.TrimSuffix(file, ".go"), "_"); !names(order, file) && !slices.Contains(order, family+".go") {
				t.Errorf("%s%s stands in no reading order", folder, file)
			}
		}
		for _, word := range order {
			if there, err := filepath.Glob(filepath.Join(folder, word)); err != nil || len(there) == 0 {
				t.Errorf("%s: the reading order names %s, which is not there", folder, word)
			}
		}
	}
}

// names says whether a file is one of the words, or matched by one.
func names(order []string, file string) bool {
	return slices.ContainsFunc(order, func(word string) bool {
		match, err := path.Match(word, file)
		return match && err == nil
	})
}

// TestSizes is the house rule, with the functions that may be longer because they are tables.
func TestSizes(t *testing.T) {
	const fileLines, functionLines = 400, 70
	tables := map[string]bool{"tuning/knobs_cpu.go cpuArea": true}
	eachGoFile(t, func(name string, set *token.FileSet, f *ast.File) {
		if n := set.File(f.Pos()).LineCount(); n > fileLines {
			t.Errorf("%s: %d lines; split it by noun", name, n)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n, which := set.Position(fn.End()).Line-set.Position(fn.Pos()).Line+1, name+" "+fn.Name.Name
			if n > functionLines && !tables[which] {
				t.Errorf("%s has %d lines", which, n)
			}
			if n > functionLines {
				delete(tables, which)
			}
		}
	})
	for which := range tables {
		t.Errorf("%s needs no exception: it is not there, or not that long", which)
	}
}
