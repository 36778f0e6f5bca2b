package replica

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestSameButRot(t *testing.T) {
	c := *newCutter()
	b, bounds := testLog(8<<10, 20<<10, 5)
	other, otherBounds := testLog(8<<10, 20<<10, 6)
	cut := func(bounds map[int64]bool, at int64) int64 {
		for !bounds[at] {
			at++
		}
		return at
	}
	for from := int64(0); from < 9000; from += 700 {
		end := cut(bounds, from+9000)
		mine, theirs := bytes.Clone(b[from:]), bytes.Clone(b[from:end])
		if !c.sameButRot(mine, theirs, from) {
			t.Fatalf("the same from %d to %d", from, end)
		}
		for at := 0; at < len(theirs); at += 97 {
			theirs[at] ^= 4
			if !c.sameButRot(mine, theirs, from) {
				t.Fatalf("the slave's byte %d of %d to %d", at, from, end)
			}
			theirs[at] ^= 4
			mine[at] ^= 4
			if !c.sameButRot(mine, theirs, from) {
				t.Fatalf("the master's byte %d of %d to %d", at, from, end)
			}
			mine[at] ^= 4
		}
		end = cut(otherBounds, from+9000)
		if c.sameButRot(b[from:], other[from:end], from) {
			t.Fatalf("another history from %d to %d", from, end)
		}
	}
	// A slave that has another last record, which ends in the middle of one of the master's.
	first := cut(bounds, 1)
	third := cut(bounds, cut(bounds, first+1)+1)
	if c.sameButRot(b, other[:cut(otherBounds, 1)], 0) {
		t.Error("one record that is another one's beginning")
	}
	mixed := append(bytes.Clone(b[:first]), b[first:third]...)
	binary.BigEndian.PutUint64(mixed[first+40:], 77) // not checked by the checksum any more: damage
	if !c.sameButRot(b, mixed, 0) {
		t.Error("damage in the second record")
	}
	if c.sameButRot(b[:first], b[:third], 0) || c.sameButRot(b, make([]byte, first), 0) {
		t.Error("nothing agrees, or the master has less")
	}
}
