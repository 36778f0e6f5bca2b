package remoting

import (
	"bytes"
	"testing"

	"ringmq/interop/golden"
)

// recorded holds all exchanges: they are read once for all tests, which must not change them.
var recorded []golden.Exchange

func exchanges(t testing.TB) []golden.Exchange {
	t.Helper()
	if recorded == nil {
		for _, scenario := range golden.Scenarios(t) {
			recorded = append(recorded, golden.Scenario(t, scenario)...)
		}
	}
	return recorded
}

// TestGoldenFrames: every recorded frame decodes to the header beside it and encodes again; binary to the same bytes.
func TestGoldenFrames(t *testing.T) {
	frames := 0
	var c Command
	for _, e := range exchanges(t) {
		if e.Scenario == "raw-frames" && (e.N == 3 || e.N == 8) {
			if err := c.Decode(e.Request); err == nil {
				t.Errorf("raw-frames %d: a header longer than its frame was accepted", e.N)
			}
			continue
		}
		frames += checkFrame(t, &c, e, e.Request, e.RequestHeader, e.RequestBody)
		if e.ResponseBody != nil {
			frames += checkFrame(t, &c, e, e.Response, e.ResponseHeader, *e.ResponseBody)
		}
	}
	if frames < 11000 {
		t.Fatalf("only %d frames", frames)
	}
}

func checkFrame(t *testing.T, c *Command, e golden.Exchange, frame []byte, want *golden.Header, body int) int {
	t.Helper()
	if len(frame) == 0 {
		return 0
	}
	if err := c.Decode(frame); err != nil {
		t.Errorf("%s %d: %v", e.Scenario, e.N, err)
		return 1
	}
	sameHeader(t, e, c, want, body)
	again := AppendCommand(nil, c)
	if c.Encoding == Binary {
		if !bytes.Equal(again, frame) {
			t.Errorf("%s %d: encodes to other bytes", e.Scenario, e.N)
		}
		return 1
	}
	var d Command
	if err := d.Decode(again); err != nil {
		t.Errorf("%s %d: own encoding: %v", e.Scenario, e.N, err)
		return 1
	}
	sameHeader(t, e, &d, want, body)
	return 1
}

func sameHeader(t *testing.T, e golden.Exchange, c *Command, want *golden.Header, body int) {
	t.Helper()
	// A language that stock does not know reads as none.
	sameLanguage := c.Language.String() == want.Language || want.Language == "COBOL"
	if c.Code != want.Code || c.Version != want.Version || c.Opaque != want.Opaque || c.Flag != want.Flag || !sameLanguage || len(c.Body) != body {
		t.Errorf("%s %d: code %d version %d opaque %d flag %d language %s body %d, want %+v body %d", e.Scenario, e.N, c.Code, c.Version, c.Opaque, c.Flag, c.Language, len(c.Body), *want, body)
	}
	if (want.Remark != nil) != (c.Remark != nil) || want.Remark != nil && string(c.Remark) != *want.Remark {
		t.Errorf("%s %d: remark %q", e.Scenario, e.N, c.Remark)
	}
	n := 0
	for k, v := range want.Ext {
		if v == nil {
			continue
		}
		n++
		if got, ok := c.Get(k); ok == (c.Encoding == Binary && *v == "") || string(got) != *v {
			t.Errorf("%s %d: field %s is %q, want %q", e.Scenario, e.N, k, got, *v)
		}
	}
	if n != len(c.Ext) {
		t.Errorf("%s %d: %d fields, want %d", e.Scenario, e.N, len(c.Ext), n)
	}
}

// TestGoldenMalformed: what stock closed the connection for is refused here too.
func TestGoldenMalformed(t *testing.T) {
	for _, m := range golden.MalformedConns(t) {
		total, ok, err := FrameLength(m.Bytes)
		if err != nil {
			continue
		}
		var c Command
		if !ok || total > len(m.Bytes) || c.Decode(m.Bytes[:total]) == nil {
			t.Errorf("connection %d: %x was accepted", m.Conn, m.Bytes)
		}
	}
}
