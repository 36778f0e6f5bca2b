package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"ringmq/broker/config"
	"ringmq/store/disk"
	"ringmq/store/record"
)

// VerifyOptions of a look at a backup, or at a store that was made of one.
type VerifyOptions struct {
	Dir         string
	Interrupted bool // one that is under way is looked at too, as far as it came
	Progress    func(what string, done, total int64)
}

// Report is what a look at a backup found.
type Report struct {
	Manifest  *Manifest
	Records   int64
	LogBytes  int64 // looked at
	Queues    int64
	Entries   int64
	Known     int64    // bytes of the log that are damaged as they were on the master
	Unchecked string   // what was not looked at, and why; "": all was
	Wrong     []string // what is wrong, maxFindings at most
	More      int64    // and so many more
}

// Fine says that nothing is wrong.
func (r *Report) Fine() bool { return len(r.Wrong) == 0 }

// maxFindings bounds what is told one by one.
const maxFindings = 20

func (r *Report) bad(format string, args ...any) {
	if len(r.Wrong) >= maxFindings {
		r.More++
		return
	}
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

// look is one look at a store that is not open.
type look struct {
	ctx      context.Context
	dir      string
	m        *Manifest
	to       int64 // where the log should end; -1: wherever it does, behind sure
	sure     int64 // a complete run has promised what lies before
	r        *Report
	c        *config.Config
	segment  int64
	graves   map[string]int64
	queues   *queueLook
	progress func(what string, done, total int64)
}

// Verify looks at a backup that nobody writes to: every record by its checksum, every queue beside the records, the tables and the
// manifest. Nothing is changed. An error says that it could not be looked at; what is wrong is in the report.
func Verify(ctx context.Context, o VerifyOptions) (*Report, error) {
	m, lock, err := lockBackup(o.Dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if !m.Complete() && !o.Interrupted {
		return nil, fmt.Errorf("%s: %w", o.Dir, incomplete(m))
	}
	return verify(ctx, o.Dir, m, o.Progress)
}

func incomplete(m *Manifest) error {
	if m.To == 0 {
		return fmt.Errorf("the backup is under way since %s and was never complete; ringmq backup goes on with it", m.Began)
	}
	return fmt.Errorf("the backup is under way since %s, and was complete last up to %d, at %s; ringmq backup goes on with it, and --interrupted takes it as far as it came", m.Began, m.To, m.Ended)
}

// lockStore takes the lock of a store, so that nobody writes meanwhile. On a medium that cannot be written to nobody can.
func lockStore(dir string) (io.Closer, error) {
	l, err := disk.OS().Lock(filepath.Join(dir, "lock"))
	switch {
	case errors.Is(err, disk.ErrLocked):
		return nil, fmt.Errorf("%s is in use, by a backup under way or a broker: %w", dir, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return io.NopCloser(nil), nil
	}
	return l, err
}

// lockBackup is lockStore for what is a backup, with what it says of itself while nobody writes.
func lockBackup(dir string) (*Manifest, io.Closer, error) {
	if _, err := ReadManifest(dir); err != nil {
		return nil, nil, err // where there is none, no lock is made
	}
	lock, err := lockStore(dir)
	if err != nil {
		return nil, nil, err
	}
	m, err := ReadManifest(dir)
	if err != nil {
		_ = lock.Close()
		return nil, nil, err
	}
	return m, lock, nil
}

// verify looks at a store that is locked.
func verify(ctx context.Context, dir string, m *Manifest, progress func(string, int64, int64)) (*Report, error) {
	c, err := configOf(dir, m.Keys)
	if err != nil {
		return nil, fmt.Errorf("the keys in %s: %w", ManifestName, err)
	}
	return verifyWith(ctx, dir, m, c, progress)
}

// verifyWith is verify with the configuration made.
func verifyWith(ctx context.Context, dir string, m *Manifest, c *config.Config, progress func(string, int64, int64)) (*Report, error) {
	if progress == nil {
		progress = func(string, int64, int64) {}
	}
	v := &look{ctx: ctx, dir: dir, m: m, to: m.To, sure: m.To, r: &Report{Manifest: m}, c: c, progress: progress, segment: c.StoreOptions().SegmentBytes}
	v.readGraves()
	// What was interrupted has queues that lag behind the log: the start of a broker goes on with them.
	whole := m.Complete()
	if !whole {
		v.to, v.r.Unchecked = -1, "queues, since the backup is under way: the start of a broker makes them"
	}
	if whole {
		v.queues = newQueueLook(v)
		defer v.queues.closeAll()
	}
	if err := v.log(); err != nil {
		return nil, err
	}
	if whole {
		if err := v.queues.finish(); err != nil {
			return nil, err
		}
	}
	return v.r, v.tables()
}

// numbered is a file whose name is the offset of its first byte.
type numbered struct {
	name  string
	start int64
	size  int64
}

// numberedFiles lists those of a directory in order; other is the name of one that is none, "" if there is no such.
func numberedFiles(dir string) (list []numbered, other string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, "", err
		}
		start, ok := record.ParseFileName(e.Name())
		if !ok || !info.Mode().IsRegular() {
			if !e.IsDir() {
				other = e.Name()
			}
			continue
		}
		list = append(list, numbered{filepath.Join(dir, e.Name()), start, info.Size()})
	}
	slices.SortFunc(list, func(a, b numbered) int { return int(min(max(a.start-b.start, -1), 1)) })
	return list, other, nil
}
