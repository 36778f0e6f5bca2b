package tuning

import "strings"

func (p *prober) cpu() CPUFacts {
	const clock = "/sys/devices/system/clocksource/clocksource0/"
	online := p.text("/sys/devices/system/cpu/online")
	c := CPUFacts{
		Online: ranges(online), OnlineList: online, QuotaPercent: p.quota(), Governors: []string{}, GovernorFiles: []string{}, CanPerformance: true,
		Clock: p.text(clock + "current_clocksource"), Clocks: strings.Fields(p.text(clock + "available_clocksource")),
		Nodes: ranges(p.text("/sys/devices/system/node/online")), NumaBalancing: p.number("/proc/sys/kernel/numa_balancing"),
	}
	const policies = "/sys/devices/system/cpu/cpufreq"
	for _, name := range p.list(policies, "policy*") {
		file := policies + "/" + name + "/scaling_governor"
		now := p.text(file)
		if now == "" {
			continue
		}
		c.Governors = append(c.Governors, now)
		c.GovernorFiles = append(c.GovernorFiles, file)
		offered := " " + p.text(policies+"/"+name+"/scaling_available_governors") + " "
		c.CanPerformance = c.CanPerformance && strings.Contains(offered, " performance ")
	}
	c.CanPerformance = c.CanPerformance && len(c.Governors) > 0
	return c
}

// ranges counts what "0-3,8" lists; 0 if it lists nothing that can be read.
func ranges(text string) int {
	count := 0
	if !eachInRanges(text, func(int) { count++ }) {
		return 0
	}
	return count
}

const maxProcessors = 1 << 14 // that a list may name

// eachInRanges calls fn for each number of a list; false if the list makes no sense.
func eachInRanges(text string, fn func(n int)) bool {
	for part := range strings.SplitSeq(text, ",") {
		first, last, two := strings.Cut(strings.TrimSpace(part), "-")
		if !two {
			last = first
		}
		a, b := number(first), number(last)
		if a < 0 || b < a || b >= maxProcessors {
			return false
		}
		for n := a; n <= b; n++ {
			fn(int(n))
		}
	}
	return true
}

// quota is the least share of processor time that a control group of the process leaves it, in percent of one; -1: no limit.
func (p *prober) quota() int64 {
	least := int64(-1)
	p.everyGroup("cpu", func(dir string, version int) {
		var quota, period int64 = -1, -1
		if version == 1 {
			quota, period = p.number(dir+"/cpu.cfs_quota_us"), p.number(dir+"/cpu.cfs_period_us")
		} else if n := p.numbers(dir + "/cpu.max"); len(n) == 2 {
			quota, period = n[0], n[1]
		}
		if quota <= 0 || period <= 0 || quota > 1<<40 {
			return
		}
		if n := quota * 100 / period; least < 0 || n < least {
			least = n
		}
	})
	return least
}
