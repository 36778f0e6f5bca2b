package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// RestoreOptions of putting a backup back.
type RestoreOptions struct {
	From        string // the backup
	To          string // the store to be: not there, or empty
	Interrupted bool   // one that is under way is taken as far as it came, with the tables of its last complete run
	Progress    func(what string, done, total int64)
}

// unfinishedName is a file among the segments of a store that is being put back. No broker, ours or stock, starts on a log that has such a file.
const unfinishedName = "restore-is-not-finished"

// copied is a file to be copied.
type copied struct {
	name  string // below the root
	bytes int64  // that it takes at the target
	whole bool   // space for all of it is taken, whatever holes it has
}

// restoring is one restore.
type restoring struct {
	RestoreOptions
	ctx     context.Context
	m       *Manifest
	segment int64
	folders []string // below the root, parents first
	files   []copied
	total   int64
	done    int64
	owner   *syscall.Stat_t // nil: whoever runs this owns the files
}

// Restore copies a backup into a directory of its own, so that a broker can start there, and looks at the copy as Verify does. Until all of
// it is there, durable and found to be fine, no broker starts on it. After an error what was copied stays, and is to be removed.
func Restore(ctx context.Context, o RestoreOptions) (*Report, error) {
	o.From, o.To = filepath.Clean(o.From), filepath.Clean(o.To)
	named := o.From
	if folder, err := filepath.EvalSymlinks(o.From); err == nil { // a walk follows none; what is not there is said below
		o.From = folder
	}
	if within(o.To, o.From) || within(o.To, named) {
		return nil, fmt.Errorf("%s lies in the backup itself", o.To)
	}
	m, lock, err := lockBackup(o.From)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if !m.Complete() && (!o.Interrupted || m.To == 0) {
		return nil, fmt.Errorf("%s: %w", o.From, incomplete(m))
	}
	c, err := configOf(o.To, m.Keys)
	if err != nil {
		return nil, fmt.Errorf("the keys in %s: %w", ManifestName, err)
	}
	r := &restoring{RestoreOptions: o, ctx: ctx, m: m, segment: c.StoreOptions().SegmentBytes}
	if r.Progress == nil {
		r.Progress = func(string, int64, int64) {}
	}
	if err := r.list(); err != nil {
		return nil, err
	}
	report, err := r.run()
	if err != nil {
		return report, fmt.Errorf("nothing can be started on %s, remove it: %w", o.To, err)
	}
	return report, nil
}

// within says whether a path is a directory, or lies in it.
func within(path, dir string) bool {
	a, err := filepath.Abs(path)
	b, other := filepath.Abs(dir)
	return err == nil && other == nil && strings.HasPrefix(a+"/", strings.TrimSuffix(b, "/")+"/")
}

// list finds out what is to be copied, and whether it can be.
func (r *restoring) list() error {
	err := filepath.WalkDir(r.From, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inner, err := filepath.Rel(r.From, name)
		if err != nil || inner == "." {
			return err
		}
		if e.IsDir() {
			if inner == "lost+found" {
				return fs.SkipDir
			}
			r.folders = append(r.folders, inner)
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder (%s): no run has put it there", name, info.Mode().Type())
		}
		if !r.wanted(inner) {
			return nil
		}
		f := copied{name: inner, bytes: info.Size()}
		if f.whole = strings.HasPrefix(inner, "commitlog/"); f.whole {
			f.bytes = max(f.bytes, r.segment)
		} else if s, ok := info.Sys().(*syscall.Stat_t); ok {
			f.bytes = min(f.bytes, s.Blocks*512)
		}
		r.files, r.total = append(r.files, f), r.total+f.bytes
		return nil
	})
	if err != nil {
		return err
	}
	empty, err := isEmpty(r.To)
	if err == nil && !empty {
		err = fmt.Errorf("%s is not empty; a store is put back into a directory of its own", r.To)
	}
	if err != nil {
		return err
	}
	at := r.To
	for {
		if _, err := os.Stat(at); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return err
		}
		at = filepath.Dir(at)
	}
	s, err := disk.OS().Space(at)
	if err != nil {
		return err
	}
	if s.FreeBytes < r.total {
		return fmt.Errorf("%s has %d MiB free, and %d MiB are wanted", at, s.FreeBytes>>20, (r.total+1<<20-1)>>20)
	}
	return nil
}

// wanted says whether a file belongs to the store: not what is the backup's own, what a start makes again, and segments prepared ahead.
func (r *restoring) wanted(inner string) bool {
	dir, name := filepath.Split(inner)
	switch {
	case strings.HasSuffix(name, ".tmp"):
		return false
	case dir == "":
		return name != ManifestName && name != "lock"
	case dir == "ringmq/":
		return name != disk.MeasuredFile && (strings.HasSuffix(name, ".json") || name == "commitlog.mark")
	case dir == "commitlog/":
		start, ok := record.ParseFileName(name)
		return ok && (!r.m.Complete() || start < r.m.To)
	}
	return true
}

// run copies, looks at the copy and lets it be started on.
func (r *restoring) run() (*Report, error) {
	if info, err := os.Stat(r.To); err == nil && os.Geteuid() == 0 {
		r.owner, _ = info.Sys().(*syscall.Stat_t)
	}
	if err := makeDir(r.To); err != nil {
		return nil, err
	}
	lock, err := lockStore(r.To)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := r.guard(); err != nil {
		return nil, err
	}
	for _, dir := range r.folders {
		if err := os.MkdirAll(filepath.Join(r.To, dir), 0o755); err != nil {
			return nil, err
		}
	}
	for _, f := range r.files {
		if err := r.copy(f); err != nil {
			return nil, err
		}
	}
	for _, dir := range slices.Backward(append([]string{"."}, r.folders...)) {
		if err := r.settle(filepath.Join(r.To, dir)); err != nil {
			return nil, err
		}
	}
	if err := r.own(filepath.Join(r.To, "lock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	report, err := verify(r.ctx, r.To, r.m, r.Progress)
	if err != nil || !report.Fine() {
		if err == nil {
			err = errors.New("the copy is not what the backup should be")
		}
		return report, err
	}
	log := filepath.Join(r.To, "commitlog")
	if err := os.Remove(filepath.Join(log, unfinishedName)); err != nil {
		return report, err
	}
	return report, disk.OS().SyncDir(log)
}

// guard keeps brokers from starting on what is there so far.
func (r *restoring) guard() error {
	log := filepath.Join(r.To, "commitlog")
	if err := os.Mkdir(log, 0o755); err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(log, unfinishedName), []byte("remove this directory and restore again\n")); err != nil {
		return err
	}
	return errors.Join(disk.OS().SyncDir(log), disk.OS().SyncDir(r.To))
}

// settle makes the names in a directory durable.
func (r *restoring) settle(dir string) error {
	return errors.Join(r.own(dir), disk.OS().SyncDir(dir))
}

// own gives a file to the owner of the directory that was there.
func (r *restoring) own(name string) error {
	if r.owner == nil {
		return nil
	}
	return os.Lchown(name, int(r.owner.Uid), int(r.owner.Gid))
}
