package tuning

import (
	"fmt"

	"ringmq/store/memory"
)

// defaultBuffers is what a broker keeps outside of its heap, at most, whose configuration sets none of it: one and a half times tailCacheBytes,
// windows of the log, and twice the slots of an index file. A test compares it with what the store says.
const defaultBuffers = 24*mib*3/2 + 16*mib + 2*4*5_000_000

func runtimeArea() area {
	return area{name: "runtime", about: "What a JVM needed to be told, and what takes its place.", knobs: []knob{
		{
			key: "GOMEMLIMIT", want: "nothing to set", inside: true, files: []string{"/sys/fs/cgroup"},
			why: "The 8 GiB of -Xms and -Xmx and the 15 GiB of MaxDirectMemorySize have no counterpart: the broker gives its heap a soft limit itself, 256 MiB or, in a small control group, half of what is left beside its buffers outside of it, at most " + size(defaultBuffers) + " at the defaults, " +
				"made once and touched as they are used (AlwaysPreTouch has nothing to touch). Page cache counts in a memory limit too and gives way, but a limit that leaves none makes every read a read of the disk. " +
				"GOMEMLIMIT in the environment wins.",
			source: "Go documentation, A Guide to the Go Garbage Collector; runbroker.sh of RocketMQ", gain: "no end by the OOM killer inside the limit", risk: "garbage is collected more often", sure: Documented, judge: judgeHeap,
		},
		{
			key: "event loops", want: "nothing to set", inside: true,
			why: "sendMessageThreadPoolNums, pullMessageThreadPoolNums and their like (often advised to be the number of cores) are accepted and do nothing. There is one event loop for every processor that the process may use, " +
				"by affinity and by the control group's quota, and it does the work of a request where it reads it.",
			source: "docs/ARCHITECTURE.md of this project; Go 1.25 Release Notes", gain: "none is left", sure: Documented,
			judge: func(f *Facts) []finding {
				n := f.CPU.Online
				if n == 0 {
					return one(finding{state: Note, now: "one for every processor"})
				}
				if q := f.CPU.QuotaPercent; q >= 0 {
					n = min(n, int(max(q+99, 200)/100)) // as Go's runtime does: rounded up, two at least
				}
				return one(finding{state: Note, now: fmt.Sprintf("%d loops", n)})
			},
		},
		{
			key: "garbage collector", want: "nothing to set", inside: true,
			why: "G1HeapRegionSize, InitiatingHeapOccupancyPercent and G1ReservePercent tune a heap of GiB that holds messages. Here messages do not stay in the heap: they are copied from the socket's buffer into buffers " +
				"outside of it. What is collected is some tens of MiB of connections and tables.",
			source: "runbroker.sh of RocketMQ; docs/benchmarks.md of this project, which has the memory of both under the same load", gain: "none is left", sure: Measured,
			judge: func(*Facts) []finding { return one(finding{state: Note, now: "Go's own"}) },
		},
		{
			key: "page cache warm-up", want: "nothing to set", inside: true,
			why: "transientStorePoolEnable, warmMapedFileEnable and fastFailIfNoBufferInStorePool work around page faults of mapped files. No file is mapped here; segments are filled with zeros ahead of the writer instead, " +
				"so that a sync writes data alone.",
			source: "docs/DISK.md of this project; os.sh and the keys of broker.conf", gain: "none is left", sure: Documented,
			judge: func(*Facts) []finding { return one(finding{state: Note, now: "done by the broker"}) },
		},
	}}
}

func judgeHeap(f *Facts) []finding {
	limit := f.Memory.TotalBytes
	if group := f.Memory.CgroupLimitBytes; group >= 0 && (limit < 0 || group < limit) {
		limit = group // one of more than there is bounds nothing
	}
	if limit < 0 {
		return one(finding{})
	}
	return one(finding{state: Good, now: size(memory.HeapLimit(limit, defaultBuffers)) + ", by the broker", here: "it may use " + size(limit) + ", with the default buffers"})
}
