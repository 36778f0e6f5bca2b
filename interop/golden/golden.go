// Package golden reads the bytes that were recorded from the real Apache RocketMQ 5.3.3 (testdata/golden at the module's
// root) for the tests of every package: wire exchanges and store directories. It is test support and nothing else.
package golden

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// Exchange is one recorded request and its answer, if there was one. Request and Response are whole frames.
type Exchange struct {
	Scenario       string
	N              int
	Conn           int
	Client         string
	Server         string
	From           string
	Code           *int
	Name           string
	Oneway         bool
	Opaque         int32
	Encoding       string
	RequestOrder   int
	ResponseOrder  int
	RequestHeader  *Header
	ResponseHeader *Header
	RequestBody    int
	ResponseBody   *int
	Request        []byte
	Response       []byte
}

// Header is a command header as the recording's own decoder read it. A null extension value is a nil pointer.
type Header struct {
	Code, Version, Opaque, Flag int32
	Language                    string
	Remark                      *string
	Ext                         map[string]*string
}

// Malformed is a connection that carried bytes which are no frames.
type Malformed struct {
	Conn     int
	Server   string
	ClosedBy string
	Bytes    []byte
}

// HAUnit is one report, block or heartbeat on the replication port. Bytes are empty where Kind is closed.
type HAUnit struct {
	Conn  int
	From  string // slave or master
	Kind  string // report, transfer, heartbeat or closed
	Bytes []byte
}

// root finds testdata/golden above the test's working directory.
func root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "testdata", "golden")
		}
		if dir == filepath.Dir(dir) {
			tb.Fatal("golden: no go.mod above the working directory")
		}
	}
}

// archive keeps the small files of one packed copy in memory, by name.
type archive struct {
	once  sync.Once
	files map[string][]byte
	err   error
}

var wire, store archive

func (a *archive) open(tb testing.TB, name string) map[string][]byte {
	tb.Helper()
	path := filepath.Join(root(tb), name)
	a.once.Do(func() {
		packed, err := os.ReadFile(path)
		if err != nil {
			a.err = err
			return
		}
		a.files = map[string][]byte{}
		a.err = eachFile(packed, func(h *tar.Header, r io.Reader) error {
			b, err := io.ReadAll(r)
			a.files[strings.TrimPrefix(h.Name, "./")] = b
			return err
		})
	})
	if a.err != nil {
		tb.Fatal(a.err)
	}
	return a.files
}

// eachFile calls fn for every regular file of a tar archive packed with zstd.
func eachFile(packed []byte, fn func(h *tar.Header, r io.Reader) error) error {
	z, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := fn(h, t); err != nil {
			return err
		}
	}
}

// Scenarios returns the names of all recorded scenarios of ordinary exchanges.
func Scenarios(tb testing.TB) []string {
	tb.Helper()
	var names []string
	for f := range wire.open(tb, "wire.tar.zst") {
		name, ok := strings.CutSuffix(f, ".jsonl")
		if ok && name != "index" && name != "ha-ha" && name != "ha-controller" && !strings.HasPrefix(name, "malformed-") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// Scenario returns the exchanges of one scenario in the order of the recording.
func Scenario(tb testing.TB, name string) []Exchange {
	tb.Helper()
	return lines[Exchange](tb, wire.open(tb, "wire.tar.zst"), name+".jsonl")
}

// MalformedConns returns the recorded connections whose bytes must be refused.
func MalformedConns(tb testing.TB) []Malformed {
	tb.Helper()
	return lines[Malformed](tb, wire.open(tb, "wire.tar.zst"), "malformed-raw-frames.jsonl")
}

// HAUnits returns what a stock master and its slave said to each other on the replication port, in order.
func HAUnits(tb testing.TB) []HAUnit {
	tb.Helper()
	return lines[HAUnit](tb, wire.open(tb, "wire.tar.zst"), "ha-ha.jsonl")
}

// Codes returns the names of the release's request codes and response codes.
func Codes(tb testing.TB) (requests, responses map[int32]string) {
	tb.Helper()
	var names struct{ Request, Response map[int32]string }
	if err := json.Unmarshal(wire.open(tb, "wire.tar.zst")["codes.json"], &names); err != nil {
		tb.Fatal(err)
	}
	return names.Request, names.Response
}

func lines[T any](tb testing.TB, files map[string][]byte, name string) []T {
	tb.Helper()
	b, ok := files[name]
	if !ok {
		tb.Fatalf("golden: no %s", name)
	}
	var all []T
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var v T
		if err := d.Decode(&v); err != nil {
			tb.Fatalf("golden: %s: %v", name, err)
		}
		all = append(all, v)
	}
	return all
}
