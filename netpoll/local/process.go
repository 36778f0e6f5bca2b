package local

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Tick is the unit of processor times in /proc/stat and /proc/PID/stat, the same on every Linux that Go runs on.
const Tick = 10 * time.Millisecond

// statFields are as many as are read by their numbers anywhere.
const statFields = 20

// Stat are the fields of PID/stat below proc behind the name, which may hold anything: the state is the first. There are 20 at least.
func Stat(proc string, pid int) ([]string, error) {
	b, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < statFields {
		return nil, fmt.Errorf("stat has %d fields", len(fields))
	}
	return fields, nil
}

// CPU is the processor time that a process has taken, by what Stat gave: user and system, all its threads.
func CPU(stat []string) time.Duration {
	const user, system = 11, 12
	var ticks int64
	for _, field := range stat[user : system+1] {
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * Tick
}

// Labels reads a file of "label: number unit" lines. Of one that may not be read it has none.
func Labels(name string) map[string]int64 {
	b, _ := os.ReadFile(name)
	out := map[string]int64{}
	for line := range strings.SplitSeq(string(b), "\n") {
		label, rest, ok := strings.Cut(line, ":")
		if f := strings.Fields(rest); ok && len(f) > 0 {
			if n, err := strconv.ParseInt(f[0], 10, 64); err == nil {
				out[label] = n
			}
		}
	}
	return out
}
