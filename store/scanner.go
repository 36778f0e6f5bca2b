package store

import (
	"encoding/binary"
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
	maxRecord    int
	chunk        []byte // bytes of the log from base on
	base         int64
}

// next returns the record that begins at offset at, and where the next one begins; it looks no further than limit, which
// is a record's end. raw is nil when there was only the blank at the end of a segment. raw is valid until the next call.
// errBroken: what is there is no record.
func (c *scanner) next(at, limit int64) (raw []byte, after int64, err error) {
	segmentEnd := at - at%c.segmentBytes + c.segmentBytes
	head, err := c.bytes(at, 8, min(limit, segmentEnd))
	if err != nil {
		return nil, at, err
	}
	size, magic := record.Header(head)
	if magic == record.MagicBlank {
		return nil, segmentEnd, nil
	}
	if magic != record.MagicV1 && magic != record.MagicV2 || size < 8 || int(size) > c.maxRecord || at+int64(size) > segmentEnd || at+int64(size) > limit {
		return nil, at, errBroken
	}
	raw, err = c.bytes(at, int(size), min(limit, segmentEnd))
	return raw, at + int64(size), err
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
// none. Used where the log is known to be damaged.
func (c *scanner) resync(at, limit int64) int64 {
	for p := at + 1; p+8 <= limit; {
		window, err := c.bytes(p, int(min(limit-p, 64<<10)), limit)
		if err != nil {
			return limit
		}
		i := magicIn(window)
		if i < 0 {
			p += int64(max(1, len(window)-7))
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

// magicIn is the first position in b of four bytes followed by a record's magic number, -1 when there is none.
func magicIn(b []byte) int {
	for i := 0; i+8 <= len(b); i++ {
		if b[i+4] != 0xDA {
			continue
		}
		if m := binary.BigEndian.Uint32(b[i+4:]); m == record.MagicV1 || m == record.MagicV2 {
			return i
		}
	}
	return -1
}
