package doctor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// storeSeen is a store's directory. Nothing in it is opened for writing, and its lock is only asked about.
type storeSeen struct {
	Root     string
	Err      error // there is none, or it cannot be looked at
	Held     bool  // a broker has it open
	HeldErr  error // it could not be found out
	Abort    bool  // the last run, or the one in progress, has not ended in order
	LogDir   string
	Segments []segmentSeen
	Owners   map[uint32][]string // user id -> what belongs to it
	Space    disk.Space
	Ahead    bool // a whole segment is there that nothing is written to yet
	Sample   sampleSeen
}

type segmentSeen struct {
	Path  string
	First int64 // offset of its first byte, which is its name
	Bytes int64
}

func (v *visit) lookAtStore(root string) []Finding {
	logDir := ""
	if v.file != nil && v.file.Config != nil {
		logDir = v.file.Config.Text("storePathCommitLog")
	}
	s := readStore(root, logDir)
	expected := int64(0)
	if v.file != nil && v.file.Config != nil {
		expected = v.file.Config.Int64("mappedFileSizeCommitLog")
	}
	if s.Err == nil {
		v.lookedAt++
	}
	return judgeStore(s, expected)
}

// readStore looks at a store. logDir is "" for the one inside of it.
func readStore(root, logDir string) *storeSeen {
	s := &storeSeen{Root: root, LogDir: logDir, Owners: map[uint32][]string{}}
	if s.LogDir == "" {
		s.LogDir = filepath.Join(root, "commitlog")
	}
	if s.Segments, s.Err = segmentsIn(s.LogDir); s.Err != nil {
		return s
	}
	s.Held, s.HeldErr = lockHeld(filepath.Join(root, "lock"))
	_, err := os.Stat(filepath.Join(root, "abort"))
	s.Abort = err == nil
	s.Space, _ = disk.OS().Space(s.LogDir)
	s.Ahead = madeAhead(root, s.LogDir, s.Segments)
	for _, name := range []string{root, s.LogDir, filepath.Join(root, "consumequeue"), filepath.Join(root, "index"), filepath.Join(root, "config"), filepath.Join(root, "checkpoint"), filepath.Join(root, "lock")} {
		if info, err := os.Stat(name); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				s.Owners[st.Uid] = append(s.Owners[st.Uid], filepath.Base(name))
			}
		}
	}
	s.Sample = sampleStore(s)
	return s
}

// madeAhead says whether the next segment is there already. Brokers, stock's too, make it beforehand: then the last one of the log holds
// nothing yet. Ours keeps an expired one for it besides, in its own folder of the store or, where the log has a disk to itself, of the log.
func madeAhead(root, logDir string, segments []segmentSeen) bool {
	if len(segments) == 0 {
		return false
	}
	for _, dir := range []string{filepath.Join(root, "ringmq"), filepath.Join(logDir, ".ringmq")} {
		for _, name := range []string{"segment.tmp", "spare.tmp"} {
			if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Size() >= segments[0].Bytes {
				return true
			}
		}
	}
	f, err := os.Open(segments[len(segments)-1].Path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, record.BlankBytes) // every record and every blank begins with a length and a magic number
	_, err = io.ReadFull(f, head)
	return err == nil && !slices.ContainsFunc(head, func(b byte) bool { return b != 0 })
}

// segmentsIn lists the files of a commit log. Files of no bytes are the next segment that stock has not made yet.
func segmentsIn(dir string) ([]segmentSeen, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []segmentSeen
	for _, e := range entries {
		first, err := strconv.ParseInt(e.Name(), 10, 64)
		if err != nil || first < 0 || e.IsDir() {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // retention was faster
		}
		if err != nil {
			return nil, err
		}
		all = append(all, segmentSeen{filepath.Join(dir, e.Name()), first, info.Size()})
	}
	slices.SortFunc(all, func(a, b segmentSeen) int { return int(min(max(a.First-b.First, -1), 1)) })
	return all, nil
}

// lockHeld asks the kernel who would stand in the way of a lock; nothing is taken.
func lockHeld(name string) (bool, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	l := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 0, Len: 1}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &l); err != nil {
		return false, err
	}
	return l.Type != syscall.F_UNLCK, nil
}

