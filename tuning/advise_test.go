package tuning

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"ringmq/broker/config"
)

var update = flag.Bool("update", false, "write golden files and the operator's page")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golden compares with a file, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		check(t, os.MkdirAll(filepath.Dir(name), 0o755))
		check(t, os.WriteFile(name, got, 0o644))
	}
	want, err := os.ReadFile(name)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("differs from %s; -update writes it. Now:\n%s", name, got)
	}
}

// hosts that are described below testdata, and for what they are looked at.
var hosts = []struct {
	name    string
	profile Profile
	left    int
}{
	{"metal-nvme", Auto, 9}, {"sata-os-sh", Auto, 18}, {"cloud-vm", Auto, 9}, {"container", Auto, 3}, {"numa", Production, 16},
	{"kernel-5.4", Production, 13}, {"no-uring", Production, 7}, {"tiny", Development, 0}, {"tuned", Production, 0}, {"empty", Auto, 0},
}

func look(t *testing.T, name string, p Profile) (*madeHost, *Report) {
	t.Helper()
	h := makeHost(t, name)
	return h, NewReport(Probe(h.host(), Options{Dir: "/data/store", Unit: "ringmq.service"}), p)
}

// TestHosts: what is seen of each kind of host, and what is said about it.
func TestHosts(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.name, func(t *testing.T) {
			_, r := look(t, h.name, h.profile)
			var facts, advice bytes.Buffer
			check(t, WriteJSON(&facts, r.Facts))
			golden(t, "testdata/golden/"+h.name+".facts.json", facts.Bytes())
			for _, a := range r.Advice {
				fmt.Fprintf(&advice, "%-9s %s: %s", a.State, a.Key, a.Now)
				if a.Want != "" {
					fmt.Fprintf(&advice, " -> %s", a.Want)
				}
				if a.Here != "" {
					fmt.Fprintf(&advice, " (%s)", a.Here)
				}
				advice.WriteString("\n")
				for _, w := range a.Set {
					fmt.Fprintf(&advice, "            %s = %s %v\n", w.File, w.Value, w.Moves)
					for _, l := range w.Keep {
						fmt.Fprintf(&advice, "            %s: %s\n", l.File, l.text())
					}
				}
				for _, l := range a.Keep {
					fmt.Fprintf(&advice, "            %s: %s\n", l.File, l.text())
				}
			}
			golden(t, "testdata/golden/"+h.name+".advice.txt", advice.Bytes())
			if r.Left != h.left {
				t.Errorf("%d left to do, not %d", r.Left, h.left)
			}
		})
	}
}

// TestReportIsStable: the machine-readable form and the text, of one host.
func TestReportIsStable(t *testing.T) {
	_, r := look(t, "metal-nvme", Auto)
	for name, write := range map[string]func(*bytes.Buffer) error{
		"report.json": func(b *bytes.Buffer) error { return WriteJSON(b, r) }, "report.txt": func(b *bytes.Buffer) error { return r.Text(b, false) },
	} {
		var b bytes.Buffer
		check(t, write(&b))
		golden(t, "testdata/golden/"+name, b.Bytes())
	}
	var all bytes.Buffer
	check(t, r.Text(&all, true))
	for _, a := range r.Advice {
		if !strings.Contains(all.String(), a.Key) || !strings.Contains(strings.Join(strings.Fields(all.String()), " "), a.Why) {
			t.Errorf("%s is not explained", a.Key)
		}
	}
}

// TestProfiles: a container sets nothing, a development machine only what is dangerous.
func TestProfiles(t *testing.T) {
	h := makeHost(t, "sata-os-sh")
	f := Probe(h.host(), Options{Dir: "/data/store", Unit: "ringmq.service"})
	before := must(fmt.Sprintf("%#v", *f), nil)
	for _, a := range Advise(f, Container) {
		if a.State == Change || len(a.Set)+len(a.Keep) > 0 {
			t.Errorf("in a container %s is %s", a.Key, a.State)
		}
	}
	var changes []string
	for _, a := range Advise(f, Development) {
		if a.State == Change {
			changes = append(changes, a.Key)
		} else if len(a.Set)+len(a.Keep) > 0 {
			t.Errorf("%s is %s and would be set", a.Key, a.State)
		}
	}
	if got := strings.Join(changes, " "); got != "vm.overcommit_memory nofile net.ipv4.ip_local_port_range" {
		t.Errorf("for development: %s", got)
	}
	if first, second := Advise(f, Production), Advise(f, Production); !reflect.DeepEqual(first, second) || fmt.Sprintf("%#v", *f) != before {
		t.Error("advice depends on more than facts, or changes them")
	}
	if _, err := ParseProfile("staging"); err == nil {
		t.Error("there is no such profile")
	}
}

