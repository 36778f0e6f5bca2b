package tuning

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const undoName = "/var/lib/ringmq/tune-undo.json"

// snapshot is every file and link below a directory, with its mode.
func snapshot(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	check(t, filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		key := strings.TrimPrefix(name, root)
		info := must(d.Info())
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			all[key] = "-> " + must(os.Readlink(name))
		case d.IsDir():
			all[key] = info.Mode().String()
		default:
			all[key] = info.Mode().String() + " " + string(must(os.ReadFile(name)))
		}
		return nil
	}))
	return all
}

// alike compares two snapshots.
func alike(t *testing.T, before, after map[string]string, what string) {
	t.Helper()
	for name, text := range before {
		if after[name] != text {
			t.Errorf("%s: %s was %q and is %q", what, name, text, after[name])
		}
	}
	for name, text := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s: %s is new: %q", what, name, text)
		}
	}
}

func plan(t *testing.T, tree Tree, r *Report, keep bool) Plan {
	t.Helper()
	return MakePlan(tree, r.Facts, r.Advice, keep, must(Applied(tree, undoName)))
}

// TestApplyUndo: on every kind of host, what is advised is set and kept, a second time finds nothing, and undo leaves the tree as it was.
func TestApplyUndo(t *testing.T) {
	for _, one := range hosts {
		for _, keep := range []bool{false, true} {
			t.Run(one.name, func(t *testing.T) {
				h := makeHost(t, one.name)
				h.normal(t)
				host := h.host()
				o := Options{Dir: "/data/store", Unit: "ringmq.service"}
				before := snapshot(t, h.root)
				r := NewReport(Probe(host, o), one.profile)
				p := plan(t, host.Tree, r, keep)
				res := must(Apply(host.Tree, undoName, p))
				if len(res.Refused) > 0 || len(res.Values) != len(p.Writes) || len(res.Files) != len(p.Files) {
					t.Fatalf("%+v\nof %+v", res, p)
				}
				applied := snapshot(t, h.root)
				if (len(p.Writes)+len(p.Files) == 0) != reflect.DeepEqual(before, applied) {
					t.Fatal("a plan with something in it changes something, and only such a plan")
				}
				again := NewReport(Probe(host, o), one.profile)
				for _, a := range again.Advice {
					if a.State == Change && (keep || len(a.Keep) == 0) {
						t.Errorf("still to change: %s, %s, %s", a.Key, a.Now, a.Here)
					}
				}
				if p := plan(t, host.Tree, again, keep); len(p.Writes)+len(p.Files) > 0 {
					t.Errorf("a second time would do %+v", p)
				}
				must(Apply(host.Tree, undoName, plan(t, host.Tree, again, keep)))
				alike(t, applied, snapshot(t, h.root), "a second time")
				pending := must(Pending(host.Tree, undoName))
				if undone := must(Undo(host.Tree, undoName, false)); len(undone.Refused) > 0 || !slices.Equal(undone.Files, pending.Files) || len(undone.Values) > len(pending.Values) {
					t.Errorf("%+v, of %+v", undone, pending)
				}
				alike(t, before, snapshot(t, h.root), "undone")
				if res := must(Undo(host.Tree, undoName, false)); len(res.Values)+len(res.Files)+len(res.Refused) > 0 {
					t.Errorf("a second undo did %+v", res)
				}
			})
		}
	}
}

// normal prints every value of the made kernel as it prints what is written into it.
func (h *madeHost) normal(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"/proc/sys", "/sys"} {
		_ = filepath.WalkDir(filepath.Join(h.root, dir), func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			text := string(must(os.ReadFile(name)))
			if filepath.Base(name) == "rps_cpus" {
				text = strings.Repeat("0", 8)
			}
			return os.WriteFile(name, []byte(strings.Join(strings.Fields(text), " ")+"\n"), 0o644)
		})
	}
}

