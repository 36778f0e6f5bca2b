// Command crash kills a real broker process at random moments while producers send numbered messages, starts it again and
// checks that nothing acknowledged is missing: every acknowledged message lies at the offset it was acknowledged with, queue
// offsets have no gaps, and each producer's messages are in the order in which it sent them. Every other producer's messages have WAIT=false, but where the power is cut.
//
// Rounds walk through both flush modes and every engine the binary has, half of them with a log that keeps everything, half with one
// that is given up at its beginning all the time and whose segments are used again. With -power ext4 or xfs the store lies on a file
// system of that kind on a loop device, and instead of a kill its power is cut: everything that was not synced is gone. Then
// only SYNC_FLUSH is tried. It ends with "N passed, N failed".
package main

import (
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ringmq/interop/rig"
)

// diskBytes is the size of a file system whose power is cut.
const diskBytes = 2 << 30

// mode is one configuration under test; it keeps one store directory over all its rounds.
type mode struct {
	flush    string
	engine   string
	recycled bool // the log is bounded: retention gives segments up, what went with them is not missed
}

func (m mode) String() string {
	if m.recycled {
		return m.flush + "/" + m.engine + "/recycled"
	}
	return m.flush + "/" + m.engine
}

func (m mode) segmentBytes() int64 {
	switch {
	case !m.recycled:
		return wholeSegmentBytes
	case m.flush == "SYNC_FLUSH":
		return syncSegmentBytes
	}
	return asyncSegmentBytes
}

// keptBytes bounds the log where its segments are recycled.
func (m mode) keptBytes() int64 { return keptSegments * m.segmentBytes() }

// modes are two configurations for every flush mode and engine, in turn.
func modes(flushes ...string) (list []mode) {
	for _, engine := range []string{"pwrite", "io_uring"} {
		for _, flush := range flushes {
			list = append(list, mode{flush, engine, false}, mode{flush, engine, true})
		}
	}
	return list
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
	list := modes("SYNC_FLUSH", "ASYNC_FLUSH")
	if *power != "" {
		list = modes("SYNC_FLUSH")
	}
	fmt.Printf("crash: %d rounds, seed %d, stores under %s\n", *rounds, *seed, root)
	passed, failed := 0, 0
	for i, m := range list {
		n := *rounds / len(list)
		if i < *rounds%len(list) {
			n++
		}
		t := &trial{
			mode: m, bin: *bin, dir: filepath.Join(root, strings.ReplaceAll(m.String(), "/", "-")), queues: *queues,
			rng: rand.New(rand.NewSource(*seed + int64(i))), readyLimit: *readyLimit,
		}
		if *power != "" {
			if t.power, err = rig.Plug(root, filepath.Base(t.dir), *power, diskBytes); err != nil {
				fatal(err)
			}
		}
		good, bad := t.run(n)
		if t.power != nil && !*keep {
			if err := t.power.Unplug(); err != nil {
				fmt.Fprintln(os.Stderr, "crash:", err)
			}
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