// TestTexts: every piece of advice has its reasons.
func TestTexts(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range areas() {
		for _, k := range a.knobs {
			if seen[k.key] || k.want == "" || len(k.why) < 60 || !strings.HasSuffix(k.why, ".") || k.source == "" || k.gain == "" || k.sure == "" || k.judge == nil {
				t.Errorf("%s of %s lacks something", k.key, a.name)
			}
			seen[k.key] = true
		}
	}
}

func TestPage(t *testing.T) { golden(t, "../docs/TUNING.md", []byte(Page())) }

func TestOnly(t *testing.T) {
	_, r := look(t, "sata-os-sh", Auto)
	if unknown := r.Only([]string{"vm.dirty_*", "block.*.scheduler", "vm.swapiness"}); !reflect.DeepEqual(unknown, []string{"vm.swapiness"}) {
		t.Error(unknown)
	}
	var keys []string
	for _, a := range r.Advice {
		keys = append(keys, a.Key)
	}
	if got := strings.Join(keys, " "); got != "vm.dirty_background_bytes vm.dirty_bytes vm.dirty_expire_centisecs vm.dirty_writeback_centisecs block.sda.scheduler block.sdb.scheduler" {
		t.Error(got)
	}
	if r.Left != 4 {
		t.Error(r.Left)
	}
}

func TestSmallRules(t *testing.T) {
	for n, want := range map[string]string{"0": "1", "0-3": "f", "0-31": "ffffffff", "0-32": "00000001,ffffffff", "0-1,34": "00000004,00000003"} {
		if got := processorMask(n); got != want {
			t.Errorf("%s: %s", n, got)
		}
	}
	for text, want := range map[string]int{"0": 1, "0-3,8": 5, "": 0, "3-1": 0, "0-99999999": 0, "x": 0} {
		if got := ranges(text); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
	for text, want := range map[string]int64{"1024": 1024, "64K": 65536, "infinity": 1<<63 - 1, "": -1, "9999999999G": 1<<63 - 1, "-5": -1} {
		if got := limitNumber(text); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
	for bytes, want := range map[int64]string{1 << 40: "1 TiB", 1536: "1.5 KiB", 3: "3 bytes"} {
		if got := size(bytes); got != want {
			t.Errorf("%d: %s", bytes, got)
		}
	}
	if m, ok := mountOf(parseMounts("1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 / /a\\040b rw - xfs /dev/b\n3 1 8:3 / /a\\040b rw - ext4 /dev/c rw\n"), "/a b/c"); !ok || m.device != "8:3" {
		t.Errorf("%+v", m)
	}
}

// TestDefaultBuffers: the broker's own configuration says the same.
func TestDefaultBuffers(t *testing.T) {
	v, err := config.Keys("127.0.0.1").Merge()
	check(t, err)
	c, err := config.New(v)
	check(t, err)
	if got := c.StoreOptions().BufferBytes(); got != defaultBuffers {
		t.Errorf("%d bytes at the defaults, not %d", got, defaultBuffers)
	}
}

// TestHeapBound: as the broker takes it, a limit counts where it is less than the machine has.
func TestHeapBound(t *testing.T) {
	for _, c := range []struct {
		total, group int64
		want         string
	}{
		{512 * mib, -1, "210 MiB, by the broker"}, {512 * mib, 8 << 30, "210 MiB, by the broker"}, {32 << 30, 256 * mib, "82 MiB, by the broker"},
		{-1, 256 * mib, "82 MiB, by the broker"}, {-1, -1, ""},
	} {
		r := judgeHeap(&Facts{Memory: MemoryFacts{TotalBytes: c.total, CgroupLimitBytes: c.group}})
		if len(r) != 1 || r[0].now != c.want {
			t.Errorf("%d bytes and a limit of %d: %+v", c.total, c.group, r)
		}
	}
}
