package store

import (
	"testing"
	"testing/fstest"
)

func TestMemoryOf(t *testing.T) {
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
		if got := MemoryOf(c.files); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
