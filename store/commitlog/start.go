package commitlog

import (
	"bytes"
	"fmt"

	"ringmq/store/disk"
)

// Start cuts the log at end, the offset behind its last record, and opens it for appends. Before anything is written, all
// that may have been written behind the cut is zeroed and synced: no old record may ever line up behind a new one. cut: records that
// were whole are given up, perhaps for the second time, so that what lies behind may reach any distance.
func (l *Log) Start(end int64, cut bool) error {
	list := *l.segments.Load()
	keep := 0
	for keep < len(list) && list[keep].start < end {
		keep++
	}
	if len(list) > 0 && (end < list[0].start || end > list[len(list)-1].start+l.o.SegmentBytes) {
		return fmt.Errorf("commit log: end %d lies outside the log %d to %d", end, list[0].start, list[len(list)-1].start+l.o.SegmentBytes)
	}
	if floor := l.floor(); end < floor && !cut {
		return fmt.Errorf("commit log: it was durable up to %d and would be cut at %d", floor, end)
	}
	if err := l.zeroBehind(end, list[:keep], cut); err != nil {
		return fmt.Errorf("commit log: zero behind the cut at %d: %w", end, err)
	}
	kept := append([]*segment(nil), list[:keep]...)
	if err := l.giveUp(list[keep:]); err != nil {
		return err
	}
	l.keepTorn(end)
	// Not before all of that is durable which it says of, and what lay behind is gone: a crash until here leaves what bounds the next start's
	// search as it was.
	if err := l.saveMark(mark{Durable: end}, true); err != nil {
		return fmt.Errorf("commit log: mark: %w", err)
	}
	if err := l.o.FS.SyncDir(l.o.StateDir); err != nil {
		return err
	}
	l.segments.Store(&kept)
	l.tail.begin(end)
	l.boot.Store(end)
	l.reserved, l.published = end, end
	l.end = end
	if keep > 0 {
		l.end = kept[keep-1].start + l.o.SegmentBytes
	}
	l.zero.target = end
	l.committer.at = end
	l.written.value.Store(end)
	l.durable.value.Store(end)
	l.confirmed.value.Store(end)
	l.confirmed.source = end
	l.announced.value.Store(end)
	if keep == 0 {
		if err := l.firstSegment(); err != nil {
			return err
		}
	}
	l.started = true
	l.done.Add(3)
	go l.committer.run()
	go l.maker.run()
	go l.runMarker()
	if !l.o.SyncFlush {
		l.done.Add(1)
		go l.runSyncer()
	}
	return nil
}

// firstSegment makes the segment that an empty log begins with, at once: what lies behind it is zeroed while it is used.
func (l *Log) firstSegment() error {
	h, err := l.maker.fresh()
	if err != nil {
		return err
	}
	if err := l.maker.promote(h, l.end); err != nil {
		return err
	}
	l.unzeroedRolls.Store(0)
	l.segments.Store(&[]*segment{l.next})
	l.end, l.next = l.end+l.o.SegmentBytes, nil
	return nil
}

// zeroBehind zeroes from the cut to the end of its segment, as far as there is anything but zeros, and syncs what is kept: a
// record that recovery accepted may so far be with the kernel only.
func (l *Log) zeroBehind(end int64, kept []*segment, cut bool) error {
	if len(kept) == 0 {
		return nil
	}
	s := kept[len(kept)-1]
	limit := s.start + l.o.SegmentBytes
	if l.mark.known && l.mark.Clean && l.mark.Durable == end && !cut {
		return nil
	}
	if l.mark.known && !cut {
		limit = min(limit, max(end, l.mark.Durable)+l.reach())
	}
	zeroed := false
	buf, zeros := make([]byte, windowBytes), make([]byte, windowBytes)
	for at := end; at < limit; {
		n := min(limit-at, windowBytes)
		_, err := s.file.ReadAt(buf[:n], at-s.start)
		if err != nil && !disk.IsUnreadable(err) {
			return err
		}
		if err != nil || !bytes.Equal(buf[:n], zeros[:n]) {
			if err := s.file.ZeroRange(at-s.start, n); err != nil {
				return err
			}
			l.bad.forget(at, at+n)
			zeroed = true
		}
		at += n
	}
	for i, s := range kept {
		if l.mark.known && s.start+l.o.SegmentBytes <= l.mark.Durable && !(zeroed && i == len(kept)-1) {
			continue
		}
		if err := s.file.Sync(); err != nil {
			return err
		}
	}
	return nil
}
