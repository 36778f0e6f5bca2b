package replica

import (
	"errors"
	"log/slog"
	"testing"

	"ringmq/store"
	"ringmq/store/disk"
)

// BenchmarkCatchUp copies a log of 256 MiB in files to an empty slave: reading, checking, writing, queues.
func BenchmarkCatchUp(b *testing.B) {
	options := func() store.Options {
		root := b.TempDir()
		o := store.DefaultOptions(root)
		o.FS, o.SegmentBytes, o.SyncFlush, o.DisableRetention = disk.OS(), 64<<20, false, true
		o.IndexEnabled = false
		o.Logger = slog.New(slog.DiscardHandler)
		return o
	}
	master := open(b, options())
	m := &store.Message{Topic: []byte("T"), Body: make([]byte, 4096), BornTimestamp: 1}
	end := int64(0)
	for end < 256<<20 {
		p, err := master.Append(m)
		if errors.Is(err, store.ErrFull) {
			room := make(chan struct{})
			master.Room(func() { close(room) })
			<-room
			continue
		}
		if err != nil {
			b.Fatal(err)
		}
		end = p.End
	}
	arrive(b, master, end)
	l := lead(b, master, LeaderOptions{Copies: 1})
	b.SetBytes(end)
	for b.Loop() {
		slave := open(b, options())
		f := follow(b, slave, l, FollowerOptions{})
		arrive(b, slave, end)
		f.Close()
	}
}