// TestKeptFiles: what the files for the next start say, byte for byte, and that they grow and never lose a line.
func TestKeptFiles(t *testing.T) {
	h := makeHost(t, "sata-os-sh")
	host := h.host()
	r := NewReport(Probe(host, Options{Dir: "/data/store", Unit: "ringmq.service"}), Auto)
	must(Apply(host.Tree, undoName, plan(t, host.Tree, r, false))) // first only for now
	r = NewReport(Probe(host, Options{Dir: "/data/store", Unit: "ringmq.service"}), Auto)
	must(Apply(host.Tree, undoName, plan(t, host.Tree, r, true))) // then for the next start as well
	var all bytes.Buffer
	for name, text := range snapshot(t, h.root) {
		if strings.HasPrefix(name, "/etc/") && strings.HasPrefix(text, "-") {
			all.WriteString(name + "\x00" + text + "\x01")
		}
	}
	files := strings.Split(strings.TrimSuffix(all.String(), "\x01"), "\x01")
	slices.Sort(files)
	golden(t, "testdata/golden/kept.txt", []byte(strings.ReplaceAll(strings.Join(files, "\n"), "\x00", "\n")))

	// Another value is wanted later: its line changes, the others stay.
	check(t, host.Set("/proc/sys/vm/swappiness", "60"))
	r = NewReport(Probe(host, Options{Dir: "/data/store", Unit: "ringmq.service"}), Auto)
	if p := plan(t, host.Tree, r, true); len(p.Writes) != 1 || len(p.Files) != 1 || strings.Count(p.Files[0].Text, "\n") != strings.Count(p.Files[0].Was, "\n") {
		t.Errorf("%+v", p)
	}
}

// dyingTree does so many changes and then none any more, as for a process that was killed.
type dyingTree struct {
	Tree
	left int
}

var errDead = errors.New("dead")

func (d *dyingTree) change(do func() error) error {
	if d.left <= 0 {
		return errDead
	}
	d.left--
	return do()
}

func (d *dyingTree) Set(name, value string) error {
	return d.change(func() error { return d.Tree.Set(name, value) })
}

func (d *dyingTree) Replace(name string, text []byte, mode fs.FileMode) error {
	return d.change(func() error { return d.Tree.Replace(name, text, mode) })
}

func (d *dyingTree) Mkdir(name string) error {
	return d.change(func() error { return d.Tree.Mkdir(name) })
}

func (d *dyingTree) Remove(name string) error {
	return d.change(func() error { return d.Tree.Remove(name) })
}

// TestKilled: wherever Apply is killed, or Undo after it, the next Undo puts back what was there. Only a directory may stay that was
// made for an undo file and never got it.
func TestKilled(t *testing.T) {
	o := Options{Dir: "/data/store", Unit: "ringmq.service"}
	for _, undoing := range []bool{false, true} {
		for n := 0; ; n++ {
			h := makeHost(t, "metal-nvme")
			h.normal(t)
			host := h.host()
			before := snapshot(t, h.root)
			p := plan(t, host.Tree, NewReport(Probe(host, o), Auto), true)
			dying := &dyingTree{host.Tree, n}
			if undoing {
				must(Apply(host.Tree, undoName, p))
				_, _ = Undo(dying, undoName, false) // says that it could not
			} else {
				_, _ = Apply(dying, undoName, p)
			}
			if res := must(Undo(host.Tree, undoName, false)); len(res.Refused) > 0 {
				t.Errorf("killed after %d changes: %v", n, res.Refused)
			}
			after := snapshot(t, h.root)
			for name, text := range after {
				if _, was := before[name]; !was && strings.HasPrefix(name, "/var") && strings.HasPrefix(text, "d") {
					delete(after, name)
				}
			}
			alike(t, before, after, "killed")
			if t.Failed() {
				t.Fatalf("killed after %d changes, undoing: %v", n, undoing)
			}
			if dying.left > 0 {
				if n < len(p.Writes)+len(p.Files) {
					t.Fatalf("only %d changes were made", n)
				}
				break
			}
		}
	}
}

// TestKilledAgain: an Apply that is killed after another one, before it has set what it has noted, leaves what the other one set, and the next
// Undo knows that as its own.
func TestKilledAgain(t *testing.T) {
	for n := 0; ; n++ {
		h := makeHost(t, "metal-nvme")
		h.normal(t)
		host := h.host()
		before := snapshot(t, h.root)
		p := plan(t, host.Tree, NewReport(Probe(host, Options{Dir: "/data/store", Unit: "ringmq.service"}), Auto), true)
		must(Apply(host.Tree, undoName, p))
		p.Writes, p.Files = slices.Clone(p.Writes), slices.Clone(p.Files)
		for i := range p.Writes {
			if strings.HasSuffix(p.Writes[i].File, "swappiness") {
				p.Writes[i].Value = "7"
			}
		}
		for i := range p.Files {
			p.Files[i].Text += "# more\n"
		}
		dying := &dyingTree{host.Tree, n}
		_, _ = Apply(dying, undoName, p)
		if res := must(Undo(host.Tree, undoName, false)); len(res.Refused) > 0 {
			t.Fatalf("killed after %d changes: %v", n, res.Refused)
		}
		alike(t, before, snapshot(t, h.root), fmt.Sprint("killed after ", n))
		if dying.left > 0 {
			if n < 3 {
				t.Fatalf("only %d changes were made", n)
			}
			break
		}
	}
}

