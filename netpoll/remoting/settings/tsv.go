package settings

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// ParseTable reads a table of keys: a line each of name, kind, default and marks, parted by tabs. Kinds are text, int, long,
// bool, double, or the choices parted by |. Marks: m, the key has a meaning here; r, it takes effect at run time. Defaults may
// hold what differs by host, as ${home}. A table that cannot be read is a programmer's fault.
func ParseTable(text string, host map[string]string) *Table {
	var keys []Key
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 4 {
			panic("settings: row of a key table: " + line)
		}
		k := Key{Name: f[0], Default: expand(f[2], host), Ignored: !strings.Contains(f[3], "m"), Runtime: strings.Contains(f[3], "r")}
		switch f[1] {
		case "text":
		case "int":
			k.Kind = Int
		case "long":
			k.Kind = Long
		case "bool":
			k.Kind = Bool
		case "double":
			k.Kind = Double
		default:
			k.Choices = strings.Split(f[1], "|")
		}
		keys = append(keys, k)
	}
	return NewTable(keys)
}

func expand(s string, host map[string]string) string {
	if !strings.Contains(s, "${") {
		return s
	}
	for name, value := range host {
		s = strings.ReplaceAll(s, "${"+name+"}", value)
	}
	if strings.Contains(s, "${") {
		panic(fmt.Sprintf("settings: nobody knows what %s is", s))
	}
	return s
}

// Host returns what defaults may depend on: the user's home, the host's name, its address as ip, some environment variables,
// and the thread counts that stock derives from the number of processors.
func Host(ip string) map[string]string {
	home, _ := os.UserHomeDir()
	name, err := os.Hostname()
	if err != nil {
		name = "DEFAULT_BROKER"
	}
	cpu := runtime.NumCPU()
	n := strconv.Itoa
	return map[string]string{
		"home": home, "hostname": name, "ip": ip, "NAMESRV_ADDR": os.Getenv("NAMESRV_ADDR"), "ROCKETMQ_HOME": os.Getenv("ROCKETMQ_HOME"),
		"min(cpu,4)": n(min(cpu, 4)), "16+2cpu": n(16 + 2*cpu), "8+cpu": n(8 + cpu), "min(32,cpu)": n(min(32, cpu)),
		"max(8+2cpu,4min(cpu,4))": n(max(8+2*cpu, 4*min(cpu, 4))),
	}
}
