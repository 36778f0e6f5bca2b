package tuning

import (
	"slices"
	"testing"
)

// TestReadLater: files in every directory that sysctl and systemd read, of which those of a more important one hide others of their name.
func TestReadLater(t *testing.T) {
	h := makeHost(t, "metal-nvme")
	for name, text := range map[string]string{
		"/usr/lib/sysctl.d/50-default.conf": "vm.swappiness = 60\n", "/usr/lib/sysctl.d/99-dist.conf": "vm.swappiness = 60\n", "/usr/lib/sysctl.d/99-dist.bak": "vm.swappiness = 61\n",
		"/usr/lib/sysctl.d/95-x.conf": "vm.swappiness = 1\n", "/run/sysctl.d/95-x.conf": "= \nvm.dirty_ratio = 20\nvm.dirty_background_ratio=0\n",
		"/etc/systemd/system/ringmq.service.d/10-early.conf":     "[Service]\nLimitNOFILE=2048\n",
		"/run/systemd/system/ringmq.service.d/95-same.conf":      "[Service]\nLimitNOFILE=1024:1M\n",
		"/etc/systemd/system/ringmq.service.d/override.conf":     "[Service]\nLimitNOFILE = 1024\n",
		"/usr/lib/systemd/system/ringmq.service.d/override.conf": "[Service]\nLimitNOFILE=4096\n",
	} {
		h.write(t, name, text)
	}
	host := h.host()
	want := []string{
		"/run/sysctl.d/95-x.conf says vm.dirty_ratio = 20 and is read later, which sets vm.dirty_bytes to 0: change it there",
		"/usr/lib/sysctl.d/99-dist.conf says vm.swappiness = 60 and is read later: change it there",
		"/etc/systemd/system/ringmq.service.d/override.conf says LimitNOFILE=1024 and is read later: change it there",
	}
	for range 2 { // it is said as long as it is so
		r := NewReport(Probe(host, Options{Dir: "/data/store", Unit: "ringmq.service"}), Auto)
		if r.Facts.Files.UnitOpen != 1024 {
			t.Errorf("the unit gives %d", r.Facts.Files.UnitOpen)
		}
		if res := must(Apply(host.Tree, undoName, plan(t, host.Tree, r, true))); !slices.Equal(res.Notes, want) {
			t.Errorf("%q", res.Notes)
		}
	}
}
