package record_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"ringmq/interop/golden"
	"ringmq/store/record"
)

// walk calls fn for every record of a log folder, in order.
func walk(t *testing.T, dir string, fn func(at int64, raw []byte)) (end int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no log in %s: %v", dir, err)
	}
	sort.Strings(files)
	var base int64
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at+record.BlankBytes <= len(b); {
			size, magic := record.Header(b[at:])
			if magic == record.MagicBlank {
				if at+int(size) != len(b) {
					t.Fatalf("blank at %d of %s has size %d", at, name, size)
				}
				break
			}
			if size == 0 {
				break
			}
			fn(base+int64(at), b[at:])
			at += int(size)
			end = base + int64(at)
		}
		base += int64(len(b))
	}
	return end
}

// TestGoldenRecords parses every record a stock broker left, compares it with what that broker served, and encodes it
// again to the same bytes.
func TestGoldenRecords(t *testing.T) {
	for _, name := range golden.Stores(t) {
		t.Run(name, func(t *testing.T) {
			dir := golden.Store(t, name)
			byOffset := map[int64]golden.ManifestLine{}
			for _, m := range golden.Manifest(t, name) {
				if m.Kind == "message" && m.InnerIndex == nil {
					byOffset[m.PhysicalOffset] = m
				}
			}
			records, compared := 0, 0
			walk(t, filepath.Join(dir, "commitlog"), func(at int64, raw []byte) {
				records++
				r := parseWhole(t, at, raw, name == "crc")
				if m, ok := byOffset[at]; ok && m.Topic == string(r.Topic) {
					compared++
					compare(t, m, r, raw[:r.TotalSize])
				}
			})
			if records == 0 || compared == 0 {
				t.Fatalf("%d records, %d compared with the manifest", records, compared)
			}
			t.Logf("%d records, %d compared with the manifest", records, compared)
		})
	}
}

func parseWhole(t *testing.T, at int64, raw []byte, withCRC bool) *record.Record {
	t.Helper()
	var r record.Record
	if err := r.Parse(raw); err != nil {
		t.Fatalf("record at %d: %v", at, err)
	}
	if err := r.VerifyBody(); err != nil {
		t.Fatalf("record at %d: %v", at, err)
	}
	if r.PhysicalOffset != at {
		t.Fatalf("record at %d says it is at %d", at, r.PhysicalOffset)
	}
	raw = raw[:r.TotalSize]
	if present, ok := record.VerifyPropCRC(raw); present != withCRC || present && !ok {
		t.Fatalf("record at %d: checksum property present %v, right %v", at, present, ok)
	}
	if again := encode(&r, withCRC); !bytes.Equal(again, raw) {
		t.Fatalf("record at %d encodes to\n%x, it was\n%x", at, again, raw)
	}
	return &r
}

// encode is what a store does with a record: size, encode, place, seal.
func encode(r *record.Record, withCRC bool) []byte {
	fresh := *r
	fresh.TotalSize, fresh.BodyCRC, fresh.Magic = 0, 0, 0
	fresh.QueueOffset, fresh.PhysicalOffset, fresh.StoreTimestamp, fresh.QueueID = 0, 0, 0, 0
	b := record.Append(make([]byte, 0, fresh.Size(withCRC)), &fresh, withCRC)
	if len(b) != fresh.Size(withCRC) {
		panic("Size and Append disagree")
	}
	record.PatchPlaced(b, r.QueueOffset, r.PhysicalOffset, r.StoreTimestamp, r.QueueID)
	if record.SealCRC(b) != withCRC {
		panic("SealCRC found no place")
	}
	return b
}

func compare(t *testing.T, m golden.ManifestLine, r *record.Record, raw []byte) {
	t.Helper()
	sum := sha256.Sum256(raw)
	got := golden.ManifestLine{Kind: m.Kind, QueueOffset: r.QueueOffset, QueueID: r.QueueID, RecordSize: r.TotalSize, RecordSha256: hex.EncodeToString(sum[:]),
		StoreTimestamp: r.StoreTimestamp, BornTimestamp: r.BornTimestamp, BornHost: r.BornHost.String(), StoreHost: r.StoreHost.String(),
		StoredSysFlag: r.SysFlag, Flag: r.Flag, BodyCrc: int64(r.BodyCRC), ReconsumeTimes: r.ReconsumeTimes, PreparedTransactionOffset: r.PreparedTransactionOffset,
		OffsetMsgID: string(record.AppendOffsetID(nil, r.StoreHost, r.PhysicalOffset))}
	want := golden.ManifestLine{Kind: m.Kind, QueueOffset: m.QueueOffset, QueueID: m.QueueID, RecordSize: m.RecordSize, RecordSha256: m.RecordSha256,
		StoreTimestamp: m.StoreTimestamp, BornTimestamp: m.BornTimestamp, BornHost: m.BornHost, StoreHost: m.StoreHost,
		StoredSysFlag: m.StoredSysFlag, Flag: m.Flag, BodyCrc: m.BodyCrc, ReconsumeTimes: m.ReconsumeTimes, PreparedTransactionOffset: m.PreparedTransactionOffset,
		OffsetMsgID: m.OffsetMsgID}
	if !equalLines(got, want) {
		t.Errorf("record at %d:\n got %+v\nwant %+v", r.PhysicalOffset, got, want)
	}
	host, offset, err := record.ParseOffsetID([]byte(m.OffsetMsgID))
	if err != nil || host != r.StoreHost || offset != r.PhysicalOffset {
		t.Errorf("offset id %s is %v %d: %v", m.OffsetMsgID, host, offset, err)
	}
	// Some records carry a name twice: the last one is served.
	names := map[string]bool{}
	record.EachProperty(r.Properties, func(name, value []byte) bool {
		names[string(name)] = true
		if v, ok := record.Property(r.Properties, string(name)); !ok || string(v) != m.Properties[string(name)] {
			t.Errorf("record at %d: property %s is %q, served as %q", r.PhysicalOffset, name, v, m.Properties[string(name)])
		}
		return true
	})
	if len(names) != len(m.Properties) {
		t.Errorf("record at %d: %d properties, %d were served: %v", r.PhysicalOffset, len(names), len(m.Properties), m.Properties)
	}
}

