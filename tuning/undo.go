package tuning

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

const undoVersion = 1

// record is the undo file: what was there before Apply came. It is written before anything else is.
type record struct {
	FormatVersion int       `json:"formatVersion"`
	Writes        []written `json:"writes"`
	Files         []kept    `json:"files"`
	Dirs          []string  `json:"dirs"` // that were made, outermost first
}

// written is a value that was set.
type written struct {
	Write
	Before      string   `json:"before"`        // as the file read
	Was         []string `json:"was,omitempty"` // what Apply set earlier: it is there until Value has been set
	MovesBefore []string `json:"movesBefore,omitempty"`
}

// kept is a file that was made or replaced.
type kept struct {
	Name    string      `json:"name"`
	Existed bool        `json:"existed"`
	Before  string      `json:"before,omitempty"`
	Mode    fs.FileMode `json:"mode,omitempty"`
	After   string      `json:"after"`
	Was     []string    `json:"was,omitempty"` // what Apply wrote earlier: it is there until After has been written
}

func loadRecord(t Tree, name string) (*record, error) {
	text, err := t.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &record{FormatVersion: undoVersion}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("undo file: %w", err)
	}
	return parseRecord(name, text)
}

// parseRecord refuses what Apply cannot have written: the names in it are going to be written to.
func parseRecord(name string, text []byte) (*record, error) {
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("undo file %s: %w", name, err)
	}
	if r.FormatVersion != undoVersion {
		return nil, fmt.Errorf("undo file %s has format version %d, not %d", name, r.FormatVersion, undoVersion)
	}
	below := func(name string, roots ...string) bool {
		return path.Clean(name) == name && slices.ContainsFunc(roots, func(r string) bool { return strings.HasPrefix(name, r) })
	}
	for _, w := range r.Writes {
		ok := len(w.Moves) == len(w.MovesBefore)
		for _, file := range append([]string{w.File}, w.Moves...) {
			ok = ok && below(file, "/proc/sys/", "/sys/")
		}
		if !ok {
			return nil, fmt.Errorf("undo file %s: %s is none of the files that are set", name, w.File)
		}
	}
	for _, f := range r.Files {
		if !below(f.Name, "/etc/") {
			return nil, fmt.Errorf("undo file %s: %s is none of the files that are kept", name, f.Name)
		}
	}
	for _, d := range r.Dirs {
		if path.Clean(d) != d || !path.IsAbs(d) || d == "/" {
			return nil, fmt.Errorf("undo file %s: %q is no directory that was made", name, d)
		}
	}
	return &r, nil
}

func (r *record) empty() bool { return len(r.Writes) == 0 && len(r.Files) == 0 }

