package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has used, and uses, as the kernel tells it.
type Usage struct {
	CPU             time.Duration // user and system, all its threads
	ResidentBytes   int64
	AnonymousBytes  int64 // of the resident ones, those that are no file's
	PeakBytes       int64
	ReadBytes       int64 // from the disk
	WrittenBytes    int64 // to the disk
	Threads         int64
	PageCachedBytes int64 // of the whole machine
}

// tick is the unit of CPU times in /proc/PID/stat on Linux.
const tick = 10 * time.Millisecond

// usage reads a process's figures. What may not be read stays 0; a process that is not there is an error.
func usage(pid int) (Usage, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return Usage{}, fmt.Errorf("process %d: %w", pid, err)
	}
	// The name, in brackets, may hold anything; fields count from behind it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const user, system, threads = 11, 12, 17
	if len(fields) <= threads {
		return Usage{}, fmt.Errorf("process %d: /proc/%d/stat has %d fields", pid, pid, len(fields))
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		return n
	}
	u := Usage{CPU: time.Duration(number(user)+number(system)) * tick, Threads: number(threads)}
	status := labels(dir + "/status")
	u.ResidentBytes, u.AnonymousBytes, u.PeakBytes = status["VmRSS"]<<10, status["RssAnon"]<<10, status["VmHWM"]<<10
	io := labels(dir + "/io")
	u.ReadBytes, u.WrittenBytes = io["read_bytes"], io["write_bytes"]
	u.PageCachedBytes = labels("/proc/meminfo")["Cached"] << 10
	return u, nil
}

// labels reads a file of "label: number unit" lines.
func labels(name string) map[string]int64 {
	b, _ := os.ReadFile(name)
	out := map[string]int64{}
	for line := range strings.SplitSeq(string(b), "\n") {
		label, rest, ok := strings.Cut(line, ":")
		if f := strings.Fields(rest); ok && len(f) > 0 {
			if n, err := strconv.ParseInt(f[0], 10, 64); err == nil {
				out[label] = n
			}
		}
	}
	return out
}
