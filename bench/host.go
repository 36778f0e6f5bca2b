package bench

import (
	"os"
	"runtime"
	"strings"

	"ringmq/netpoll/local"
)

// Host is the machine that a report was made on.
type Host struct {
	Name        string
	System      string // kernel and its release
	Processor   string
	Processors  int
	MemoryBytes int64
}

// ThisHost looks at the machine. What may not be read stays empty.
func ThisHost() Host {
	name, _ := os.Hostname()
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	cpus, _ := os.ReadFile("/proc/cpuinfo")
	return Host{
		Name: name, System: strings.TrimSpace("Linux " + string(release)), Processor: processor(string(cpus)),
		Processors: runtime.NumCPU(), MemoryBytes: local.Labels("/proc/meminfo")["MemTotal"] << 10,
	}
}

// processor finds the name of the first processor.
func processor(cpuinfo string) string {
	for line := range strings.SplitSeq(cpuinfo, "\n") {
		label, value, _ := strings.Cut(line, ":")
		if label = strings.TrimSpace(label); label == "model name" || label == "Model" {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	return runtime.GOARCH
}

func (h Host) String() string {
	if h.Processors == 0 {
		return "unknown"
	}
	return h.Name + ": " + plural(h.Processors, "processor") + " (" + h.Processor + "), " + Bytes(float64(h.MemoryBytes)) + " of memory, " + h.System
}
