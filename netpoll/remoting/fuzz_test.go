package remoting

import (
	"bytes"
	"encoding/json"
	"testing"

	"ringmq/interop/golden"
)

// FuzzDecode: no frame makes the decoder panic, and what decodes survives its own encoding.
func FuzzDecode(f *testing.F) {
	for _, frame := range sendFrames(f) {
		f.Add(frame)
	}
	for _, name := range []string{"raw-frames", "raw-namesrv"} {
		for _, e := range golden.Scenario(f, name) {
			f.Add(e.Request)
			if len(e.Response) > 0 {
				f.Add(e.Response)
			}
		}
	}
	for _, m := range golden.MalformedConns(f) {
		f.Add(m.Bytes)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var c, d Command
		if c.Decode(frame) != nil {
			return
		}
		if err := d.Decode(AppendCommand(nil, &c)); err != nil {
			t.Fatalf("own encoding: %v", err)
		}
		if len(c.Ext) != len(d.Ext) || !bytes.Equal(c.Body, d.Body) || c.Opaque != d.Opaque || c.Encoding != d.Encoding {
			t.Fatalf("%+v became %+v", c, d)
		}
		var h SendHeader
		_ = h.Decode(&c)
		var p PullHeader
		_ = p.Decode(&c)
	})
}

// FuzzStandardJSON: what comes out is standard JSON or an error.
func FuzzStandardJSON(f *testing.F) {
	for _, s := range []string{`{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:9}}`, `{0:5,1:7}`, `{"a":[1,{2:"x"}],"$ref":"$.a"}`, `[`, `{{{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if out, err := StandardJSON(text); err == nil && !json.Valid(out) {
			t.Fatalf("%q became %q", text, out)
		}
	})
}

func FuzzRegisterBody(f *testing.F) {
	for _, e := range golden.Scenario(f, "background-json") {
		var c Command
		if e.Code != nil && *e.Code == int(CodeRegisterBroker) && c.Decode(e.Request) == nil && len(c.Body) < 1000 {
			f.Add(append([]byte(nil), c.Body...), false)
		}
	}
	f.Add([]byte("x\x9c\x03\x00\x00\x00\x00\x01"), true)
	f.Fuzz(func(t *testing.T, body []byte, compressed bool) {
		if b, err := DecodeRegisterBody(body, compressed, Version); err == nil {
			for name, c := range b.TopicConfigSerializeWrapper.TopicConfigTable {
				if c == nil {
					t.Fatal("no configuration for", name)
				}
			}
		}
	})
}
