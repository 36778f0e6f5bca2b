package store

import (
	"bytes"
	"errors"
	"sync/atomic"
	"time"

	"ringmq/store/index"
	"ringmq/store/record"
)

// indexer brings the key index up to the dispatcher, behind a store that is already serving, and then hands over: from
// there on the dispatcher writes the index itself. At every moment exactly one of the two writes it.
type indexer struct {
	s      *Store
	at     atomic.Int64  // catching up: everything before is in the index
	live   atomic.Bool   // handed over
	ready  bool          // recovered: the index takes keys
	behind chan struct{} // the dispatcher gave the index back
	known  record.Known  // of the record at hand, and
	keys   []index.Key   // its keys
}

const (
	// handOverBytes is how close the indexer must come before the dispatcher does the rest at once.
	handOverBytes = 256 << 10
	// indexRestBytes and indexRest pace the indexer, so that a long way does not take the disk from anyone.
	indexRestBytes = 4 << 20
	indexRest      = 10 * time.Millisecond
	// indexRetry is how long the index is left alone after it failed.
	indexRetry = 10 * time.Second
)

func newIndexer(s *Store) *indexer { return &indexer{s: s, behind: make(chan struct{}, 1)} }

// catchUp runs until the store stops.
func (x *indexer) catchUp() {
	for {
		if err := x.walk(); err != nil {
			x.s.logger.Error("key index: catching up failed, trying again later", "offset", x.at.Load(), "error", err)
			if !x.s.sleep(indexRetry) {
				return
			}
			continue
		}
		select {
		case <-x.behind:
			if !x.s.sleep(indexRetry) {
				return
			}
		case <-x.s.stop.Done():
			return
		}
	}
}

// fellBehind is called by the dispatcher when the index took no key.
func (x *indexer) fellBehind(err error) {
	x.live.Store(false)
	x.s.logger.Error("key index: no key can be added, trying again later", "error", err)
	select {
	case x.behind <- struct{}{}:
	default:
	}
}

// walk indexes from the last record the index knows up to the dispatcher, and hands over.
func (x *indexer) walk() error {
	scan := x.s.newScanner()
	at, err := x.begin(&scan)
	if err != nil {
		return err
	}
	x.at.Store(at)
	rested := at
	for {
		if x.s.stop.Err() != nil {
			return nil
		}
		if to := x.s.dispatch.at.Load(); to-x.at.Load() <= handOverBytes {
			break
		} else if err := x.advance(&scan, min(to, x.at.Load()+indexRestBytes), to); err != nil {
			return err
		}
		if x.at.Load()-rested >= indexRestBytes {
			rested = x.at.Load()
			if !x.s.sleep(indexRest) {
				return nil
			}
		}
	}
	ran := x.s.dispatch.do(func() {
		to := x.s.dispatch.at.Load()
		if err = x.advance(&scan, to, to); err == nil {
			x.live.Store(true)
			x.s.dispatch.indexLive = true
		}
	})
	if !ran {
		return nil
	}
	return err
}

// begin is the record after which the index has to go on: the last one it knows, or the beginning of the log.
func (x *indexer) begin(scan *scanner) (int64, error) {
	if !x.ready {
		if err := x.s.index.Recover(!x.s.recovered.crashed); err != nil {
			return 0, err
		}
		if err := x.s.index.Truncate(x.s.recovered.end); err != nil {
			return 0, err
		}
		x.ready = true
	}
	low, high := x.s.log.Min(), x.s.dispatch.at.Load()
	at := x.s.index.LastPhysical()
	if at <= low || at >= high {
		return min(max(at, low), high), nil
	}
	_, _, err := scan.next(at, high)
	if errors.Is(err, errBroken) {
		return scan.resync(at, high), nil
	}
	return at, err
}

// advance indexes the records that begin before to; limit is where the visible log ends.
func (x *indexer) advance(scan *scanner, to, limit int64) error {
	for at := x.at.Load(); at < to; at = x.at.Load() {
		raw, after, err := scan.next(at, limit)
		if errors.Is(err, errBroken) {
			x.at.Store(x.nextWhole(scan, at, limit))
			continue
		}
		if err != nil {
			return err
		}
		var r record.Record
		if raw != nil && r.Parse(raw) == nil && r.PhysicalOffset == at {
			x.known.Scan(r.Properties)
			x.keys = appendKeys(x.keys[:0], &r, &x.known)
			if _, err := x.s.index.PutAll(x.keys); err != nil {
				return err
			}
		}
		x.at.Store(after)
	}
	return nil
}

// nextWhole steps over a damaged place; it looks through the rest of the segment only.
func (x *indexer) nextWhole(scan *scanner, at, limit int64) int64 {
	segment := x.s.o.SegmentBytes
	return scan.resync(at, min(limit, at-at%segment+segment))
}

// appendKeys appends the keys of a record: its unique key, then the words of KEYS.
func appendKeys(keys []index.Key, r *record.Record, k *record.Known) []index.Key {
	if r.SysFlag&record.SysFlagTransaction == record.SysFlagRollback {
		return keys
	}
	add := func(key []byte) {
		keys = append(keys, index.Key{Hash: record.IndexHash(r.Topic, key), Physical: r.PhysicalOffset, StoreTimestamp: r.StoreTimestamp})
	}
	if len(k.UniqKey) > 0 {
		add(k.UniqKey)
	}
	for words := k.Keys; len(words) > 0; {
		var key []byte
		if key, words, _ = bytes.Cut(words, []byte{' '}); len(key) > 0 {
			add(key)
		}
	}
	return keys
}

// tendIndex does what the writer of the index leaves undone, so that it never waits for the disk.
func (s *Store) tendIndex() {
	failing := false
	for {
		select {
		case <-s.index.Wake():
		case <-s.stop.Done():
			return
		}
		for err := s.index.Tend(); err != nil; err = s.index.Tend() {
			if !failing {
				s.logger.Error("key index: cannot be written, trying again every second", "error", err)
			}
			failing = true
			if !s.sleep(time.Second) {
				return
			}
		}
		failing = false
	}
}

// sleep returns false when the store stops meanwhile.
func (s *Store) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.stop.Done():
		return false
	}
}
