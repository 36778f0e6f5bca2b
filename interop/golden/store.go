package golden

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// ManifestLine is one line of what a stock broker served from a copy of a store directory. Kind says which fields count:
// store, topic, group, offset, delayOffset, queue, message, search, keyQuery, acknowledged.
type ManifestLine struct {
	Kind                        string
	Config                      json.RawMessage
	Topic                       string
	Group                       string
	Level                       int
	QueueID                     int32 `json:"queueId"`
	Offset                      int64
	MinOffset                   int64
	MaxOffset                   int64
	CommitLogMinOffset          int64
	CommitLogMaxOffsetAfterOpen int64
	QueueOffset                 int64
	PhysicalOffset              int64
	RecordSize                  int32
	RecordSha256                string
	MsgID                       string `json:"msgId"`
	OffsetMsgID                 string `json:"offsetMsgId"`
	StoreTimestamp              int64
	BornTimestamp               int64
	BornHost                    string
	StoreHost                   string
	SysFlag                     int32
	StoredSysFlag               int32
	Flag                        int32
	BodyCrc                     int64
	ReconsumeTimes              int32
	PreparedTransactionOffset   int64
	Tags                        string
	Keys                        string
	Properties                  map[string]string
	BodyLength                  int
	BodySha256                  string
	InnerIndex                  *int
	Timestamp                   int64
	Boundary                    string
	Key                         string
	UniqueKey                   bool
	Code                        int32
	PhysicalOffsets             []int64
}

// Damaged tells what was done to a copy of a store directory.
type Damaged struct {
	Base       string
	Variant    string
	Operations []struct {
		Op   string
		File string
		Path string
		At   int64
		Hex  string
		Size int64
	}
	Record             int64
	CommitLogEndBefore int64
}

// Stores returns the names of the recorded store directories.
func Stores(tb testing.TB) []string {
	tb.Helper()
	var names []string
	for f := range store.open(tb, "store.tar.zst") {
		if name, ok := strings.CutSuffix(f, "/data.tar.zst"); ok {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// Store unpacks a recorded store directory into a folder of the test's own and returns that folder. Holes are kept.
func Store(tb testing.TB, name string) string {
	tb.Helper()
	dir := tb.TempDir()
	err := eachFile(file(tb, name+"/data.tar.zst"), func(h *tar.Header, r io.Reader) error {
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return writeSparse(path, r, h.Size)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

// writeSparse writes a file of the given size, leaving blocks of zeros out.
func writeSparse(path string, r io.Reader, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	block, zeros := make([]byte, 4096), make([]byte, 4096)
	for at := int64(0); at < size; {
		n, err := io.ReadFull(r, block[:min(int64(len(block)), size-at)])
		if err != nil {
			return err
		}
		if !bytes.Equal(block[:n], zeros[:n]) {
			if _, err := f.WriteAt(block[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
	}
	return f.Close()
}

func file(tb testing.TB, name string) []byte {
	tb.Helper()
	b, ok := store.open(tb, "store.tar.zst")[name]
	if !ok {
		tb.Fatalf("golden: no %s", name)
	}
	return b
}

// StoreConf returns the keys of the broker.conf the directory was written with. File sizes matter to whoever opens it.
func StoreConf(tb testing.TB, name string) map[string]string {
	tb.Helper()
	conf := map[string]string{}
	for s := bufio.NewScanner(bytes.NewReader(file(tb, name+"/broker.conf"))); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), "="); ok {
			conf[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return conf
}

// Manifest returns what a stock broker served from the directory.
func Manifest(tb testing.TB, name string) []ManifestLine {
	tb.Helper()
	return lines[ManifestLine](tb, store.open(tb, "store.tar.zst"), name+"/manifest.jsonl")
}

// DamagedNames returns the names of the broken copies, "killed-torn-tail" for example.
func DamagedNames(tb testing.TB) []string {
	tb.Helper()
	var names []string
	for f := range store.open(tb, "store.tar.zst") {
		name, ok := strings.CutSuffix(strings.TrimPrefix(f, "damaged/"), ".json")
		if ok && strings.HasPrefix(f, "damaged/") && name != "summary" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// DamagedStore unpacks the base of a broken copy and repeats the damage.
func DamagedStore(tb testing.TB, name string) (string, Damaged) {
	tb.Helper()
	var d Damaged
	if err := json.Unmarshal(file(tb, "damaged/"+name+".json"), &d); err != nil {
		tb.Fatal(err)
	}
	dir := Store(tb, d.Base)
	for _, op := range d.Operations {
		path := filepath.Join(dir, filepath.FromSlash(op.File+op.Path))
		var err error
		switch op.Op {
		case "write":
			err = overwrite(path, op.At, op.Hex)
		case "delete":
			err = os.RemoveAll(path)
		case "empty":
			err = os.Truncate(path, 0)
		case "truncate":
			err = os.Truncate(path, op.Size)
		default:
			tb.Fatalf("golden: %s: operation %q", name, op.Op)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	return dir, d
}

// Touched returns the ranges [from, to) of the commit log that the damage overwrote, given the size of its segments.
func (d Damaged) Touched(tb testing.TB) [][2]int64 {
	tb.Helper()
	var ranges [][2]int64
	for _, op := range d.Operations {
		name, ok := strings.CutPrefix(op.File, "commitlog/")
		if !ok || op.Op != "write" {
			continue
		}
		var base int64
		for _, ch := range name {
			base = base*10 + int64(ch-'0')
		}
		ranges = append(ranges, [2]int64{base + op.At, base + op.At + int64(len(op.Hex)/2)})
	}
	return ranges
}

func overwrite(path string, at int64, text string) error {
	b, err := hex.DecodeString(text)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(b, at)
	return err
}
