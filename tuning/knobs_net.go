package tuning

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

const (
	ipSysctl     = "Linux kernel documentation, IP Sysctl"
	scaling      = "Linux kernel documentation, Scaling in the Linux Networking Stack"
	backlogMin   = 4096
	steerEntries = 32768
	bufferMin    = 4 * mib
	pageBytes    = 4096 // what tcp_mem is counted in on x86 and on most others
)

func networkArea() area {
	return area{name: "network", about: "Connections, and the way of packets to the event loops. These belong to the network namespace, except for the processors' part.", knobs: append(connectionKnobs(), steeringKnobs()...)}
}

func connectionKnobs() []knob {
	return []knob{
		{
			key: "net.core.somaxconn", want: "4096 or more", files: []string{"/proc/sys/net/core/somaxconn"},
			why: "How many connections may wait to be accepted. After a restart every client comes back within the same second; the broker asks for as many places as this allows, when it opens its port. " +
				"4096 is the kernel's default since 5.4, 128 before.",
			source: ipSysctl, gain: "no clients that wait a second for their second SYN after a restart", sure: Documented,
			judge: func(f *Facts) []finding {
				n := f.Network.Backlog
				return numberIs("net.core.somaxconn", n, n >= backlogMin, backlogMin, "")
			},
		},
		{
			key: "net.ipv4.tcp_max_syn_backlog", want: "4096 or more", files: []string{"/proc/sys/net/ipv4/tcp_max_syn_backlog"},
			why:    "How many connections may be half open. Beyond it the kernel falls back to SYN cookies, which forget what the two sides agreed on, or drops them where cookies are off.",
			source: ipSysctl, gain: "the same herd of clients, one step earlier", sure: Documented,
			judge: func(f *Facts) []finding {
				n := f.Network.SynBacklog
				return numberIs("net.ipv4.tcp_max_syn_backlog", n, n >= backlogMin, backlogMin, "")
			},
		},
		{
			key: "net.ipv4.ip_local_port_range", want: "a range without the ports of broker and name server, or these in ip_local_reserved_ports", danger: true, files: []string{"/proc/sys/net/ipv4/ip_local"},
			why: "Outgoing connections take their port from this range. Guides set \"1024 65535\", and then one day another program's connection holds 10911 while the broker restarts, and it cannot listen. " +
				"A broker itself needs few outgoing ports; a host with thousands of clients may need the wide range, with the servers' ports reserved.",
			source: ipSysctl, gain: "a restart finds its port free", sure: Documented, judge: judgePorts,
		},
		{
			key: "net.ipv4.tcp_mem", want: "what the kernel chose: about 4.7, 6.2 and 9.4 percent of memory", files: []string{"/proc/sys/net/ipv4/tcp_mem"},
			why: "Memory of all TCP buffers together, in pages and not in bytes. Numbers of bytes put here switch the bound off, numbers of KiB from an old guide starve connections: " +
				"above the second the kernel shrinks windows, above the third it drops.",
			source: ipSysctl, gain: "neither out of memory nor sudden slowness with many slow readers", sure: Documented, judge: judgeTCPPages,
		},
		{
			key: "net.ipv4.tcp_rmem", want: "4 MiB or more in the third place", files: []string{"/proc/sys/net/ipv4/tcp_rmem"},
			why: "How far the kernel may grow the receive buffer of one connection: what is on its way at most, so it bounds a producer far away. 4 MiB carry 40 MB/s over 100 ms. The broker sets no size of its own, " +
				"which would switch the kernel's growing off.",
			source: ipSysctl, gain: "throughput over long distances", sure: Documented,
			judge: func(f *Facts) []finding { return judgeBuffer("net.ipv4.tcp_rmem", f.Network.ReadBytes) },
		},
		{
			key: "net.ipv4.tcp_wmem", want: "4 MiB or more in the third place", files: []string{"/proc/sys/net/ipv4/tcp_wmem"},
			why:    "The same for sending: it bounds a consumer or a replica far away.",
			source: ipSysctl, gain: "throughput over long distances", sure: Documented,
			judge: func(f *Facts) []finding { return judgeBuffer("net.ipv4.tcp_wmem", f.Network.WriteBytes) },
		},
		{
			key: "net.ipv4.tcp_slow_start_after_idle", want: "0", files: []string{"/proc/sys/net/ipv4/tcp_slow_start_after_idle"},
			why: "With 1 a connection that was silent for a moment starts again with about ten packets in flight. Clients hold their connections open and are silent between bursts; " +
				"a pull of 256 KiB then takes several round trips instead of one.",
			source: ipSysctl, gain: "answers after a pause arrive in one round trip, over links with a noticeable one", risk: "a burst onto a path whose capacity has changed meanwhile", sure: Documented,
			judge: func(f *Facts) []finding {
				n := f.Network.SlowAfterIdle
				return numberIs("net.ipv4.tcp_slow_start_after_idle", n, n == 0, 0, "")
			},
		},
	}
}

func judgePorts(f *Facts) []finding {
	n := &f.Network
	if n.PortLow < 0 {
		return one(finding{})
	}
	r := finding{state: Good, now: fmt.Sprintf("%d %d", n.PortLow, n.PortHigh)}
	var open []string
	for _, port := range n.Ports {
		if int64(port) >= n.PortLow && int64(port) <= n.PortHigh && !reserved(n.Reserved, port) {
			open = append(open, strconv.Itoa(port))
		}
	}
	if len(open) == 0 {
		return one(r)
	}
	r.state, r.here = Change, "the range contains "+strings.Join(open, ", ")+", which servers listen on"
	r.want = strings.TrimPrefix(n.Reserved+","+strings.Join(open, ","), ",")
	r.set = sysctl("net.ipv4.ip_local_reserved_ports", r.want)
	r.want = "ip_local_reserved_ports = " + r.want
	return one(r)
}

