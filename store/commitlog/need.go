package commitlog

// need is what the maker goes by.
type need struct {
	missing   bool // there is no next segment
	urgent    bool // an append waits for it
	zeros     bool // segments are zeroed before they are used, as configured
	spared    bool // that is put off for now
	catchesUp bool // copies come as fast as can be, and
	covered   bool // all that is to come fits in this segment
}

// ahead is how far ahead of the committer there should be zeros before the next segment is worked on; 0: that goes before.
func (n need) ahead(segment int64) int64 {
	switch {
	case !n.zeros || n.spared || n.missing && n.urgent:
		return 0
	case n.missing:
		return nearBytes
	}
	return segment
}

// wanted says whether a file is to become the next segment now.
func (n need) wanted() bool { return n.missing && (n.urgent || !n.catchesUp || !n.covered) }

// fileAction is what is done with a file in the making.
type fileAction uint8

const (
	nameIt fileAction = iota
	zeroIt
	dropIt
)

// decide says what to do with a file, that of an expired segment or not, with zeros all over or not. An expired one may never be named
// without: what it holds would lie behind the log's end.
func (n need) decide(old, whole bool) fileAction {
	switch {
	case old && (n.urgent || n.spared):
		// Zeroing all of it now would hold appends up, or take what the disk can do; a new one is there at once.
		return dropIt
	case !whole && (old || n.zeros && !n.urgent && !n.spared):
		return zeroIt
	}
	return nameIt
}
