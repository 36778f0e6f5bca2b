package tuning

import (
	"math"
	"strings"
)

func (p *prober) files() FileFacts {
	f := FileFacts{PID: p.o.PID, MaxFiles: p.number("/proc/sys/fs/file-max"), MaxOpen: p.number("/proc/sys/fs/nr_open"), Maps: -1,
		UnitOpen: -1, UnitLocked: -1, Unit: p.o.Unit, User: p.o.User, LimitsOpen: -1}
	limits := p.text(p.proc + "/limits")
	_, f.OpenHard = limit(limits, "Max open files")
	f.LockedBytes, _ = limit(limits, "Max locked memory")
	if p.o.PID > 0 {
		if text := p.text(p.proc + "/maps"); text != "" {
			f.Maps = int64(strings.Count(text, "\n") + 1)
		}
	}
	if m, err := p.Mode("/etc/systemd/system"); err == nil && m.IsDir() {
		f.SystemdThere = true
	}
	p.unit(&f)
	for line := range strings.Lines(p.text(keptFiles[inLimits])) {
		if w := strings.Fields(line); len(w) == 4 && w[0] == p.o.User && w[2] == "nofile" {
			f.LimitsOpen = limitNumber(w[3])
		}
	}
	return f
}

// limit is a line of /proc/PID/limits: soft, then hard.
func limit(text, name string) (soft, hard int64) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if w := strings.Fields(rest); len(w) >= 2 {
				return limitNumber(w[0]), limitNumber(w[1])
			}
		}
	}
	return -1, -1
}

// limitNumber is a limit as /proc, systemd and limits.d write it; MaxInt64 for none, -1 if it says nothing.
func limitNumber(text string) int64 {
	if text == "unlimited" || text == "infinity" {
		return math.MaxInt64
	}
	scale := int64(1)
	for i, unit := range []string{"K", "M", "G", "T"} {
		if bare, ok := strings.CutSuffix(text, unit); ok {
			text, scale = bare, int64(1)<<(10*(i+1))
			break
		}
	}
	n := number(text)
	if n > math.MaxInt64/scale {
		return math.MaxInt64
	}
	return max(n*scale, -1)
}

// unitDirs in systemd's order, the most important first.
var unitDirs = []string{"/etc/systemd/system/", "/run/systemd/system/", "/usr/local/lib/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"}

// unit reads the limits of the unit: its file, then its drop-ins by name; the last word counts.
func (p *prober) unit(f *FileFacts) {
	if p.o.Unit == "" {
		return
	}
	var texts []string
	for _, dir := range unitDirs {
		if _, err := p.Mode(dir + p.o.Unit); err == nil {
			f.UnitThere = true
			texts = append(texts, p.text(dir+p.o.Unit))
			break
		}
	}
	for _, name := range inOrder(dropInDirs(p.o.Unit), func(dir string) []string { return p.list(dir, "*.conf") }) {
		texts = append(texts, p.text(name))
	}
	for _, text := range texts {
		eachSetting(text, func(key, value string) {
			switch key {
			case "LimitNOFILE":
				f.UnitOpen = unitLimit(value)
			case "LimitMEMLOCK":
				f.UnitLocked = unitLimit(value)
			}
		})
	}
}

// dropInDirs are those of a unit, in the same order.
func dropInDirs(unit string) []string {
	dirs := make([]string, 0, len(unitDirs))
	for _, dir := range unitDirs {
		dirs = append(dirs, dir+unit+".d")
	}
	return dirs
}

// unitLimit is the hard limit that a unit sets: one number for both, or soft and hard.
func unitLimit(value string) int64 {
	if _, hard, two := strings.Cut(value, ":"); two {
		value = hard
	}
	return limitNumber(value)
}
