package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
)

// Values are a server's settings in force. Any goroutine may read and set them.
type Values struct {
	table *Table
	mu    sync.RWMutex
	set   map[string]Setting
}

// Merge lays settings over the table's defaults; the higher origin wins, among equals the later. A value that its key refuses
// is an error that says where it stands. Keys that the table does not know are kept, as stock keeps them.
func (t *Table) Merge(layers ...[]Setting) (*Values, error) {
	v := &Values{table: t, set: map[string]Setting{}}
	for _, layer := range layers {
		for _, s := range layer {
			if k := t.keys[s.Key]; k != nil {
				if err := k.check(s.Value); err != nil {
					return nil, fmt.Errorf("%s: %s: %w", s.Where, s.Key, err)
				}
			}
			if old, ok := v.set[s.Key]; !ok || s.Origin >= old.Origin {
				v.set[s.Key] = s
			}
		}
	}
	return v, nil
}

// Text returns a key's value. The key must be in the table.
func (v *Values) Text(key string) string {
	k := v.table.keys[key]
	if k == nil {
		panic("settings: no key " + key)
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	if s, ok := v.set[key]; ok {
		return s.Value
	}
	return k.Default
}

// Int returns a whole number. Values were checked when they were set, so it cannot fail.
func (v *Values) Int(key string) int { return int(v.Int64(key)) }

// Int64 returns a whole number.
func (v *Values) Int64(key string) int64 {
	n, err := strconv.ParseInt(v.Text(key), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("settings: %s is no number: %v", key, err))
	}
	return n
}

// Bool returns a boolean.
func (v *Values) Bool(key string) bool { return strings.EqualFold(v.Text(key), "true") }

// Float64 returns a number.
func (v *Values) Float64(key string) float64 {
	f, err := strconv.ParseFloat(v.Text(key), 64)
	if err != nil {
		panic(fmt.Sprintf("settings: %s is no number: %v", key, err))
	}
	return f
}

// Found returns where a key was set; ok is false while it has its default.
func (v *Values) Found(key string) (s Setting, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	s, ok = v.set[key]
	return s, ok
}

// Known says whether the table has the key.
func (v *Values) Known(key string) bool { return v.table.keys[key] != nil }

// WithoutEffect lists the keys that were set and do nothing here: unknown ones, and those accepted for compatibility.
func (v *Values) WithoutEffect() []string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var names []string
	for name := range v.set {
		if k := v.table.keys[name]; k == nil || k.Ignored {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// Change sets values while the server runs: all of them or, if one is refused, none. It returns the keys that it changed.
func (v *Values) Change(all []Setting) ([]string, error) {
	for _, s := range all {
		if k := v.table.keys[s.Key]; k != nil {
			if err := k.check(s.Value); err != nil {
				return nil, fmt.Errorf("%s: %w", s.Key, err)
			}
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	var changed []string
	for _, s := range all {
		s.Origin = Request
		v.set[s.Key] = s
		changed = append(changed, s.Key)
	}
	return changed, nil
}

// All returns every key with its value in force.
func (v *Values) All() map[string]string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := make(map[string]string, len(v.table.keys)+len(v.set))
	for name, k := range v.table.keys {
		all[name] = k.Default
	}
	for name, s := range v.set {
		all[name] = s.Value
	}
	return all
}

// Properties returns all of it as sorted key=value lines, as the configuration requests answer.
func (v *Values) Properties() string { return lines(v.All()) }

func lines(all map[string]string) string {
	names := make([]string, 0, len(all))
	for n := range all {
		names = append(names, n)
	}
	sort.Strings(names)
	var b strings.Builder
	for _, n := range names {
		b.WriteString(n + "=" + all[n] + "\n")
	}
	return b.String()
}

// Rewrite replaces a configuration file with all keys, keeping the old one as .bak. What came from the environment or from
// flags stays out of it.
func (v *Values) Rewrite(path string) error {
	all := v.All()
	v.mu.RLock()
	for name, s := range v.set {
		if s.Origin == Environment || s.Origin == Flag {
			delete(all, name)
		}
	}
	v.mu.RUnlock()
	tmp := path + ".tmp"
	if err := writeSynced(tmp, []byte(lines(all))); err != nil {
		return err
	}
	if err := os.Remove(path + ".bak"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A link keeps the file there at every moment; where there are no links the old content is lost to .bak only.
	if err := os.Link(path, path+".bak"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeSynced(name string, b []byte) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
