package bench

import (
	"fmt"
	"strconv"
	"time"

	"ringmq/netpoll/local"
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

// usage reads a process's figures. What may not be read stays 0; a process that is not there is an error.
func usage(pid int) (Usage, error) {
	stat, err := local.Stat("/proc", pid)
	if err != nil {
		return Usage{}, fmt.Errorf("process %d: %w", pid, err)
	}
	const threads = 17
	u := Usage{CPU: local.CPU(stat)}
	u.Threads, _ = strconv.ParseInt(stat[threads], 10, 64)
	dir := "/proc/" + strconv.Itoa(pid)
	status := local.Labels(dir + "/status")
	u.ResidentBytes, u.AnonymousBytes, u.PeakBytes = status["VmRSS"]<<10, status["RssAnon"]<<10, status["VmHWM"]<<10
	io := local.Labels(dir + "/io")
	u.ReadBytes, u.WrittenBytes = io["read_bytes"], io["write_bytes"]
	u.PageCachedBytes = local.Labels("/proc/meminfo")["Cached"] << 10
	return u, nil
}
