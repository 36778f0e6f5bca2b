// Package memory says how much memory a process may have, and what of it the Go heap gets. It imports nothing of ours: who serves, who
// stores and who advises go by the same figures.
package memory

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Of asks the kernel, below root, for the memory that this process may have: the machine's or, where that is less, the limit of its
// control group, as in a container. 4 GiB when the kernel does not say.
func Of(root fs.FS) int64 {
	const unknown = 4 << 30
	n := int64(unknown)
	if b, err := fs.ReadFile(root, "proc/meminfo"); err == nil {
		line, _, _ := bytes.Cut(b, []byte{'\n'})
		var kib int64
		if _, err := fmt.Sscanf(string(line), "MemTotal: %d kB", &kib); err == nil && kib > 0 && kib < 1<<52 {
			n = kib << 10
		}
	}
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return n
	}
	for line := range strings.Lines(string(groups)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		switch {
		case f[1] == "":
			n = groupLimit(root, "sys/fs/cgroup", f[2], "memory.max", n)
		case f[1] == "memory" || strings.HasPrefix(f[1], "memory,") || strings.HasSuffix(f[1], ",memory"):
			n = groupLimit(root, "sys/fs/cgroup/memory", f[2], "memory.limit_in_bytes", n)
		}
	}
	return n
}

const (
	heapMost  = 256 << 20 // enough for all connections and tables; what is above serves better as page cache
	heapLeast = 32 << 20
)

// HeapLimit is the soft limit, in bytes, of a Go heap in a process that may have memoryBytes and keeps up to buffersBytes outside of the heap:
// half of what those leave, for the other half is the page cache's, which messages are read from.
func HeapLimit(memoryBytes, buffersBytes int64) int64 {
	const mib = 1 << 20
	return min(max((memoryBytes-buffersBytes)/2, heapLeast), heapMost) / mib * mib
}

// groupLimit is the lowest limit of a control group and those it lies in, no more than n. In a container the group's own name may be the
// host's, and only the top is there.
func groupLimit(root fs.FS, top, group, file string, n int64) int64 {
	for dir := path.Join(top, group); ; dir = path.Dir(dir) {
		if b, err := fs.ReadFile(root, path.Join(dir, file)); err == nil {
			if limit, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && limit > 0 {
				n = min(n, limit)
			}
		}
		if len(dir) <= len(top) {
			return n
		}
	}
}
