package store

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ringmq/interop/golden"
)

// TestGoldenBrokenHeads damages size and magic, the first eight bytes, of one record of a recorded directory: in the middle of
// its first file that has many, and in its last. Without them nobody can step from this record to the next.
func TestGoldenBrokenHeads(t *testing.T) {
	heads := map[string]string{
		"zeros":       "\x00\x00\x00\x00\x00\x00\x00\x00",
		"a huge size": "\x7f\xff\xff\xff\xda\xa3\x20\xa7", "a blank": "\x00\x00\x00\x80\xbb\xcc\xdd\xee",
	}
	for _, base := range []string{"clean", "killed"} {
		manifest := golden.Manifest(t, base)
		for _, place := range []string{"middle", "last"} {
			for name, head := range heads {
				t.Run(base+"/"+place+"/"+name, func(t *testing.T) {
					root := golden.Store(t, base)
					o := goldenOptions(t, root, base)
					victim := headVictim(t, manifest, o.SegmentBytes, place == "last")
					file := filepath.Join(root, "commitlog", fmt.Sprintf("%020d", victim/o.SegmentBytes*o.SegmentBytes))
					f, err := os.OpenFile(file, os.O_WRONLY, 0)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := f.WriteAt([]byte(head), victim%o.SegmentBytes); err != nil {
						t.Fatal(err)
					}
					if err := f.Close(); err != nil {
						t.Fatal(err)
					}
					touched := [][2]int64{{victim, victim + 8}}
					for range 2 {
						s := mustOpen(t, o)
						checkServed(t, s, manifest, touched)
						if base == "killed" && !slices.ContainsFunc(s.Gaps(), func(g Gap) bool { return g.From <= victim && victim < g.To }) {
							t.Errorf("the loss at %d is not reported: %v", victim, s.Gaps())
						}
						closeStore(t, s)
					}
				})
			}
		}
	}
}

// headVictim is a record with others before and behind it in its file.
func headVictim(t *testing.T, manifest []golden.ManifestLine, segment int64, last bool) int64 {
	t.Helper()
	var all []int64
	for _, l := range manifest {
		if l.Kind == "message" && !strings.HasPrefix(l.Topic, "SCHEDULE") {
			all = append(all, l.PhysicalOffset)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	file := all[0] / segment
	if last {
		file = all[len(all)-1] / segment
	}
	in := slices.DeleteFunc(all, func(at int64) bool { return at/segment != file })
	if len(in) < 3 {
		t.Fatalf("file %d holds %d records", file, len(in))
	}
	return in[len(in)/2]
}
