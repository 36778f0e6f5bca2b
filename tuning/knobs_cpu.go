package tuning

import (
	"fmt"
	"slices"
	"strings"
)

func cpuArea() area {
	return area{name: "cpu", about: "An event loop works where it is; what it needs is a processor that is awake, a cheap clock and packets that come to it.", knobs: []knob{
		{
			key: "cpu.governor", want: "performance", files: []string{"/sys/devices/system/cpu/cpufreq"},
			why: "A broker with room to spare sleeps between two bursts, and the others of these governors take that for a reason to slow the processor down; the next burst then begins slowly. " +
				"It shows in the tail of a load that is far from its peak.",
			source: "Linux kernel documentation, CPU Performance Scaling", gain: "steady latency at low load", risk: "power", sure: Documented, judge: judgeGovernor,
		},
		{
			key: "cpu.clocksource", want: "tsc, or the hypervisor's clock that is read without a system call", files: []string{"/sys/devices/system/clocksource"},
			why: "The broker reads the clock for every batch and the kernel for every packet. tsc, kvm-clock, arch_sys_counter and Hyper-V's page are read in tens of nanoseconds without entering the kernel; " +
				"xen, hpet and acpi_pm take a system call, and a microsecond or more of a device.",
			source: "Linux kernel documentation, Clock sources; Redpanda's list of tuners", gain: "processor time of every request", risk: "a tsc that the kernel has marked unstable runs differently on each processor; it is then not offered", sure: Documented, judge: judgeClock,
		},
		{
			key: "cpu.numa", want: "the broker on the node of its disk and its network card", files: []string{"/sys/devices/system/node"},
			why: "mqbroker starts with numactl --interleave=all where numactl is installed, which spreads a heap of 8 GiB over the nodes. This broker's memory is about 250 MiB and better off on one node, with its devices: " +
				"NUMAPolicy=preferred, NUMAMask= and CPUAffinity= in the unit, or numactl --cpunodebind=N --preferred=N. Preferred and not bound: page cache is taken by the same policy, " +
				"and a broker that is bound leaves the other nodes' memory unused.",
			source: "systemd.exec(5), numactl(8); Linux kernel documentation, NUMA Memory Policy; runbroker.sh of RocketMQ", gain: "few reads across the nodes' link", risk: "only the processors of that node work for it", sure: Judged,
			judge: func(f *Facts) []finding {
				if f.CPU.Nodes == 0 {
					return one(finding{})
				}
				r := finding{state: Good, now: fmt.Sprintf("%d", f.CPU.Nodes), here: "one node: nothing to choose"}
				if f.CPU.Nodes > 1 {
					r.state, r.here, r.want = Consider, "", "on one node, preferred"
					for i := range f.Devices {
						if d := &f.Devices[i]; d.Leaf && d.Node >= 0 {
							r.here = fmt.Sprintf("%s hangs on node %d", d.Name, d.Node)
							break
						}
					}
				}
				return one(r)
			},
		},
		{
			key: "kernel.numa_balancing", want: "0 where the broker is kept on a node", files: []string{"/proc/sys/kernel/numa_balancing"},
			why: "The kernel makes pages fault on purpose to see who uses them, and moves them. For a program that stays on a node, or whose memory is small, these are faults for nothing; " +
				"other programs on a host with several nodes may gain.",
			source: "Linux kernel documentation, sysctl/kernel", gain: "fewer faults", risk: "other programs lose the help", sure: Judged,
			judge: func(f *Facts) []finding {
				n := f.CPU.NumaBalancing
				if n < 0 {
					return one(finding{})
				}
				r := finding{state: Good, now: fmt.Sprint(n)}
				if n > 0 && f.CPU.Nodes > 1 {
					r.state, r.want = Consider, "0"
				}
				return one(r)
			},
		},
		{
			key: "cpu.quota", want: "no quota, or whole processors", inside: true, files: []string{"/sys/fs/cgroup"},
			why: "A control group that has used up its quota stops, all threads of it, until the next period of 100 ms. Go counts the quota when it decides how many event loops run, rounded up and two at least, " +
				"so half a processor means two loops that stand still most of the time.",
			source: "Linux kernel documentation, CFS Bandwidth Control; Go 1.25 Release Notes", gain: "no pauses of up to 100 ms", risk: "the broker may take what it can get; use weights (cpu.weight) to share", sure: Documented,
			judge: func(f *Facts) []finding {
				q := f.CPU.QuotaPercent
				if q < 0 {
					return one(finding{state: Good, now: "none"})
				}
				r := finding{state: Good, now: fmt.Sprintf("%.2f processors", float64(q)/100)}
				if q < 100 {
					r.state, r.want = ByHand, "1 processor or more"
				} else if q%100 != 0 {
					r.state, r.want = Consider, fmt.Sprintf("%d processors", q/100+1)
				}
				return one(r)
			},
		},
	}}
}

func judgeGovernor(f *Facts) []finding {
	if len(f.CPU.Governors) == 0 {
		return one(finding{})
	}
	kinds := slices.Compact(slices.Sorted(slices.Values(f.CPU.Governors)))
	r := finding{state: Good, now: strings.Join(kinds, ", ")}
	if slices.Equal(kinds, []string{"performance"}) {
		return one(r)
	}
	r.want = "performance"
	if !f.CPU.CanPerformance {
		r.state, r.here = ByHand, "the kernel's driver does not offer it"
		return one(r)
	}
	r.state = Change
	for i, file := range f.CPU.GovernorFiles {
		if f.CPU.Governors[i] != "performance" {
			r.set = append(r.set, sysfs(file, "performance")...)
		}
	}
	return one(r)
}

// quickClocks are read without a system call.
var quickClocks = []string{"tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page"}

func judgeClock(f *Facts) []finding {
	if f.CPU.Clock == "" {
		return one(finding{})
	}
	r := finding{state: Good, now: f.CPU.Clock}
	if slices.Contains(quickClocks, f.CPU.Clock) {
		return one(r)
	}
	r.state, r.want = ByHand, "tsc"
	r.here = fmt.Sprintf("the kernel offers %s", strings.Join(f.CPU.Clocks, ", "))
	for _, c := range quickClocks {
		if slices.Contains(f.CPU.Clocks, c) {
			r.state, r.want = Change, c
			r.set = sysfs("/sys/devices/system/clocksource/clocksource0/current_clocksource", c)
			break
		}
	}
	return one(r)
}
