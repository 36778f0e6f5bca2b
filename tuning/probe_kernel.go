package tuning

import (
	"path"
	"strconv"
	"strings"
)

func (p *prober) kernel() KernelFacts {
	k := KernelFacts{Release: p.text("/proc/sys/kernel/osrelease"), Major: -1, Minor: -1, Container: p.container(), Virtual: p.virtual()}
	if first, rest, ok := strings.Cut(k.Release, "."); ok {
		second := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		major, err := strconv.Atoi(first)
		minor, err2 := strconv.Atoi(second)
		if err == nil && err2 == nil {
			k.Major, k.Minor = major, minor
		}
	}
	uids := strings.Fields(field(p.text("/proc/self/status"), "Uid"))
	k.Root = len(uids) > 1 && uids[1] == "0"
	if m, ok := mountOf(p.mounts, "/proc/sys"); ok {
		k.ReadOnly = m.has("ro")
	}
	return k
}

// container is what shows that a container runs this process, or "".
func (p *prober) container() string {
	for _, name := range []string{"/.dockerenv", "/run/.containerenv", "/run/systemd/container"} {
		if _, err := p.Mode(name); err == nil && !p.firstProcesses() {
			return name
		}
	}
	if text, err := p.ReadFile("/proc/1/environ"); err == nil {
		for one := range strings.SplitSeq(string(text), "\x00") {
			if strings.HasPrefix(one, "container=") || strings.HasPrefix(one, "KUBERNETES_SERVICE_HOST=") {
				return one
			}
		}
	}
	for _, g := range p.groups("/proc/self") {
		for _, word := range []string{"docker", "kubepods", "containerd", "libpod", "lxc"} {
			if strings.Contains(g.path, word) {
				return "control group " + g.path
			}
		}
	}
	return ""
}

// firstProcesses says that these are the processes that the kernel started with. A virtual machine may have been made of a container's
// files, with what marks them.
func (p *prober) firstProcesses() bool {
	const first = "pid:[4026531836]" // PROC_PID_INIT_INO of the kernel's, the same everywhere
	at, err := p.Readlink("/proc/self/ns/pid")
	p.failed("/proc/self/ns/pid", err)
	return err == nil && at == first
}

// virtual is the hypervisor as the firmware and the processor tell it.
func (p *prober) virtual() string {
	vendor := p.text("/sys/class/dmi/id/sys_vendor")
	for _, word := range []string{"QEMU", "Amazon EC2", "Google", "Microsoft Corporation", "VMware", "Xen", "Alibaba Cloud", "Tencent Cloud", "DigitalOcean", "OpenStack"} {
		if strings.Contains(vendor, word) {
			return vendor
		}
	}
	for _, w := range strings.Fields(field(p.text("/proc/cpuinfo"), "flags")) {
		if w == "hypervisor" {
			return "a hypervisor"
		}
	}
	return ""
}

// group is one of the control groups of a process.
type group struct {
	controllers string // "" in version 2
	path        string
}

// groups of a process by its directory in /proc.
func (p *prober) groups(proc string) []group {
	var all []group
	for line := range strings.Lines(p.text(proc + "/cgroup")) {
		if part := strings.SplitN(strings.TrimSpace(line), ":", 3); len(part) == 3 {
			all = append(all, group{part[1], part[2]})
		}
	}
	return all
}

// everyGroup calls fn with the directory of the group of a controller, and of those above it, of the process that was asked about. In a
// container the path may be the host's, and then only the directory that is mounted there is seen.
func (p *prober) everyGroup(controller string, fn func(dir string, version int)) {
	for _, g := range p.groups(p.proc) {
		base, version := "/sys/fs/cgroup", 2
		if g.controllers != "" {
			if !strings.Contains(","+g.controllers+",", ","+controller+",") {
				continue
			}
			base, version = base+"/"+controller, 1
		}
		for at := path.Clean("/" + g.path); ; at = path.Dir(at) {
			if _, err := p.Mode(base + at); err == nil {
				fn(path.Clean(base+at), version)
			}
			if at == "/" {
				break
			}
		}
	}
}
