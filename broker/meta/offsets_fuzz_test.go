package meta

import (
	"testing"
	"time"
)

// FuzzOffsetsOfPeers: no table of another broker, however odd, upsets ours, and what is made of it can be read again.
func FuzzOffsetsOfPeers(f *testing.F) {
	f.Add([]byte(`{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":1},"groupTopicMap":{},"offsetTable":{"T@G":{0:2},"T@G@c":{1:-5}}}`), false)
	f.Add([]byte(`{"offsetTable":{"T@G":null,"@":{}},"ringmq":{"run":"x","loaded":9,"resets":{"T@G":{0:3}},"local":{"T@G":{0:-1}}}}`), true)
	f.Fuzz(func(t *testing.T, doc []byte, gone bool) {
		d, err := ParseOffsets(doc)
		if err != nil {
			return
		}
		for _, slave := range []bool{true, false} {
			o, err := NewOffsets([]byte(`{"dataVersion":{"counter":5},"offsetTable":{"T@G":{0:7,1:1}}}`), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if slave {
				o.BeSlave()
				o.Commit([]byte("G"), []byte("T"), 0, 9)
				o.Mirror(d, gone)
			} else {
				o.BeMaster()
				next := func(_ []byte, queue int32) (int64, bool) { return 8, queue < 2 }
				o.TakeBack([]*OffsetsDoc{d}, next)
				o.Clamp(next)
			}
			out, err := o.Document()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := NewOffsets(out, time.Now); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	})
}
