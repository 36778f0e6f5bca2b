package settings

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Rewrite brings what requests have changed since it last succeeded into a configuration file. The file keeps its lines, its comments
// and their order; a changed key gets a new value where it last stands, or a line at the end. The version before is kept as .bak,
// and the file as it was before any request ever changed it as .orig. At every moment a crash leaves a whole file.
func (v *Values) Rewrite(path string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	// The name may be a link: what it points to is replaced.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp := path + ".tmp"
	if err := writeSynced(tmp, mode, []byte(edit(string(text), v.unwritten))); err != nil {
		return err
	}
	if err := os.Remove(path + ".bak"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A link keeps the file there at every moment.
	for _, kept := range []string{path + ".orig", path + ".bak"} {
		if err := os.Link(path, kept); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	clear(v.unwritten)
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// edit sets keys in the text of a properties file. Of a key that stands there twice the last line counts, as for a reader.
func edit(text string, changed map[string]string) string {
	end := "\n"
	if strings.Contains(text, "\r\n") {
		end = "\r\n"
	}
	lines := strings.SplitAfter(text, "\n")
	stands := map[string]span{}
	for _, s := range spans(lines) {
		stands[s.key] = s
	}
	var added strings.Builder
	for _, key := range slices.Sorted(maps.Keys(changed)) {
		line := escapeKey(key) + "=" + escapeValue(changed[key]) + end
		s, ok := stands[key]
		if !ok {
			added.WriteString(line)
			continue
		}
		lines[s.from] = line
		clear(lines[s.from+1 : s.to])
	}
	text = strings.Join(lines, "")
	if added.Len() == 0 || text == "" {
		return text + added.String()
	}
	if !strings.HasSuffix(text, "\n") {
		text += end
	}
	// A backslash at the very end would swallow the first line added.
	if body := strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"); continued(body[strings.LastIndexByte(body, '\n')+1:]) {
		text += end
	}
	return text + added.String()
}

// span is where a key stands in a file: lines from to to, the latter excluded.
type span struct {
	key      string
	from, to int
}

func spans(lines []string) []span {
	bare := func(i int) string { return strings.TrimRight(lines[i], "\r\n") }
	var all []span
	for i := 0; i < len(lines); i++ {
		first := i
		line := strings.TrimLeft(bare(i), " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continued(line) && i+1 < len(lines) {
			i++
			line = line[:len(line)-1] + strings.TrimLeft(bare(i), " \t\f")
		}
		key, _ := split(line)
		if key, err := unescape(key); err == nil {
			all = append(all, span{key, first, i + 1})
		}
	}
	return all
}

func writeSynced(name string, mode fs.FileMode, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
}

var (
	valueEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\f", `\f`)
	keyEscapes   = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\f", `\f`, " ", `\ `, "=", `\=`, ":", `\:`, "#", `\#`, "!", `\!`)
)

func escapeKey(s string) string { return keyEscapes.Replace(s) }

// escapeValue keeps blanks at both ends, which a reader would drop.
func escapeValue(s string) string {
	s = valueEscapes.Replace(s)
	if rest, ok := strings.CutSuffix(s, " "); ok {
		s = rest + `\u0020`
	}
	if strings.HasPrefix(s, " ") {
		s = `\` + s
	}
	return s
}
