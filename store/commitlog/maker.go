package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// maker prepares the next segment while the current one fills, and zeroes ahead of the writer inside the current one: a sync
// over zeroed blocks costs no journal. It works in small paced pieces and yields to need: a segment that is wanted at once is
// taken as it is, allocated and not yet zeroed.
type maker struct {
	l      *Log
	wake   chan struct{} // one token
	urgent atomic.Bool   // an append waits for the next segment
	// working is held through a step, and by Rebase, which moves the segments away under the maker.
	working sync.Mutex
	dir     string // of what is no segment yet; on the log's own file system, or a rename could not make it one

	mu    sync.Mutex
	half  *half // in the making; the maker's goroutine alone works on it
	spare *half // an expired segment, for the next one; ready once nobody reads it

	failing bool // and that was said; the maker's own
}

// half is a file on its way to be a segment.
type half struct {
	name   string
	file   disk.File
	zeroed int64 // known zeros up to here, or to be overwritten soon
	old    bool  // holds an expired segment's bytes behind zeroed: must not be used before they are gone
	ready  bool
}

const (
	halfName  = "segment.tmp"
	spareName = "spare.tmp"
	zeroStep  = 1 << 20
	// zeroMargin keeps the zeroing away from where the committer writes.
	zeroMargin = 8 << 20
	// nearBytes ahead of the committer are zeroed before the next segment is.
	nearBytes  = 64 << 20
	retrySpace = time.Second
)

// innerDir is where segments are made when the log has a file system of its own. A stock broker, and loadSegments, step over
// folders among the segments.
const innerDir = ".ringmq"

// WorkDir is the folder on the file system of a log in dir where what is no segment may lie: state, or one inside of dir, which need not be
// there yet. Both dir and state have to be.
func WorkDir(f disk.FS, dir, state string) string {
	if sameDevice(f, state, dir) {
		return state
	}
	return filepath.Join(dir, innerDir)
}

