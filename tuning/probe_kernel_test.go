package tuning

import "testing"

// TestAskedProcess: memory and processor time are those of the process that was asked about, whether this is a container shows in this one.
func TestAskedProcess(t *testing.T) {
	h := makeHost(t, "base")
	h.write(t, "/proc/self/cgroup", "0::/user.slice\n")
	h.write(t, "/sys/fs/cgroup/user.slice/memory.max", "1073741824\n")
	h.write(t, "/sys/fs/cgroup/user.slice/cpu.max", "100000 100000\n")
	h.write(t, "/proc/42/cgroup", "0::/system.slice/docker-1.scope\n")
	h.write(t, "/sys/fs/cgroup/system.slice/docker-1.scope/memory.max", "2147483648\n")
	h.write(t, "/sys/fs/cgroup/system.slice/docker-1.scope/cpu.max", "250000 100000\n")
	for pid, want := range map[int]struct{ memory, percent int64 }{0: {1 << 30, 100}, 42: {2 << 30, 250}, 43: {-1, -1}} {
		f := Probe(h.host(), Options{Dir: "/data/store", PID: pid})
		if f.Memory.CgroupLimitBytes != want.memory || f.CPU.QuotaPercent != want.percent || f.Kernel.Container != "" {
			t.Errorf("process %d: %d bytes, %d percent, container %q", pid, f.Memory.CgroupLimitBytes, f.CPU.QuotaPercent, f.Kernel.Container)
		}
	}
}
