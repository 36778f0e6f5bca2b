package index

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/bits"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// Options of an Index. Zero values mean the defaults.
type Options struct {
	Dir     string // .../index
	State   string // folder for the next file while it waits; .../ringmq beside Dir
	FS      disk.FS
	Slots   int // of a file; 5,000,000
	Entries int // room of a file, of which the first is never used; 20,000,000
	// BufferEntries wait in memory at most, rounded up to a power of two; 524,288, which take 10 MiB. There is room for
	// 16,384 from the beginning, and for more only while the disk is slow.
	BufferEntries int
	// SlotIntervalMs is how long the slots of the active file may be only in memory; 30,000.
	SlotIntervalMs int
	Location       *time.Location   // of file names; time.Local
	Clock          func() time.Time // of file names and intervals; time.Now
	// StoreTime is the store time (ms) of the record at a physical offset, false when there is none. It may read the disk, and is asked where the
	// times in a file cannot be true. nil: they are believed.
	StoreTime func(physical int64) (ms int64, ok bool)
	Logger    *slog.Logger
}

const (
	defaultSlots          = 5_000_000
	defaultEntries        = 20_000_000
	defaultBufferEntries  = 512 << 10
	defaultFirstRoom      = 16 << 10
	defaultSlotIntervalMs = 30_000
	maxSlots              = 1 << 29 // more would not fit a chain number or a file this code can address
)

// ErrNotRecovered is returned by Put before Recover.
var ErrNotRecovered = errors.New("index: not recovered yet")

// Index is the key index of a store.
type Index struct {
	dir       string
	state     string
	fs        disk.FS
	form      form
	buffer    int64 // entries that may wait, and
	firstRoom int64 // for how many there is room from the beginning; both powers of two
	slotGap   time.Duration
	zone      *time.Location
	clock     func() time.Time
	storeTime func(physical int64) (ms int64, ok bool)
	logger    *slog.Logger
	wake      chan struct{} // one token: Tend has something to do
	waits     atomic.Int64

	lastPhysical  atomic.Int64
	lastTimestamp atomic.Int64
	durable       atomic.Int64 // ms

	io        sync.Mutex
	recovered bool // io and mu

	mu      sync.Mutex
	files   []*file       // by name, the newest last
	active  *active       // the newest of files; nil: none takes entries
	sealing *active       // the one before, full and not yet durable
	next    *active       // prepared, not among files yet
	newest  string        // the newest name there is or was
	warmth  int32         // keeps reads of slots ahead of need from being optimized away
	tail    map[int32]int // key hashes of the last record a start found: its Put may come again
	tailAt  int64         // its physical offset
}

// Open finds the files under o.Dir and reads their headers. Queries are answered from here on; the newest file takes
// entries only after Recover.
func Open(o Options) (*Index, error) {
	x := &Index{dir: o.Dir, fs: o.FS, form: form{slots: orDefault(o.Slots, defaultSlots), entries: orDefault(o.Entries, defaultEntries)},
		zone: o.Location, clock: o.Clock, storeTime: o.StoreTime, logger: o.Logger, state: o.State, wake: make(chan struct{}, 1),
		buffer:  int64(1) << bits.Len64(uint64(orDefault(o.BufferEntries, defaultBufferEntries)-1)),
		slotGap: time.Duration(orDefault(o.SlotIntervalMs, defaultSlotIntervalMs)) * time.Millisecond}
	if x.form.slots > maxSlots {
		return nil, fmt.Errorf("open key index: %d slots are too many", x.form.slots)
	}
	x.firstRoom = min(x.buffer, defaultFirstRoom)
	if x.state == "" {
		x.state = path.Dir(x.dir) + "/ringmq"
	}
	if x.zone == nil {
		x.zone = time.Local
	}
	if x.clock == nil {
		x.clock = time.Now
	}
	if x.logger == nil {
		x.logger = slog.New(slog.DiscardHandler)
	}
	entries, err := x.fs.ReadDir(x.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return x, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open key index: %w", err)
	}
	for _, e := range entries {
		if !isName(e.Name()) || e.IsDir() {
			x.logger.Warn("not an index file", "file", x.dir+"/"+e.Name())
			continue
		}
		x.files = append(x.files, &file{name: e.Name(), path: x.dir + "/" + e.Name()})
		x.newest = max(x.newest, e.Name())
	}
	slices.SortFunc(x.files, func(a, b *file) int { return compareNames(a.name, b.name) })
	found := len(x.files)
	for i, f := range slices.Clone(x.files) {
		if !x.admit(f, i == found-1) {
			x.files = slices.DeleteFunc(x.files, func(other *file) bool { return other == f })
		}
	}
	if n := len(x.files); n > 0 {
		h := x.files[n-1].header
		x.lastPhysical.Store(h.EndOffset)
		x.lastTimestamp.Store(h.EndTimestamp)
		x.durable.Store(h.EndTimestamp)
	}
	return x, nil
}

