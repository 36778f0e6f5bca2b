package settings

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Rewrite replaces a configuration file with all keys, keeping the old one as .bak. At every moment a crash leaves a whole file.
// A key that the environment or a flag decides keeps what the file said of it; if the file said nothing it stays out.
func (v *Values) Rewrite(path string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := v.All()
	for name, s := range v.set {
		if s.Origin != Environment && s.Origin != Flag {
			continue
		}
		delete(all, name)
		if own, ok := v.file[name]; ok {
			all[name] = own.Value
		}
	}
	// The name may be a link: what it points to is replaced.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	tmp := path + ".tmp"
	if err := writeSynced(tmp, mode, []byte(lines(all, escapeKey, escapeValue))); err != nil {
		return err
	}
	if err := os.Remove(path + ".bak"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A link keeps the file there at every moment.
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
	if strings.HasPrefix(s, " ") {
		s = `\` + s
	}
	if rest, ok := strings.CutSuffix(s, " "); ok {
		s = rest + `\u0020`
	}
	return s
}