// TestOverridden: a file that is read later than ours and says otherwise is named.
func TestOverridden(t *testing.T) {
	h := makeHost(t, "metal-nvme")
	h.write(t, "/etc/sysctl.conf", "# mine\nvm.swappiness=60\nvm.dirty_bytes = 268435456\n")
	h.write(t, "/etc/sysctl.d/99-x.conf", "-net/ipv4/tcp_max_syn_backlog = 128\nvm.min_free_kbytes = 126976\n")
	h.write(t, "/etc/sysctl.d/10-x.conf", "vm.min_free_kbytes = 1\n")
	host := h.host()
	r := NewReport(Probe(host, Options{Dir: "/data/store"}), Auto)
	want := []string{
		"/etc/sysctl.conf says vm.swappiness = 60 and is read later: change it there", "/etc/sysctl.conf says vm.dirty_bytes = 268435456 and is read later: change it there",
		"/etc/sysctl.d/99-x.conf says net.ipv4.tcp_max_syn_backlog = 128 and is read later: change it there",
	}
	if res := must(Apply(host.Tree, undoName, plan(t, host.Tree, r, true))); !slices.Equal(res.Notes, want) {
		t.Error(res.Notes)
	}
}

// TestKeptIsOurs: a file of somebody else's is left alone, and said to be.
func TestKeptIsOurs(t *testing.T) {
	h := makeHost(t, "metal-nvme")
	h.write(t, "/etc/sysctl.d/90-ringmq.conf", "vm.swappiness = 30\n")
	host := h.host()
	r := NewReport(Probe(host, Options{Dir: "/data/store"}), Auto)
	res := must(Apply(host.Tree, undoName, plan(t, host.Tree, r, true)))
	if !slices.Equal(res.Refused, []string{"/etc/sysctl.d/90-ringmq.conf is somebody else's"}) {
		t.Error(res.Refused)
	}
	if text := must(host.ReadFile("/etc/sysctl.d/90-ringmq.conf")); string(text) != "vm.swappiness = 30\n" {
		t.Errorf("%q", text)
	}
	// One of ours that was there before the undo file was is put back with its mode.
	old := keptHead + "w /sys/old - - - - 1\n"
	h.write(t, "/etc/tmpfiles.d/90-ringmq.conf", old)
	check(t, os.Chmod(filepath.Join(h.root, "/etc/tmpfiles.d/90-ringmq.conf"), 0o600))
	must(Undo(host.Tree, undoName, true))
	h.write(t, "/etc/tmpfiles.d/90-ringmq.conf", old)
	check(t, os.Chmod(filepath.Join(h.root, "/etc/tmpfiles.d/90-ringmq.conf"), 0o600))
	before := snapshot(t, h.root)
	must(Apply(host.Tree, undoName, plan(t, host.Tree, r, true)))
	if text := string(must(host.ReadFile("/etc/tmpfiles.d/90-ringmq.conf"))); !strings.Contains(text, "w /sys/old - - - - 1\n") || text == old {
		t.Errorf("%q", text)
	}
	must(Undo(host.Tree, undoName, false))
	if after := snapshot(t, h.root); after["/etc/tmpfiles.d/90-ringmq.conf"] != before["/etc/tmpfiles.d/90-ringmq.conf"] {
		t.Error(after["/etc/tmpfiles.d/90-ringmq.conf"])
	}
}

