package tuning

import "fmt"

// minFree is raised by the kernel to what it thinks that huge pages need, whenever somebody writes about them.
const minFree = "/proc/sys/vm/min_free_kbytes"

// reserveKnobs are about how the kernel keeps memory ready.
func reserveKnobs() []knob {
	return []knob{
		{
			key: "vm.zone_reclaim_mode", want: "0", files: []string{"/proc/sys/vm/zone_reclaim_mode"},
			why: "With anything else the kernel empties page cache of the near node before it takes free memory of a far one. For whoever lives off the page cache that means reading from the disk " +
				"what another node had room for.",
			source: "Linux kernel documentation, sysctl/vm", gain: "the page cache uses the memory of all nodes", sure: Documented,
			judge: func(f *Facts) []finding {
				here := ""
				if f.CPU.Nodes == 1 {
					here = "there is one node, so it has no effect today"
				}
				return numberIs("vm.zone_reclaim_mode", f.Memory.ZoneReclaim, f.Memory.ZoneReclaim == 0, 0, here)
			},
		},
		{
			key: "vm.min_free_kbytes", want: "a 256th of memory, at most 256 MiB, and no more than a twentieth of memory", files: []string{"/proc/sys/vm/min_free_kbytes"},
			why: "What is kept free for those who cannot wait: packets that arrive and writes that end. Below it allocations reclaim pages themselves, which shows as pauses of the event loops. " +
				"The kernel's own guess grows with the square root of memory only. Much more is memory that nobody may use; the million of RocketMQ's guides (1 GB) is right for 256 GiB and ruinous for 4.",
			source: "Linux kernel documentation, sysctl/vm; os.sh and cachedog.sh of RocketMQ", gain: "reclaim starts before a burst needs the pages", risk: "that much less page cache", sure: Judged,
			judge: func(f *Facts) []finding {
				now, total := f.Memory.MinFreeKiB, f.Memory.TotalBytes>>10
				if total < 0 {
					return one(finding{})
				}
				want := min(total/256, 256<<10) / 1024 * 1024
				here := ""
				if now > total/20 {
					here = fmt.Sprintf("it keeps %d percent of this memory from everybody", now*100/max(total, 1))
				}
				return numberIs("vm.min_free_kbytes", now, now >= want && now <= max(total/20, 4096), max(want, 4096), here)
			},
		},
		{
			key: "transparent_hugepage.enabled", want: "madvise (or never)", files: []string{hugePages + "enabled"},
			why: "With always the kernel backs any large piece of memory with pages of 2 MiB, asked or not. Go's own guide says that programs with small heaps tend not to gain and may take half as much memory again; " +
				"heaps of 1 GiB and more gain up to a tenth of throughput. This broker's heap is some tens of MiB. Redpanda's tuner sets always, for a program that manages all memory of the machine itself.",
			source: "Go documentation, A Guide to the Go Garbage Collector; Linux kernel documentation, Transparent Hugepage Support", gain: "less memory, and no faults that wait for 2 MiB to be zeroed",
			risk: "other programs on the host may count on always", sure: Documented,
			judge: func(f *Facts) []finding { return hugePagesIs(f.Memory.HugePages, "enabled", "always", minFree) },
		},
		{
			key: "transparent_hugepage.defrag", want: "anything but always", files: []string{hugePages + "defrag"},
			why:    "With always a fault that finds no free huge page moves other pages about until there is one, and the thread that faulted waits for that.",
			source: "Linux kernel documentation, Transparent Hugepage Support", gain: "no pauses for compaction", sure: Documented,
			judge: func(f *Facts) []finding { return hugePagesIs(f.Memory.HugePagesDefrag, "defrag", "always") },
		},
	}
}

func hugePagesIs(now, name, bad string, moves ...string) []finding {
	if now == "" {
		return one(finding{})
	}
	f := finding{state: Good, now: now}
	if now == bad {
		f.state, f.want = Change, "madvise"
		f.set = sysfs(hugePages+name, f.want, moves...)
	}
	return one(f)
}

// sysfs is a value of a file below /sys that is no device's.
func sysfs(file, value string, moves ...string) []Write {
	return []Write{{File: file, Value: value, Moves: moves, Keep: []Line{{File: inTmpfiles, Name: "w " + file + " - - - -", Value: value}}}}
}
