package bench

import (
	"encoding/binary"
	"testing"

	"ringmq/netpoll/remoting"
)

func jsonFrame(header string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)))
	return append(binary.BigEndian.AppendUint32(b, uint32(len(header))), header...)
}

func TestPeek(t *testing.T) {
	for _, c := range []struct {
		name   string
		frame  []byte
		code   int32
		opaque int32
		bad    bool
	}{
		{"ours", remoting.AppendReply(nil, remoting.JSON, 1_000_000_007, 0, ""), 0, 1_000_000_007, false},
		{"binary", remoting.AppendReply(nil, remoting.Binary, 1_000_000_007, 21, "no"), 21, 1_000_000_007, false},
		{"a remark that looks like a header", remoting.AppendReply(nil, remoting.JSON, 12, 2, `"code":5,"opaque":6`), 2, 12, false},
		{"negative", jsonFrame(`{"code":-3,"opaque":-1}`), -3, -1, false},
		{"no opaque", jsonFrame(`{"code":1}`), 0, 0, true},
		{"no digits", jsonFrame(`{"code":,"opaque":1}`), 0, 0, true},
		{"short", []byte{0, 0, 0, 4, 0, 0, 0}, 0, 0, true},
		{"header longer than the frame", []byte{0, 0, 0, 4, 0, 0, 0, 9}, 0, 0, true},
		{"binary header too short", []byte{0, 0, 0, 8, 1, 0, 0, 4, 0, 0, 0, 0}, 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, opaque, err := peek(c.frame)
			if (err != nil) != c.bad || code != c.code || opaque != c.opaque {
				t.Errorf("code %d, opaque %d, %v", code, opaque, err)
			}
		})
	}
}

// FuzzPeek: nonsense does not panic, and what peek reads of a whole answer is what decoding it says.
func FuzzPeek(f *testing.F) {
	f.Add([]byte(`{"code":1,"opaque":2}`), int32(5), int32(6), "a remark", "value", true)
	f.Add([]byte{}, int32(-1), int32(1<<31-1), `"opaque":9`, `"code":8`, false)
	f.Fuzz(func(t *testing.T, raw []byte, code, opaque int32, remark, value string, binaryForm bool) {
		_, _, _ = peek(raw)
		_, _, _ = peek(jsonFrame(string(raw)))
		if code, opaque = code&0x7FFF, opaque&0x7FFFFFFF; len(remark)+len(value) > 10_000 {
			return
		}
		enc := remoting.JSON
		if binaryForm {
			enc = remoting.Binary
		}
		r := remoting.BeginReply(nil, enc, opaque, code)
		r.Remark(remark)
		r.Str("key", value)
		gotCode, gotOpaque, err := peek(r.End())
		if err != nil || gotCode != code || gotOpaque != opaque {
			t.Errorf("code %d, opaque %d, %v instead of %d, %d", gotCode, gotOpaque, err, code, opaque)
		}
	})
}
