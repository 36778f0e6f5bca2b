// Command crash kills a real broker process at random moments while producers send numbered messages, starts it again and
// checks that nothing acknowledged is missing: every acknowledged message lies at the offset it was acknowledged with, queue
// offsets have no gaps, and each producer's messages are in the order in which it sent them.
//
// Rounds walk through both flush modes and every engine the binary has. With -power ext4 or xfs the store lies on a file
// system of that kind on a loop device, and instead of a kill its power is cut: everything that was not synced is gone. Then
// only SYNC_FLUSH is tried. It ends with "N passed, N failed".
package main

import (
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"time"
)

// mode is one configuration under test; it keeps one store directory over all its rounds.
type mode struct {
	flush  string
	engine string
}

func main() {
	bin := flag.String("bin", "bin/ringmq", "binary under test")
	rounds := flag.Int("rounds", 200, "kills in all, spread over the modes")
	queues := flag.Int("queues", 16, "queues, each with one producer")
	seed := flag.Int64("seed", time.Now().UnixNano(), "seed of the moments of the kills")
	readyLimit := flag.Duration("ready", 3*time.Second, "longest time from start to ready")
	power := flag.String("power", "", "file system whose power is cut, ext4 or xfs (needs root)")
	keep := flag.Bool("keep", false, "keep the store directories")
	flag.Parse()

	root, err := os.MkdirTemp("", "ringmq-crash-")
	if err != nil {
		fatal(err)
	}
	modes := []mode{{"SYNC_FLUSH", "pwrite"}, {"ASYNC_FLUSH", "pwrite"}, {"SYNC_FLUSH", "io_uring"}, {"ASYNC_FLUSH", "io_uring"}}
	if *power != "" {
		modes = []mode{{"SYNC_FLUSH", "pwrite"}, {"SYNC_FLUSH", "io_uring"}}
	}
	fmt.Printf("crash: %d rounds, seed %d, stores under %s\n", *rounds, *seed, root)
	passed, failed := 0, 0
	for i, m := range modes {
		n := *rounds / len(modes)
		if i < *rounds%len(modes) {
			n++
		}
		t := &trial{
			mode: m, bin: *bin, dir: filepath.Join(root, m.flush+"-"+m.engine), queues: *queues,
			rng: rand.New(rand.NewSource(*seed + int64(i))), readyLimit: *readyLimit,
		}
		if *power != "" {
			if t.power, err = plug(root, m.engine, *power); err != nil {
				fatal(err)
			}
		}
		good, bad := t.run(n)
		if t.power != nil && !*keep {
			t.power.unplug()
		}
		passed += good
		failed += bad
	}
	if !*keep && failed == 0 {
		_ = os.RemoveAll(root)
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "crash:", err)
	os.Exit(1)
}
