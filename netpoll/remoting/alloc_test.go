package remoting

import (
	"testing"

	"ringmq/interop/golden"
)

// sendFrames returns one recorded send of each encoding.
func sendFrames(t testing.TB) map[Encoding][]byte {
	frames := map[Encoding][]byte{}
	for enc, name := range map[Encoding]string{JSON: "json-producer-basic", Binary: "bin-producer-basic"} {
		for _, e := range golden.Scenario(t, name) {
			if e.Code != nil && *e.Code == int(CodeSendMessageV2) {
				frames[enc] = e.Request
				break
			}
		}
		if frames[enc] == nil {
			t.Fatal("no send in", name)
		}
	}
	return frames
}

func TestNoAllocationPerRequest(t *testing.T) {
	for enc, frame := range sendFrames(t) {
		var c Command
		var h SendHeader
		var out []byte
		decode := func() {
			if err := c.Decode(frame); err != nil {
				t.Fatal(err)
			}
			if err := h.Decode(&c); err != nil {
				t.Fatal(err)
			}
			b := BeginReply(out[:0], enc, c.Opaque, RespSuccess)
			b.Str("MSG_REGION", "DefaultRegion")
			b.Bytes("msgId", h.Topic)
			b.Int("queueOffset", 12345)
			out = b.End()
		}
		decode()
		if n := testing.AllocsPerRun(100, decode); n != 0 && !raceEnabled {
			t.Errorf("encoding %d: %v allocations per request", enc, n)
		}
	}
}

func TestPullHeaderAllocatesNothing(t *testing.T) {
	for _, e := range golden.Scenario(t, "json-consumer-concurrent") {
		if e.Code == nil || *e.Code != int(CodePullMessage) {
			continue
		}
		var c Command
		var h PullHeader
		decode := func() {
			if err := c.Decode(e.Request); err != nil {
				t.Fatal(err)
			}
			if err := h.Decode(&c); err != nil {
				t.Fatal(err)
			}
		}
		decode()
		if n := testing.AllocsPerRun(100, decode); n != 0 && !raceEnabled {
			t.Errorf("%v allocations", n)
		}
		return
	}
	t.Fatal("no pull recorded")
}

func BenchmarkDecodeSend(b *testing.B) {
	for enc, frame := range sendFrames(b) {
		b.Run(map[Encoding]string{JSON: "json", Binary: "binary"}[enc], func(b *testing.B) {
			var c Command
			var h SendHeader
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Decode(frame); err != nil {
					b.Fatal(err)
				}
				if err := h.Decode(&c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
