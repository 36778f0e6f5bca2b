package tuning

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestScriptRuns: what is printed is a script that a shell carries out, and it makes the files that Apply makes.
func TestScriptRuns(t *testing.T) {
	made := func(do func(t *testing.T, h *madeHost, tree Tree, p Plan)) map[string]string {
		h := makeHost(t, "sata-os-sh")
		h.write(t, "/etc/systemd/system/ringmq.service", "[Service]\nLimitNOFILE=1024\n")
		check(t, os.RemoveAll(filepath.Join(h.root, "/etc/tmpfiles.d")))
		host := h.host()
		r := NewReport(Probe(host, Options{Dir: "/data/store", Unit: "ringmq.service"}), Auto)
		do(t, h, host.Tree, plan(t, host.Tree, r, true))
		all := snapshot(t, filepath.Join(h.root, "etc"))
		for name, text := range all {
			_, all[name], _ = strings.Cut(text, " ") // modes are the shell's
		}
		return all
	}
	applied := made(func(t *testing.T, _ *madeHost, tree Tree, p Plan) { must(Apply(tree, undoName, p)) })
	run := made(func(t *testing.T, h *madeHost, tree Tree, p Plan) {
		var b bytes.Buffer
		check(t, p.Script(tree, &b))
		shell := exec.Command("sh", "-e")
		shell.Stdin = strings.NewReader(strings.ReplaceAll(b.String(), " '/", " '"+h.root+"/"))
		if said, err := shell.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s\n%s", err, said, b.String())
		}
	})
	if _, ok := run["/systemd/system/ringmq.service.d/90-ringmq-tune.conf"]; !ok {
		t.Errorf("the unit got no drop-in: %v", run)
	}
	alike(t, applied, run, "the script")
}
