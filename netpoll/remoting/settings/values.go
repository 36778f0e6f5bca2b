package settings

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Values are a server's settings in force. Any goroutine may read and set them; reading takes no lock.
type Values struct {
	table *Table
	force atomic.Pointer[map[string]*value] // every key of the table, and the unknown ones; replaced as a whole

	mu        sync.Mutex // of what follows, and of Rewrite
	set       map[string]Setting
	unwritten map[string]string // what requests have set and Rewrite has not written yet
}

// value is a text and what it means for its kind.
type value struct {
	text   string
	number int64
	double float64
	truth  bool
}

func newValue(k *Key, text string) *value {
	v := &value{text: text}
	if k == nil {
		return v
	}
	// The text was checked against the kind; a default may be empty, which counts as zero.
	switch k.Kind {
	case Int, Long:
		v.number, _ = strconv.ParseInt(text, 10, 64)
	case Double:
		v.double, _ = strconv.ParseFloat(text, 64)
	case Bool:
		v.truth = strings.EqualFold(text, "true")
	}
	return v
}

// Merge lays settings over the table's defaults; the higher origin wins, among equals the later. A value that its key refuses
// is an error that says where it stands. Keys that the table does not know are kept, as stock keeps them.
func (t *Table) Merge(layers ...[]Setting) (*Values, error) {
	v := &Values{table: t, set: map[string]Setting{}, unwritten: map[string]string{}}
	for _, layer := range layers {
		for _, s := range layer {
			if k := t.keys[s.Key]; k != nil {
				if err := k.check(s.Value); err != nil {
					return nil, fmt.Errorf("%s: %s: %w", s.Where, s.Key, err)
				}
			} else if alike := t.alike(s.Key); alike != "" && s.Origin == Flag {
				// Nobody else's program reads our flags: this one can only be a slip.
				return nil, fmt.Errorf("%s: there is no key %s; did you mean %s?", s.Where, s.Key, alike)
			}
			if old, ok := v.set[s.Key]; !ok || s.Origin >= old.Origin {
				v.set[s.Key] = s
			}
		}
	}
	force := make(map[string]*value, len(t.keys)+len(v.set))
	for name, k := range t.keys {
		force[name] = newValue(k, k.Default)
	}
	for name, s := range v.set {
		force[name] = newValue(t.keys[name], s.Value)
	}
	v.force.Store(&force)
	return v, nil
}

// get returns a key of the table, of the kind wanted. Anything else is a programmer's fault.
func (v *Values) get(key string, kinds ...Kind) *value {
	k := v.table.keys[key]
	if k == nil {
		panic("settings: no key " + key)
	}
	if len(kinds) > 0 && !slices.Contains(kinds, k.Kind) {
		panic("settings: key " + key + " is of another kind")
	}
	return (*v.force.Load())[key]
}

// Text returns a key's value. The key must be in the table.
func (v *Values) Text(key string) string { return v.get(key).text }

// Int returns a whole number. Values were checked when they were set, so it cannot fail.
func (v *Values) Int(key string) int { return int(v.get(key, Int, Long).number) }

// Int64 returns a whole number.
func (v *Values) Int64(key string) int64 { return v.get(key, Int, Long).number }

// Bool returns a boolean.
func (v *Values) Bool(key string) bool { return v.get(key, Bool).truth }

// Float64 returns a number.
func (v *Values) Float64(key string) float64 { return v.get(key, Double).double }

// Found returns where a key was set; ok is false while it has its default.
func (v *Values) Found(key string) (s Setting, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s, ok = v.set[key]
	return s, ok
}

// Where says where a key was set, for messages.
func (v *Values) Where(key string) string {
	if s, ok := v.Found(key); ok && s.Where != "" {
		return s.Where
	}
	return "default"
}

// Known says whether the table has the key.
func (v *Values) Known(key string) bool { return v.table.keys[key] != nil }

// Alike returns the table's key that somebody may have meant by one that is not in it; "": there is none.
func (v *Values) Alike(key string) string { return v.table.alike(key) }

