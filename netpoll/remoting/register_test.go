package remoting

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"reflect"
	"testing"
)

// packRegistration writes the parts of a compressed registration; without mappings the part is left out, as before 5.0.
func packRegistration(version string, topics []string, filters string, mappings []string) []byte {
	var plain []byte
	text := func(s string) { plain = append(binary.BigEndian.AppendUint32(plain, uint32(len(s))), s...) }
	text(version)
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(topics)))
	for _, t := range topics {
		text(t)
	}
	text(filters)
	if mappings != nil {
		plain = binary.BigEndian.AppendUint32(plain, uint32(len(mappings)))
		for _, m := range mappings {
			text(m)
		}
	}
	return deflate(plain)
}

func deflate(plain []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(plain)
	z.Close()
	return b.Bytes()
}

func TestCompressedRegistration(t *testing.T) {
	topics := []string{`T 4 8 6 SINGLE_TAG {"+a":"b"}`, `U 1 2 4 MULTI_TAG`, `V 1 1 6 SINGLE_TAG {"a": "with blanks"}`, `W 1 1 6 SINGLE_TAG null`, `X one 1 6 SINGLE_TAG`, `Y 1`}
	body := packRegistration(`{"counter":3,"stateVersion":1,"timestamp":2}`, topics, `["f"]`, []string{`{"topic":"T","totalQueues":2}`})
	b, err := DecodeRegisterBody(body, true, Version)
	if err != nil {
		t.Fatal(err)
	}
	w := b.TopicConfigSerializeWrapper
	one := NewTopicConfig("T", 4, 6)
	one.WriteQueueNums, one.Attributes = 8, map[string]string{"+a": "b"}
	if got := w.TopicConfigTable["T"]; !reflect.DeepEqual(*got, one) {
		t.Errorf("%+v", got)
	}
	if got := w.TopicConfigTable["U"]; got.TopicFilterType != "MULTI_TAG" || got.Perm != 4 || got.WriteQueueNums != 2 || got.Attributes == nil {
		t.Errorf("%+v", got)
	}
	if got := w.TopicConfigTable["V"].Attributes["a"]; got != "with blanks" {
		t.Error(got)
	}
	if w.TopicConfigTable["W"].Attributes == nil || len(w.TopicConfigTable) != 4 {
		t.Errorf("%+v", w.TopicConfigTable)
	}
	if w.DataVersion != (DataVersion{Counter: 3, StateVersion: 1, Timestamp: 2}) || !reflect.DeepEqual(b.FilterServerList, []string{"f"}) || w.TopicQueueMappingInfoMap["T"] == nil {
		t.Errorf("%+v", b)
	}
}

func TestCompressedRegistrationOfOldBroker(t *testing.T) {
	body := packRegistration(`{"counter":3}`, []string{`T 4 8 6 SINGLE_TAG`}, `[]`, nil)
	if _, err := DecodeRegisterBody(body, true, 412); err != nil {
		t.Error(err)
	}
	if _, err := DecodeRegisterBody(body, true, 413); err == nil {
		t.Error("the missing part was not missed")
	}
}

// TestBrokenRegistrations: what is cut, lies about its size or inflates without end is an error and takes no memory to find.
func TestBrokenRegistrations(t *testing.T) {
	whole := packRegistration(`{}`, []string{`T 1 1 6 SINGLE_TAG {}`}, `[]`, []string{`{}`})
	const unread = 9 // the checksum and the end mark before it
	for cut := range len(whole) - unread {
		if _, err := DecodeRegisterBody(whole[:cut], true, Version); err == nil && cut > 0 {
			t.Errorf("%d of %d bytes are enough", cut, len(whole))
		}
	}
	for name, part := range map[string][]byte{
		"negative length": {0xFF, 0xFF, 0xFF, 0xFF}, "length beyond the end": {0x7F, 0, 0, 0, 1},
		"negative count": {0, 0, 0, 2, '{', '}', 0x80, 0, 0, 0}, "many topics announced": {0, 0, 0, 2, '{', '}', 0x7F, 0, 0, 0},
	} {
		if _, err := DecodeRegisterBody(deflate(part), true, Version); err == nil {
			t.Error(name)
		}
	}
	for limit := range int64(51) { // of the 51 bytes inside
		if err := new(RegisterBrokerBody).decodeCompressed(whole, Version, limit); err == nil {
			t.Error("read beyond the limit of", limit)
		}
	}
	if err := new(RegisterBrokerBody).decodeCompressed(whole, Version, 100); err != nil {
		t.Error(err)
	}
	for _, body := range []string{`{`, `[]`, `{"topicConfigSerializeWrapper":{"topicConfigTable":[]}}`} {
		if _, err := DecodeRegisterBody([]byte(body), false, Version); err == nil {
			t.Error(body)
		}
	}
}

func TestEmptyRegistration(t *testing.T) {
	for _, body := range []string{``, `{}`, `{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":null}}}`} {
		b, err := DecodeRegisterBody([]byte(body), false, Version)
		if err != nil || b.TopicConfigSerializeWrapper.TopicConfigTable == nil || len(b.TopicConfigSerializeWrapper.TopicConfigTable) != 0 {
			t.Errorf("%s: %+v %v", body, b, err)
		}
	}
}

// TestRegistrationThatGrows: what a body would grow to is found out without making it, and has a bound.
func TestRegistrationThatGrows(t *testing.T) {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	const limit = 4 << 20
	_ = binary.Write(z, binary.BigEndian, int32(limit))
	for range limit / (64 << 10) {
		_, _ = z.Write(make([]byte, 64<<10))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	body := b.Bytes()
	if len(body) > 64<<10 {
		t.Fatal("a bomb of", len(body), "bytes")
	}
	if !RegisterBodyExceeds(body, true, 64<<10) || RegisterBodyExceeds(body, false, 64<<10) || RegisterBodyExceeds([]byte("x"), true, 64<<10) {
		t.Error("what it grows to")
	}
	if n := testing.AllocsPerRun(3, func() { RegisterBodyExceeds(body, true, 64<<10) }); n > 100 {
		t.Error(n, "allocations to find out")
	}
	if err := new(RegisterBrokerBody).decodeCompressed(body, 445, limit); err == nil {
		t.Error("a body without end is taken")
	}
}
