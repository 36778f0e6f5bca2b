package replica

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestFrames(t *testing.T) {
	h := hello{version: 1, segmentBytes: 1 << 30, min: 5, sumFrom: 70, sum: 0xDEADBEEF, end: 90}
	if got, err := parseHello(hello{compare: true, segmentBytes: 1}.append(nil)); err != nil || !got.compare {
		t.Errorf("hello: %+v, %v", got, err)
	}
	b := h.append([]byte("before"))[6:]
	if got, err := parseHello(b); err != nil || got != h || len(b) != helloBytes {
		t.Errorf("hello: %+v, %v", got, err)
	}
	if int64(binary.BigEndian.Uint64(b)) >= 0 {
		t.Error("a stock master would take the first words of a hello for an offset")
	}
	if last := int64(binary.BigEndian.Uint64(b[len(b)-reportBytes:])); last != h.end || len(b)%reportBytes != 0 {
		t.Errorf("a stock master would take %d for the report", last)
	}
	w := welcome{version: 1, refusal: bytesDiffer, start: 7, end: 90, min: 3, segmentBytes: 1 << 20}
	b = w.append(nil)
	if f := parseHeader(b); uint64(f.offset) != welcomeMagic || f.offset >= 0 || int(f.size) != len(b)-headerBytes {
		t.Errorf("welcome is framed %+v", f)
	}
	if got, err := parseWelcome(b[headerBytes:]); err != nil || got != w {
		t.Errorf("welcome: %+v, %v", got, err)
	}
	s := status{end: 9, confirmed: 8}
	b = s.append(nil)
	if got, err := parseStatus(b[headerBytes:]); err != nil || got != s || parseHeader(b).offset >= 0 {
		t.Errorf("status: %+v, %v", got, err)
	}
	d := header{offset: 1 << 40, size: 7}
	if got := parseHeader(d.append(nil)); got != d {
		t.Errorf("header: %+v", got)
	}
}

// TestHelloBroken: no byte of a hello or a welcome can change without notice.
func TestHelloBroken(t *testing.T) {
	b := hello{version: 1, segmentBytes: 1 << 30, end: 90, sumFrom: 90}.append(nil)
	for i := range b {
		b[i] ^= 4
		if _, err := parseHello(b); err == nil {
			t.Errorf("byte %d of a hello", i)
		}
		b[i] ^= 4
	}
	w := welcome{version: 1, end: 90, segmentBytes: 5}.append(nil)[headerBytes:]
	for i := range w {
		w[i] ^= 4
		if _, err := parseWelcome(w); err == nil {
			t.Errorf("byte %d of a welcome", i)
		}
		w[i] ^= 4
	}
}

func TestPlausibleReport(t *testing.T) {
	for text, want := range map[string]bool{
		"GET / HT": false, "\x16\x03\x01\x02\x00\x01\x00\x01": false, "\x00\x00\x00\x00\x00\x00\x00\x00": true, "\x00\x00\x01\x00\x00\x00\x00\x00": true,
		"\xff\xff\xff\xff\xff\xff\xff\xff": false, "SSH-2.0-": false,
	} {
		if got := plausibleReport(int64(binary.BigEndian.Uint64([]byte(text)))); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(hello{version: 1, segmentBytes: 1 << 30, min: 5, sumFrom: 70, sum: 1, end: 90}.append(nil))
	f.Add(welcome{version: 1, end: 90, segmentBytes: 5}.append(nil)[headerBytes:])
	f.Add(ask{from: 9, n: 8}.append(nil)[headerBytes:])
	f.Add(answer{from: 9, b: []byte("bytes")}.append(nil)[headerBytes:])
	f.Add(status{end: 9, confirmed: 8}.append(nil)[headerBytes:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseHello(b); err == nil {
			if h.end-h.sumFrom > sumBytes || h.sumFrom < h.min || h.min < 0 {
				t.Errorf("%+v", h)
			}
			again, err := parseHello(h.append(nil))
			if err != nil || again != h {
				t.Errorf("%+v becomes %+v", h, again)
			}
		}
		if w, err := parseWelcome(b); err == nil {
			if again, err := parseWelcome(w.append(nil)[headerBytes:]); err != nil || again != w {
				t.Errorf("%+v becomes %+v", w, again)
			}
		}
		if a, err := parseAsk(b); err == nil {
			if again, err := parseAsk(a.append(nil)[headerBytes:]); err != nil || again != a || a.n > maxAskBytes {
				t.Errorf("%+v becomes %+v", a, again)
			}
		}
		if a, err := parseAnswer(b); err == nil && !bytes.Equal(a.append(nil)[headerBytes:], b) {
			t.Errorf("an answer of %d bytes at %d", len(a.b), a.from)
		}
		if s, err := parseStatus(b); err == nil && !bytes.Equal(s.append(nil)[headerBytes:], b) {
			t.Errorf("%+v", s)
		}
	})
}
