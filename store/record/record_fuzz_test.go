package record_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"ringmq/store/record"
)

func FuzzParse(f *testing.F) {
	f.Add(record.Append(nil, sample(), false))
	f.Add(record.Append(nil, sample(), true))
	f.Add(record.AppendBlank(nil, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r record.Record
		if r.Parse(b) != nil {
			return
		}
		raw := b[:r.TotalSize]
		record.VerifyPropCRC(raw)
		if n := len(r.Properties); n > 0 && r.Properties[n-1] == 0 {
			return // Append closes these
		}
		if r.BodyCRC == 0 && len(r.Body) > 0 || bytes.Contains(r.Properties, []byte(record.PropertyCRC)) || r.Magic == record.MagicV1 && len(r.Topic) > 127 {
			return // Append makes these anew
		}
		if again := record.Append(nil, &r, false); !bytes.Equal(again, raw) {
			t.Errorf("%x became %x", raw, again)
		}
	})
}

func FuzzProperties(f *testing.F) {
	f.Add([]byte("a\x011\x02__CRC32#\x010\x02b\x01"), "a")
	f.Add([]byte("\x01\x02\x02\x01"), "")
	f.Add([]byte("__CRC32#\x010\x02a\x01b\x00"), "a")
	f.Add([]byte("TAGS\x01A\x02TAGS\x01\x02KEYS\x02KEYS\x01k\x01\x02\x00TAGS\x01x\x02DELAY\x00\x013\x02WAIT\x01false"), "TAGS")
	f.Fuzz(func(t *testing.T, p []byte, name string) {
		if strings.ContainsAny(name, "\x01\x02") {
			return
		}
		last, found := "", false
		record.EachProperty(p, func(n, v []byte) bool {
			if string(n) == name {
				last, found = string(v), true
			}
			return true
		})
		if v, ok := record.Property(p, name); name != "" && (ok != found || string(v) != last) {
			t.Errorf("Property %q %v, EachProperty %q %v", v, ok, last, found)
		}
		var k record.Known
		k.Scan(p)
		for name, got := range map[string][]byte{
			record.PropertyKeys: k.Keys, record.PropertyTags: k.Tags, record.PropertyUniqKey: k.UniqKey, record.PropertyWait: k.Wait,
			record.PropertyDelay: k.Delay, record.PropertyTransaction: k.Transaction, record.PropertyRegion: k.Region, record.PropertyTrace: k.Trace,
			record.PropertyCluster: k.Cluster, record.PropertyPopCheck: k.PopCheck, record.PropertyInnerNum: k.InnerNum,
			record.PropertyInnerBase: k.InnerBase, record.PropertyRealTopic: k.RealTopic, record.PropertyRealQueue: k.RealQueue, record.PropertyCRC: k.Checksum,
			record.PropertySharding: k.Sharding, record.PropertyStartDeliver: k.StartDeliver,
		} {
			if v, ok := record.Property(p, name); ok != (got != nil) || !bytes.Equal(v, got) {
				t.Errorf("Known %s %q, Property %q %v", name, got, v, ok)
			}
		}
		rest := record.DeleteProperty(nil, p, name)
		if v, ok := record.Property(rest, name); ok {
			t.Errorf("%q still there", v)
		}
		for _, ask := range []bool{false, true} {
			plan := record.PlanProperties(p, ask)
			n, with := plan.Bytes, plan.CRC
			if n > record.MaxPropertiesBytes {
				continue
			}
			r := sample()
			r.Properties = p
			b := record.Append(nil, r, ask)
			if len(b) != r.Size(ask) || record.SealCRC(b) != with {
				t.Errorf("plan %d %v", n, with)
			}
			var got record.Record
			if err := got.Parse(b); err != nil || len(got.Properties) != n {
				t.Errorf("%v: %d bytes, planned %d", err, len(got.Properties), n)
			} else if err := got.Verify(b); err != nil {
				t.Errorf("what was just written is taken for damaged: %v", err)
			}
		}
	})
}

func FuzzBatchItems(f *testing.F) {
	f.Add(record.AppendBatchItem(nil, &record.BatchItem{Flag: 1, Body: []byte("b"), Properties: []byte("a\x01b\x02")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		it := record.BatchItems{Rest: b}
		var item record.BatchItem
		for left := len(b); it.Next(&item); left = len(it.Rest) {
			if len(it.Rest) >= left {
				t.Fatal("no progress")
			}
		}
	})
}

// FuzzSmall covers the structures of fixed size: what is read is written again to the same bytes.
func FuzzSmall(f *testing.F) {
	f.Add(make([]byte, 4096))
	f.Add(bytes.Repeat([]byte{0xFF}, 50))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c record.Checkpoint
		c.Parse(b)
		var again record.Checkpoint
		again.Parse(c.Append(nil))
		if c != again {
			t.Error("checkpoint")
		}
		if len(b) < record.IndexHeaderBytes {
			return
		}
		u := record.ParseQueueUnit(b)
		e := record.ParseIndexEntry(b)
		h := record.ParseIndexHeader(b)
		if !bytes.Equal(u.Append(nil), b[:20]) || !bytes.Equal(e.Append(nil), b[:20]) || h.Count < 1 || h.Count > 1 && !bytes.Equal(h.Append(nil), b[:40]) {
			t.Error("unit, entry or header")
		}
	})
}

func FuzzJavaHash(f *testing.F) {
	f.Add("TagA\u4e2d\U0001F600")
	f.Add("\xed\xa0\x80\xf0\x9f")
	f.Fuzz(func(t *testing.T, s string) {
		got := record.JavaHash([]byte(s))
		if !utf8.ValidString(s) {
			return
		}
		var want int32
		for _, c := range utf16.Encode([]rune(s)) {
			want = want*31 + int32(c)
		}
		if got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	})
}

func FuzzOffsetID(f *testing.F) {
	f.Add([]byte("7F00000100002A9F0000000000000100"))
	f.Fuzz(func(t *testing.T, id []byte) {
		host, offset, err := record.ParseOffsetID(id)
		if err != nil || host.Addr().Is4In6() {
			return
		}
		if again := record.AppendOffsetID(nil, host, offset); !strings.EqualFold(string(again), string(id)) {
			t.Errorf("%s became %s", id, again)
		}
	})
}
