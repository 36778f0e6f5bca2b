package tuning

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Result is what Apply or Undo did, and what it did not.
type Result struct {
	Values  []Changed `json:"values"`
	Files   []string  `json:"files"`
	Refused []string  `json:"refused"`
	Notes   []string  `json:"notes"`
}

// Changed is a value that was set.
type Changed struct {
	File string `json:"file"`
	From string `json:"from"`
	To   string `json:"to"`
}

func newResult() Result {
	return Result{Values: []Changed{}, Files: []string{}, Refused: []string{}, Notes: []string{}}
}

func (r *Result) refuse(format string, args ...any) {
	r.Refused = append(r.Refused, fmt.Sprintf(format, args...))
}

// value is what a file of the kernel's says: of a list the word in brackets, else its words.
func value(t Tree, name string) (string, error) {
	text, err := t.ReadFile(name)
	if err != nil {
		return "", err
	}
	if strings.Contains(string(text), "[") {
		chosen, _ := choice(string(text))
		return chosen, nil
	}
	return strings.Join(strings.Fields(string(text)), " "), nil
}

// same compares two values of a file. A mask of processors has as many leading zeros as the kernel likes.
func same(file, a, b string) bool {
	if path.Base(file) == "rps_cpus" {
		a, b = strings.TrimLeft(a, "0,"), strings.TrimLeft(b, "0,")
	}
	return a == b
}

// Apply does what the plan says. Every value is first written back as it is: what the kernel does not take back is not touched. Then the
// undo file is written, and only then anything changes; what was noted there before stays the older truth, unless somebody else has set
// another value since. What the kernel refuses is not kept for the next start either. The error is about the undo file, and then nothing has
// been changed, or no file has been written; what was not done for other reasons is in Result.Refused.
func Apply(t Tree, undoFile string, p Plan) (Result, error) {
	res := newResult()
	res.Refused, res.Notes = append(res.Refused, p.Refused...), append(res.Notes, p.Notes...)
	r, err := loadRecord(t, undoFile)
	if err != nil {
		return res, err
	}
	changes, refused := rehearse(t, p.Writes, &res)
	planned, dropped := withoutRefused(p.Files, refused, r.Writes)
	files := readKept(t, planned, &res)
	if len(changes) == 0 && len(files) == 0 {
		res.Refused = append(res.Refused, dropped...)
		return res, nil
	}
	err = r.makeDirs(t, undoFile, files)
	next := *r
	next.Writes, next.Files = noteWrites(r.Writes, changes), noteFiles(r.Files, files)
	if err == nil {
		err = next.save(t, undoFile)
	}
	if err != nil {
		return res, errors.Join(fmt.Errorf("nothing was changed, what is there could not be noted: %w", err), r.removeIfEmpty(t, undoFile))
	}
	failed := map[string]bool{}
	for _, w := range changes {
		if !w.apply(t, &res) {
			failed[w.File] = true
			refused = append(refused, w.Write)
		}
	}
	if len(failed) > 0 {
		// The files are going to say less than was noted, and are undone only as they were noted.
		planned, dropped = withoutRefused(p.Files, refused, r.Writes)
		files = asPlanned(files, planned)
		next.Files = noteFiles(r.Files, files)
		next.forget(r, failed)
		if err := next.save(t, undoFile); err != nil {
			return res, err
		}
	}
	res.Refused = append(res.Refused, dropped...)
	if unwritten := writeFiles(t, files, &res); len(unwritten) > 0 {
		next.forget(r, unwritten)
		return res, next.save(t, undoFile)
	}
	return res, nil
}

// makeDirs makes what is missing above the files, and notes it.
func (r *record) makeDirs(t Tree, undoFile string, files []kept) error {
	made := missingDirs(t, undoFile)
	for _, f := range files {
		for _, d := range missingDirs(t, f.Name) {
			if !slices.Contains(made, d) {
				made = append(made, d)
			}
		}
	}
	for _, d := range made {
		if err := t.Mkdir(d); err != nil {
			return err
		}
		r.Dirs = append(r.Dirs, d)
	}
	return nil
}

// writeFiles returns the names of those that could not be written.
func writeFiles(t Tree, files []kept, res *Result) map[string]bool {
	failed := map[string]bool{}
	for _, f := range files {
		if err := t.Replace(f.Name, []byte(f.After), 0o644); err != nil {
			res.refuse("%s: %v", f.Name, err)
			failed[f.Name] = true
			continue
		}
		res.Files = append(res.Files, f.Name)
	}
	return failed
}

// rehearse leaves of the writes those that change something and can be taken back. Refused are those that cannot be.
func rehearse(t Tree, all []Write, res *Result) (changes []written, refused []Write) {
	for _, w := range all {
		now, err := value(t, w.File)
		if err != nil {
			res.refuse("%s: %v", w.File, err)
			refused = append(refused, w)
			continue
		}
		if same(w.File, now, w.Value) {
			continue
		}
		one := written{Write: w, Before: now}
		one.Moves = nil
		for _, m := range w.Moves {
			if before, err := value(t, m); err == nil { // not every device has each
				one.Moves, one.MovesBefore = append(one.Moves, m), append(one.MovesBefore, before)
			}
		}
		if err := one.rehearse(t); err != nil {
			res.refuse("%s is left alone, since what it says now could not be written back: %v", w.File, err)
			refused = append(refused, w)
			continue
		}
		changes = append(changes, one)
	}
	return changes, refused
}

