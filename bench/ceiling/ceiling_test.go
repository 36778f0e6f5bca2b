package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ringmq/bench"
	"ringmq/netpoll"
	"ringmq/store/disk"
)

const room = 1 << 20

// serve starts a server on a port that the kernel chooses, with a file of the smallest size, and returns its address, its log
// and the file's name. committed is called after every write.
func serve(t *testing.T, synced bool, committed func(*log)) (string, *log, string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "log")
	l, err := openLog(name, 4*room, room, synced, disk.NewPwriteRing(ringDepth))
	if err != nil {
		t.Fatal(err)
	}
	h := &handler{log: l}
	s, err := netpoll.Serve(netpoll.Options{Addrs: []string{"127.0.0.1:0"}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, h)
	if err != nil {
		t.Fatal(err)
	}
	h.start(s)
	ended := make(chan error, 1)
	go func() {
		ended <- l.commit(func() {
			h.committed()
			committed(l)
		})
	}()
	t.Cleanup(func() {
		l.stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = s.Shutdown(context.Background())
		l.remove()
	})
	return s.Addrs()[0].String(), l, name
}

// TestSends: what the generator sends is acknowledged only once it is in the file, in both encodings, and the file goes round. More is in flight than a buffer has
// room for, so connections are held and go on.
func TestSends(t *testing.T) {
	for _, encoding := range []string{"json", "binary"} {
		ctx, enough := context.WithCancel(t.Context())
		addr, l, name := serve(t, encoding == "binary", func(l *log) {
			if l.durable.Load() > 6*room {
				enough()
			}
		})
		r, err := bench.Produce(ctx, bench.Workload{Addr: addr, Existing: true, Encoding: encoding, Sizes: bench.FixedSize(10_000), Tag: "witness", Duration: time.Minute}, nil)
		if err != nil {
			t.Fatalf("%s: %v", encoding, err)
		}
		if r.Messages == 0 || r.ErrorCount() > 0 {
			t.Errorf("%s: %d messages, %d errors", encoding, r.Messages, r.ErrorCount())
		}
		if stored := l.durable.Load(); stored < r.Messages*10_000 {
			t.Errorf("%s: %d bytes are stored of %d messages", encoding, stored, r.Messages)
		}
		b, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(b, []byte("TAGS\x01witness")) || len(b) != 4*room {
			t.Errorf("%s: %v, the file does not hold what was sent, %d bytes", encoding, err, len(b))
		}
	}
}

// TestFull: what finds no room is told when there will be.
func TestFull(t *testing.T) {
	l, err := openLog(filepath.Join(t.TempDir(), "log"), 2*room, room, false, disk.NewPwriteRing(ringDepth))
	if err != nil {
		t.Fatal(err)
	}
	defer l.remove()
	end, ok := l.append(make([]byte, room-10), make([]byte, 10))
	if !ok || end != room {
		t.Fatalf("%d, %v", end, ok)
	}
	if end, ok = l.append([]byte{1}); ok || end != room {
		t.Errorf("into the full buffer: %d, %v", end, ok)
	}
	l.stop()
	calls := 0
	if err := l.commit(func() { calls++ }); err != nil || calls != 1 || l.durable.Load() != room {
		t.Errorf("%v, %d writes, %d stored", err, calls, l.durable.Load())
	}
	if end, ok = l.append([]byte{1, 2}); !ok || end != room+2 {
		t.Errorf("after the write: %d, %v", end, ok)
	}
}

func TestSmallFile(t *testing.T) {
	if _, err := openLog(filepath.Join(t.TempDir(), "log"), 1000, room, false, disk.NewPwriteRing(ringDepth)); err == nil {
		t.Error("a file smaller than a batch is taken")
	}
}
