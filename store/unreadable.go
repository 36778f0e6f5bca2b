package store

import "ringmq/store/disk"

// IsUnreadable says whether a read of the log's file failed because the disk cannot give back what was written there. Region.Read has zeros in its
// place.
func IsUnreadable(err error) bool { return disk.IsUnreadable(err) }

// badPlaces is how many places that the disk could not read may wait to be looked at; others are found by whoever comes upon them.
const badPlaces = 64

// unreadable is told by the log, on any goroutine.
func (s *Store) unreadable(offset int64) {
	select {
	case s.badPlaces <- offset:
	default:
	}
}

// noteUnreadable puts what lies where the disk cannot read on the list of gaps, also where no message was asked for: a copy may be all that
// is left of it.
func (s *Store) noteUnreadable() {
	for {
		select {
		case <-s.stop.Done():
			return
		case offset := <-s.badPlaces:
			s.findGap(offset)
		}
	}
}

// findGap finds the records that lie in a damaged place, by going through its segment, and enters them.
func (s *Store) findGap(offset int64) {
	scan := s.newScanner()
	end := min(s.log.Local().Load(), offset-offset%s.o.SegmentBytes+s.o.SegmentBytes)
	for at := max(s.log.Min(), offset-offset%s.o.SegmentBytes); at <= offset && at < end && s.stop.Err() == nil; {
		raw, after, err := scan.next(at, end)
		if err == nil && raw == nil {
			return // behind the last record of a segment nothing is lost
		}
		if err != nil || checkRecord(raw, at) != nil {
			if after = scan.resync(at, end); after > offset {
				s.gaps.add(at, after, "rot")
			}
		}
		at = after
	}
}
