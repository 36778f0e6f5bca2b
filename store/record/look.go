package record

import (
	"bytes"
	"encoding/binary"
)

// Kind is what Look takes bytes for.
type Kind uint8

// Kinds of what lies in a log.
const (
	Neither Kind = iota // no record begins here, and no blank
	Message             // what says of itself that it is a record
	Blank               // to the end of the segment
)

// Look says by its first BlankBytes what b, of a log, can be, and how many bytes it has. b lies left bytes before the end of its segment; a
// record has at most so many, and not more than most. Whether a record is whole is for Parse and Verify to say. A blank is one only if it
// ends with its segment: all that is behind it is passed over, so one changed byte of a record must not make it a blank. Where not even a
// blank finds room the rest of the segment is one.
func Look(b []byte, left, most int64) (size int64, what Kind) {
	if left < BlankBytes {
		return left, Blank
	}
	if len(b) < BlankBytes {
		return 0, Neither
	}
	n, magic := Header(b)
	size = int64(n)
	switch {
	case (magic == MagicV1 || magic == MagicV2) && size >= MinRecordBytes && size <= left && size <= most:
		return size, Message
	case magic == MagicBlank && size == left:
		return size, Blank
	}
	return size, Neither
}

var blankMagic = binary.BigEndian.AppendUint32(nil, MagicBlank)

// MagicAt returns the first place in b behind which, after the four bytes of a size, the magic number of a record or of a blank stands; -1
// if there is none. A search through damaged bytes goes by it.
func MagicAt(b []byte) int {
	first := recordMagicAt(b)
	if first >= 0 {
		b = b[:first+BlankBytes]
	}
	if len(b) < BlankBytes {
		return first
	}
	if i := bytes.Index(b[4:], blankMagic); i >= 0 {
		return i
	}
	return first
}

// recordMagicAt is MagicAt for records alone.
func recordMagicAt(b []byte) int {
	for at := 4; ; at++ {
		i := bytes.IndexByte(b[min(at, len(b)):], byte(MagicV1>>24))
		if i < 0 || at+i+4 > len(b) {
			return -1
		}
		at += i
		if m := binary.BigEndian.Uint32(b[at:]); m == MagicV1 || m == MagicV2 {
			return at - 4
		}
	}
}
