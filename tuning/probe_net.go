package tuning

import (
	"path"
	"strings"
)

func (p *prober) network() NetworkFacts {
	const core, v4 = "/proc/sys/net/core/", "/proc/sys/net/ipv4/"
	n := NetworkFacts{
		Backlog: p.number(core + "somaxconn"), SynBacklog: p.number(v4 + "tcp_max_syn_backlog"), PortLow: -1, PortHigh: -1,
		Reserved: p.text(v4 + "ip_local_reserved_ports"), TCPPages: p.numbers(v4 + "tcp_mem"),
		ReadBytes: p.numbers(v4 + "tcp_rmem"), WriteBytes: p.numbers(v4 + "tcp_wmem"), SlowAfterIdle: p.number(v4 + "tcp_slow_start_after_idle"),
		SteerEntries: p.number(core + "rps_sock_flow_entries"), Interfaces: []Interface{}, Ports: p.o.Ports,
	}
	if r := p.numbers(v4 + "ip_local_port_range"); len(r) == 2 {
		n.PortLow, n.PortHigh = r[0], r[1]
	}
	for _, name := range p.list("/sys/class/net", "*") {
		at := "/sys/class/net/" + name
		if _, err := p.Mode(at + "/device"); err != nil {
			continue
		}
		i := Interface{Name: name}
		for _, q := range p.list(at+"/queues", "rx-*") {
			i.Queues++
			i.Steers = i.Steers || strings.Trim(p.text(at+"/queues/"+q+"/rps_cpus"), "0,") != ""
		}
		i.Interrupts, i.InterruptCPUs = p.interrupts(at + "/device")
		n.Interfaces = append(n.Interfaces, i)
	}
	return n
}

// interrupts counts those of a device, or of the one that it is a part of, and the processors on which they fall.
func (p *prober) interrupts(device string) (count, processors int) {
	at, err := p.Resolve(device)
	if err != nil {
		p.failed(device, err)
		return 0, 0
	}
	numbers := p.list(at+"/msi_irqs", "*")
	if len(numbers) == 0 {
		numbers = p.list(path.Dir(at)+"/msi_irqs", "*")
	}
	on := map[string]bool{}
	for _, n := range numbers[:min(len(numbers), maxInterrupts)] {
		if cpus := p.text("/proc/irq/" + n + "/effective_affinity_list"); cpus != "" {
			on[cpus] = true
			count++
		}
	}
	return count, len(on)
}

const maxInterrupts = 1024 // of one device that are looked at

func (p *prober) ring() RingFacts {
	r := RingFacts{Disabled: p.number("/proc/sys/kernel/io_uring_disabled"), Seccomp: number(field(p.text(p.proc+"/status"), "Seccomp"))}
	if err := p.TryRing(); err != nil {
		r.Why = err.Error()
	}
	return r
}
