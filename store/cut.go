package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"ringmq/store/commitlog"
)

// tailCut is what CutTail asks of a start.
type tailCut struct {
	at     int64
	end    int64 // where the log ends; -1: anywhere
	save   string
	bytes  int64 // cut
	resume bool  // a cut whose copy was safe before the power went
}

const (
	cutName    = "cut.json"
	cutVersion = 2
)

// cutNote lies in <root>/ringmq while a cut is made: a start that finds it finishes the cut, since a log that is zeroed in part would
// give some of its records back.
type cutNote struct {
	FormatVersion int   `json:"formatVersion"` // of version 1, which has no checksum
	At            int64 `json:"at"`
}

// parseCutNote reads a note of a cut. One that is not whole stops a start: where to cut cannot be guessed.
func parseCutNote(b []byte) (n cutNote, err error) {
	if unseal(b, cutVersion, &n) {
		return n, nil
	}
	err = json.Unmarshal(b, &n)
	switch {
	case err != nil:
	case n.FormatVersion == cutVersion:
		err = errors.New("it is damaged; the copy of what is cut has the offset in its name, and a note {\"formatVersion\":1,\"at\":OFFSET} finishes the cut")
	case n.FormatVersion != 1:
		err = fmt.Errorf("it has format version %d: the release that began the cut has to finish it", n.FormatVersion)
	}
	return n, err
}

// CutTail opens the store that o names, which nobody may have open, cuts its log at an offset where a record begins, and closes it again:
// for a slave whose log has parted from its master's. What is cut is saved first, as it is, in the folder save, in a file named by the two
// offsets it lies between, synced and read back. Queues and index lose what was cut. It returns how many bytes went. Nothing is
// changed when it fails before the copy is safe; after that the next start finishes what was begun. A log that does not end where the caller has
// seen it end is not cut: a broker has run since. end -1: wherever it ends.
func CutTail(o Options, at, end int64, save string) (cut int64, err error) {
	o.cut = &tailCut{at: at, end: end, save: save}
	s, err := Open(o)
	if err != nil {
		return 0, err
	}
	return o.cut.bytes, s.Close(context.Background())
}

// resumeCut takes up a cut that an earlier run left half made.
func (s *Store) resumeCut() error {
	b, err := readWhole(s.fs, s.o.Root+"/ringmq/"+cutName, maxDocumentBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var note cutNote
	if err == nil {
		note, err = parseCutNote(b)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", cutName, err)
	}
	if c := s.o.cut; c != nil && c.at != note.At {
		return fmt.Errorf("cut at %d: a cut at %d was begun and must be finished first, which any start does", c.at, note.At)
	}
	s.o.cut = &tailCut{at: note.At, resume: true}
	return nil
}

// endCut forgets the cut, which is done.
func (s *Store) endCut() error {
	if s.o.cut == nil {
		return nil
	}
	dir := s.o.Root + "/ringmq"
	if err := s.fs.Remove(dir + "/" + cutName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.fs.SyncDir(dir)
}

// cutTail shortens what a walk found, in recover.
func (s *Store) cutTail(result *commitlog.Result) error {
	c := s.o.cut
	if c.at < s.log.Min() || c.at > result.End && !c.resume {
		return fmt.Errorf("cut at %d: the log reaches from %d to %d", c.at, s.log.Min(), result.End)
	}
	if !c.resume && c.end >= 0 && c.end != result.End {
		return fmt.Errorf("cut at %d: the log ended at %d when it was compared, and ends at %d now: compare it again", c.at, c.end, result.End)
	}
	if c.bytes = max(0, result.End-c.at); c.bytes == 0 {
		return nil
	}
	if !c.resume {
		if err := s.beginsAt(c.at, result.End); err != nil {
			return err
		}
		name, err := s.saveTail(c.at, result.End)
		if err != nil {
			return fmt.Errorf("save %d to %d: %w", c.at, result.End, err)
		}
		if err := replaceWhole(s.fs, s.o.Root+"/ringmq", cutName, seal(cutVersion, cutNote{FormatVersion: cutVersion, At: c.at})); err != nil {
			return err
		}
		s.logger.Warn("the log's end is cut", "from", c.at, "to", result.End, "saved", name)
	}
	result.End = c.at
	result.Gaps = slices.DeleteFunc(result.Gaps, func(g commitlog.Gap) bool { return g.To > c.at })
	for segment := range s.dispatch.sealed {
		if segment+s.o.SegmentBytes > c.at {
			delete(s.dispatch.sealed, segment)
		}
	}
	return nil
}

// beginsAt says whether a record begins at an offset, or the log ends there.
func (s *Store) beginsAt(offset, end int64) error {
	scan := s.newScanner()
	at := offset - offset%s.o.SegmentBytes
	for at < offset {
		_, after, err := scan.next(at, end)
		if errors.Is(err, errBroken) {
			after, err = scan.resync(at, end), nil
		}
		if err != nil {
			return err
		}
		at = after
	}
	if at != offset {
		return fmt.Errorf("cut at %d: no record begins there, the next one at %d", offset, at)
	}
	return nil
}

// saveTail copies a range of the log into a file of its own.
func (s *Store) saveTail(from, to int64) (name string, err error) {
	dir := s.o.cut.save
	if err := s.fs.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name = fmt.Sprintf("%s/%020d-%020d", dir, from, to)
	f, err := s.fs.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf, again := make([]byte, 1<<20), make([]byte, 1<<20)
	for _, check := range []bool{false, true} {
		for at := from; at < to; {
			n := min(to-at, int64(len(buf)), s.o.SegmentBytes-at%s.o.SegmentBytes)
			if err := s.log.ReadAt(at, buf[:n]); err != nil {
				return "", err
			}
			if !check {
				_, err = f.WriteAt(buf[:n], at-from)
			} else if _, err = f.ReadAt(again[:n], at-from); err == nil && !bytes.Equal(buf[:n], again[:n]) {
				err = errors.New("the copy reads otherwise")
			}
			if err != nil {
				return "", err
			}
			at += n
		}
		if !check {
			if err := f.Sync(); err != nil {
				return "", err
			}
		}
	}
	return name, s.fs.SyncDir(dir)
}
