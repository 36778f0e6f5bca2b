package memory

import (
	"testing"
	"testing/fstest"
)

func TestOf(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	const gib = 1 << 30
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  int64
	}{
		"nothing is said": {fstest.MapFS{}, 4 * gib},
		"a machine":       {fstest.MapFS{"proc/meminfo": file("MemTotal:       16777216 kB\nMemFree: 1 kB\n")}, 16 * gib},
		"no limit": {fstest.MapFS{"proc/meminfo": file("MemTotal: 16777216 kB\n"), "proc/self/cgroup": file("0::/user.slice\n"),
			"sys/fs/cgroup/user.slice/memory.max": file("max\n")}, 16 * gib},
		"a limit above": {fstest.MapFS{"proc/meminfo": file("MemTotal: 16777216 kB\n"), "proc/self/cgroup": file("0::/a/b\n"),
			"sys/fs/cgroup/a/b/memory.max": file("max\n"), "sys/fs/cgroup/a/memory.max": file("2147483648\n")}, 2 * gib},
		"a container": {fstest.MapFS{"proc/meminfo": file("MemTotal: 16777216 kB\n"), "proc/self/cgroup": file("0::/\n"),
			"sys/fs/cgroup/memory.max": file("1073741824\n")}, gib},
		"a container of the first kind": {fstest.MapFS{"proc/meminfo": file("MemTotal: 16777216 kB\n"), "proc/self/cgroup": file("5:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("3221225472\n")}, 3 * gib},
		"a limit of more than there is": {fstest.MapFS{"proc/meminfo": file("MemTotal: 16777216 kB\n"), "proc/self/cgroup": file("5:memory:/\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712\n")}, 16 * gib},
		"paths that leave": {fstest.MapFS{"proc/meminfo": file("MemTotal: 16777216 kB\n"), "proc/self/cgroup": file("0::/../../x\nnonsense\n")}, 16 * gib},
	} {
		if got := Of(c.files); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestHeapLimit: a small control group gets a small heap, and so does one that the buffers fill; none gets a larger one than is needed.
func TestHeapLimit(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct{ memory, buffers, want int64 }{
		{0, 120 * mib, 32 * mib}, {128 * mib, 120 * mib, 32 * mib}, {256 * mib, 120 * mib, 68 * mib}, {512 * mib, 120 * mib, 196 * mib}, {632 * mib, 120 * mib, 256 * mib},
		{24 << 30, 120 * mib, 256 * mib}, {-1, 120 * mib, 32 * mib}, {512 * mib, 0, 256 * mib}, {256 * mib, 0, 128 * mib}, {4 << 30, 3<<30 + 900*mib, 62 * mib},
		{2 << 30, 3 << 30, 32 * mib},
	} {
		if got := HeapLimit(c.memory, c.buffers); got != c.want {
			t.Errorf("of %d beside %d: %d, want %d", c.memory, c.buffers, got, c.want)
		}
	}
}