func equalLines(a, b golden.ManifestLine) bool {
	return a.QueueOffset == b.QueueOffset && a.QueueID == b.QueueID && a.RecordSize == b.RecordSize && a.RecordSha256 == b.RecordSha256 &&
		a.StoreTimestamp == b.StoreTimestamp && a.BornTimestamp == b.BornTimestamp && a.BornHost == b.BornHost && a.StoreHost == b.StoreHost &&
		a.StoredSysFlag == b.StoredSysFlag && a.Flag == b.Flag && a.BodyCrc == b.BodyCrc && a.ReconsumeTimes == b.ReconsumeTimes &&
		a.PreparedTransactionOffset == b.PreparedTransactionOffset && a.OffsetMsgID == b.OffsetMsgID
}

// TestGoldenTagsCodes makes the tags code of every queue unit again from the record it points to.
func TestGoldenTagsCodes(t *testing.T) {
	for _, name := range []string{"clean", "killed", "crc"} {
		t.Run(name, func(t *testing.T) {
			dir := golden.Store(t, name)
			records := map[int64][]byte{}
			walk(t, filepath.Join(dir, "commitlog"), func(at int64, raw []byte) { records[at] = raw })
			files, _ := filepath.Glob(filepath.Join(dir, "consumequeue", "*", "*", "*"))
			units := 0
			for _, f := range files {
				if filepath.Base(filepath.Dir(filepath.Dir(f))) == "SCHEDULE_TOPIC_XXXX" {
					continue // a delivery time there
				}
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				for ; len(b) > 0; b = b[record.QueueUnitBytes:] {
					u := record.ParseQueueUnit(b)
					if !u.Written() {
						break
					}
					units++
					var r record.Record
					if err := r.Parse(records[u.Offset]); err != nil || r.TotalSize != u.Size {
						t.Fatalf("%s: unit %+v: %v", f, u, err)
					}
					tags, _ := record.Property(r.Properties, record.PropertyTags)
					if got := record.TagsCode(tags); got != u.TagsCode {
						t.Errorf("%s: tags %q have code %d, the unit has %d", f, tags, got, u.TagsCode)
					}
					if !bytes.Equal(u.Append(nil), b[:record.QueueUnitBytes]) {
						t.Errorf("unit %+v encodes differently", u)
					}
				}
			}
			if units == 0 {
				t.Fatal("no units")
			}
		})
	}
}

func TestGoldenCheckpoint(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(golden.Store(t, "clean"), "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	var c record.Checkpoint
	c.Parse(b)
	if c.PhysicTimestamp == 0 || c.LogicsTimestamp == 0 || !bytes.Equal(c.Append(nil), b) {
		t.Errorf("%+v", c)
	}
}

// TestRecordToTheByte is a record written by the stock encoder.
func TestRecordToTheByte(t *testing.T) {
	const text = "0000006fdaa320a73610a68600000001000000000000000000000002000000000000010000000000" +
		"0000018bcfe568007f000001000000050000018bcfe568017f00000100002a9f00000000000000000000000000000005" +
		"68656c6c6f0154000e4b455953016b0254414753014102"
	want, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	r := record.Record{QueueID: 1, QueueOffset: 2, PhysicalOffset: 256, BornTimestamp: 0x18bcfe56800, StoreTimestamp: 0x18bcfe56801,
		BornHost: netip.MustParseAddrPort("127.0.0.1:5"), StoreHost: netip.MustParseAddrPort("127.0.0.1:10911"),
		Topic: []byte("T"), Body: []byte("hello"), Properties: record.AppendProperty(record.AppendProperty(nil, "KEYS", "k"), "TAGS", "A")}
	if got := record.Append(nil, &r, false); !bytes.Equal(got, want) {
		t.Errorf("got\n%x want\n%x", got, want)
	}
	id := record.AppendOffsetID(nil, r.StoreHost, 256)
	if string(id) != "7F00000100002A9F0000000000000100" {
		t.Errorf("offset id %s", id)
	}
}