// settle finds the place where segments are made, and removes what an earlier run left half made.
func (m *maker) settle() error {
	o := m.l.o
	inner := filepath.Join(o.Dir, innerDir)
	for _, dir := range []string{o.StateDir, inner} {
		for _, n := range []string{halfName, spareName} {
			if err := o.FS.Remove(filepath.Join(dir, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if m.dir = WorkDir(o.FS, o.Dir, o.StateDir); m.dir != o.StateDir {
		return m.moveInside()
	}
	return nil
}

// moveInside has segments made inside of the log's directory from now on.
func (m *maker) moveInside() error {
	m.dir = filepath.Join(m.l.o.Dir, innerDir)
	m.l.logger.Info("commit log: it has a file system of its own, segments are made there", "dir", m.dir)
	return m.l.o.FS.MkdirAll(m.dir, 0o755)
}

// sameDevice says whether two directories lie on one device, as far as the file system tells. Even then a rename from one to
// the other may fail, between two mounts of it.
func sameDevice(f disk.FS, a, b string) bool {
	device := func(name string) (uint64, bool) {
		info, err := f.Stat(name)
		if err != nil {
			return 0, false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return 0, false
		}
		return uint64(st.Dev), true
	}
	x, known := device(a)
	y, alsoKnown := device(b)
	return !known || !alsoKnown || x == y
}

func (m *maker) run() {
	defer m.l.done.Done()
	pace := zeroPacer{l: m.l, at: m.l.written.Load(), since: time.Now()}
	for {
		again, err := m.step()
		wait, wake := time.Duration(0), m.wake
		switch {
		case err != nil:
			m.failed(err)
			wait = retrySpace
			wake = nil // whoever wants a segment is told that there is none: asking makes none
		case again && m.urgent.Load():
			continue
		case again:
			wait = pace.after(min(zeroStep, m.l.o.SegmentBytes))
		default:
			wait = time.Hour
		}
		timer := time.NewTimer(wait)
		select {
		case <-m.l.stop:
			timer.Stop()
			return
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// failed leaves word for appends, which tell their clients; the maker tries again.
func (m *maker) failed(err error) {
	if !m.failing {
		m.failing = true
		m.l.logger.Error("commit log: no next segment; tried again every second", "error", err)
	}
	m.l.mu.Lock()
	m.l.noSpace = true
	m.l.mu.Unlock()
	m.l.tellRoom()
}

// zeroFailed gives up zeroing ahead in this segment: its syncs will be slower.
func (m *maker) zeroFailed(err error) {
	z := &m.l.zero
	m.l.logger.Warn("commit log: the rest of the segment is not zeroed ahead", "segment", z.current, "error", err)
	z.done = z.current + m.l.o.SegmentBytes
}

// step does one piece of work and reports whether there is more.
func (m *maker) step() (again bool, err error) {
	m.working.Lock()
	defer m.working.Unlock()
	l := m.l
	l.mu.Lock()
	missing, start := l.next == nil && l.failed == nil, l.end
	l.mu.Unlock()
	catchesUp, goal := l.catchesUp(), l.catchUp.Load()
	n := need{missing: missing, urgent: m.urgent.Load(), zeros: l.o.Spares > 0, spared: catchesUp || l.sparesZeros(), catchesUp: catchesUp, covered: start >= goal}
	if reach := n.ahead(l.o.SegmentBytes); reach > 0 {
		switch again, err := m.zeroAhead(reach); {
		case err != nil:
			// The committer will hear of it itself, if it is more than the zeroing's; the next segment is made all the same.
			m.zeroFailed(err)
		case again:
			return true, nil
		}
	}
	if !n.wanted() {
		return false, nil
	}
	h, err := m.begin()
	if err != nil {
		return false, err
	}
	if catchesUp && !h.old {
		h.zeroed = max(h.zeroed, min(l.o.SegmentBytes, (goal-start)/pageBytes*pageBytes))
	}
	switch n.decide(h.old, h.zeroed >= l.o.SegmentBytes) {
	case dropIt:
		return true, m.drop(h)
	case zeroIt:
		if err := m.zeroSome(h); err != nil || h.zeroed < l.o.SegmentBytes {
			return true, err
		}
	}
	return true, m.promote(h, start)
}

// zeroSome zeroes a piece of a file in the making.
func (m *maker) zeroSome(h *half) error {
	n := min(zeroStep, m.l.o.SegmentBytes-h.zeroed)
	if err := h.file.ZeroRange(h.zeroed, n); err != nil {
		return errors.Join(err, m.drop(h))
	}
	h.zeroed += n
	return nil
}

// begin returns the file in the making: the one begun, an expired segment, or a new one.
func (m *maker) begin() (*half, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.half != nil {
		return m.half, nil
	}
	if m.spare != nil && m.spare.ready {
		m.half, m.spare = m.spare, nil
		return m.half, nil
	}
	h, err := m.create()
	if err != nil {
		return nil, err
	}
	m.half = h
	return h, nil
}

// fresh returns a file for the segment that a log begins with: allocated, and zeroed as far as the zeroing keeps away from the
// committer.
func (m *maker) fresh() (*half, error) {
	h, err := m.begin()
	for err == nil && h.old {
		if err = m.drop(h); err == nil {
			h, err = m.begin()
		}
	}
	if err != nil || m.l.o.Spares == 0 {
		return h, err
	}
	if n := min(zeroMargin+2*zeroStep, m.l.o.SegmentBytes); h.zeroed < n {
		if err = h.file.ZeroRange(h.zeroed, n-h.zeroed); err == nil {
			h.zeroed = n
		}
	}
	return h, err
}

func (m *maker) create() (*half, error) {
	name := filepath.Join(m.dir, halfName)
	f, err := m.l.o.FS.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	if err := f.Allocate(0, m.l.o.SegmentBytes); err != nil && !errors.Is(err, syscall.EOPNOTSUPP) {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrNoSpace, err), f.Close(), m.l.o.FS.Remove(name))
	} else if err != nil {
		if err := f.Truncate(m.l.o.SegmentBytes); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return &half{name: name, file: f}, nil
}

func (m *maker) drop(h *half) error {
	err := errors.Join(h.file.Close(), m.l.o.FS.Remove(h.name))
	m.made()
	return err
}

// made frees the place of the file in the making, once nothing has its name any more: recycle may take that at once.
func (m *maker) made() {
	m.mu.Lock()
	m.half = nil
	m.mu.Unlock()
}

// promote makes the file a segment; one that turns out to lie on another file system is made again on the log's own.
func (m *maker) promote(h *half, start int64) error {
	err := m.name(h, start)
	if !errors.Is(err, syscall.EXDEV) || filepath.Base(m.dir) == innerDir {
		return err
	}
	if err := m.moveInside(); err != nil {
		return err
	}
	h, failed := m.begin()
	if failed != nil {
		return failed
	}
	if h.old {
		return err // it has to be zeroed first
	}
	return m.name(h, start)
}

// name makes the file a segment: synced, named, its name synced, and only then usable.
func (m *maker) name(h *half, start int64) error {
	l := m.l
	name := filepath.Join(l.o.Dir, record.FileName(start))
	if err := h.file.Sync(); err != nil {
		return errors.Join(err, m.drop(h))
	}
	err := h.file.Close()
	if err == nil {
		err = l.o.FS.Rename(h.name, name)
	}
	if err != nil {
		err = errors.Join(err, l.o.FS.Remove(h.name))
	}
	m.made()
	if err != nil {
		return err
	}
	if err := l.o.FS.SyncDir(l.o.Dir); err != nil {
		return err
	}
	f, err := l.o.FS.Open(name, os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	if h.zeroed < l.o.SegmentBytes && !l.sparesZeros() {
		l.unzeroedRolls.Add(1)
	}
	l.mu.Lock()
	l.next, l.noSpace = newSegment(start, f), false
	l.zero.next = h.zeroed
	l.mu.Unlock()
	m.urgent.Store(false)
	m.failing = false
	l.tellRoom()
	return nil
}

// recycle takes a segment out of the log's directory: it becomes the spare, or goes. After an error it is where it was. dispose is for
// when nobody reads it any more.
func (m *maker) recycle(s *segment) (dispose func(), err error) {
	l := m.l
	from := filepath.Join(l.o.Dir, record.FileName(s.start))
	m.mu.Lock()
	// There is one name for a spare: while one is in the making, a second would take its place there and be used twice.
	keep := m.spare == nil && (m.half == nil || !m.half.old) && l.o.Spares > 0
	h := &half{name: filepath.Join(m.dir, spareName), file: s.file, old: true}
	if keep {
		m.spare = h
	}
	m.mu.Unlock()
	if keep {
		if err = l.o.FS.Rename(from, h.name); err != nil {
			m.mu.Lock()
			keep, m.spare = false, nil
			m.mu.Unlock()
		}
		if errors.Is(err, syscall.EXDEV) {
			err = l.o.FS.Remove(from)
		}
	} else {
		err = l.o.FS.Remove(from)
	}
	return func() {
		if !keep {
			_ = s.file.Close()
			return
		}
		m.mu.Lock()
		h.ready = true
		m.mu.Unlock()
		poke(m.wake)
	}, err
}

// discard removes what was in the making when the log closes.
func (m *maker) discard() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range []*half{m.half, m.spare} {
		if h != nil {
			_ = h.file.Close()
			_ = m.l.o.FS.Remove(h.name)
		}
	}
	m.half, m.spare = nil, nil
}
