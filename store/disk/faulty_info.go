package disk

import (
	"io/fs"
	"path/filepath"
	"sort"
	"time"
)

// ReadDir implements FS.
func (d *Faulty) ReadDir(name string) ([]fs.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.crashed {
		return nil, ErrCrashed
	}
	path := clean(name)
	if n := d.names[path]; n == nil || !n.dir {
		return nil, notExist("readdir", name)
	}
	var list []fs.DirEntry
	for other, n := range d.names {
		if other != "/" && filepath.Dir(other) == path {
			list = append(list, memInfo{name: filepath.Base(other), size: n.size, dir: n.dir})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name() < list[j].Name() })
	return list, nil
}

// Stat implements FS.
func (d *Faulty) Stat(name string) (fs.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.crashed {
		return nil, ErrCrashed
	}
	n := d.names[clean(name)]
	if n == nil {
		return nil, notExist("stat", name)
	}
	return memInfo{name: filepath.Base(name), size: n.size, dir: n.dir}, nil
}

type memInfo struct {
	name string
	size int64
	dir  bool
}

func (i memInfo) Name() string               { return i.name }
func (i memInfo) Size() int64                { return i.size }
func (i memInfo) IsDir() bool                { return i.dir }
func (i memInfo) ModTime() time.Time         { return time.Time{} }
func (i memInfo) Sys() any                   { return nil }
func (i memInfo) Info() (fs.FileInfo, error) { return i, nil }
func (i memInfo) Type() fs.FileMode          { return i.Mode().Type() }
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