// judgeStore says what is wrong with a store. segmentBytes: the size that the configuration says; 0: it is not known.
func judgeStore(s *storeSeen, segmentBytes int64) (all []Finding) {
	switch {
	case errors.Is(s.Err, fs.ErrPermission):
		return []Finding{unknown("store", "store-not-readable", s.Root, "%v", s.Err).because("its files cannot be looked at", "run this as the broker's user, or as root")}
	case s.Err != nil:
		return []Finding{broken("store", "store-not-there", s.Root, "%v", s.Err).
			because("a broker would begin with an empty store there", "correct storePathRootDir (or --store); a disk that is not mounted looks like this too")}
	}
	if s.Abort && !s.Held && s.HeldErr == nil {
		all = append(all, warning("store", "store-not-closed-in-order", s.Root, "the abort file is there, and no broker has the store open").
			because("the last run was killed or lost power; the next start reads the end of the log again", "start the broker; what it says about lost messages is in its log"))
	}
	if len(s.Owners) > 1 {
		all = append(all, warning("store", "store-owners-differ", s.Root, "%s", ownersText(s.Owners)).
			because("a broker that does not run as root cannot write what a start as root has made", "stop the broker and chown -R the directory to its user"))
	}
	all = append(all, judgeSegments(s, segmentBytes)...)
	all = append(all, judgeRoom(s, segmentBytes)...)
	all = append(all, judgeSample(s)...)
	if len(all) == 0 {
		open := "not open"
		if s.Held {
			open = "open in a broker"
		}
		all = append(all, ok("store", "store", s.Root, "%s, %s; %s", plural(len(s.Segments), "segment"), open, s.Sample.text()))
	}
	return all
}

// judgeRoom says whether there is room for the next segment. A full file system has inodes left as a rule, and one without inodes has bytes.
func judgeRoom(s *storeSeen, segmentBytes int64) []Finding {
	if segmentBytes == 0 && len(s.Segments) > 0 {
		segmentBytes = s.Segments[0].Bytes
	}
	const fix = "free space on its disk, keep messages for less time (fileReservedTime, commitLogMaxBytes), or move the store to a larger one"
	switch room := s.Space; {
	case room.TotalBytes <= 0: // it was not told
	case room.FreeBytes == 0:
		return []Finding{broken("store", "store-disk-full", s.LogDir, "no space is left on its disk").because("the store can take no segment", fix)}
	case room.TotalInodes > 0 && room.FreeInodes == 0:
		return []Finding{broken("store", "store-disk-full", s.LogDir, "no inode is left on its disk; %s are free", sizeText(room.FreeBytes)).
			because("no file can be made there: no segment, and no queue of a new topic", "delete files on that disk, the small ones are what uses inodes up, or move the store")}
	case room.FreeBytes < segmentBytes && !s.Ahead:
		return []Finding{broken("store", "store-disk-full", s.LogDir, "%s are free on its disk, and a segment takes %s", sizeText(room.FreeBytes), sizeText(segmentBytes)).
			because("when the last segment is full there is no room for the next one, and sends are refused", fix)}
	case room.FreeBytes < segmentBytes:
		return []Finding{warning("store", "store-disk-nearly-full", s.LogDir, "%s are free on its disk, and a segment takes %s; one is made already", sizeText(room.FreeBytes), sizeText(segmentBytes)).
			because("for the one after it old messages have to go first, or sends are refused", fix)}
	}
	return nil
}

func ownersText(owners map[uint32][]string) string {
	var texts []string
	for uid, names := range owners {
		texts = append(texts, fmt.Sprintf("user %d owns %s", uid, strings.Join(names, ", ")))
	}
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}

// judgeSegments looks at names and sizes.
func judgeSegments(s *storeSeen, segmentBytes int64) (all []Finding) {
	for i, g := range s.Segments {
		if i > 0 && s.Segments[i-1].Bytes > 0 {
			if end := s.Segments[i-1].First + s.Segments[i-1].Bytes; end != g.First {
				all = append(all, broken("store", "segment-missing", s.LogDir, "offsets %d to %d are in no file", end, g.First).
					because("their messages are lost, and stock refuses to start", "put the file back from a copy; without one ringmq starts and reports the gap"))
			}
		}
		if g.Bytes != s.Segments[0].Bytes && g.Bytes > 0 {
			all = append(all, broken("store", "segment-sizes-differ", filepath.Base(g.Path), "%d bytes, the first has %d", g.Bytes, s.Segments[0].Bytes).
				because("stock refuses to start", "was it cut by a copy or a full disk? copy it again at its full size"))
		}
	}
	if segmentBytes > 0 && len(s.Segments) > 0 && s.Segments[0].Bytes > 0 && s.Segments[0].Bytes != segmentBytes {
		all = append(all, broken("store", "segment-size-not-configured", "mappedFileSizeCommitLog", "the configuration says %d, the files have %d bytes", segmentBytes, s.Segments[0].Bytes).
			because("the broker refuses to start: the size of a store that is there cannot be changed", "mappedFileSizeCommitLog=%d", s.Segments[0].Bytes))
	}
	return all
}
