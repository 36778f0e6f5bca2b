package remoting

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ringmq/interop/golden"
)

// javaSend is the header of a send recorded from the Java client.
const javaSend = `{"code":310,"extFields":{"a":"J_PG_basic","b":"J_Basic","c":"TBW102","d":"4","e":"0","f":"0","g":"1795330765507","h":"0",` +
	`"i":"KEYS\u0001key0\u0002UNIQ_KEY\u00017F000001216A4E0E2F2A6DA58AC30000\u0002WAIT\u0001true\u0002TAGS\u0001TagA\u0002",` +
	`"j":"0","k":"false","m":"false","n":"broker-a"},"flag":0,"language":"JAVA","opaque":4,"serializeTypeCurrentRPC":"JSON","version":479}`

// compareReads fails the test where DecodeRequest, in a command that has read another send before, reads a frame otherwise than Decode. quick: it read
// the header in one pass.
func compareReads(t testing.TB, frame []byte) (quick bool) {
	t.Helper()
	var c, d Command
	if err := d.DecodeRequest(jsonFrame(strings.Replace(javaSend, `"k":"false"`, `"k":"true","l":"9"`, 1), "another")); err != nil || !d.sent {
		t.Fatalf("the recorded send: %v, quick %v", err, d.sent)
	}
	want, got := c.Decode(frame), d.DecodeRequest(frame)
	quick = d.sent
	if fmt.Sprint(want) != fmt.Sprint(got) {
		t.Fatalf("%q: %v instead of %v", frame, got, want)
	}
	if c.Code != d.Code || c.Language != d.Language || c.Version != d.Version || c.Opaque != d.Opaque || c.Flag != d.Flag || c.Encoding != d.Encoding ||
		!reflect.DeepEqual(c.Remark, d.Remark) || !reflect.DeepEqual(c.Body, d.Body) {
		t.Fatalf("%q: %+v instead of %+v", frame, d, c)
	}
	if want != nil {
		return quick
	}
	for _, before := range []bool{true, false} { // the fields are read
		h, err := c.Send()
		fast, failed := d.Send()
		if fmt.Sprint(err) != fmt.Sprint(failed) || !reflect.DeepEqual(h, fast) {
			t.Fatalf("%q, before its fields %v: %+v, %v instead of %+v, %v", frame, before, fast, failed, h, err)
		}
		if !slices.EqualFunc(c.Ext, d.Fields(), func(a, b Field) bool { return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) }) {
			t.Fatalf("%q: fields %q instead of %q", frame, d.Ext, c.Ext)
		}
	}
	return quick
}

