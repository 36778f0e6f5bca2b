package tuning

import (
	"os"
	"strings"
	"testing"
)

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