// AtRuntime says whether a change of the key takes effect while the server runs.
func (v *Values) AtRuntime(key string) bool {
	k := v.table.keys[key]
	return k != nil && k.Runtime && !k.Ignored
}

// WithoutEffect lists the keys that were set and do nothing here: unknown ones, and those accepted for compatibility, if they
// were set to something else than their default. Files that a stock broker wrote hold every key.
func (v *Values) WithoutEffect() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var names []string
	for name, s := range v.set {
		if k := v.table.keys[name]; k == nil || k.Ignored && !strings.EqualFold(s.Value, k.Default) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Change sets values while the server runs: all of them or, if one is refused, none. It returns the keys that were set. What the
// table does not have is passed over, as by stock: a file may be shared with another server, which such a key would move.
func (v *Values) Change(all []Setting) ([]string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.change(slices.DeleteFunc(slices.Clone(all), func(s Setting) bool { return v.table.keys[s.Key] == nil }))
}

// change sets all of them. Under the lock.
func (v *Values) change(all []Setting) ([]string, error) {
	force, err := v.forced(all)
	if err != nil {
		return nil, err
	}
	var changed []string
	for _, s := range all {
		s.Origin, s.Where = Request, "request"
		v.set[s.Key], v.unwritten[s.Key] = s, s.Value
		changed = append(changed, s.Key)
	}
	v.force.Store(&force)
	return changed, nil
}

// Assume puts a value in force that follows from others, before the server runs. It counts as set by nobody: Found, the file and
// WithoutEffect are as they were. The value must be one that its key takes.
func (v *Values) Assume(key, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	force, err := v.forced([]Setting{{Key: key, Value: value}})
	if err != nil || !v.Known(key) {
		panic("settings: " + key + "=" + value + " cannot be assumed")
	}
	v.force.Store(&force)
}

// Asked returns what was set for a key or, if nobody set it, its default: what Assume has not changed.
func (v *Values) Asked(key string) string {
	if s, ok := v.Found(key); ok {
		return s.Value
	}
	return v.table.keys[key].Default
}

// With returns the values as they would be with all of these, also those that Change passes over: what is asked for and cannot be had is to be
// refused under any name. v stays as it is.
func (v *Values) With(all []Setting) (*Values, error) {
	v.mu.Lock()
	next := &Values{table: v.table, set: maps.Clone(v.set), unwritten: map[string]string{}}
	next.force.Store(v.force.Load())
	v.mu.Unlock()
	if _, err := next.change(all); err != nil {
		return nil, err
	}
	return next, nil
}

// forced checks new settings and returns what is in force with them. Under the lock.
func (v *Values) forced(all []Setting) (map[string]*value, error) {
	force := maps.Clone(*v.force.Load())
	for _, s := range all {
		k := v.table.keys[s.Key]
		if k != nil {
			if err := k.check(s.Value); err != nil {
				return nil, fmt.Errorf("%s: %w", s.Key, err)
			}
		}
		force[s.Key] = newValue(k, s.Value)
	}
	return force, nil
}

// All returns every key with its value in force.
func (v *Values) All() map[string]string {
	force := *v.force.Load()
	all := make(map[string]string, len(force))
	for name, s := range force {
		all[name] = s.text
	}
	return all
}

// Properties returns all of it as sorted key=value lines, as the configuration requests answer.
func (v *Values) Properties() string {
	return lines(v.All(), func(s string) string { return s }, func(s string) string { return s })
}

// Grouped is Properties with the keys apart that do nothing here, under a comment that says so.
func (v *Values) Grouped() string {
	used, idle := v.All(), map[string]string{}
	for name, value := range used {
		if k := v.table.keys[name]; k == nil || k.Ignored {
			idle[name] = value
			delete(used, name)
		}
	}
	same := func(s string) string { return s }
	return lines(used, same, same) + "# without effect here\n" + lines(idle, same, same)
}

func lines(all map[string]string, key, value func(string) string) string {
	var b strings.Builder
	for _, n := range slices.Sorted(maps.Keys(all)) {
		b.WriteString(key(n) + "=" + value(all[n]) + "\n")
	}
	return b.String()
}
