package remoting

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// jsonFrame wraps a header text and a body.
func jsonFrame(header, body string) []byte {
	f := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)+len(body)))
	f = binary.BigEndian.AppendUint32(f, uint32(len(header)))
	return append(append(f, header...), body...)
}

func TestDecodeJSONHeader(t *testing.T) {
	tests := []struct{ name, header, want string }{
		{"plain", `{"code":105,"extFields":{"topic":"T"},"flag":0,"language":"JAVA","opaque":7,"serializeTypeCurrentRPC":"JSON","version":479}`, `105 JAVA 479 7 0 nil topic=T`},
		{"blanks, any order", " { \"opaque\" : 7 ,\n\"extFields\" : { \"a\" : \"1\" , \"b\":\"2\" } , \"code\":1 } ", `1 JAVA 0 7 0 nil a=1 b=2`},
		{"no fields", `{"code":34,"flag":1,"language":"GO","opaque":-2147483648,"version":317}`, `34 GO 317 -2147483648 1 nil`},
		{"empty fields", `{"code":1,"extFields":{}}`, `1 JAVA 0 0 0 nil`},
		{"null fields", `{"code":1,"extFields":null,"remark":null}`, `1 JAVA 0 0 0 nil`},
		{"null values are dropped", `{"extFields":{"a":null,"b":"","c":"null"}}`, `0 JAVA 0 0 0 nil b= c=null`},
		{"numbers and words become text", `{"extFields":{"a":1,"b":true,"c":-1.5e3,"d":"x"}}`, `0 JAVA 0 0 0 nil a=1 b=true c=-1.5e3 d=x`},
		{"numbers as text", `{"code":"10","opaque":"7"}`, `10 JAVA 0 7 0 nil`},
		{"escapes", `{"extFields":{"i":"KEYS\u0001k\u0002","j":"\"\\\/\n\t\r","k":"\u00fc\ud83d\ude00"},"remark":"a\nb"}`, "0 JAVA 0 0 0 \"a\\nb\" i=KEYS\x01k\x02 j=\"\\/\n\t\r k=ü😀"},
		{"escaped key", `{"extFields":{"\u0061":"1","b":"2"}}`, `0 JAVA 0 0 0 nil a=1 b=2`},
		{"half a surrogate", `{"extFields":{"a":"\ud83d","b":"\ud83d\u0041"}}`, "0 JAVA 0 0 0 nil a=\uFFFD b=\uFFFDA"},
		{"unknown members", `{"x":{"y":[1,{"z":"}"}]},"code":5,"z":[]}`, `5 JAVA 0 0 0 nil`},
		{"unknown language", `{"language":"COBOL"}`, `0  0 0 0 nil`},
		{"language as number", `{"language":9}`, `0 GO 0 0 0 nil`},
		{"language as number too large", `{"language":99999999999}`, `0  0 0 0 nil`},
		{"empty remark", `{"remark":""}`, `0 JAVA 0 0 0 ""`},
		{"object as value", `{"extFields":{"a":{"b":[1]},"c":"d"}}`, `0 JAVA 0 0 0 nil a={"b":[1]} c=d`},
	}
	var c Command
	for _, tt := range tests {
		if err := c.Decode(jsonFrame(tt.header, "")); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := fmt.Sprintf("%d %s %d %d %d", c.Code, c.Language, c.Version, c.Opaque, c.Flag)
		if c.Remark == nil {
			got += " nil"
		} else {
			got += fmt.Sprintf(" %q", c.Remark)
		}
		for _, f := range c.Ext {
			got += fmt.Sprintf(" %s=%s", f.Key, f.Value)
		}
		if got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestBrokenHeaderKeepsOpaque(t *testing.T) {
	deep := `{"opaque":7,"x":` + strings.Repeat("[", 10000)
	for _, header := range []string{
		`{"opaque":7`, `{"opaque":7,}x`, `{"opaque":7,"extFields":{"a":"b"`, `{"opaque":7,"extFields":{"a":"b",}}`, `{"opaque":7}}`, `{"opaque":7,"code":1.5}`,
		`{"opaque":7,"code":2147483648}`, `{"opaque":7,"extFields":{"a":"\u00g0"}}`, `{"opaque":7,"remark":"\`, `{"extFields":{"a" "b"},"opaque":7}`, deep,
	} {
		var c Command
		if err := c.Decode(jsonFrame(header, "")); !errors.Is(err, ErrHeader) || c.Opaque != 7 {
			t.Errorf("%.60s: %v, opaque %d", header, err, c.Opaque)
		}
	}
}

func TestFrameLimits(t *testing.T) {
	word := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	for n, want := range map[uint32]int{4: 8, 100: 104, MaxFrameBytes - 4: MaxFrameBytes, 0: -1, 3: -1, MaxFrameBytes - 3: -1, 1 << 31: -1, 1<<32 - 1: -1} {
		total, ok, err := FrameLength(word(n))
		if want < 0 && !errors.Is(err, ErrFrame) || want > 0 && (err != nil || !ok || total != want) {
			t.Errorf("%d: %d %v %v", n, total, ok, err)
		}
	}
	if _, ok, err := FrameLength([]byte{0, 0, 0}); ok || err != nil {
		t.Error("three bytes are enough")
	}
	var c Command
	beyond := jsonFrame(`{"code":1}`, "body")
	binary.BigEndian.PutUint32(beyond[4:], uint32(len(beyond)-8+1))
	for name, frame := range map[string][]byte{"header beyond the frame": beyond, "no such encoding": append(word(4), 2, 0, 0, 0), "cut": jsonFrame("{}", "")[:9]} {
		if err := c.Decode(frame); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFieldLimit(t *testing.T) {
	for _, enc := range []Encoding{JSON, Binary} {
		for n, good := range map[int]bool{MaxFields: true, MaxFields + 1: false} {
			c := NewRequest(1)
			c.Encoding = enc
			for i := range n {
				c.Ext = append(c.Ext, Field{[]byte(fmt.Sprint(i)), []byte("v")})
			}
			var d Command
			if err := d.Decode(AppendCommand(nil, c)); (err == nil) != good || err != nil && !errors.Is(err, ErrHeader) {
				t.Errorf("encoding %d, %d fields: %v", enc, n, err)
			}
		}
	}
}

// TestBinaryRequest: the bytes of a request for the route of topic T.
func TestBinaryRequest(t *testing.T) {
	c := &Command{Code: CodeGetRouteinfoByTopic, Version: Version, Opaque: 7, Encoding: Binary}
	c.Set("topic", "T")
	want := "\x00\x00\x00\x25\x01\x00\x00\x21\x00\x69\x00\x01\xdf\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0c\x00\x05topic\x00\x00\x00\x01T"
	if got := AppendCommand(nil, c); string(got) != want {
		t.Errorf("%x\n%x", got, want)
	}
	if got := AppendCommand(nil, &Command{Code: CodeGetRouteinfoByTopic, Version: Version, Opaque: 7, Ext: c.Ext}); string(got[:8]) != "\x00\x00\x00\x7f\x00\x00\x00\x7b" {
		t.Errorf("%x", got[:8])
	}
}

func TestBrokenBinaryHeader(t *testing.T) {
	c := &Command{Code: 10, Opaque: 7, Encoding: Binary, Remark: []byte("remark")}
	c.Set("topic", "T")
	whole := AppendCommand(nil, c)[8:]
	for cut := 9; cut < len(whole); cut++ {
		var d Command
		frame := binary.BigEndian.AppendUint32(nil, uint32(4+cut))
		frame = append(binary.BigEndian.AppendUint32(frame, 1<<24|uint32(cut)), whole[:cut]...)
		if err := d.Decode(frame); !errors.Is(err, ErrHeader) || d.Opaque != 7 {
			t.Errorf("%d of %d bytes: %v, opaque %d", cut, len(whole), err, d.Opaque)
		}
	}
}

// TestFieldRules: of a field sent twice the last counts, and an empty binary value is none, as Java's maps have it.
func TestFieldRules(t *testing.T) {
	for _, enc := range []Encoding{JSON, Binary} {
		c := &Command{Encoding: enc, Ext: []Field{{[]byte("a"), []byte("1")}, {[]byte("empty"), []byte{}}, {[]byte("a"), []byte("2")}}}
		var d Command
		if err := d.Decode(AppendCommand(nil, c)); err != nil {
			t.Fatal(err)
		}
		if _, ok := d.Get("empty"); ok != (enc == JSON) {
			t.Errorf("encoding %d: empty value %v", enc, ok)
		}
		if d.Text("a") != "2" || d.Text("b") != "" {
			t.Errorf("encoding %d: a is %q", enc, d.Text("a"))
		}
		if !bytes.Equal(AppendCommand(nil, &d), AppendCommand(nil, c)) {
			t.Errorf("encoding %d: encodes to other bytes", enc)
		}
	}
}

func TestJavaNumbers(t *testing.T) {
	c := NewRequest(1)
	for text, want := range map[string]int64{"0": 0, "-1": -1, "+7": 7, "007": 7, "2147483647": 2147483647, "-2147483648": -2147483648} {
		c.Set("n", text)
		if n, ok, err := c.Int32("n"); err != nil || !ok || int64(n) != want {
			t.Errorf("%s: %d %v %v", text, n, ok, err)
		}
	}
	for _, text := range []string{"", "-", "+", " 1", "1 ", "1.0", "0x1", "2147483648", "-2147483649", "--1", "1_0"} {
		c.Set("n", text)
		var bad *NumberError
		if n, ok, err := c.Int32("n"); !errors.As(err, &bad) || !ok || bad.Key != "n" {
			t.Errorf("%q: %d %v %v", text, n, ok, err)
		}
	}
	for text, good := range map[string]bool{"9223372036854775807": true, "-9223372036854775808": true, "9223372036854775808": false, "-9223372036854775809": false, "99999999999999999999": false} {
		c.Set("n", text)
		if n, _, err := c.Int64("n"); (err == nil) != good || good && fmt.Sprint(n) != text {
			t.Errorf("%s: %d %v", text, n, err)
		}
	}
	if _, ok, err := c.Int64("absent"); ok || err != nil {
		t.Error("absent", ok, err)
	}
	for text, want := range map[string]bool{"true": true, "TRUE": true, "True": true, "false": false, "1": false, "yes": false, "": false, "\x14rue": false} {
		c.Set("b", text)
		if c.Bool("b") != want {
			t.Errorf("%q", text)
		}
	}
}

func TestCloneSharesNothing(t *testing.T) {
	frame := jsonFrame(`{"code":1,"remark":"r","extFields":{"a":"\u0041","b":""}}`, "body")
	var c Command
	if err := c.Decode(frame); err != nil {
		t.Fatal(err)
	}
	d := c.Clone()
	for i := range frame {
		frame[i] = 'x'
	}
	c.Decode(jsonFrame(`{"extFields":{"z":"\u005a"}}`, ""))
	if string(d.Remark) != "r" || d.Text("a") != "A" || string(d.Body) != "body" || len(d.Ext) != 2 {
		t.Errorf("%+v", d)
	}
	if _, ok := d.Get("b"); !ok {
		t.Error("empty value lost")
	}
}

// TestBuilder: an answer built in place is the answer AppendCommand would write, behind what was there.
func TestBuilder(t *testing.T) {
	for _, enc := range []Encoding{JSON, Binary} {
		for _, body := range []string{"", "body"} {
			want := &Command{Code: RespTopicNotExist, Version: Version, Opaque: 9, Flag: FlagResponse, Encoding: enc, Remark: []byte("no \"topic\"\n"), Body: []byte(body)}
			want.Set("a", "1\x01\x02\\")
			want.SetInt("b", -5)
			want.Set("c", "true")
			want.Set("d", "ü")
			b := BeginReply([]byte("before"), enc, 9, RespTopicNotExist)
			b.Remark("no \"topic\"\n")
			b.Str("a", "1\x01\x02\\")
			b.Int("b", -5)
			b.Bool("c", true)
			b.Bytes("d", []byte("ü"))
			b.Body([]byte(body))
			if got := b.End(); string(got) != "before"+string(AppendCommand(nil, want)) {
				t.Errorf("encoding %d: %q", enc, got)
			}
			bare := &Command{Code: 3, Version: Version, Opaque: 9, Flag: FlagResponse, Encoding: enc}
			if got := AppendReply(nil, enc, 9, 3, ""); !bytes.Equal(got, AppendCommand(nil, bare)) {
				t.Errorf("encoding %d: %q", enc, got)
			}
		}
	}
}
