package tuning

import (
	"fmt"
	"math"
)

const (
	openEnough      = 65536   // a hard limit that will do: a quarter for queue files, the rest for connections
	openWanted      = 1 << 20 // what is set where it does not
	openOfUnits     = 524288  // hard limit of a unit that says nothing, since systemd 240
	lockedEnough    = 8 * mib // for the rings of kernels that charge them to the process
	lockedWanted    = 64 * mib
	ringsUncharged1 = 5 // since 5.12
	ringsUncharged2 = 12
)

func filesArea() area {
	return area{name: "files", about: "Limits on descriptors and on memory that may not be swapped.", knobs: []knob{
		{
			key: "nofile", want: "a hard limit of 65536 or more; 1048576 is what is set", danger: true, inside: true, files: []string{"/proc/self/limits"},
			why: "Every connection and every open file is a descriptor. The limit is each process's own, inherited from whoever started it: a service has it from its unit (LimitNOFILE), a login from " +
				"limits.d, a container from its runtime. The line that os.sh of RocketMQ adds to /etc/profile reaches login shells and no service. The broker raises its soft limit to the hard one " +
				"itself and gives queue files at most a quarter.",
			source: "systemd.exec(5), limits.conf(5), getrlimit(2); os.sh of RocketMQ", gain: "connections are not refused for want of descriptors", sure: Documented, judge: judgeOpen,
		},
		{
			key: "fs.nr_open", want: "1048576, the kernel's default, or more", files: []string{"/proc/sys/fs/nr_open"},
			why:    "No process may be given a higher nofile than this: what a unit asks for beyond it systemd cuts, and setrlimit(2) of anybody else fails.",
			source: "Linux kernel documentation, sysctl/fs", gain: "the limit of the unit is what it says", sure: Documented,
			judge: func(f *Facts) []finding {
				return numberIs("fs.nr_open", f.Files.MaxOpen, f.Files.MaxOpen >= openWanted, openWanted, "")
			},
		},
		{
			key: "fs.file-max", want: "262144 or more", files: []string{"/proc/sys/fs/file-max"},
			why:    "Open files of the whole host together. The kernel's default is a tenth of memory in KiB, and systemd lifts it altogether; only a small machine, or an article, has less than one broker may need.",
			source: "Linux kernel documentation, sysctl/fs", gain: "accept(2) does not fail for everybody", sure: Documented,
			judge: func(f *Facts) []finding {
				n := f.Files.MaxFiles
				r := numberIs("fs.file-max", n, n >= 4*openEnough, 2*openWanted, "")
				if n > math.MaxInt64/2 {
					r[0].now = "no limit"
				}
				return r
			},
		},
		{
			key: "memlock", want: "nothing; 8 MiB or more where the kernel is older than 5.12, and 64 MiB is what is set", inside: true, files: []string{"/proc/self/limits"},
			why: "A stock broker locks mapped files into memory, hence the unlimited of os.sh. This one locks nothing and registers no buffers. Before kernel 5.12 the memory of an io_uring itself counts, " +
				"and a limit of 64 KiB then leaves the broker with ordinary writes.",
			source: "io_uring_setup(2), getrlimit(2); os.sh of RocketMQ", gain: "io_uring on kernels before 5.12", sure: Documented, judge: judgeLocked,
		},
	}}
}

func judgeOpen(f *Facts) []finding {
	now, where := f.Files.OpenHard, "of this shell"
	switch {
	case f.Files.PID > 0:
		where = fmt.Sprintf("of process %d", f.Files.PID)
	case f.Files.UnitThere:
		now, where = f.Files.UnitOpen, "of "+f.Files.Unit
		if now < 0 {
			now, where = openOfUnits, "of "+f.Files.Unit+", which sets none and gets systemd's"
		}
	}
	if now < 0 {
		return one(finding{})
	}
	r := finding{state: Good, now: limitText(now), here: where}
	if now >= openEnough {
		return one(r)
	}
	kept := f.Files.LimitsOpen
	if f.Files.UnitThere {
		kept = f.Files.UnitOpen // PAM reads limits.d, and a service is no login
	}
	if kept >= openEnough {
		r.here += fmt.Sprintf("; what starts next has %d", kept)
		return one(r)
	}
	want := int64(openWanted)
	if f.Files.MaxOpen > 0 {
		want = min(want, max(f.Files.MaxOpen, openEnough))
	}
	r.state, r.want = Change, fmt.Sprint(want)
	if f.Kernel.Container != "" {
		r.state = ByHand
		r.here += fmt.Sprintf("; the container's runtime sets it, as docker run --ulimit nofile=%d", want)
		return one(r)
	}
	r.here += "; it can only be kept for the next start (--persist)"
	r.keep = []Line{{inLimits, f.Files.User + " - nofile", r.want}}
	if f.Files.SystemdThere || f.Files.UnitThere {
		r.keep = append(r.keep, Line{inUnit, "LimitNOFILE", r.want})
	}
	return one(r)
}

func judgeLocked(f *Facts) []finding {
	now := f.Files.LockedBytes
	if f.Files.PID == 0 && f.Files.UnitThere && f.Files.UnitLocked >= 0 {
		now = f.Files.UnitLocked
	}
	if now < 0 {
		return one(finding{})
	}
	r := finding{state: Good, now: limitText(now)}
	switch {
	case f.Kernel.atLeast(ringsUncharged1, ringsUncharged2):
		r.here = "this kernel does not charge rings to the process: nothing is locked"
	case f.Kernel.Major < 5 || now >= lockedEnough || f.Files.UnitLocked >= lockedEnough:
	default:
		r.state, r.want = Change, fmt.Sprint(lockedWanted)
		r.here = "it can only be kept for the next start (--persist)"
		r.keep = []Line{{inLimits, f.Files.User + " - memlock", fmt.Sprint(lockedWanted >> 10)}} // in KiB there
		if f.Files.SystemdThere {
			r.keep = append(r.keep, Line{inUnit, "LimitMEMLOCK", r.want})
		}
	}
	return one(r)
}

func limitText(n int64) string {
	if n == math.MaxInt64 {
		return "no limit"
	}
	return fmt.Sprint(n)
}
