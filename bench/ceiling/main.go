// Command ceiling is the least that a broker of this architecture can do for a send: frame it, copy it into a buffer in memory,
// let one goroutine write what has gathered with one write (and one fdatasync with -sync), and acknowledge, with one write per
// connection per commit. Event loops and disk engine are the broker's. (Its loops commit by themselves where io_uring can ring; that is not
// needed to frame and store.) It parses no topics, keeps no queues and can serve nothing back. What `ringmq bench produce` measures
// against it bounds what it can measure against the broker; the distance is what the broker's rules cost.
//
//	go run ./bench/ceiling -listen 127.0.0.1:10921 -file /tmp/ceiling.log
//	ringmq bench produce --existing -b 127.0.0.1:10921 --pid auto
//
// Reading order: main.go; log.go (the buffer and its committer); handler.go (frames in, acknowledgements out).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"ringmq/netpoll"
	"ringmq/store/disk"
)

// ringDepth is of a write and its sync.
const ringDepth = 2

func main() {
	listen := flag.String("listen", "127.0.0.1:10921", "address")
	file := flag.String("file", "ceiling.log", "file that is written, round and round; it is removed at the end")
	size := flag.Int64("size", 1<<30, "bytes of the file; zeros are written to it beforehand")
	sync := flag.Bool("sync", false, "fdatasync after every write")
	engine := flag.String("engine", disk.EngineAuto, "io_uring, pwrite, or auto: what a broker would take where the file lies")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *file, *size, *sync, *engine); err != nil {
		fmt.Fprintln(os.Stderr, "ceiling:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends or the file cannot be written.
func run(ctx context.Context, listen, file string, size int64, sync bool, engine string) error {
	ring, why, err := disk.NewRing(engine, disk.OS(), filepath.Dir(file), filepath.Dir(file), ringDepth)
	if err != nil {
		return err
	}
	name := ring.Name()
	l, err := openLog(file, size, roomBytes, sync, ring)
	if err != nil {
		return errors.Join(err, ring.Close())
	}
	defer l.remove()
	h := &handler{log: l}
	// As the broker does: bells and loops that linger, for which the scheduler has processors to spare.
	loops := netpoll.SpareProcessors()
	s, err := netpoll.Serve(netpoll.Options{Addrs: []string{listen}, Loops: loops, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Rung: func(int) {}, Linger: netpoll.LingerTime}, h)
	if err != nil {
		return err
	}
	h.start(s)
	failed := make(chan error, 1)
	go func() { failed <- l.commit(h.committed) }()
	fmt.Printf("ceiling: on %s, fdatasync %v, disk engine %s (%s)\n", s.Addrs()[0], sync, name, why)
	select {
	case err = <-failed:
	case <-ctx.Done():
		l.stop()
		err = <-failed
	}
	end, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err = errors.Join(err, s.Shutdown(end))
	s.ReleaseBells()
	return err
}
