package tuning

import (
	"fmt"
	"math/bits"
)

const (
	sysctlVM = "Linux kernel documentation, sysctl/vm"
	mib      = int64(1) << 20
	gib      = int64(1) << 30
)

func memoryArea() area {
	return area{name: "memory", about: "The broker reads and writes its files by ordinary calls and maps none of them. What is in memory of the store is the kernel's page cache, " +
		"so these settings decide when it is written back and what it gives way to.", knobs: append(mappingKnobs(), append(dirtyKnobs(), reserveKnobs()...)...)}
}

func mappingKnobs() []knob {
	return []knob{
		{
			key: "vm.overcommit_memory", want: "0 or 1", danger: true, files: []string{"/proc/sys/vm/overcommit_memory"},
			why: "2 is strict accounting, not \"more than memory\": every private mapping is charged against swap plus overcommit_ratio percent of memory, and one too many fails at once, " +
				"however much is free. 0 refuses only what is obviously too much, 1 refuses nothing. 1 is for programs that reserve far more than they touch, as a JVM with 23 GiB of heap and " +
				"direct memory does; this broker asks for about 250 MiB, so between 0 and 1 there is nothing for it to gain.",
			source: "Linux kernel documentation, Overcommit Accounting; os.sh of RocketMQ sets 1",
			gain:   "with 2, allocations that fail while memory is free, and with them the process, are gone", risk: "whoever chose 2 wanted other programs held to what there is", sure: Documented,
			judge: func(f *Facts) []finding {
				here := ""
				if f.Memory.Overcommit == 1 {
					here = "1 does no harm, and 0 would do as well"
				}
				return numberIs("vm.overcommit_memory", f.Memory.Overcommit, f.Memory.Overcommit < 2, 0, here)
			},
		},
		{
			key: "vm.max_map_count", want: "65530, the kernel's default, or more", files: []string{"/proc/sys/vm/max_map_count"},
			why: "It bounds the mappings of one process, not its threads. A stock broker maps every segment and every file of a consume queue, hence the 655360 of its guides. " +
				"This one maps no file of the store: a broker that has just started has 31 mappings.",
			source: "Linux kernel documentation, sysctl/vm; os.sh of RocketMQ sets 655360; the mappings are counted in /proc/PID/maps", gain: "none above the default", sure: Measured,
			judge: func(f *Facts) []finding {
				here := ""
				if f.Files.Maps >= 0 {
					here = fmt.Sprintf("the broker %d has %d mappings", f.Files.PID, f.Files.Maps)
				}
				return numberIs("vm.max_map_count", f.Memory.MaxMaps, f.Memory.MaxMaps >= 16384, 65530, here)
			},
		},
		{
			key: "vm.swappiness", want: "1 to 10", files: []string{"/proc/sys/vm/swappiness"},
			why: "How dear swapping is beside dropping page cache. 60 lets a reader of old messages push the broker's own memory out, and a buffer that has to come back from swap stops everybody who waits for it. " +
				"0 is not off: the kernel then swaps nothing before free and file pages fall below the zone's high mark, and the OOM killer may come first. 1 to 10 is what is meant.",
			source: "Linux kernel documentation, sysctl/vm; RocketMQ's guide says 10, its os.sh 1", gain: "no stalls from pages that were swapped out", risk: "the page cache gives way a little earlier", sure: Documented,
			judge: func(f *Facts) []finding {
				here, want := "", int64(10)
				if f.Memory.SwapBytes == 0 {
					here = "there is no swap here, so it has no effect today"
				}
				if f.Memory.Swappiness == 0 {
					want = 1
				}
				return numberIs("vm.swappiness", f.Memory.Swappiness, f.Memory.Swappiness >= 1 && f.Memory.Swappiness <= 10, want, here)
			},
		},
	}
}

// dirtyWanted is from where the kernel is to write in the background, and from where it is to hold writers: what the device takes
// in about one second and in four, as far as memory allows.
func dirtyWanted(f *Facts) (background, hard int64) {
	background = 256 * mib
	if m := f.Store.Measured; m != nil && m.SequentialBytesPerSecond > 0 {
		background = powerOfTwo(m.SequentialBytesPerSecond)
	}
	background = min(max(background, 64*mib), gib)
	if f.Memory.TotalBytes > 0 {
		background = min(background, max(powerOfTwo(f.Memory.TotalBytes/16), 8*mib))
	}
	return background, 4 * background
}

// powerOfTwo is the largest that is not above n.
func powerOfTwo(n int64) int64 {
	if n < 1 {
		return 1
	}
	return 1 << (bits.Len64(uint64(n)) - 1)
}

