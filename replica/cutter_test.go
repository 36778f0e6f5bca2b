package replica

import (
	"bytes"
	"encoding/binary"
	"math/rand"
	"net/netip"
	"testing"

	"ringmq/store/record"
)

// testLog makes the bytes of a log: records that say where they lie, a blank at each segment's end. bounds are where records end.
func testLog(segment int64, total int, seed int64) (b []byte, bounds map[int64]bool) {
	rng := rand.New(rand.NewSource(seed))
	host := netip.MustParseAddrPort("127.0.0.1:10911")
	bounds = map[int64]bool{0: true}
	for len(b) < total {
		at := int64(len(b))
		left := segment - at%segment
		r := record.Record{Topic: []byte("T"), Body: bytes.Repeat([]byte{byte(len(b))}, rng.Intn(900)), BornHost: host, StoreHost: host, PhysicalOffset: at, StoreTimestamp: 1}
		raw := record.Append(nil, &r, true)
		record.SealCRC(raw)
		if int64(len(raw))+record.BlankBytes > left {
			blank := binary.BigEndian.AppendUint32(nil, uint32(left))
			blank = binary.BigEndian.AppendUint32(blank, record.MagicBlank)
			b = append(b, append(blank, make([]byte, left-record.BlankBytes)...)...)
		} else {
			b = append(b, raw...)
		}
		bounds[int64(len(b))] = true
	}
	return b, bounds
}

// cutAll gives b to a cutter in pieces of random size, as a socket does, and returns what was damaged.
func cutAll(t testing.TB, c *cutter, b []byte, bounds map[int64]bool, seed int64) (opaque [][2]int64) {
	t.Helper()
	rng := rand.New(rand.NewSource(seed))
	at, have, out := int64(0), 0, []byte(nil)
	for int(at) < len(b) {
		final := have == len(b)
		n, damaged := c.cut(b[at:have], at, final)
		if n < 0 || n > have-int(at) || n > c.maxRun && !damaged && n > c.maxRecord {
			t.Fatalf("%d of %d bytes at %d", n, have-int(at), at)
		}
		if n == 0 {
			if final {
				t.Fatalf("it waits at %d though nothing more comes", at)
			}
			have = min(len(b), have+1+rng.Intn(1500))
			continue
		}
		if at/c.segmentBytes != (at+int64(n)-1)/c.segmentBytes {
			t.Fatalf("%d bytes at %d are of two segments", n, at)
		}
		out = append(out, b[at:int(at)+n]...)
		if damaged {
			opaque = append(opaque, [2]int64{at, at + int64(n)})
		} else if bounds != nil && !bounds[at+int64(n)] && c.blankTo < at+int64(n) {
			t.Fatalf("cut at %d, where no record ends", at+int64(n))
		}
		at += int64(n)
	}
	if !bytes.Equal(out, b) {
		t.Fatal("other bytes came out than went in")
	}
	return opaque
}

func newCutter() *cutter { return &cutter{segmentBytes: 8 << 10, maxRecord: 2 << 10, maxRun: 4 << 10} }

func TestCutter(t *testing.T) {
	for seed := range int64(20) {
		b, bounds := testLog(8<<10, 40<<10, seed)
		if opaque := cutAll(t, newCutter(), b, bounds, seed); opaque != nil {
			t.Errorf("seed %d: damage where there is none: %v", seed, opaque)
		}
	}
}

// TestCutterDamage: whatever byte is wrong, no more than the record it lies in is damaged, and what follows keeps step.
func TestCutterDamage(t *testing.T) {
	b, bounds := testLog(8<<10, 24<<10, 1)
	for at := 0; at < len(b); at += 7 {
		from, to := int64(at), int64(at)+1
		for !bounds[from] {
			from--
		}
		for !bounds[to] {
			to++
		}
		b[at] ^= 0x10
		for _, gap := range cutAll(t, newCutter(), b, nil, int64(at)) {
			if gap[0] < from || gap[1] > to {
				t.Fatalf("byte %d, of the record from %d to %d: %v is taken for damage", at, from, to, gap)
			}
		}
		b[at] ^= 0x10
	}
}

// TestCutterLarge: a record beyond the limit goes as it is, and what follows keeps step.
func TestCutterLarge(t *testing.T) {
	b, bounds := testLog(8<<10, 24<<10, 2)
	c := newCutter()
	c.maxRecord = 600
	large := int64(0)
	for _, gap := range cutAll(t, c, b, nil, 3) {
		large += gap[1] - gap[0]
	}
	want := int64(0)
	for at := int64(0); int(at) < len(b); {
		to := at + 1
		for !bounds[to] {
			to++
		}
		if _, magic := record.Header(b[at:]); magic != record.MagicBlank && to-at > 600 {
			want += to - at
		}
		at = to
	}
	if large != want || want == 0 {
		t.Errorf("%d bytes went as damage, the large records have %d", large, want)
	}
}

func FuzzCutter(f *testing.F) {
	b, _ := testLog(8<<10, 9<<10, 1)
	f.Add(b[:2000], int64(1))
	f.Add(b[7000:], int64(2))
	f.Fuzz(func(t *testing.T, b []byte, seed int64) {
		if len(b) > 64<<10 {
			b = b[:64<<10]
		}
		cutAll(t, newCutter(), b, nil, seed)
	})
}

// TestWhole: what a store takes to heal is whole records, with the blank behind them only if that is there to its end.
func TestWhole(t *testing.T) {
	const segment = 16 << 10
	b, _ := testLog(segment, 2*segment, 1)
	b = b[:segment]
	c := cutter{segmentBytes: segment, maxRecord: 4 << 10}
	spans := c.wholeSpans(b, 0)
	blank := spans[len(spans)-1].to
	if len(spans) < 5 || blank >= segment-record.BlankBytes {
		t.Fatal("no log for this test:", spans)
	}
	damaged := bytes.Clone(b)
	damaged[spans[3].from+95] ^= 4
	for name, w := range map[string]struct {
		b    []byte
		at   int64
		want int64 // where it ends
	}{
		"everything":                {b, 0, segment},
		"records":                   {b[:spans[2].to], 0, spans[2].to},
		"half a record behind":      {b[:spans[2].to-1], 0, spans[1].to},
		"a few bytes of one behind": {b[:spans[1].to+5], 0, spans[1].to},
		"half a blank behind":       {b[:segment-1], 0, blank},
		"a blank alone":             {b[blank:], blank, segment},
		"half a blank alone":        {b[blank : segment-1], blank, blank},
		"from inside of a record":   {b[spans[1].from+1:], spans[1].from + 1, spans[1].from + 1},
		"damage behind":             {damaged, 0, spans[3].from},
		"damage in front":           {damaged[spans[3].from:], spans[3].from, spans[3].from},
		"nothing":                   {nil, 0, 0},
	} {
		if got := w.at + int64(c.whole(w.b, w.at)); got != w.want {
			t.Errorf("%s: whole to %d, not %d", name, got, w.want)
		}
	}
}
