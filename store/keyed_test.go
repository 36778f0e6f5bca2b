package store

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestQueryKeyIsOneFrame: however large the messages of a key are, what a query holds is one buffer that fits a frame, with the
// oldest of the newest in it, whole.
func TestQueryKeyIsOneFrame(t *testing.T) {
	o := roundOptions()
	o.SegmentBytes, o.TailBytes, o.MaxMessageBytes = 16<<20, 16<<20, 4<<20
	s := mustOpen(t, o)
	defer closeStore(t, s)
	waitIndex(t, s)
	const bodyBytes = 2_000_000
	for range 10 {
		mustAppend(t, s, message("T", 0, strings.Repeat("x", bodyBytes), "KEYS", "k"))
	}
	settled(t, s)
	k, err := s.QueryKey([]byte("T"), []byte("k"), 64, 0, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(k.Records); n != maxKeyedBytes/bodyBytes || len(k.Body) > maxKeyedBytes {
		t.Fatal(n, "records,", len(k.Body), "bytes")
	}
	if !slices.Equal(slices.Concat(k.Records...), k.Body) || &k.Records[0][0] != &k.Body[0] {
		t.Fatal("the records are kept twice")
	}
}
