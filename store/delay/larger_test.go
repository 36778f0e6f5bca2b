package delay

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestLargerThanMessagesMayBeNow: a message that waits is delivered, whole, although none as large would be taken any more.
func TestLargerThanMessagesMayBeNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(disk.NewMemory())
		o.MaxMessageBytes = 128 << 10
		body := bytes.Repeat([]byte("x"), o.MaxMessageBytes)
		large := func() *store.Message {
			m := &store.Message{Topic: []byte("T"), Body: body, BornTimestamp: 1, Properties: record.AppendProperty(nil, "DELAY", "3")}
			Transform(m, 3, nil)
			return m
		}
		b := begin(t, o, nil)
		if _, err := b.s.Append(large()); err != nil {
			t.Fatal(err)
		}
		b.end()
		o.MaxMessageBytes = 1 << 10
		b = begin(t, o, nil)
		if _, err := b.s.Append(large()); err == nil {
			t.Error("another one was taken")
		}
		time.Sleep(time.Minute)
		if got := b.all(); len(got) != 1 {
			t.Fatalf("delivered: %v", got)
		}
		raw, _, err := b.s.Read(&store.Want{Topic: []byte("T"), MaxMessages: 1}, nil)
		var r record.Record
		if err != nil || r.Parse(raw) != nil || !bytes.Equal(r.Body, body) {
			t.Errorf("%d bytes, %v", len(r.Body), err)
		}
		b.end()
	})
}