// save writes it, or takes it away with the directories that were made, once there is nothing left to undo.
func (r *record) save(t Tree, name string) error {
	if r.empty() {
		if err := t.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, d := range slices.Backward(r.Dirs) {
			if left, err := t.ReadDir(d); err != nil || len(left) > 0 {
				continue // somebody else uses it by now, or has removed it
			}
			if err := t.Remove(d); err != nil {
				return err
			}
		}
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return t.Replace(name, append(text, '\n'), 0o600)
}

// Applied is what Apply has set so far and Undo would take back.
func Applied(t Tree, undoFile string) ([]Write, error) {
	r, err := loadRecord(t, undoFile)
	if err != nil {
		return nil, err
	}
	all := make([]Write, 0, len(r.Writes))
	for _, w := range r.Writes {
		all = append(all, w.Write)
	}
	return all, nil
}

// Undo puts back what Apply found, in the opposite order, and then forgets it. What somebody else has changed since is left as it is, and
// remembered, unless it is forced. The error is about the undo file; what could not be put back is in Result.Refused.
func Undo(t Tree, undoFile string, force bool) (Result, error) {
	res := newResult()
	r, err := loadRecord(t, undoFile)
	if err != nil {
		return res, err
	}
	var files []kept
	for _, f := range slices.Backward(r.Files) {
		if !f.undo(t, force, &res) {
			files = append(files, f)
		}
	}
	var writes []written
	for _, w := range slices.Backward(r.Writes) {
		if !w.undo(t, force, &res) {
			writes = append(writes, w)
		}
	}
	slices.Reverse(files)
	slices.Reverse(writes)
	r.Files, r.Writes = files, writes
	return res, r.save(t, undoFile)
}

// Pending is what Undo would put back. It changes nothing.
func Pending(t Tree, undoFile string) (Result, error) {
	res := newResult()
	r, err := loadRecord(t, undoFile)
	if err != nil {
		return res, err
	}
	for _, f := range slices.Backward(r.Files) {
		if text, err := t.ReadFile(f.Name); (err == nil) != f.Existed || err == nil && string(text) != f.Before {
			res.Files = append(res.Files, f.Name)
		}
	}
	for _, w := range slices.Backward(r.Writes) {
		if now, err := value(t, w.File); err != nil {
			res.refuse("%s: %v", w.File, err)
		} else if !w.asBefore(t) {
			res.Values = append(res.Values, Changed{File: w.File, From: now, To: w.Before})
		}
	}
	return res, nil
}

// undo says whether there is nothing more to do about the file.
func (f *kept) undo(t Tree, force bool, res *Result) bool {
	text, err := t.ReadFile(f.Name)
	there := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		res.refuse("%s: %v", f.Name, err)
		return false
	case !there && !f.Existed, there && f.Existed && string(text) == f.Before:
		return true
	case there && string(text) != f.After && !slices.Contains(f.Was, string(text)) && !force, !there && !force:
		res.refuse("%s was changed since by somebody else; --force puts it back all the same", f.Name)
		return false
	}
	if f.Existed {
		err = t.Replace(f.Name, []byte(f.Before), f.Mode)
	} else {
		err = t.Remove(f.Name)
	}
	if err != nil {
		res.refuse("%s: %v", f.Name, err)
		return false
	}
	res.Files = append(res.Files, f.Name)
	return true
}

// undo says whether there is nothing more to do about the value.
func (w *written) undo(t Tree, force bool, res *Result) bool {
	now, err := value(t, w.File)
	if errors.Is(err, fs.ErrNotExist) {
		res.refuse("%s is gone, and its value with it", w.File)
		return true
	}
	if err != nil {
		res.refuse("%s: %v", w.File, err)
		return false
	}
	if w.asBefore(t) {
		return true
	}
	ours := func(v string) bool { return same(w.File, now, v) }
	if !ours(w.Value) && !ours(w.Before) && !slices.ContainsFunc(w.Was, ours) && !force {
		res.refuse("%s was changed since by somebody else, to %s; --force puts it back all the same", w.File, now)
		return false
	}
	if err := w.putBack(t); err != nil {
		res.refuse("%s: %v", w.File, err)
		return false
	}
	res.Values = append(res.Values, Changed{File: w.File, From: now, To: w.Before})
	return true
}

func (w *written) asBefore(t Tree) bool {
	for i, file := range append([]string{w.File}, w.Moves...) {
		before := w.Before
		if i > 0 {
			before = w.MovesBefore[i-1]
		}
		if now, err := value(t, file); err != nil || !same(file, now, before) {
			return false
		}
	}
	return true
}

// putBack writes the value and those that the kernel has moved with it until all read as they did: one of them may be accepted only
// after another (bytes of 0 are set by setting a ratio, a queue's depth depends on its scheduler).
func (w *written) putBack(t Tree) (err error) {
	for range 3 {
		err = nil
		put := func(file, before string) {
			if now, readErr := value(t, file); readErr == nil && same(file, now, before) {
				return
			}
			err = errors.Join(err, t.Set(file, before))
		}
		for i, file := range w.Moves {
			put(file, w.MovesBefore[i])
		}
		put(w.File, w.Before)
		if w.asBefore(t) {
			return nil
		}
	}
	if err == nil {
		now, _ := value(t, w.File)
		err = fmt.Errorf("reads %s after %s was put back", now, w.Before)
	}
	return err
}
