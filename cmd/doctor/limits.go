package doctor

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ringmq/netpoll/local"
)

// processSeen is the broker's process, where it runs on this machine and may be looked at.
type processSeen struct {
	PID        int // 0: not seen
	OpenFiles  int64
	OpenLimit  int64 // soft limit; 0: not known
	HardLimit  int64
	Maps       int64 // of files and memory
	MapsLimit  int64 // vm.max_map_count; 0: not known
	Threads    int64
	ResidentMB int64
}

// askProcess finds the process that listens on addr, and reads what the kernel allows it and what of that it uses.
func (v *visit) askProcess(ctx context.Context, addr string) processSeen {
	pid, err := local.FindPID(ctx, addr)
	if err != nil {
		return processSeen{}
	}
	return readProcess(v.o.Proc, pid)
}

func readProcess(proc string, pid int) processSeen {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	p := processSeen{PID: pid}
	if files, err := os.ReadDir(filepath.Join(dir, "fd")); err == nil {
		p.OpenFiles = int64(len(files))
	}
	if maps, err := os.ReadFile(filepath.Join(dir, "maps")); err == nil {
		p.Maps = int64(bytes.Count(maps, []byte{'\n'}))
	}
	if text, err := os.ReadFile(filepath.Join(proc, "sys/vm/max_map_count")); err == nil {
		p.MapsLimit, _ = number(string(text))
	}
	text, _ := os.ReadFile(filepath.Join(dir, "limits"))
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "Max open files"); ok {
			if f := strings.Fields(rest); len(f) >= 2 {
				p.OpenLimit, _ = number(f[0])
				p.HardLimit, _ = number(f[1])
			}
		}
	}
	status := local.Labels(filepath.Join(dir, "status"))
	p.Threads, p.ResidentMB = status["Threads"], status["VmRSS"]>>10
	return p
}

// fewFiles is the least number of open files that a broker with some thousand connections and queues can do with.
const fewFiles = 8192

// judgeProcess compares a process's use with its limits.
func judgeProcess(b *brokerSeen, p processSeen) (all []Finding) {
	if p.PID == 0 {
		return []Finding{unknown("limits", "process-not-seen", b.label(), "its process is not on this machine, or another user's").
			because("its limits of open files and mapped memory cannot be looked at", "run ringmq doctor on the broker's host, as its user or root")}
	}
	const why = "every connection and every open queue file takes one; beyond the limit connections are refused and the store fails"
	const fix = "LimitNOFILE=1048576 in its systemd unit, or ulimit -n 1048576 before it is started"
	switch {
	case p.OpenLimit > 0 && p.OpenFiles*10 >= p.OpenLimit*9:
		all = append(all, broken("limits", "open-files-used-up", b.label(), "process %d has %d of %d files open", p.PID, p.OpenFiles, p.OpenLimit).because(why, fix))
	case p.OpenLimit > 0 && p.OpenLimit < fewFiles:
		all = append(all, warning("limits", "open-files-limit-low", b.label(), "process %d may have %d files open, and has %d", p.PID, p.OpenLimit, p.OpenFiles).because(why, fix))
	}
	if p.MapsLimit > 0 && p.Maps*10 >= p.MapsLimit*9 {
		all = append(all, broken("limits", "mapped-areas-used-up", b.label(), "process %d has %d of %d mapped areas", p.PID, p.Maps, p.MapsLimit).
			because("a stock broker maps every file of its store; beyond the limit it ends with an out-of-memory error", "sysctl vm.max_map_count=655360, in /etc/sysctl.d too"))
	}
	if len(all) == 0 {
		all = append(all, ok("limits", "limits", b.label(), "process %d: %d of %d files open, %d MiB resident", p.PID, p.OpenFiles, p.OpenLimit, p.ResidentMB))
	}
	return all
}

const (
	behindBytes = 64 << 20 // of log that queues do not know yet
	headWaitMs  = 200      // from which on stock throws requests away
)

// judgeBusy looks for requests and messages that wait inside the broker.
func judgeBusy(b *brokerSeen) (all []Finding) {
	if n, ok := number(b.Runtime["dispatchBehindBytes"]); ok && n > behindBytes {
		all = append(all, warning("limits", "dispatch-behind", b.label(), "%s of the log are in no queue yet", sizeText(n)).
			because("messages that were acknowledged cannot be consumed yet", "the disk is too slow for its load: look at its latency, and at who else uses it"))
	}
	if n, ok := number(b.Runtime["sendThreadPoolQueueHeadWaitTimeMills"]); ok && n >= headWaitMs {
		all = append(all, warning("limits", "sends-wait", b.label(), "the oldest send has waited %d ms for a thread", n).
			because("stock refuses sends that wait for 200 ms, with \"system busy\"", "see what holds up its disk; more sendMessageThreadPoolNums help only if the processors are idle"))
	}
	return all
}
