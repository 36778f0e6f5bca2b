package tuning

import (
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestRefusedIsNotKept: what the kernel refuses today is in no file for the next start, and all else is.
func TestRefusedIsNotKept(t *testing.T) {
	const swappiness, backlog, file = "/proc/sys/vm/swappiness", "/proc/sys/net/ipv4/tcp_max_syn_backlog", "/etc/sysctl.d/90-ringmq.conf"
	h := makeHost(t, "metal-nvme")
	h.normal(t)
	tree := h.host().Tree.(*kernelTree)
	tree.refuse = func(name, value string) error {
		if name == swappiness && value == "10" || name == backlog || name == hugePages+"enabled" && value == "madvise" {
			return syscall.EINVAL // the second in the rehearsal already
		}
		return nil
	}
	before := snapshot(t, h.root)
	o := Options{Dir: "/data/store", Unit: "ringmq.service"}
	apply := func() Result {
		t.Helper()
		return must(Apply(tree, undoName, plan(t, tree, NewReport(Probe(h.host(), o), Auto), true)))
	}
	res := apply()
	for _, want := range []string{
		file + " does not keep net.ipv4.tcp_max_syn_backlog = 4096; vm.swappiness = 10, which is refused now",
		"/etc/tmpfiles.d/90-ringmq.conf does not keep w /sys/kernel/mm/transparent_hugepage/enabled - - - - madvise, which is refused now",
	} {
		if !slices.Contains(res.Refused, want) {
			t.Errorf("%q is not said: %q", want, res.Refused)
		}
	}
	text := string(must(tree.ReadFile(file)))
	if strings.Contains(text, "swappiness") || strings.Contains(text, "backlog") || !strings.Contains(text, "vm.min_free_kbytes = 126976\n") {
		t.Error(text)
	}
	if text := string(must(tree.ReadFile("/etc/tmpfiles.d/90-ringmq.conf"))); strings.Contains(text, "hugepage") || !strings.Contains(text, "scaling_governor") {
		t.Error(text)
	}
	applied := snapshot(t, h.root)
	if res := apply(); len(res.Values)+len(res.Files) > 0 || len(res.Refused) != 5 {
		t.Errorf("a second time: %+v", res)
	}
	alike(t, applied, snapshot(t, h.root), "a second time")
	tree.refuse = nil
	if res := must(Undo(tree, undoName, false)); len(res.Refused) > 0 {
		t.Error(res.Refused)
	}
	alike(t, before, snapshot(t, h.root), "undone")

	tree.refuse = func(string, string) error { return syscall.EACCES }
	if res := apply(); len(res.Values)+len(res.Files) > 0 || !strings.HasPrefix(res.Refused[len(res.Refused)-1], "/etc/tmpfiles.d/90-ringmq.conf does not keep ") {
		t.Errorf("%+v", res)
	}
	alike(t, before, snapshot(t, h.root), "all of it refused")
}

// TestRefusedLeavesTheOlder: where another value was applied before, that is what is kept.
func TestRefusedLeavesTheOlder(t *testing.T) {
	h := makeHost(t, "metal-nvme")
	tree := h.host().Tree.(*kernelTree)
	f := Probe(h.host(), Options{Dir: "/data/store", Unit: "ringmq.service"})
	set := func(value string, keep bool) Result {
		return must(Apply(tree, undoName, MakePlan(tree, f, []Advice{{Set: sysctl("vm.swappiness", value)}}, keep, must(Applied(tree, undoName)))))
	}
	set("10", false)
	tree.refuse = func(_, value string) error {
		if value == "7" || value == "5" {
			return syscall.EINVAL
		}
		return nil
	}
	for _, value := range []string{"7", "5"} {
		res := set(value, true)
		if want := "/etc/sysctl.d/90-ringmq.conf does not keep vm.swappiness = " + value + ", which is refused now"; !slices.Contains(res.Refused, want) {
			t.Errorf("%q is not said: %q", want, res.Refused)
		}
		if text := string(must(tree.ReadFile("/etc/sysctl.d/90-ringmq.conf"))); text != keptHead+"vm.swappiness = 10\n" {
			t.Errorf("%q", text)
		}
	}
}
