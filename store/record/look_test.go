package record_test

import (
	"encoding/binary"
	"testing"

	"ringmq/store/record"
)

// TestLook: by its first bytes a record is one if it can be whole before its segment ends, and a blank only if it ends there.
func TestLook(t *testing.T) {
	head := func(size int32, magic uint32) []byte {
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(size)), magic)
	}
	for _, c := range []struct {
		name       string
		b          []byte
		left, most int64
		size       int64
		what       record.Kind
	}{
		{"a record", head(100, record.MagicV1), 4096, 1 << 20, 100, record.Message},
		{"with a long topic", head(100, record.MagicV2), 4096, 1 << 20, 100, record.Message},
		{"the smallest", head(record.MinRecordBytes, record.MagicV1), 4096, 1 << 20, record.MinRecordBytes, record.Message},
		{"too small", head(record.MinRecordBytes-1, record.MagicV1), 4096, 1 << 20, 0, record.Neither},
		{"negative", head(-100, record.MagicV1), 4096, 1 << 20, 0, record.Neither},
		{"up to the end", head(4096, record.MagicV1), 4096, 4096, 4096, record.Message},
		{"over the end", head(4097, record.MagicV1), 4096, 1 << 20, 0, record.Neither},
		{"too large", head(2000, record.MagicV1), 4096, 1999, 0, record.Neither},
		{"a blank", head(4096, record.MagicBlank), 4096, 100, 4096, record.Blank},
		{"a blank that is shorter", head(4095, record.MagicBlank), 4096, 1 << 20, 0, record.Neither},
		{"a blank that is longer", head(4097, record.MagicBlank), 4096, 1 << 20, 0, record.Neither},
		{"the smallest blank", head(8, record.MagicBlank), 8, 1 << 20, 8, record.Blank},
		{"no room for one", []byte{1, 2}, 7, 1 << 20, 7, record.Blank},
		{"zeros", make([]byte, 8), 4096, 1 << 20, 0, record.Neither},
		{"too few bytes", head(100, record.MagicV1)[:7], 4096, 1 << 20, 0, record.Neither},
	} {
		size, what := record.Look(c.b, c.left, c.most)
		if what != c.what || what != record.Neither && size != c.size {
			t.Errorf("%s: %d bytes of kind %d", c.name, size, what)
		}
	}
}

// TestMagicAt: the first of all that can begin something is found.
func TestMagicAt(t *testing.T) {
	word := func(b []byte, at int, magic uint32) { binary.BigEndian.PutUint32(b[at:], magic) }
	for _, first := range []int{0, 1, 5, 300} {
		for _, magic := range []uint32{record.MagicV1, record.MagicV2, record.MagicBlank} {
			for _, then := range []uint32{record.MagicV1, record.MagicV2, record.MagicBlank} {
				b := make([]byte, 1000)
				b[0], b[2], b[3] = 0xDA, 0xCB, 0xDA
				word(b, first+4, magic)
				word(b, first+8, then)
				if at := record.MagicAt(b); at != first {
					t.Errorf("%x at %d before %x: found at %d", magic, first, then, at)
				}
				if at := record.MagicAt(b[:first+7]); at >= 0 {
					t.Errorf("%x at %d in part: found at %d", magic, first, at)
				}
			}
		}
	}
}

// TestFileNames: a name is read back as what it was made of, and nothing else is one.
func TestFileNames(t *testing.T) {
	for _, start := range []int64{0, 1, 1 << 30, 1 << 40, 900000000000000000} {
		name := record.FileName(start)
		if got, ok := record.ParseFileName(name); !ok || got != start || len(name) != 20 {
			t.Errorf("%d is named %q, which is read as %d, %v", start, name, got, ok)
		}
	}
	for _, name := range []string{"", "0", "0000000000000000000", "000000000000000000000", "0000000000000000000x", "-0000000000000000001",
		"+0000000000000000001", "99999999999999999999", "18446744073709551616", "0000000000000000000 "} {
		if got, ok := record.ParseFileName(name); ok {
			t.Errorf("%q is read as %d", name, got)
		}
	}
}