// dirty is a limit given in bytes, or else as a share of memory.
func dirty(bytesKey, ratioKey string, bytes, ratio, total, want int64) []finding {
	if bytes < 0 || ratio < 0 || total < 0 {
		return one(finding{})
	}
	now, effective := fmt.Sprint(bytes), bytes
	here := ""
	if bytes == 0 {
		effective = total / 100 * ratio
		now = fmt.Sprintf("0 (%s=%d)", ratioKey, ratio)
		here = fmt.Sprintf("%d percent of this memory may be %s", ratio, size(effective))
	}
	f := finding{state: Good, now: now, here: here}
	if effective > 2*want {
		f.state, f.want = Change, fmt.Sprint(want)
		f.set = sysctl(bytesKey, f.want, ratioKey)
	}
	return one(f)
}

func dirtyKnobs() []knob {
	return []knob{
		{
			key: "vm.dirty_background_bytes", want: "what the disk writes in a second: 256 MiB, or as probe-disk measured, and at most a sixteenth of memory", files: []string{"/proc/sys/vm/dirty_background"},
			why: "From here on the kernel writes back while nobody waits. As a share of memory it grows with the machine and not with the disk: 50 percent of 128 GiB is minutes of a disk's work. " +
				"os.sh of RocketMQ sets 50 with an hour between write-backs; that stores up a stall instead of avoiding one. With SYNC_FLUSH the log itself is never dirty for long; queues, the index, " +
				"an ASYNC_FLUSH log and everything else on the host are, and a sync of the log has to wait behind them.",
			source: "Linux kernel documentation, sysctl/vm; os.sh of RocketMQ", gain: "write-back in small parts, and never gigabytes at once",
			risk: "write-back begins during a burst instead of after it, and syncs share the disk with it meanwhile: beside a program that wrote 3 GiB, six seconds of syncs went better with os.sh's values (p99 54 to 142 ms) " +
				"than with these (135 to 309 ms), on a busy virtual machine; what was then still to be written was 3.1 GiB against 0.2", sure: Documented,
			judge: func(f *Facts) []finding {
				want, _ := dirtyWanted(f)
				m := &f.Memory
				return dirty("vm.dirty_background_bytes", "vm.dirty_background_ratio", m.DirtyBackgroundBytes, m.DirtyBackgroundRatio, m.TotalBytes, want)
			},
		},
		{
			key: "vm.dirty_bytes", want: "four times the background limit", files: []string{"/proc/sys/vm/dirty_bytes", "/proc/sys/vm/dirty_ratio"},
			why: "From here on whoever writes is made to wait until the disk has caught up, the broker too. It has to be near enough that the wait is short, " +
				"and far enough from the background limit that it is not met in ordinary work.",
			source: "Linux kernel documentation, sysctl/vm", gain: "the longest wait of a writer is a few seconds of the disk's work, not minutes", risk: "other programs that write a lot at once are slowed down earlier", sure: Documented,
			judge: func(f *Facts) []finding {
				_, want := dirtyWanted(f)
				m := &f.Memory
				return dirty("vm.dirty_bytes", "vm.dirty_ratio", m.DirtyBytes, m.DirtyRatio, m.TotalBytes, want)
			},
		},
		{
			key: "vm.dirty_expire_centisecs", want: "3000, the kernel's default, or less", files: []string{"/proc/sys/vm/dirty_expire_centisecs"},
			why:    "How old a dirty page may grow before it is written whatever its number. It bounds what a power cut takes from files that nobody syncs.",
			source: sysctlVM, gain: "old pages leave steadily", sure: Documented,
			judge: func(f *Facts) []finding {
				n := f.Memory.DirtyExpireCentis
				return numberIs("vm.dirty_expire_centisecs", n, n <= 3000, 3000, "")
			},
		},
		{
			key: "vm.dirty_writeback_centisecs", want: "500, the kernel's default; 100 to 1500 will do", files: []string{"/proc/sys/vm/dirty_writeback_centisecs"},
			why: "How often the kernel looks for pages that are old enough to be written; 0 is never. os.sh of RocketMQ sets 360000, one hour: nothing leaves memory until a limit is met, " +
				"and then everything does at once.",
			source: "Linux kernel documentation, sysctl/vm; os.sh of RocketMQ", gain: "no hour's worth of pages in front of a sync", sure: Documented,
			judge: func(f *Facts) []finding {
				n := f.Memory.DirtyWritebackCentis
				return numberIs("vm.dirty_writeback_centisecs", n, n >= 100 && n <= 1500, 500, "")
			},
		},
	}
}
