package tuning

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ringmq/store/disk"
)

// Tree is the files of a host by their absolute names. All errors are those of package os.
type Tree interface {
	// ReadFile returns at most 1 MiB of a file, and never waits for more than it has.
	ReadFile(name string) ([]byte, error)
	// ReadDir lists the names in a directory, sorted.
	ReadDir(name string) ([]string, error)
	// Resolve follows all symbolic links.
	Resolve(name string) (string, error)
	// Readlink is what one symbolic link says; it need not lead anywhere.
	Readlink(name string) (string, error)
	// Mode of a file or directory; fs.ErrNotExist without one.
	Mode(name string) (fs.FileMode, error)
	// Set writes into a file that is there, as the kernel's are.
	Set(name, value string) error
	// Replace writes a file whole or not at all, durably. Its directory must be there.
	Replace(name string, text []byte, mode fs.FileMode) error
	// Mkdir makes one directory, durably.
	Mkdir(name string) error
	// Remove takes a file or an empty directory away, durably.
	Remove(name string) error
}

// Host is what Probe looks at.
type Host struct {
	Tree
	// Space of the file system under a directory of the tree.
	Space func(dir string) (disk.Space, error)
	// TryRing says why no io_uring can be had; nil: it can.
	TryRing func() error
	// Fits says why a measurement does not hold (any more) for the file system of dir; nil: it does.
	Fits func(m *disk.Measured, dir string) error
}

// This is the machine that the process runs on.
func This() Host {
	return Host{Tree: Under("/"), Space: disk.OS().Space, TryRing: func() error {
		r, err := disk.NewUringRing(2)
		if err != nil {
			return err
		}
		return r.Close()
	}, Fits: (*disk.Measured).Fits}
}

// Under is the tree below a directory of this machine.
func Under(root string) Tree { return osTree{root: filepath.Clean(root)} }

type osTree struct{ root string }

const readLimit = 1 << 20

func (t osTree) at(name string) string { return filepath.Join(t.root, name) }

func (t osTree) ReadFile(name string) ([]byte, error) {
	f, err := os.OpenFile(t.at(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, readLimit))
	return text, errors.Join(err, f.Close())
}

func (t osTree) ReadDir(name string) ([]string, error) {
	entries, err := os.ReadDir(t.at(name))
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (t osTree) Resolve(name string) (string, error) {
	path, err := filepath.EvalSymlinks(t.at(name))
	if err != nil || t.root == "/" {
		return path, err
	}
	root, err := filepath.EvalSymlinks(t.root)
	if err != nil {
		return "", err
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/"), nil
}

func (t osTree) Readlink(name string) (string, error) { return os.Readlink(t.at(name)) }

func (t osTree) Mode(name string) (fs.FileMode, error) {
	i, err := os.Stat(t.at(name))
	if err != nil {
		return 0, err
	}
	return i.Mode(), nil
}

func (t osTree) Set(name, value string) error {
	f, err := os.OpenFile(t.at(name), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value + "\n")
	return errors.Join(err, f.Close())
}

func (t osTree) Replace(name string, text []byte, mode fs.FileMode) error {
	temp := t.at(name) + ".ringmq-tmp"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode.Perm())
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(mode.Perm()), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, t.at(name)); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return disk.OS().SyncDir(filepath.Dir(temp))
}

func (t osTree) Mkdir(name string) error {
	if err := os.Mkdir(t.at(name), 0o755); err != nil {
		return err
	}
	return disk.OS().SyncDir(filepath.Dir(t.at(name)))
}

func (t osTree) Remove(name string) error {
	if err := os.Remove(t.at(name)); err != nil {
		return err
	}
	return disk.OS().SyncDir(filepath.Dir(t.at(name)))
}