func orDefault(n, d int) int64 {
	if n <= 0 {
		return int64(d)
	}
	return int64(n)
}

// admit reads the header of a file. A file of another size was made with other settings and is left alone; the newest may be
// short, because a crash left it so.
func (x *Index) admit(f *file, newest bool) bool {
	file, err := x.fs.Open(f.path, openFlags, 0o644)
	if err != nil {
		x.logger.Error("index file cannot be opened: not used", "file", f.path, "error", err)
		return false
	}
	defer file.Close()
	size, err := file.Size()
	if err == nil && size < x.form.fileBytes() && newest {
		x.logger.Warn("index file is too short: filled with zeros", "file", f.path, "bytes", size)
		err = file.Truncate(x.form.fileBytes())
		size = x.form.fileBytes()
	}
	if err == nil && size != x.form.fileBytes() {
		err = fmt.Errorf("%d bytes instead of %d: were the sizes configured differently?", size, x.form.fileBytes())
	}
	var b [record.IndexHeaderBytes]byte
	if err == nil {
		_, err = file.ReadAt(b[:], 0)
	}
	if err != nil {
		x.logger.Error("index file cannot be used", "file", f.path, "error", err)
		return false
	}
	f.header = record.ParseIndexHeader(b[:])
	f.header.Count = int32(min(int64(f.header.Count), x.form.entries))
	return true
}

// LastPhysical is the physical offset of the last record indexed, 0 if there is none. Before Recover it is what the
// newest header claims.
func (x *Index) LastPhysical() int64 { return x.lastPhysical.Load() }

// LastTimestamp is the store time (ms) of the last record indexed.
func (x *Index) LastTimestamp() int64 { return x.lastTimestamp.Load() }

// DurableTimestamp is a store time (ms) up to which a stock broker would find every key after a power cut now: what the
// checkpoint may say of the index.
func (x *Index) DurableTimestamp() int64 { return x.durable.Load() }

// DeleteBefore removes the files all of whose records begin before physical, never the newest one.
func (x *Index) DeleteBefore(physical int64) error {
	x.io.Lock()
	defer x.io.Unlock()
	for {
		x.mu.Lock()
		if len(x.files) < 2 || x.files[0].header.EndOffset >= physical || x.sealing != nil && x.sealing.file == x.files[0] {
			x.mu.Unlock()
			return nil
		}
		f := x.files[0]
		x.mu.Unlock()
		if err := x.removeFile(f); err != nil {
			return err
		}
	}
}

// removeFile removes a file that does not take entries. io is held.
func (x *Index) removeFile(f *file) error {
	if err := x.fs.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete index file: %w", err)
	}
	x.mu.Lock()
	x.files = slices.DeleteFunc(slices.Clone(x.files), func(other *file) bool { return other == f })
	x.mu.Unlock()
	if err := x.fs.SyncDir(path.Dir(f.path)); err != nil {
		return fmt.Errorf("delete index file: %w", err)
	}
	return nil
}
