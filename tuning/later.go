package tuning

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// sysctlDirs in the order of systemd and sysctl(8), the most important first.
var sysctlDirs = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"}

// sysctlLast is read by sysctl --system after all of them; systemd reads it where a link in /etc/sysctl.d leads to it.
const sysctlLast = "/etc/sysctl.conf"

// otherForm is by which other key, written later, the kernel sets the one here to 0.
var otherForm = map[string]string{"vm.dirty_bytes": "vm.dirty_ratio", "vm.dirty_background_bytes": "vm.dirty_background_ratio"}

// inOrder is the files *.conf of directories in the order in which they are read: by their names, wherever they lie, and of several of one name
// only that of the most important directory, which comes first. list gives the names in a directory.
func inOrder(dirs []string, list func(dir string) []string) []string {
	at := map[string]string{} // name to directory
	for _, dir := range dirs {
		for _, name := range list(dir) {
			if strings.HasSuffix(name, ".conf") && at[name] == "" {
				at[name] = dir
			}
		}
	}
	names := slices.Sorted(maps.Keys(at))
	for i, name := range names {
		names[i] = path.Join(at[name], name)
	}
	return names
}

// readAfter is those of such files that are read after one of ours.
func readAfter(t Tree, dirs []string, ours string) []string {
	all := inOrder(dirs, func(dir string) []string {
		names, err := t.ReadDir(dir)
		if err != nil {
			return nil // no host has all of them
		}
		return names
	})
	return slices.DeleteFunc(all, func(name string) bool { return path.Base(name) <= path.Base(ours) })
}

// eachSetting calls fn for each line "key = value" of a text, without white space around either.
func eachSetting(text string, fn func(key, value string)) {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, "="); ok {
			fn(strings.TrimSpace(key), strings.TrimSpace(value))
		}
	}
}

// overridden names the files that are read after ours and say something else: those of sysctl, and the drop-ins of the unit.
func overridden(t Tree, unit string, lines map[keptIn][]Line) (notes []string) {
	each := func(files []string, fn func(file, key, value string)) {
		for _, name := range files {
			if text, err := t.ReadFile(name); err == nil { // most hosts have no sysctl.conf any more
				eachSetting(string(text), func(key, value string) { fn(name, key, value) })
			}
		}
	}
	each(append([]string{sysctlLast}, readAfter(t, sysctlDirs, keptFiles[inSysctl])...), func(file, key, value string) {
		key, value = strings.ReplaceAll(strings.TrimLeft(key, "-"), "/", "."), strings.Join(strings.Fields(value), " ")
		for _, l := range lines[inSysctl] {
			other, two := otherForm[l.Name]
			if l.Name == key && l.Value != value {
				notes = append(notes, fmt.Sprintf("%s says %s = %s and is read later: change it there", file, key, value))
			} else if two && other == key && value != "0" {
				notes = append(notes, fmt.Sprintf("%s says %s = %s and is read later, which sets %s to 0: change it there", file, key, value, l.Name))
			}
		}
	})
	each(readAfter(t, dropInDirs(unit), keptFiles[inUnit]), func(file, key, value string) {
		for _, l := range lines[inUnit] {
			if l.Name == key && unitLimit(value) != limitNumber(l.Value) {
				notes = append(notes, fmt.Sprintf("%s says %s=%s and is read later: change it there", file, key, value))
			}
		}
	})
	return notes
}
