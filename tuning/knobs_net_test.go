package tuning

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestSteeringIsKept: a card has as many entries of flows as the kernel gives it, however many queues it has.
func TestSteeringIsKept(t *testing.T) {
	for queues, want := range map[int]string{1: "32768", 3: "8192", 5: "4096", 6: "4096", 7: "4096", 8: "4096"} {
		h := makeHost(t, "base")
		h.write(t, "/sys/devices/system/cpu/online", "0-31\n")
		check(t, os.RemoveAll(filepath.Join(h.root, "/sys/class/net/eth0/queues")))
		for q := range queues {
			at := fmt.Sprintf("/sys/class/net/eth0/queues/rx-%d/", q)
			h.write(t, at+"rps_cpus", "00000000\n")
			h.write(t, at+"rps_flow_cnt", "0\n")
		}
		host := h.host()
		r := NewReport(Probe(host, Options{Dir: "/data/store", Unit: "ringmq.service"}), Production)
		if unknown := r.Only([]string{"net.eth0.rps"}); len(unknown) > 0 {
			t.Fatal(unknown)
		}
		res := must(Apply(host.Tree, undoName, plan(t, host.Tree, r, false)))
		if len(res.Refused) > 0 || len(res.Values) != 1+2*queues {
			t.Errorf("%d queues: %+v", queues, res)
		}
		if now := must(value(host.Tree, fmt.Sprintf("/sys/class/net/eth0/queues/rx-%d/rps_flow_cnt", queues-1))); now != want {
			t.Errorf("%d queues: %s entries, want %s", queues, now, want)
		}
	}
}