func (w *written) rehearse(t Tree) error {
	err := t.Set(w.File, w.Before)
	for i, m := range w.Moves {
		// Setting another one to what it says moves this one only where that is not 0 already.
		if err != nil && w.MovesBefore[i] != "0" {
			err = t.Set(m, w.MovesBefore[i])
		}
	}
	if err == nil && !w.asBefore(t) {
		err = w.putBack(t) // the kernel may move another value even so
	}
	return err
}

// apply sets the value. If the kernel makes something else of it, it is put back at once, and what it moves as that was just before: another
// write may have set it since the rehearsal.
func (w *written) apply(t Tree, res *Result) bool {
	back := *w
	back.MovesBefore = slices.Clone(w.MovesBefore)
	for i, m := range w.Moves {
		if now, err := value(t, m); err == nil {
			back.MovesBefore[i] = now
		}
	}
	err := t.Set(w.File, w.Value)
	if err == nil {
		var now string
		if now, err = value(t, w.File); err == nil && !same(w.File, now, w.Value) {
			err = fmt.Errorf("the kernel made %s of %s", now, w.Value)
		}
	}
	if err != nil {
		res.refuse("%s: %v", w.File, errors.Join(err, back.putBack(t)))
		return false
	}
	res.Values = append(res.Values, Changed{File: w.File, From: w.Before, To: w.Value})
	return true
}

// readKept notes what is where the files are going to be.
func readKept(t Tree, all []File, res *Result) []kept {
	var files []kept
	for _, f := range all {
		k := kept{Name: f.Name, After: f.Text}
		mode, err := t.Mode(f.Name)
		if err == nil {
			var text []byte
			text, err = t.ReadFile(f.Name)
			k.Existed, k.Before, k.Mode = true, string(text), mode.Perm()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			res.refuse("%s: %v", f.Name, err)
			continue
		}
		files = append(files, k)
	}
	return files
}

// asPlanned leaves those that are still to be written, with what they are to say now.
func asPlanned(files []kept, planned []File) (left []kept) {
	for _, k := range files {
		if i := slices.IndexFunc(planned, func(f File) bool { return f.Name == k.Name }); i >= 0 {
			k.After = planned[i].Text
			left = append(left, k)
		}
	}
	return left
}

// missingDirs are those above a file that are not there, outermost first.
func missingDirs(t Tree, file string) []string {
	var all []string
	for d := path.Dir(file); d != "/"; d = path.Dir(d) {
		if _, err := t.Mode(d); err == nil {
			break
		}
		all = append(all, d)
	}
	slices.Reverse(all)
	return all
}

// noteWrites adds writes to what was noted before; of two about one file the older says what was there, unless somebody else has set it since:
// then it was settled anew, perhaps after the host had started again, and that is what Undo is to bring back.
func noteWrites(old, add []written) []written {
	all := slices.Clone(old)
	for _, w := range add {
		i := slices.IndexFunc(all, func(o written) bool { return o.File == w.File })
		if i < 0 {
			all = append(all, w)
			continue
		}
		if o := &all[i]; o.explains(&w) {
			o.Was = alsoWas(o.Was, o.Value)
		} else {
			o.Before, o.Was, o.Moves, o.MovesBefore = w.Before, nil, w.Moves, w.MovesBefore
		}
		all[i].Value, all[i].Keep = w.Value, w.Keep
	}
	return all
}

// explains says whether what a later Apply has found is what this one found or set. A limit in bytes of 0 says that its ratio counts, so it is
// the ratio that has to be the same.
func (w *written) explains(later *written) bool {
	is := func(v string) bool { return same(w.File, later.Before, v) }
	if later.Before == "0" && is(w.Before) {
		return slices.Equal(w.MovesBefore, later.MovesBefore)
	}
	return is(w.Before) || is(w.Value) || slices.ContainsFunc(w.Was, is)
}

// alsoWas is a copy of was with one more.
func alsoWas(was []string, v string) []string {
	if slices.Contains(was, v) {
		return was
	}
	return append(slices.Clone(was), v)
}

func noteFiles(old, add []kept) []kept {
	all := slices.Clone(old)
	for _, f := range add {
		if i := slices.IndexFunc(all, func(o kept) bool { return o.Name == f.Name }); i >= 0 {
			all[i].Was = alsoWas(all[i].Was, all[i].After)
			all[i].After = f.After
			continue
		}
		all = append(all, f)
	}
	return all
}

// forget takes back what was noted about files that were not changed after all.
func (r *record) forget(before *record, names map[string]bool) {
	writes, files := r.Writes, r.Files
	r.Writes, r.Files = nil, nil
	for _, w := range writes {
		if i := slices.IndexFunc(before.Writes, func(o written) bool { return o.File == w.File }); names[w.File] && i >= 0 {
			w = before.Writes[i]
		} else if names[w.File] {
			continue
		}
		r.Writes = append(r.Writes, w)
	}
	for _, f := range files {
		if i := slices.IndexFunc(before.Files, func(o kept) bool { return o.Name == f.Name }); names[f.Name] && i >= 0 {
			f = before.Files[i]
		} else if names[f.Name] {
			continue
		}
		r.Files = append(r.Files, f)
	}
}

// removeIfEmpty takes the directories away again that were made for nothing.
func (r *record) removeIfEmpty(t Tree, name string) error {
	if !r.empty() {
		return nil
	}
	return r.save(t, name)
}