// TestRefusals: the kernel says no, at each of the moments when it can.
func TestRefusals(t *testing.T) {
	swappiness := Write{File: "/proc/sys/vm/swappiness", Value: "10"}
	dirtyBytes := Write{File: "/proc/sys/vm/dirty_bytes", Value: "1073741824", Moves: []string{"/proc/sys/vm/dirty_ratio"}}
	for _, c := range []struct {
		name   string
		refuse func(name, value string) error
		made   func(t *testing.T, h *madeHost)
		want   string
		values int
	}{
		{name: "nothing may be written", want: "/proc/sys/vm/swappiness is left alone, since what it says now could not be written back: write /proc/sys/vm/swappiness: permission denied",
			refuse: func(string, string) error { return syscall.EACCES }},
		{name: "the new value is refused", want: "write /proc/sys/vm/swappiness: invalid argument", values: 1, refuse: func(name, value string) error {
			if name == swappiness.File && value == "10" {
				return syscall.EINVAL
			}
			return nil
		}},
		{name: "a ratio of 0 does not come back", want: "/proc/sys/vm/dirty_bytes is left alone", values: 1, made: func(t *testing.T, h *madeHost) {
			h.write(t, "/proc/sys/vm/dirty_ratio", "0\n")
		}},
		{name: "the file is not there", want: "no such file", values: 1, made: func(t *testing.T, h *madeHost) {
			check(t, os.Remove(filepath.Join(h.root, swappiness.File)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := makeHost(t, "metal-nvme")
			if c.made != nil {
				c.made(t, h)
			}
			tree := h.host().Tree.(*kernelTree)
			tree.refuse = c.refuse
			before := snapshot(t, h.root)
			res := must(Apply(tree, undoName, Plan{Writes: []Write{swappiness, dirtyBytes}}))
			if !strings.Contains(strings.Join(res.Refused, "\n"), c.want) || len(res.Values) != c.values {
				t.Errorf("%+v", res)
			}
			tree.refuse = nil
			must(Undo(tree, undoName, false))
			alike(t, before, snapshot(t, h.root), c.name)
		})
	}
}

// TestHugePagesRaise: the kernel raises min_free_kbytes when somebody writes about huge pages, even in a rehearsal; it comes back.
func TestHugePagesRaise(t *testing.T) {
	h := makeHost(t, "metal-nvme")
	h.write(t, minFree, "33792\n")
	h.normal(t)
	tree := h.host().Tree
	before := snapshot(t, h.root)
	r := NewReport(Probe(h.host(), Options{Dir: "/data/store", Unit: "ringmq.service"}), Auto)
	if unknown := r.Only([]string{"transparent_hugepage.enabled"}); len(unknown) > 0 {
		t.Fatal(unknown)
	}
	res := must(Apply(tree, undoName, plan(t, tree, r, false)))
	if now := must(value(tree, minFree)); len(res.Values) != 1 || len(res.Refused) > 0 || now != "67584" {
		t.Errorf("%+v, %s", res, now)
	}
	must(Undo(tree, undoName, false))
	alike(t, before, snapshot(t, h.root), "undone")
}

// TestRefusedAfterAnother: a value that is refused takes nothing back that another write of the same Apply has set.
func TestRefusedAfterAnother(t *testing.T) {
	h := makeHost(t, "metal-nvme")
	tree := h.host().Tree.(*kernelTree)
	tree.refuse = func(_, value string) error {
		if value == "madvise" {
			return syscall.EINVAL
		}
		return nil
	}
	res := must(Apply(tree, undoName, Plan{Writes: []Write{{File: minFree, Value: "126976"}, {File: hugePages + "enabled", Value: "madvise", Moves: []string{minFree}}}}))
	if now := must(value(tree, minFree)); len(res.Values) != 1 || len(res.Refused) != 1 || now != "126976" {
		t.Errorf("%s, %+v", now, res)
	}
}

// roundingTree is a kernel that makes another value of one.
type roundingTree struct{ Tree }

func (r roundingTree) Set(name, value string) error {
	if value == "10" {
		value = "11"
	}
	return r.Tree.Set(name, value)
}

func TestRounded(t *testing.T) {
	h := makeHost(t, "metal-nvme")
	before := snapshot(t, h.root)
	tree := roundingTree{Under(h.root)}
	res := must(Apply(tree, undoName, Plan{Writes: []Write{{File: "/proc/sys/vm/swappiness", Value: "10"}}}))
	if len(res.Values) != 0 || !slices.Equal(res.Refused, []string{"/proc/sys/vm/swappiness: the kernel made 11 of 10"}) {
		t.Errorf("%+v", res)
	}
	alike(t, before, snapshot(t, h.root), "rounded")
}

// TestNoted: nothing is changed before it is noted what was there, and what was noted first stays.
func TestNoted(t *testing.T) {
	h := makeHost(t, "metal-nvme")
	tree := h.host().Tree
	check(t, os.MkdirAll(filepath.Join(h.root, undoName), 0o755)) // no file can be written there
	before := snapshot(t, h.root)
	set := func(value string) error {
		_, err := Apply(tree, undoName, Plan{Writes: []Write{{File: "/proc/sys/vm/swappiness", Value: value}}})
		return err
	}
	if err := set("10"); err == nil {
		t.Fatal("there was no place for the undo file")
	}
	alike(t, before, snapshot(t, h.root), "without a place for the undo file")
	check(t, os.RemoveAll(filepath.Join(h.root, "/var")))
	before = snapshot(t, h.root)
	check(t, set("10"))
	check(t, set("5"))
	if all := must(Applied(tree, undoName)); len(all) != 1 || all[0].Value != "5" {
		t.Errorf("%+v", all)
	}
	must(Undo(tree, undoName, false))
	alike(t, before, snapshot(t, h.root), "set twice and undone")
}

// TestChangedSince: what somebody else changed after Apply is theirs, until they say otherwise.
func TestChangedSince(t *testing.T) {
	h := makeHost(t, "metal-nvme")
	tree := h.host().Tree
	before := snapshot(t, h.root)
	r := NewReport(Probe(h.host(), Options{Dir: "/data/store", Unit: "ringmq.service"}), Auto)
	must(Apply(tree, undoName, plan(t, tree, r, true)))
	check(t, tree.Set("/proc/sys/vm/swappiness", "33"))
	h.write(t, "/etc/sysctl.d/90-ringmq.conf", "mine")
	res := must(Undo(tree, undoName, false))
	if got := strings.Join(res.Refused, "\n"); strings.Count(got, "--force") != 2 || !strings.Contains(got, "/proc/sys/vm/swappiness was changed since by somebody else, to 33") {
		t.Error(got)
	}
	if now := must(value(tree, "/proc/sys/vm/swappiness")); now != "33" {
		t.Error(now)
	}
	if all := must(Applied(tree, undoName)); len(all) != 1 {
		t.Errorf("%+v", all)
	}
	if res := must(Undo(tree, undoName, true)); len(res.Refused) > 0 {
		t.Error(res.Refused)
	}
	alike(t, before, snapshot(t, h.root), "forced")

	must(Apply(tree, undoName, Plan{Writes: []Write{{File: "/proc/sys/vm/swappiness", Value: "10"}}}))
	check(t, os.Remove(filepath.Join(h.root, "/proc/sys/vm/swappiness")))
	if res := must(Undo(tree, undoName, false)); len(res.Refused) != 1 || len(must(Applied(tree, undoName))) != 0 {
		t.Errorf("%+v", res)
	}
}

// TestUndoFile: one that Apply cannot have written is refused before anything is touched.
func TestUndoFile(t *testing.T) {
	for _, text := range []string{
		"", "{}", `{"formatVersion":2}`, `{"formatVersion":1,"writes":[{"file":"/etc/passwd","before":"x"}]}`,
		`{"formatVersion":1,"writes":[{"file":"/proc/sys/../../etc/passwd","before":"x"}]}`,
		`{"formatVersion":1,"writes":[{"file":"/sys/a","before":"x","moves":["/sys/b"]}]}`,
		`{"formatVersion":1,"files":[{"name":"/home/x","existed":false}]}`, `{"formatVersion":1,"dirs":["/"]}`,
	} {
		h := makeHost(t, "empty")
		h.write(t, undoName, text)
		before := snapshot(t, h.root)
		_, err := Undo(Under(h.root), undoName, true)
		if err == nil {
			t.Errorf("%s was taken", text)
		} else if strings.Contains(text, "\"formatVersion\":2") && !strings.Contains(err.Error(), "has format version 2, not 1") {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := Apply(Under(h.root), undoName, Plan{}); err == nil {
			t.Errorf("%s was taken", text)
		}
		alike(t, before, snapshot(t, h.root), text)
	}
}

func TestScript(t *testing.T) {
	h := makeHost(t, "metal-nvme")
	host := h.host()
	r := NewReport(Probe(host, Options{Dir: "/data/store", Unit: "ringmq.service"}), Auto)
	before := snapshot(t, h.root)
	p := plan(t, host.Tree, r, true)
	var b bytes.Buffer
	check(t, p.Script(host.Tree, &b))
	golden(t, "testdata/golden/script.txt", b.Bytes())
	alike(t, before, snapshot(t, h.root), "a plan")
}

func FuzzUndoFile(f *testing.F) {
	f.Add([]byte(`{"formatVersion":1,"writes":[{"file":"/proc/sys/a","value":"1","before":"2"}],"files":[{"name":"/etc/a","after":"x"}],"dirs":["/var/lib/ringmq"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRecord("undo", text)
		if err != nil {
			return
		}
		for _, w := range r.Writes {
			if !strings.HasPrefix(w.File, "/proc/sys/") && !strings.HasPrefix(w.File, "/sys/") || strings.Contains(w.File, "..") && filepath.Clean(w.File) != w.File {
				t.Fatal(w.File)
			}
		}
		if again, err := parseRecord("undo", must(json.Marshal(r))); err != nil || len(again.Writes) != len(r.Writes) {
			t.Fatal(err)
		}
	})
}

func FuzzMounts(f *testing.F) {
	f.Add("28 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro\n2 1 8:2 / /a\\040b rw - xfs /dev/b\n", "/data/store")
	f.Fuzz(func(t *testing.T, text, name string) {
		if m, ok := mountOf(parseMounts(text), name); ok && m.point != "/" && !strings.HasPrefix(name, m.point) {
			t.Fatalf("%q on %q", name, m.point)
		}
	})
}

func FuzzKept(f *testing.F) {
	f.Add("sysctl", keptHead+"vm.swappiness = 10\n")
	f.Add("udev", keptHead+`KERNEL=="vda", ATTR{queue/scheduler}="none"`+"\n")
	f.Add("unit", keptHead+"[Service]\nLimitNOFILE=1\n")
	f.Fuzz(func(t *testing.T, kind, text string) {
		k := keptIn(kind)
		if _, known := forms[k]; !known {
			return
		}
		lines, ok := parseKept(k, text)
		if !ok {
			return
		}
		// What is written of them is read as the same.
		once := keptText(k, lines)
		again, ok := parseKept(k, once)
		if !ok || keptText(k, again) != once {
			t.Fatalf("%q\n%q", once, keptText(k, again))
		}
	})
}

// FuzzTexts: no text of the kernel's makes a reader of it fail, and no number comes out that was not in it.
func FuzzTexts(f *testing.F) {
	f.Add("always [madvise] never", "Max open files            1024                 4096                 files")
	f.Add("0-3,8", "MemTotal:       32688624 kB")
	f.Fuzz(func(t *testing.T, a, b string) {
		if chosen, all := choice(a); chosen != "" && !slices.Contains(all, chosen) {
			t.Fatalf("%q of %q", chosen, all)
		}
		if n := ranges(a); n < 0 || n > maxProcessors*(strings.Count(a, ",")+1) {
			t.Fatal(n)
		}
		soft, hard := limit(b, "Max open files")
		if n := min(soft, hard, limitNumber(a), kibibytes(field(b, "MemTotal")), number(a)); n < -1 {
			t.Fatal(n)
		}
		if mask := processorMask(a); len(mask) > maxProcessors/4+maxProcessors/32+1 {
			t.Fatal(len(mask))
		}
		reserved(a, 10911)
	})
}

func TestTreeErrors(t *testing.T) {
	tree := Under(t.TempDir())
	if err := tree.Set("/new", "1"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("Set makes no files:", err)
	}
	if err := tree.Replace("/no/where", nil, 0o644); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	check(t, tree.Mkdir("/d"))
	check(t, tree.Replace("/d/f", []byte("x"), 0o640))
	if m := must(tree.Mode("/d/f")); m != 0o640 {
		t.Error(m)
	}
	if names := must(tree.ReadDir("/d")); !slices.Equal(names, []string{"f"}) {
		t.Error(names)
	}
	if err := tree.Remove("/d"); err == nil {
		t.Error("a directory with something in it was removed")
	}
	if at := must(tree.Resolve("/d/f")); at != "/d/f" {
		t.Error(at)
	}
}
