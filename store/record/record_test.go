package record_test

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringmq/store/record"
)

func sample() *record.Record {
	return &record.Record{QueueID: 3, Flag: 7, QueueOffset: 1 << 33, PhysicalOffset: 1 << 40, BornTimestamp: 1, StoreTimestamp: 2,
		BornHost: netip.MustParseAddrPort("10.1.2.3:4444"), StoreHost: netip.MustParseAddrPort("10.1.2.4:10911"), ReconsumeTimes: 2, PreparedTransactionOffset: 99,
		Body: []byte("body"), Topic: []byte("topic"), Properties: []byte("TAGS\x01a\x02UNIQ_KEY\x01u\x02")}
}

func TestHostsAndVersions(t *testing.T) {
	for name, change := range map[string]func(*record.Record){
		"IPv4":             func(*record.Record) {},
		"born over IPv6":   func(r *record.Record) { r.BornHost = netip.MustParseAddrPort("[2001:db8::1]:5") },
		"stored over IPv6": func(r *record.Record) { r.StoreHost = netip.MustParseAddrPort("[2001:db8::2]:5") },
		"both": func(r *record.Record) {
			r.BornHost, r.StoreHost = netip.MustParseAddrPort("[::1]:1"), netip.MustParseAddrPort("[::2]:2")
		},
		"IPv4 in IPv6":             func(r *record.Record) { r.BornHost = netip.MustParseAddrPort("[::ffff:1.2.3.4]:5") },
		"long topic":               func(r *record.Record) { r.Topic = bytes.Repeat([]byte("t"), 200) },
		"topic of 127":             func(r *record.Record) { r.Topic = bytes.Repeat([]byte("t"), 127) },
		"empty body":               func(r *record.Record) { r.Body = nil },
		"no properties":            func(r *record.Record) { r.Properties = nil },
		"properties without end":   func(r *record.Record) { r.Properties = []byte("a\x01b") },
		"version 2 asked for":      func(r *record.Record) { r.Magic = record.MagicV2 },
		"hosts that are not known": func(r *record.Record) { r.BornHost, r.StoreHost = netip.AddrPort{}, netip.AddrPort{} },
	} {
		for _, crc := range []bool{false, true} {
			r := sample()
			change(r)
			b := record.Append([]byte("before"), r, crc)[len("before"):]
			record.PatchPlaced(b, 11, 22, 33, 44)
			record.PatchPreparedOffset(b, 55)
			if record.SealCRC(b) != crc {
				t.Fatalf("%s: seal", name)
			}
			if r.Size(crc) != len(b) {
				t.Errorf("%s: size %d, %d bytes", name, r.Size(crc), len(b))
			}
			var got record.Record
			if err := got.Parse(append(b, "behind"...)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got.QueueOffset != 11 || got.PhysicalOffset != 22 || got.StoreTimestamp != 33 || got.QueueID != 44 || got.PreparedTransactionOffset != 55 {
				t.Errorf("%s: placed as %+v", name, got)
			}
			if got.BornHost.Addr().Unmap() != r.BornHost.Addr().Unmap() && r.BornHost.IsValid() || got.StoreHost.Port() != r.StoreHost.Port() {
				t.Errorf("%s: hosts %v %v", name, got.BornHost, got.StoreHost)
			}
			if !bytes.Equal(got.Body, r.Body) || !bytes.Equal(got.Topic, r.Topic) || !bytes.HasPrefix(got.Properties, r.Properties) {
				t.Errorf("%s: %q %q %q", name, got.Body, got.Topic, got.Properties)
			}
			if present, ok := record.VerifyPropCRC(b); present != crc || ok != crc {
				t.Errorf("%s: checksum property %v %v", name, present, ok)
			}
		}
	}
}

func TestDamageIsFound(t *testing.T) {
	whole := record.Append(nil, sample(), true)
	record.SealCRC(whole)
	for bit := range len(whole) * 8 {
		b := bytes.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		var r record.Record
		if r.Parse(b) != nil {
			continue
		}
		if present, ok := record.VerifyPropCRC(b); present && ok {
			t.Errorf("bit %d is not missed", bit)
		}
	}
	for n := range whole {
		if err := new(record.Record).Parse(whole[:n]); !errors.Is(err, record.ErrShort) {
			t.Errorf("%d bytes of %d: %v", n, len(whole), err)
		}
	}
	if err := new(record.Record).Parse(record.AppendBlank(nil, 1000)); err != record.ErrBlank {
		t.Errorf("blank: %v", err)
	}
	if err := new(record.Record).Parse(make([]byte, 100)); err != record.ErrMagic {
		t.Errorf("zeros: %v", err)
	}
}

func TestCRCProperty(t *testing.T) {
	room := record.MaxPropertiesBytes - record.CRCBytes
	pair := func(n int) []byte { return append([]byte("k\x01"+strings.Repeat("v", n-3)), 2) }
	for _, c := range []struct {
		name   string
		props  []byte
		ask    bool
		stored int
		with   bool
	}{
		{"none", nil, true, 20, true},
		{"not asked", pair(10), false, 10, false},
		{"exactly fits", pair(room), true, record.MaxPropertiesBytes, true},
		{"fits only without", pair(room + 1), true, room + 1, false},
		{"open end fits", pair(room)[:room-1], true, record.MaxPropertiesBytes, true},
		{"open end with separator too long", pair(room + 1)[:room], true, room, false},
		{"too long anyway", pair(40000), true, 40000, false},
		{"stale one in front", []byte("__CRC32#\x010000000000\x02a\x01b\x02"), false, 4, false},
		{"stale one at the end", []byte("a\x01b\x02__CRC32#\x010000000000\x02"), true, 24, true},
		{"stale one without end", []byte("a\x01b\x02__CRC32#\x01000"), true, 24, true},
		{"a zero at the end", []byte("a\x01b\x00"), false, 5, false},
		{"a zero before what is dropped", []byte("a\x01b\x02k\x01v\x00\x02__CRC32#\x010"), false, 9, false},
		{"a zero behind what is dropped", []byte("__CRC32#\x010\x02a\x01b\x00"), false, 5, false},
		{"a zero, and the checksum does not fit", append(pair(room + 1)[:room-1], 0), true, room + 1, false},
		{"a zero at the end of all there is room for", append(pair(record.MaxPropertiesBytes)[:record.MaxPropertiesBytes-1], 0), false, record.MaxPropertiesBytes + 1, false},
		{"a longer name", []byte("x__CRC32#\x010\x02"), false, 12, false},
		{"name in a value", []byte("a\x01__CRC32#\x02"), false, 11, false},
	} {
		if p := record.PlanProperties(c.props, c.ask); p.Bytes != c.stored || p.CRC != c.with {
			t.Errorf("%s: %+v, want %d %v", c.name, p, c.stored, c.with)
			continue
		}
		if c.stored > record.MaxPropertiesBytes {
			continue
		}
		r := sample()
		r.Properties = c.props
		b := record.Append(nil, r, c.ask)
		if sealed := record.SealCRC(b); sealed != c.with {
			t.Errorf("%s: sealed %v", c.name, sealed)
		}
		if present, ok := record.VerifyPropCRC(b); present != c.with || ok != c.with {
			t.Errorf("%s: verify %v %v", c.name, present, ok)
		}
		var got record.Record
		if err := got.Parse(b); err != nil || len(got.Properties) != c.stored {
			t.Errorf("%s: %v, %d bytes of properties", c.name, err, len(got.Properties))
		} else if err := got.Verify(b); err != nil {
			t.Errorf("%s: what was written is taken for damaged: %v", c.name, err)
		}
	}
}

func TestProperties(t *testing.T) {
	p := []byte("a\x011\x02\x01x\x02b\x01\x02c\x02a\x012\x02d\x01x\x01y\x02e\x01end")
	for name, want := range map[string]string{"a": "2", "d": "x\x01y", "e": "end"} {
		if v, ok := record.Property(p, name); !ok || string(v) != want {
			t.Errorf("%s: %q %v", name, v, ok)
		}
	}
	for _, name := range []string{"b", "c", "", "f", "aa"} {
		if v, ok := record.Property(p, name); ok {
			t.Errorf("%q: %q", name, v)
		}
	}
	var all []string
	record.EachProperty(p, func(name, value []byte) bool {
		all = append(all, string(name)+"="+string(value))
		return true
	})
	if got := strings.Join(all, " "); got != "a=1 a=2 d=x\x01y e=end" {
		t.Errorf("%q", got)
	}
	if got := record.DeleteProperty(nil, p, "a", "e", "b"); string(got) != "\x01x\x02c\x02d\x01x\x01y\x02" {
		t.Errorf("%q", got)
	}
	if got := record.DeleteProperty(p[:0], p, "d"); string(got) != "a\x011\x02\x01x\x02b\x01\x02c\x02a\x012\x02e\x01end" {
		t.Errorf("in place: %q", got)
	}
	if !record.ClosedProperties(nil) || record.ClosedProperties([]byte("a\x01b")) {
		t.Error("closed")
	}
}

func TestHashes(t *testing.T) {
	for text, want := range map[string]int32{"": 0, "TagA": 2598919, "Aa": 2112, "BB": 2112, "a": 97, "\u4e2d": 0x4e2d,
		"\U0001F600": 0xD83D*31 + 0xDE00, "\xff": 0xFFFD, "\xe4\xb8": 0xFFFD, "\xe4\xb8x": 0xFFFD*31 + 'x', "\xed\xa0\x80": 0xFFFD,
		"\xc0\x80": 0xFFFD*31 + 0xFFFD, "\xf0\x9f\x98": 0xFFFD, "\xf5": 0xFFFD, "\x7f\u0080": 0x7f*31 + 0x80} {
		if got := record.JavaHash([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if record.TagsCode(nil) != 0 || record.TagsCode([]byte("TagA")) != 2598919 {
		t.Error("tags code")
	}
	// "polygenelubricants" is the well-known text whose hash is the smallest number.
	if record.JavaHash([]byte("polygenelubricants")) != -1<<31 {
		t.Error("smallest hash")
	}
	if h := record.IndexHash([]byte("T"), []byte("k")); h != record.JavaHash([]byte("T#k")) {
		t.Errorf("index hash %d", h)
	}
	for _, key := range []string{"a", "zzzzzz", "\u4e2d\u6587", "key-1234567"} {
		if h := record.IndexHash([]byte("topic"), []byte(key)); h < 0 {
			t.Errorf("%s: %d", key, h)
		}
	}
}

func TestUniqKeys(t *testing.T) {
	at := time.Date(2026, 11, 1, 0, 0, 1, 0, time.UTC)
	u := record.NewUniqKeys(netip.MustParseAddr("127.0.0.1"), 0x12345, 0xCAFEBABE, func() time.Time { return at })
	for i, want := range []string{"7F0000012345CAFEBABE000003E80000", "7F0000012345CAFEBABE000003E80001"} {
		if got := string(u.Append(nil)); got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
	at = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	if got := string(u.Append(nil)); got != "7F0000012345CAFEBABE000000000002" {
		t.Errorf("new month: %s", got)
	}
	six := record.NewUniqKeys(netip.MustParseAddr("::1"), 1, 2, nil)
	if got := six.Append(nil); len(got) != 56 {
		t.Errorf("%s", got)
	}
}

func TestBatchItems(t *testing.T) {
	want := []record.BatchItem{{Flag: 1, Body: []byte("b1"), Properties: []byte("WAIT\x01true\x02TAGS\x01A\x02")}, {Body: []byte{}, Properties: []byte{}}}
	var body []byte
	for i := range want {
		body = record.AppendBatchItem(body, &want[i])
	}
	it := record.BatchItems{Rest: body}
	var item record.BatchItem
	for i := range want {
		if !it.Next(&item) || item.Flag != want[i].Flag || !bytes.Equal(item.Body, want[i].Body) || !bytes.Equal(item.Properties, want[i].Properties) {
			t.Fatalf("%d: %+v %v", i, item, it.Err)
		}
	}
	if it.Next(&item) || it.Err != nil {
		t.Errorf("at the end: %v", it.Err)
	}
	for n := 1; n < len(body); n++ {
		it := record.BatchItems{Rest: body[:n]}
		for it.Next(&item) {
		}
		if first := len(record.AppendBatchItem(nil, &want[0])); (it.Err == nil) != (n == first) {
			t.Errorf("%d bytes of %d: %v", n, len(body), it.Err)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	r := sample()
	raw := record.Append(nil, r, true)
	record.SealCRC(raw)
	buf := make([]byte, 0, 4096)
	topic, key := []byte("topic"), []byte("ключ \u4e2d \U0001F600")
	keys := record.NewUniqKeys(netip.MustParseAddr("127.0.0.1"), 1, 2, func() time.Time { return time.Time{} })
	item := record.BatchItem{Body: topic, Properties: r.Properties}
	batch := record.AppendBatchItem(nil, &item)
	stale := []byte("a\x01b\x02__CRC32#\x010000000000\x02c\x01d\x02")
	name := string(record.AppendOffsetID(nil, r.StoreHost, 1))
	var out record.Record
	var sink int
	for what, fn := range map[string]func(){
		"Parse":    func() { _ = out.Parse(raw) },
		"broken":   func() { _ = out.Parse(raw[:20]) },
		"verify":   func() { _ = out.VerifyBody(); record.VerifyPropCRC(raw) },
		"Append":   func() { b := record.Append(buf, r, true); record.PatchPlaced(b, 1, 2, 3, 4); record.SealCRC(b) },
		"stale":    func() { q := *r; q.Properties = stale; record.Append(buf, &q, true) },
		"TagsCode": func() { sink += int(record.TagsCode(key)) },
		"hashes":   func() { sink += int(record.JavaHash(key) + record.IndexHash(topic, key)) },
		"Property": func() { v, _ := record.Property(r.Properties, record.PropertyUniqKey); sink += len(v) },
		"Each": func() {
			record.EachProperty(r.Properties, func(name, value []byte) bool { sink += len(name); return true })
		},
		"Delete":   func() { record.DeleteProperty(buf, r.Properties, "TAGS", "KEYS") },
		"offsetID": func() { record.AppendOffsetID(buf, r.StoreHost, 5); _, _, _ = record.ParseOffsetID([]byte(name)) },
		"UniqKeys": func() { keys.Append(buf) },
		"batch": func() {
			it := record.BatchItems{Rest: batch}
			for it.Next(&item) {
				sink += len(item.Body)
			}
		},
		"unit": func() { sink += int(record.ParseQueueUnit(record.QueueUnit{Offset: 1, Size: 2}.Append(buf)).Size) },
		"index": func() {
			sink += int(record.ParseIndexEntry(record.IndexEntry{KeyHash: 1}.Append(buf)).KeyHash)
			sink += int(record.ParseIndexHeader(record.IndexHeader{Count: 1}.Append(buf)).Count)
		},
	} {
		if n := testing.AllocsPerRun(100, fn); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	r := sample()
	r.Body = make([]byte, 1024)
	buf := make([]byte, 0, 4096)
	for _, crc := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "crc"}[crc], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rec := record.Append(buf, r, crc)
				record.PatchPlaced(rec, 1, 2, 3, 4)
				record.SealCRC(rec)
			}
		})
	}
}

// BenchmarkProperties is what a message of a Java client's costs for its properties: found before it is stored, and planned.
func BenchmarkProperties(b *testing.B) {
	p := []byte("KEYS\x01key0\x02UNIQ_KEY\x017F000001216A4E0E2F2A6DA58AC30000\x02WAIT\x01true\x02TAGS\x01TagA\x02MSG_REGION\x01DefaultRegion\x02TRACE_ON\x01true\x02CLUSTER\x01DefaultCluster\x02")
	b.Run("scan", func(b *testing.B) {
		var k record.Known
		for b.Loop() {
			k.Scan(p)
		}
	})
	b.Run("plan", func(b *testing.B) {
		for b.Loop() {
			record.PlanProperties(p, true)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	raw := record.Append(nil, sample(), false)
	var r record.Record
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// TestFieldsOfAHead: what is read without parsing is what Parse reads, whatever the hosts.
func TestFieldsOfAHead(t *testing.T) {
	for _, host := range []string{"10.1.2.3:10", "[2001:db8::1]:20"} {
		r := record.Record{PhysicalOffset: 1<<40 + 7, StoreTimestamp: 1_700_000_000_123, BornHost: netip.MustParseAddrPort(host),
			StoreHost: netip.MustParseAddrPort("10.0.0.1:1"), Topic: []byte("T")}
		raw := record.Append([]byte("junk!!"), &r, true)
		at := record.MagicAt(raw)
		if at != 6 {
			t.Fatalf("the record was found at %d", at)
		}
		head := raw[at:][:record.StoreTimestampBytes]
		if record.StoreTimestamp(head) != r.StoreTimestamp || record.PhysicalOffset(head) != r.PhysicalOffset {
			t.Errorf("%s: %d %d", host, record.StoreTimestamp(head), record.PhysicalOffset(head))
		}
	}
	for _, none := range [][]byte{nil, {0xDA}, {0, 0, 0, 0, 0xDA, 0xA3, 0x20}, {0xDA, 0xA3, 0x20, 0xA7}} {
		if at := record.MagicAt(none); at != -1 {
			t.Errorf("%x: found at %d", none, at)
		}
	}
}
