package tuning

import "fmt"

func ringArea() area {
	disabled := "/proc/sys/kernel/io_uring_disabled"
	return area{name: "ring", about: "io_uring, through which the broker writes where it may. It works without: the start says which engine runs and why.", knobs: []knob{
		{
			key: "kernel.io_uring_disabled", want: "0, or 1 with the broker's group in kernel.io_uring_group", files: []string{disabled},
			why: "2 forbids io_uring to everybody, 1 to all but a group. The broker then writes by ordinary calls, with a goroutine that waits for each commit. With one send in flight io_uring had p50 0.20 against 0.27 ms, " +
				"and 33 against 37 us of processor time a message at 20,000 a second; with 64 connections ordinary writes moved more.",
			source: "Linux kernel documentation, sysctl/kernel; docs/adr/0004 of this project", gain: "lower latency with few senders", risk: "the switch is there because io_uring had holes; whoever set it had a reason", sure: Measured,
			judge: func(f *Facts) []finding {
				n := f.Ring.Disabled
				if n < 0 {
					if f.Kernel.atLeast(6, 6) {
						return one(finding{})
					}
					return one(finding{state: Good, now: "no such switch", here: "kernels before 6.6 have none"})
				}
				r := finding{state: Good, now: fmt.Sprint(n)}
				if n > 0 {
					r.state, r.want = Consider, "0"
				}
				return one(r)
			},
		},
		{
			key: "io_uring", want: "to be had", inside: true, files: []string{"/proc/self/status"},
			why: "A kernel before 5.1 has no io_uring, one before 5.17 none that can ring the event loop's bell. Docker's and containerd's default seccomp profiles refuse its calls; a profile that allows " +
				"io_uring_setup, io_uring_enter and io_uring_register brings it back.",
			source: "io_uring(7); Docker documentation, Seccomp security profiles", gain: "lower latency with few senders, as measured for kernel.io_uring_disabled",
			risk: "one more part of the kernel is open to the container", sure: Documented, judge: judgeRing,
		},
		{
			key: "kernel", want: "5.17 or newer", inside: true, files: []string{"/proc/sys/kernel/osrelease"},
			why: "5.17 lets the ring skip what is not asked for, which the event loops' own commits need; before it a goroutine commits. " +
				"Nothing is refused on an older one.",
			source: "docs/ARCHITECTURE.md and docs/adr/0004 of this project", gain: "event loops start their commits themselves; docs/adr/0004 has what that saved", risk: "that of a new kernel", sure: Documented,
			judge: func(f *Facts) []finding {
				r := finding{state: Good, now: f.Kernel.Release}
				if r.now == "" {
					return one(finding{})
				}
				if !f.Kernel.atLeast(5, 17) {
					r.state, r.want = Consider, "5.17 or newer"
				}
				return one(r)
			},
		},
	}}
}

func judgeRing(f *Facts) []finding {
	if f.Ring.Why == "" {
		return one(finding{state: Good, now: "to be had"})
	}
	r := finding{state: Consider, now: "not to be had", want: "to be had", here: f.Ring.Why}
	switch {
	case f.Ring.Disabled > 0:
		r.here += fmt.Sprintf("; io_uring_disabled is %d", f.Ring.Disabled)
	case !f.Kernel.atLeast(5, 1):
		r.here += "; the kernel is older than it"
	case f.Ring.Seccomp == 2:
		r.here += "; a seccomp filter is on this process"
		if f.Kernel.Container != "" {
			r.state = OnHost
			r.here += ": docker run --security-opt seccomp=PROFILE, or seccompProfile of the pod"
		}
	}
	return one(r)
}
