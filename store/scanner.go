package store

import (
	"errors"

	"ringmq/store/commitlog"
	"ringmq/store/record"
)

// scanChunkBytes is how much of the log a scanner takes at once.
const scanChunkBytes = 128 << 10

// errBroken says that no record begins where the scanner stands.
var errBroken = errors.New("no record here")

// scanner walks over the records of the log in order, from memory where it can. One goroutine.
type scanner struct {
	log          *commitlog.Log
	segmentBytes int64
	segmentEnd   int64 // of the segment looked at last
	maxRecord    int
	chunk        []byte // bytes of the log from base on
	base         int64
}

// next returns the record that begins at offset at, and where the next one begins; it looks no further than limit, which
// is a record's end. raw is nil when there was only the blank at the end of a segment. raw is valid until the next call.
// errBroken: what is there is no record.
func (c *scanner) next(at, limit int64) (raw []byte, after int64, err error) {
	if at >= c.segmentEnd || at < c.segmentEnd-c.segmentBytes {
		c.segmentEnd = at - at%c.segmentBytes + c.segmentBytes
	}
	segmentEnd := c.segmentEnd
	left := segmentEnd - at
	head, err := c.bytes(at, int(min(left, record.BlankBytes)), min(limit, segmentEnd))
	if err != nil {
		return nil, at, err
	}
	size, what := record.Look(head, left, min(int64(c.maxRecord), limit-at))
	switch what {
	case record.Blank:
		return nil, segmentEnd, nil
	case record.Neither:
		return nil, at, errBroken
	}
	raw, err = c.bytes(at, int(size), min(limit, segmentEnd))
	return raw, at + size, err
}

// bytes returns n bytes of the log at offset at, with as much behind them in the chunk as is useful.
func (c *scanner) bytes(at int64, n int, limit int64) ([]byte, error) {
	if at+int64(n) > limit {
		return nil, errBroken
	}
	if at < c.base || at+int64(n) > c.base+int64(len(c.chunk)) {
		take := int(min(limit-at, int64(max(n, scanChunkBytes))))
		if err := c.fill(at, take); err != nil {
			return nil, err
		}
	}
	i := int(at - c.base)
	return c.chunk[i : i+n : i+n], nil
}

func (c *scanner) fill(at int64, n int) error {
	c.base = at
	if b, ok := c.log.ReadHot(at, n, c.chunk[:0]); ok {
		c.chunk = b
		return nil
	}
	if cap(c.chunk) < n {
		c.chunk = make([]byte, n)
	}
	c.chunk = c.chunk[:n]
	if err := c.log.ReadAt(at, c.chunk); err != nil {
		c.chunk = c.chunk[:0]
		return err
	}
	return nil
}

// resync finds the next offset behind at, and before limit, at which a whole, checked record begins; limit when there is
// none. Used where the log is known to be damaged. What cannot be read is stepped over to the end of its segment: a read
// lies in one segment.
func (c *scanner) resync(at, limit int64) int64 {
	for p := at + 1; p+record.BlankBytes <= limit; {
		end := min(limit, p-p%c.segmentBytes+c.segmentBytes)
		if p+record.BlankBytes > end {
			p = end
			continue
		}
		window, err := c.bytes(p, int(min(end-p, 64<<10)), end)
		if err != nil {
			p = end
			continue
		}
		i := record.MagicAt(window)
		if i < 0 {
			p += int64(len(window) - record.BlankBytes + 1)
			continue
		}
		p += int64(i)
		if raw, _, err := c.next(p, limit); err == nil && raw != nil && checkRecord(raw, p) == nil {
			return p
		}
		p++
	}
	return limit
}
