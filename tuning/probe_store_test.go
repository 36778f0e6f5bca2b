package tuning

import (
	"slices"
	"strings"
	"testing"

	"ringmq/store/disk"
)

// TestLogApart: with the log on another file system than the rest it is that one that advice is about; space is looked at on both.
func TestLogApart(t *testing.T) {
	for _, c := range []struct {
		dir, log       string
		logDir, kind   string
		first, measure string
	}{
		{"/data/store", "", "", "xfs", "dm-1", "ringmq tune probe-disk --store /data/store"},
		{"/data/store", "/data/log", "", "xfs", "dm-1", "ringmq tune probe-disk --store /data/store"},
		{"/srv/store", "/data/log", "/data/log", "xfs", "dm-1", "ringmq tune probe-disk -c broker.conf"},
		{"/data/store", "/srv/log", "/srv/log", "ext4", "nvme0n1", "ringmq tune probe-disk -c broker.conf"},
		{"/", "/data/commitlog", "/data/commitlog", "xfs", "dm-1", "ringmq tune probe-disk -c broker.conf"},
	} {
		h := makeHost(t, "sata-os-sh")
		host := h.host()
		host.Space = func(dir string) (disk.Space, error) {
			if dir == "/data" || strings.HasPrefix(dir, "/data/") {
				return disk.Space{TotalBytes: 1000 * gib, FreeBytes: 500 * gib, FreeInodes: 3}, nil
			}
			return disk.Space{TotalBytes: 10 * gib, FreeBytes: gib, FreeInodes: 5}, nil
		}
		r := NewReport(Probe(host, Options{Dir: c.dir, Log: c.log, Unit: "ringmq.service"}), Production)
		s := &r.Facts.Store
		if s.LogDir != c.logDir || s.Type != c.kind || r.Facts.Devices[0].Name != c.first || (s.Rest != nil) != (c.logDir != "") {
			t.Errorf("%s, %s: %+v, %+v, %+v", c.dir, c.log, *s, s.Rest, r.Facts.Devices[0])
		}
		say := map[string]string{}
		for _, a := range r.Advice {
			if slices.Contains([]string{"space", "space.root", "inodes"}, a.Key) {
				say[a.Key] = a.Now + " " + a.Here
			} else if a.Key == "probe-disk" && a.Want != c.measure {
				t.Errorf("%s, %s: %s", c.dir, c.log, a.Want)
			}
		}
		large, small, inodes := "500 GiB of 1000 GiB free 50 percent are used", "1 GiB of 10 GiB free 90 percent are used: a broker stores nothing here", "3 "
		if strings.HasPrefix(c.log, "/srv") {
			large, small = small, large
		} else if s.Rest != nil {
			inodes = "5 "
		}
		if s.Rest == nil {
			small = ""
		} else {
			small += "; this is " + c.dir + ", without the log"
		}
		if say["space"] != large || say["space.root"] != small || say["inodes"] != inodes {
			t.Errorf("%s, %s: %q", c.dir, c.log, say)
		}
	}
}