// TestQuickSends: what of a send is written otherwise than the Java client writes it is left to the general rules, and nothing is read
// otherwise than by them.
func TestQuickSends(t *testing.T) {
	for _, tt := range []struct {
		old, new string
		quick    bool
	}{
		{"", "", true},
		{`310`, `320`, true},
		{`310`, `311`, false},
		{`310`, `330`, false},
		{`310`, `10`, false},
		{`310`, `"310"`, false},
		{`"flag":0`, `"flag":2`, true},
		{`"flag":0`, `"flag":1`, false}, // an answer
		{`"flag":0`, `"flag":"0"`, false},
		{`"flag":0`, `"flag":null`, false},
		{`"opaque":4`, `"opaque":2147483647`, true},
		{`"opaque":4`, `"opaque":2147483648`, false},
		{`"opaque":4`, `"opaque":12345678901`, false},
		{`"opaque":4`, `"opaque":-4`, false},
		{`"opaque":4`, `"opaque":4.0`, false},
		{`"opaque":4`, `"opaque":`, false},
		{`"opaque":4`, `"opaque":4,"remark":"r"`, false},
		{`"version":479`, `"version":4790`, true},
		{`"version":479`, `"version":+479`, false},
		{`"version":479`, `"version":479,"x":1`, false},
		{`"version":479}`, `"version":479`, false},
		{`"version":479}`, `"version":479} `, false},
		{`"version":479}`, `"version":479}}`, false},
		{`JAVA`, `GO`, false},
		{`"JAVA"`, `9`, false},
		{`"JSON"`, `"ROCKETMQ"`, false},
		{`{"code"`, ` {"code"`, false},
		{`:310`, `: 310`, false},
		{`"extFields":{`, `"extFields":{ `, false},
		{`,"b"`, `, "b"`, false},

		{`,"n":"broker-a"`, ``, true},
		{`broker-a`, ``, true},
		{`broker-a`, `broker\u0061`, false},
		{`"m":"false"`, `"l":"16","m":"false"`, true},
		{`"m":"false","n":"broker-a"`, `"l":"0","m":"true"`, true},
		{`"m":"false"`, `"l":"-1","m":"false"`, false},
		{`"m":"false"`, `"m":"true"`, true},
		{`"m":"false"`, `"m":"TRUE"`, false},
		{`"m":"false"`, `"m":"1"`, false},
		{`"m":"false"`, `"m":false`, false},
		{`"k":"false"`, `"k":"true"`, true},
		{`"k":"false"`, `"k":"falsehood"`, false},
		{`"k":"false"`, `"k":null`, false},
		{`"j":"0"`, `"j":"16"`, true},
		{`"j":"0",`, ``, false},
		{`"a":"J_PG_basic",`, ``, false},
		{`"a":"J_PG_basic",`, `"AccessKey":"alice","a":"J_PG_basic",`, false},
		{`"n":"broker-a"`, `"n":"broker-a","o":"x"`, false},
		{`"c":"TBW102"`, `"c":"TBW102","c":"Other"`, false},
		{`"b":"J_Basic","c":"TBW102"`, `"c":"TBW102","b":"J_Basic"`, false},
		{`"b":`, `"\u0062":`, false},

		{`J_PG_basic`, ``, true},
		{`J_Basic`, strings.Repeat("Topic", 20), true},
		{`J_Basic`, `Thäma`, true},
		{`J_Basic`, "T\x00\xFF", true},
		{`J_Basic`, `Th\u00e4ma`, false},
		{`J_Basic`, `T\"`, false},
		{`"J_Basic"`, `7`, false},
		{`"e":"0"`, `"e":"2147483647"`, true},
		{`"e":"0"`, `"e":"2147483648"`, false},
		{`"e":"0"`, `"e":"007"`, true},
		{`"e":"0"`, `"e":"00000000007"`, false},
		{`"e":"0"`, `"e":"-1"`, false},
		{`"e":"0"`, `"e":"+1"`, false},
		{`"e":"0"`, `"e":""`, false},
		{`"e":"0"`, `"e":"1 "`, false},
		{`"e":"0"`, `"e":0`, false},
		{`"e":"0"`, `"e":null`, false},
		{`1795330765507`, `179533076`, true},
		{`1795330765507`, `00000000000001`, true},
		{`1795330765507`, `999999999999999999`, true},
		{`1795330765507`, `1234567890123456789`, false},
		{`1795330765507`, `12345678`, false},
		{`1795330765507`, `0`, false},
		{`1795330765507`, `1795:30765507`, false},
		{`1795330765507`, `1795/30765507`, false},
		{`1795330765507`, `179533076550a`, false},
		{`1795330765507`, `-795330765507`, false},

		{`KEYS\u0001key0\u0002UNIQ_KEY\u00017F000001216A4E0E2F2A6DA58AC30000\u0002WAIT\u0001true\u0002TAGS\u0001TagA\u0002`, ``, true},
		{`key0`, `\u0000\u0003\u0004\u000f\u001F`, true},
		{`key0`, `\n\t\r\b\f\"\\\/\x`, true},
		{`key0`, `\u00e4\u4e2d\uD83D\uDE00`, true},
		{`key0`, `\ud83d\u0041\ud83d`, true},
		{`key0`, "raw \x01\x02 ä 中", true},
		{`key0`, `{\"a\":[1,\"b\"]}`, true},
		{`key0`, `\u00g0`, false},
		{`key0`, strings.Repeat("long", 10_000), true},
		{`key0`, strings.Repeat(`\u0001`, 10_000), true},
		{`key0`, strings.Repeat("longer", 20_000), false},
		{`TagA\u0002"`, `TagA\u0`, false},
	} {
		header := strings.Replace(javaSend, tt.old, tt.new, 1)
		if tt.old != tt.new && header == javaSend {
			t.Errorf("%s is not in the header", tt.old)
		}
		if quick := compareReads(t, jsonFrame(header, "body")); quick != tt.quick {
			t.Errorf("%.80s for %.80s: read in one pass %v", tt.new, tt.old, quick)
		}
	}
}

