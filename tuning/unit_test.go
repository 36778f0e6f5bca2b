package tuning

import (
	"os"
	"strings"
	"testing"
)

// TestServiceLimit: what limits.d says reaches logins and no service.
func TestServiceLimit(t *testing.T) {
	const few, many = "[Service]\nLimitNOFILE=1024\n", "[Service]\nLimitNOFILE=1048576\n"
	for _, c := range []struct {
		name, unit string
		limits     bool
		pid        int
		want       State
	}{
		{"a login", "", true, 0, Good},
		{"a login that got nothing", "", false, 0, Change},
		{"a process of a login", "", true, 42, Good},
		{"a service", few, true, 0, Change},
		{"a service that runs", few, true, 42, Change},
		{"a service that runs, of a unit that says nothing", "[Service]\n", true, 42, Change},
		{"a service that gets more when it starts again", many, false, 42, Good},
	} {
		h := makeHost(t, "sata-os-sh")
		h.write(t, "/proc/42/limits", string(must(h.host().ReadFile("/proc/self/limits"))))
		if c.unit != "" {
			h.write(t, "/usr/lib/systemd/system/ringmq.service", c.unit)
		}
		if c.limits {
			h.write(t, "/etc/security/limits.d/90-ringmq.conf", keptHead+"* - nofile 1048576\n")
		}
		got := judgeOpen(Probe(h.host(), Options{Dir: "/data/store", Unit: "ringmq.service", PID: c.pid}))
		if len(got) != 1 || got[0].state != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestShippedUnit: the unit that the package brings has all that is asked of a unit, also on a kernel that charges rings to the process. One with
// less is asked for more.
func TestShippedUnit(t *testing.T) {
	text, err := os.ReadFile("../deploy/systemd/ringmq.service")
	check(t, err)
	less := ""
	for line := range strings.Lines(string(text)) {
		switch key, _, _ := strings.Cut(line, "="); key {
		case "LimitNOFILE":
			line = "LimitNOFILE=1024\n"
		case "LimitMEMLOCK":
			line = "LimitMEMLOCK=64K\n"
		}
		less += line
	}
	for _, c := range []struct{ unit, asked string }{{string(text), ""}, {less, "LimitNOFILE=65536 LimitMEMLOCK=67108864"}} {
		h := makeHost(t, "kernel-5.4")
		h.write(t, "/etc/systemd/system/ringmq.service", c.unit)
		var asked []string
		for _, a := range Advise(Probe(h.host(), Options{Dir: "/data/store", Unit: "ringmq.service"}), Production) {
			for _, l := range a.Keep {
				if l.File == inUnit {
					asked = append(asked, l.text())
				}
			}
		}
		if got := strings.Join(asked, " "); got != c.asked {
			t.Errorf("the unit is asked for %q, want %q", got, c.asked)
		}
	}
}