// reserved says whether a list as "8080,9000-9010" has the port.
func reserved(list string, port int) bool {
	for part := range strings.SplitSeq(list, ",") {
		first, last, two := strings.Cut(strings.TrimSpace(part), "-")
		if !two {
			last = first
		}
		if a, b := number(first), number(last); a >= 0 && int64(port) >= a && int64(port) <= b {
			return true
		}
	}
	return false
}

func judgeTCPPages(f *Facts) []finding {
	p, total := f.Network.TCPPages, f.Memory.TotalBytes
	if len(p) != 3 || total < 0 {
		return one(finding{})
	}
	r := finding{state: Good, now: fmt.Sprintf("%d %d %d", p[0], p[1], p[2])}
	most := total / pageBytes
	switch {
	case p[2] > most/2:
		r.here = "the last is more than half of memory: pages are meant, not bytes"
	case p[2] < most/64:
		r.here = fmt.Sprintf("all connections together may have %s", size(p[2]*pageBytes))
	default:
		return one(r)
	}
	limit := most / 16
	r.state, r.want = Change, fmt.Sprintf("%d %d %d", limit/4*3, limit, limit/4*6)
	r.set = sysctl("net.ipv4.tcp_mem", r.want)
	return one(r)
}

func judgeBuffer(key string, b []int64) []finding {
	if len(b) != 3 {
		return one(finding{})
	}
	r := finding{state: Good, now: fmt.Sprintf("%d %d %d", b[0], b[1], b[2])}
	if b[2] < bufferMin {
		r.state, r.want = Change, fmt.Sprintf("%d %d %d", b[0], b[1], bufferMin)
		r.set = sysctl(key, r.want)
	}
	return one(r)
}

func steeringKnobs() []knob {
	return []knob{
		{
			key: "net.*.rps", want: "packets of a card with few queues spread over all processors", files: []string{"/sys/class/net/"},
			why: "A card with one receive queue interrupts one processor, and that one does the work of the kernel's network for all event loops. RPS hands packets to the others by their connection, " +
				"and RFS to the one whose event loop reads it. Where the card has a queue for every two processors or more it is not worth the extra interrupt.",
			source: scaling, gain: "no processor at its end while the others idle, with many connections", risk: "an interrupt between processors for each packet; with few connections it costs more than it brings", sure: Documented, judge: judgeSteering,
		},
		{
			key: "net.*.irq", want: "the card's interrupts on several processors", files: []string{"/proc/irq/"},
			why:    "A card with several queues has an interrupt for each. If all of them fall on one processor the queues are worth nothing. irqbalance spreads them, or /proc/irq/N/smp_affinity_list by hand.",
			source: scaling + "; Linux kernel documentation, SMP IRQ affinity", gain: "no processor at its end while the others idle", sure: Documented, judge: judgeInterrupts,
		},
	}
}

func judgeSteering(f *Facts) []finding {
	var all []finding
	for _, i := range f.Network.Interfaces {
		if i.Queues == 0 {
			continue
		}
		r := finding{key: "net." + i.Name + ".rps", state: Good, now: fmt.Sprintf("%d queues, %d processors", i.Queues, f.CPU.Online)}
		if i.Steers {
			r.now += ", RPS"
		} else if f.CPU.Online >= 4 && i.Queues*2 < f.CPU.Online {
			mask := processorMask(f.CPU.OnlineList)
			r.state, r.want = Change, "RPS on "+mask
			if f.Network.SteerEntries >= 0 && f.Network.SteerEntries < steerEntries {
				r.set = sysctl("net.core.rps_sock_flow_entries", strconv.Itoa(steerEntries))
			}
			entries := powerOfTwo(int64(steerEntries / i.Queues)) // the kernel makes the next one of anything else
			for q := range i.Queues {
				at := fmt.Sprintf("/sys/class/net/%s/queues/rx-%d/", i.Name, q)
				r.set = append(r.set, sysfs(at+"rps_flow_cnt", strconv.FormatInt(entries, 10))...)
				r.set = append(r.set, sysfs(at+"rps_cpus", mask)...)
			}
		}
		all = append(all, r)
	}
	return all
}

// processorMask has a bit for each processor of a list as "0-3,8", as the kernel writes it: groups of eight digits.
func processorMask(list string) string {
	m := new(big.Int)
	eachInRanges(list, func(n int) { m.SetBit(m, n, 1) })
	text := m.Text(16)
	if len(text) <= 8 {
		return text
	}
	text = strings.Repeat("0", (8-len(text)%8)%8) + text
	var groups []string
	for ; len(text) > 0; text = text[8:] {
		groups = append(groups, text[:8])
	}
	return strings.Join(groups, ",")
}

func judgeInterrupts(f *Facts) []finding {
	var all []finding
	for _, i := range f.Network.Interfaces {
		if i.Interrupts == 0 {
			continue
		}
		r := finding{key: "net." + i.Name + ".irq", state: Good, now: fmt.Sprintf("%d interrupts on %d processors", i.Interrupts, i.InterruptCPUs)}
		if i.Queues > 1 && i.InterruptCPUs == 1 && f.CPU.Online > 1 {
			r.state, r.want = ByHand, "spread over processors"
		}
		all = append(all, r)
	}
	return all
}