// TestQuickSendsAltered: a header that is cut anywhere, or has another character anywhere, is read as by the general rules.
func TestQuickSendsAltered(t *testing.T) {
	header := strings.Replace(javaSend, `"m":"false"`, `"l":"3","m":"false"`, 1)
	for i := range header {
		if compareReads(t, jsonFrame(header[:i], "")) {
			t.Errorf("cut at %d, read in one pass", i)
		}
		for _, ch := range []string{`"`, `\`, `,`, `:`, `{`, `}`, `0`, `9`, `a`, `n`, ` `, `-`, "\x00", "\x80"} {
			compareReads(t, jsonFrame(header[:i]+ch+header[i+1:], "body"))
			compareReads(t, jsonFrame(header[:i]+ch+header[i:], "body"))
		}
	}
}

// TestQuickSendsRecorded: of the recorded sends those of the Java client are read in one pass, and all as by the general rules.
func TestQuickSendsRecorded(t *testing.T) {
	all, quick := 0, 0
	for _, e := range exchanges(t) {
		if e.Code == nil || e.Encoding != "JSON" || len(e.Request) == 0 {
			continue
		}
		is := compareReads(t, e.Request)
		if code := int32(*e.Code); code != CodeSendMessageV2 && code != CodeSendBatchMessage {
			if is {
				t.Errorf("%s %d, %s: read as a send", e.Scenario, e.N, e.Name)
			}
			continue
		}
		all++
		if is {
			quick++
		}
		negative := bytes.Contains(e.Request, []byte(`"h":"-1"`))
		if is == negative && strings.HasPrefix(e.Scenario, "json-producer-") && e.From == "client" {
			t.Errorf("%s %d: read in one pass %v", e.Scenario, e.N, is)
		}
	}
	if quick < 390 {
		t.Errorf("%d of %d sends are read in one pass", quick, all)
	}
}

// TestQuickSendsChanged: what is done with the command of a send read in one pass is as if its fields had been read before.
func TestQuickSendsChanged(t *testing.T) {
	frame := jsonFrame(javaSend, "body")
	var c, d Command
	if err := c.Decode(frame); err != nil {
		t.Fatal(err)
	}
	decode := func() *Command {
		t.Helper()
		if err := d.DecodeRequest(frame); err != nil || !d.sent {
			t.Fatal(err, d.sent)
		}
		return &d
	}
	if want, got := AppendCommand(nil, &c), AppendCommand(nil, decode()); !bytes.Equal(want, got) {
		t.Errorf("written as %q", got)
	}
	if decode().Text("b") != "J_Basic" || d.Text("AccessKey") != "" {
		t.Errorf("%q", d.Ext)
	}
	own := decode().Clone()
	decode().Set("e", "7")
	if h, err := d.Send(); err != nil || h.QueueID != 7 || string(h.Topic) != "J_Basic" {
		t.Errorf("%+v, %v", h, err)
	}
	want, err := c.Clone().Send()
	if err != nil {
		t.Fatal(err)
	}
	for i := range frame {
		frame[i] = 'x'
	}
	if h, err := own.Send(); err != nil || !reflect.DeepEqual(h, want) || string(own.Body) != "body" {
		t.Errorf("the clone has %+v, %v", h, err)
	}
}

func TestQuickSendAllocatesNothing(t *testing.T) {
	for _, header := range []string{javaSend, strings.Replace(javaSend, `key0`, `\"\u4e2d`, 1)} {
		frame := jsonFrame(header, "body")
		var c Command
		decode := func() {
			if err := c.DecodeRequest(frame); err != nil || !c.sent {
				t.Fatal(err, c.sent)
			}
			if _, err := c.Send(); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(100, decode); n != 0 && !raceEnabled {
			t.Errorf("%v allocations", n)
		}
	}
}

// FuzzDecodeRequest: whatever the header, it is read as by the general rules.
func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(javaSend))
	f.Add([]byte(strings.NewReplacer(`key0`, `\"\n\u4e2d\ud83d\ude00`, `"m":"false","n":"broker-a"`, `"l":"3","m":"true"`).Replace(javaSend)))
	for _, name := range []string{"json-producer-basic", "json-producer-batch", "json-producer-transaction", "json-producer-v1", "raw-send", "go-producer", "acl-clients"} {
		for _, e := range golden.Scenario(f, name) {
			if e.Encoding == "JSON" && e.Code != nil && sends[int32(*e.Code)] && len(e.Request) > frameHead {
				f.Add(e.Request[frameHead : len(e.Request)-e.RequestBody])
			}
		}
	}
	f.Fuzz(func(t *testing.T, header []byte) { compareReads(t, jsonFrame(string(header), "body")) })
}

var sends = map[int32]bool{CodeSendMessage: true, CodeSendMessageV2: true, CodeSendBatchMessage: true}

// Both ways to read the header of a send recorded from the Java client.
func BenchmarkDecodeSendGeneral(b *testing.B) { benchDecodeSend(b, (*Command).Decode) }
func BenchmarkDecodeSendFast(b *testing.B)    { benchDecodeSend(b, (*Command).DecodeRequest) }

func benchDecodeSend(b *testing.B, decode func(*Command, []byte) error) {
	frame := jsonFrame(javaSend, strings.Repeat("b", 1024))
	var c Command
	b.ReportAllocs()
	for b.Loop() {
		if err := decode(&c, frame); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Send(); err != nil {
			b.Fatal(err)
		}
	}
}
