package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ringmq/tuning"
)

// seen is what a look found: bytes by name. Read are the files that ringmq tune reads, Around are those that a change may move besides.
type seen struct {
	Read   map[string]string `json:"read"`
	Around map[string]string `json:"around"`
}

// errNotHere is about what this host does not allow; it has been said.
var errNotHere = errors.New("")

// reader is a tree that remembers which files were read.
type reader struct {
	tuning.Tree
	names map[string]bool
}

func (r *reader) ReadFile(name string) ([]byte, error) {
	text, err := r.Tree.ReadFile(name)
	if err == nil {
		r.names[name] = true
	}
	return text, err
}

func probe(dir string) (*tuning.Facts, []string, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, nil, err
	}
	h := tuning.This()
	r := &reader{Tree: h.Tree, names: map[string]bool{}}
	h.Tree = r
	f := tuning.Probe(h, tuning.Options{Dir: dir, Unit: "ringmq.service"})
	return f, slices.Sorted(maps.Keys(r.names)), nil
}

func device(dir string) error {
	f, _, err := probe(dir)
	if err != nil {
		return err
	}
	if len(f.Devices) == 0 {
		return fmt.Errorf("no block device is known under %s", dir)
	}
	fmt.Println(f.Devices[0].Name)
	return nil
}

// fields are what ringmq tune takes of files that have more in them, all of it moving.
var fields = map[string][]string{
	"/proc/meminfo": {"MemTotal", "SwapTotal"}, "/proc/cpuinfo": {"flags"}, "/proc/self/status": {"Uid", "Seccomp"},
}

// around are the places where a change of one value moves others.
var around = []string{
	"/proc/sys/vm", "/proc/sys/fs", "/proc/sys/kernel", "/proc/sys/net/core", "/proc/sys/net/ipv4", "/sys/kernel/mm/transparent_hugepage",
	"/sys/devices/system/clocksource", "/sys/devices/system/cpu/cpufreq", "/etc/sysctl.d", "/etc/security/limits.d", "/etc/systemd/system", "/etc/udev/rules.d", "/etc/tmpfiles.d",
}

// counts are files below them that count what goes on, or draw lots.
var counts = []string{"-nr", "-state", "/ns_last_pid", "/random/", "/pty/nr", "_count", "/stat_refresh", "_key", "/quota/", "/stats/", "/full_scans", "/pages_collapsed"}

func look(dir, to string) error {
	f, names, err := probe(dir)
	if err != nil {
		return err
	}
	s := seen{Read: map[string]string{}, Around: map[string]string{}}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		s.Read[name] = part(name, string(text))
		if name == "/proc/self/mountinfo" { // others mount and unmount elsewhere
			s.Read[name] = mounts(string(text), f.Store.Mount)
		}
	}
	places, err := filepath.Glob("/sys/class/net/*/queues/*")
	if err != nil {
		return err
	}
	for _, d := range f.Devices {
		places = append(places, "/sys/block/"+d.Name+"/queue")
	}
	for _, root := range slices.Concat(around, places) {
		s.walk(root)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	fmt.Printf("%d values that ringmq tune reads, %d around them\n", len(s.Read), len(s.Around))
	return os.WriteFile(to, text, 0o600)
}

// walk reads what can be read; some files of the kernel can only be written, others only by some.
func (s *seen) walk(root string) {
	_ = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || slices.ContainsFunc(counts, func(c string) bool { return strings.Contains(name, c) }) {
			return nil
		}
		if text, err := os.ReadFile(name); err == nil && s.Read[name] == "" {
			s.Around[name] = string(text)
		}
		return nil
	})
}

func part(name, text string) string {
	want, some := fields[name]
	if !some {
		return text
	}
	var kept []string
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(line, ":")
		if slices.Contains(want, strings.TrimSpace(key)) && !slices.Contains(kept, line) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// mounts are the lines about those that ringmq tune asks about: the store's, and the kernel's own.
func mounts(text, store string) string {
	var kept []string
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) > 4 && (w[4] == store || strings.HasPrefix(w[4], "/proc") || strings.HasPrefix(w[4], "/sys")) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func same(a, b string, again ...string) error {
	var first, second seen
	if err := errors.Join(load(a, &first), load(b, &second)); err != nil {
		return err
	}
	moving := []string{}
	for _, name := range again {
		var third seen
		if err := load(name, &third); err != nil {
			return err
		}
		moving = append(moving, differ(first.Around, third.Around)...)
	}
	if len(first.Read) == 0 {
		return errors.New("nothing was looked at")
	}
	bad := differ(first.Read, second.Read)
	for _, name := range differ(first.Around, second.Around) {
		if !slices.Contains(moving, name) {
			bad = append(bad, name)
		}
	}
	for _, name := range bad {
		fmt.Printf("%s: %q, then %q\n", name, either(name, first), either(name, second))
	}
	if len(bad) > 0 {
		return fmt.Errorf("%d values are not what they were", len(bad))
	}
	fmt.Printf("%d values and %d around them are the same byte for byte", len(first.Read), len(first.Around)-len(moving))
	if len(moving) > 0 {
		fmt.Printf("; %s move by themselves", strings.Join(moving, ", "))
	}
	fmt.Println()
	return nil
}

func either(name string, s seen) string {
	text := s.Read[name] + s.Around[name]
	return text[:min(len(text), 300)]
}

func load(name string, s *seen) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, s)
}

// differ names what is in one of the two alone, or has other bytes in the other.
func differ(a, b map[string]string) []string {
	names := map[string]bool{}
	for _, pair := range [][2]map[string]string{{a, b}, {b, a}} {
		for name, text := range pair[0] {
			if other, there := pair[1][name]; !there || other != text {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func applied(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var did struct{ Result tuning.Result }
	if err := json.Unmarshal(text, &did); err != nil {
		return err
	}
	if refused := did.Result.Refused; len(did.Result.Values) == 0 && len(refused) > 0 {
		fmt.Printf("none of %d values can be set here: %s\n", len(refused), refused[0])
		return errNotHere
	}
	if len(did.Result.Values) == 0 {
		return errors.New("nothing was to be set")
	}
	var set []string
	for _, v := range did.Result.Values {
		text, err := os.ReadFile(v.File)
		if err != nil {
			return err
		}
		now := strings.Join(strings.Fields(string(text)), " ")
		if now != v.To && !strings.Contains(now, "["+v.To+"]") && strings.TrimLeft(now, "0,") != v.To {
			return fmt.Errorf("%s says %s, not %s", v.File, now, v.To)
		}
		set = append(set, fmt.Sprintf("%s %s", filepath.Base(v.File), v.To))
	}
	fmt.Printf("%d values: %s\n", len(set), strings.Join(set, ", "))
	return nil
}
