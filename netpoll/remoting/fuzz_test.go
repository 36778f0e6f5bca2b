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
		same := len(c.Ext) == len(d.Ext) && bytes.Equal(c.Body, d.Body) && bytes.Equal(c.Remark, d.Remark) &&
			c.Opaque == d.Opaque && c.Code == d.Code && c.Flag == d.Flag && c.Version == d.Version && c.Encoding == d.Encoding
		for i := 0; same && i < len(c.Ext); i++ {
			same = bytes.Equal(c.Ext[i].Key, d.Ext[i].Key) && bytes.Equal(c.Ext[i].Value, d.Ext[i].Value)
		}
		if !same {
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
	for _, s := range []string{`{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:9}}`, `{0:5,1:7}`, `{"a":[1,{2:"x"}],"$ref":"$.a"}`, `[`, `{{{`, `{{{"a":1}:1}:1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := StandardJSON(text)
		if err == nil && !json.Valid(out) || len(out) > 4*len(text) {
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
	f.Add(packRegistration(`{"counter":1}`, []string{`T 4 4 6 SINGLE_TAG {}`}, `[]`, []string{`{"topic":"T"}`}), true)
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

// FuzzBodies: no body makes the lenient readers panic, and what they read is written as JSON.
func FuzzBodies(f *testing.F) {
	for _, s := range []string{
		`{"clientID":"c","consumerDataSet":[{"consumeFromWhere":4,"groupName":"g","subscriptionDataSet":[{"codeSet":["-3",5],"subVersion":"17","topic":"T"}]}]}`,
		`{"clientId":"c","consumerGroup":"g","mqSet":[{"brokerName":"b","queueId":0,"topic":"T"}],"onlyThisBroker":false}`,
		`{"offsetTable":{{"brokerName":"b","queueId":3,"topic":"T"}:{"maxOffset":5}},"topicPutTps":0.0}`,
		`{"consumeStatsList":[{"g":[{"consumeTps":1.5,"offsetTable":{}}]}]}`,
		`{"topicConfigList":[{"topicName":"T","attributes":null}]}`, `{"groupConfigList":[{"groupName":"g"}]}`, `{"brokerDatas":[{"brokerAddrs":{0:"a"}}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, again := range []func([]byte) ([]byte, error){
			reads[HeartbeatData], reads[LockBatch], appends[TopicStats], appends[ConsumeStats], appends[BrokerConsumeStats], appends[ResetOffsets],
			reads[TopicConfigList], reads[GroupConfigList], reads[GroupTable], appends[TopicRouteData], clusterAgain,
		} {
			out, err := again(body)
			if err != nil {
				continue
			}
			if _, err := StandardJSON(out); err != nil {
				t.Fatalf("%q became %q: %v", body, out, err)
			}
		}
	})
}

// FuzzInflate: whatever comes, no more than the limit is taken.
func FuzzInflate(f *testing.F) {
	f.Add(Deflate([]byte("text")), int64(10))
	f.Add(Deflate(make([]byte, 1000)), int64(999))
	f.Add([]byte("no zlib"), int64(10))
	f.Fuzz(func(t *testing.T, body []byte, limit int64) {
		limit &= 1<<20 - 1
		out, err := inflate(body, limit)
		if err != nil && out != nil || int64(len(out)) > limit {
			t.Fatal(len(out), limit, err)
		}
		if again, err := inflate(Deflate(body), int64(len(body))); err != nil || !bytes.Equal(again, body) {
			t.Fatal(err)
		}
	})
}

// TestPeerBody: an answer is taken apart only where it says that it is compressed, and never into more than anybody needs.
func TestPeerBody(t *testing.T) {
	text := []byte("a table")
	for name, c := range map[string]struct {
		how  string
		body []byte
		want string
		bad  bool
	}{
		"plain":          {"", text, "a table", false},
		"compressed":     {PeerZlib, Deflate(text), "a table", false},
		"another way":    {"zstd", text, "a table", false},
		"not compressed": {PeerZlib, text, "", true},
		"cut short":      {PeerZlib, Deflate(text)[:8], "", true},
	} {
		resp := NewRequest(CodeGetAllTopicConfig)
		if c.how != "" {
			resp.Set(PeerZipKey, c.how)
		}
		resp.Body = c.body
		if got, err := PeerBody(resp); string(got) != c.want || (err != nil) != c.bad {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
