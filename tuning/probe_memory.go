package tuning

const groupUnlimited = 1 << 60 // version 1 says "no limit" with a number near the largest

func (p *prober) memory() MemoryFacts {
	const vm = "/proc/sys/vm/"
	info := p.text("/proc/meminfo")
	m := MemoryFacts{
		TotalBytes: kibibytes(field(info, "MemTotal")), SwapBytes: kibibytes(field(info, "SwapTotal")), CgroupLimitBytes: p.memoryLimit(),
		Overcommit: p.number(vm + "overcommit_memory"), MaxMaps: p.number(vm + "max_map_count"), Swappiness: p.number(vm + "swappiness"),
		DirtyBackgroundBytes: p.number(vm + "dirty_background_bytes"), DirtyBackgroundRatio: p.number(vm + "dirty_background_ratio"),
		DirtyBytes: p.number(vm + "dirty_bytes"), DirtyRatio: p.number(vm + "dirty_ratio"),
		DirtyExpireCentis: p.number(vm + "dirty_expire_centisecs"), DirtyWritebackCentis: p.number(vm + "dirty_writeback_centisecs"),
		ZoneReclaim: p.number(vm + "zone_reclaim_mode"), MinFreeKiB: p.number(vm + "min_free_kbytes"),
	}
	m.HugePages, _ = p.choice(hugePages + "enabled")
	m.HugePagesDefrag, _ = p.choice(hugePages + "defrag")
	return m
}

const hugePages = "/sys/kernel/mm/transparent_hugepage/"

// memoryLimit is the least that a control group of the process allows it; -1: none does.
func (p *prober) memoryLimit() int64 {
	least := int64(-1)
	p.everyGroup("memory", func(dir string, version int) {
		name := dir + "/memory.max"
		if version == 1 {
			name = dir + "/memory.limit_in_bytes"
		}
		if n := p.number(name); n > 0 && n < groupUnlimited && (least < 0 || n < least) {
			least = n
		}
	})
	return least
}
