package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/tuning"
)

// tuned runs tune over a made tree and returns what it printed, and its exit code.
func tuned(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := newTuneBy(func(args ...string) (*exec.Cmd, error) {
		child := exec.Command(os.Args[0], "-test.run=^TestChildThatTunes$")
		child.Env = append(os.Environ(), tuneChildKey+"="+strings.Join(args, "\n"))
		return child, nil
	})
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.Execute()
	return out.String(), err
}

const tuneChildKey = "RINGMQ_TEST_TUNE_CHILD"

// TestChildThatTunes is the program that probe-disk runs, in the tests here.
func TestChildThatTunes(t *testing.T) {
	args := os.Getenv(tuneChildKey)
	if args == "" {
		t.Skip("it is for those that run probe-disk")
	}
	root := newRoot()
	root.SetArgs(strings.Split(args, "\n"))
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "ringmq:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// madeTree has the files that a few of the advices need.
func madeTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"/proc/sys/kernel/osrelease": "6.8.0\n", "/proc/sys/vm/swappiness": "60\n", "/proc/sys/vm/zone_reclaim_mode": "0\n", "/proc/sys/vm/dirty_writeback_centisecs": "360000\n",
		"/proc/sys/net/ipv4/ip_local_port_range": "1024\t65535\n", "/proc/sys/net/ipv4/ip_local_reserved_ports": "\n", "/etc/sysctl.d/10-other.conf": "vm.swappiness = 60\n",
	} {
		if err := os.MkdirAll(filepath.Dir(root+name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// files is the text of every file below a directory.
func files(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var text []byte
			text, err = os.ReadFile(name)
			all[strings.TrimPrefix(name, root)] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sameFiles(t *testing.T, what string, a, b map[string]string) {
	t.Helper()
	for _, pair := range [][2]map[string]string{{a, b}, {b, a}} {
		for name, text := range pair[0] {
			if other, ok := pair[1][name]; !ok || other != text {
				t.Errorf("%s: %s differs: %q, %q", what, name, a[name], b[name])
			}
		}
	}
}

func TestTuneThereAndBack(t *testing.T) {
	root := madeTree(t)
	before := files(t, root)
	only := []string{"--root", root, "--store", "/data/store", "--profile", "production", "--only", "vm.swappiness", "--only", "vm.dirty_writeback*", "--only", "vm.zone_reclaim_mode"}
	run := func(more ...string) (string, error) { t.Helper(); return tuned(t, append(more, only...)...) }

	out, err := run()
	if !errors.Is(err, somethingLeft) || !strings.Contains(out, "60 -> 10\n") || !strings.Contains(out, "2 to change (--apply), 1 good\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err = run("--dry-run", "--persist")
	if !errors.Is(err, somethingLeft) || !strings.HasPrefix(out, "echo '10' > '/proc/sys/vm/swappiness'  # now 60\n") || !strings.Contains(out, "vm.dirty_writeback_centisecs = 500\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	sameFiles(t, "looking", before, files(t, root))

	out, err = run("--apply", "--persist", "-o", "json")
	var did struct {
		Result tuning.Result
		Report tuning.Report
	}
	if jsonErr := json.Unmarshal([]byte(out), &did); err != nil || jsonErr != nil || len(did.Result.Values) != 2 || len(did.Result.Files) != 1 || did.Report.Left != 0 {
		t.Fatalf("%v, %v\n%s", err, jsonErr, out)
	}
	applied := files(t, root)
	if applied["/proc/sys/vm/swappiness"] != "10\n" || !strings.Contains(applied["/etc/sysctl.d/90-ringmq.conf"], "vm.swappiness = 10\n") {
		t.Error(applied)
	}
	if out, err = run("--apply", "--persist"); err != nil || !strings.Contains(out, "3 good") {
		t.Errorf("%v\n%s", err, out)
	}
	sameFiles(t, "a second time", applied, files(t, root))

	if out, err = tuned(t, "--undo", "--dry-run", "--root", root); err != nil || !strings.Contains(out, "set       /proc/sys/vm/swappiness: 10 -> 60\n") {
		t.Errorf("%v\n%s", err, out)
	}
	sameFiles(t, "looking at undo", applied, files(t, root))
	if out, err = tuned(t, "--undo", "--root", root, "-o", "json"); err != nil || !strings.Contains(out, `"to": "60"`) {
		t.Errorf("%v\n%s", err, out)
	}
	sameFiles(t, "undone", before, files(t, root))
	if out, err = tuned(t, "--undo", "--root", root); err != nil || !strings.HasPrefix(out, "there is nothing to take back\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTuneConfiguration: the store, the ports and how full the disk may be are the broker's.
func TestTuneConfiguration(t *testing.T) {
	root := madeTree(t)
	conf := filepath.Join(t.TempDir(), "broker.conf")
	if err := os.WriteFile(conf, []byte("storePathRootDir=/srv/mq\nlistenPort=20911\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := tuned(t, "--root", root, "-c", conf, "-o", "json", "--only", "net.ipv4.ip_local_port_range", "--profile", "development")
	var r tuning.Report
	if jsonErr := json.Unmarshal([]byte(out), &r); !errors.Is(err, somethingLeft) || jsonErr != nil {
		t.Fatalf("%v, %v\n%s", err, jsonErr, out)
	}
	if r.Facts.Store.Dir != "/srv/mq" || len(r.Advice) != 1 || r.Advice[0].Want != "ip_local_reserved_ports = 9876,20911,20912,20909" {
		t.Errorf("%+v", r.Advice)
	}
	if err := os.WriteFile(conf, []byte("storePathRootDir=/srv/mq\nlistenPort=20911\nhaListenPort=31000\ndiskMaxUsedSpaceRatio=60\ndiskSpaceCleanForciblyRatio=93\ndiskSpaceWarningLevelRatio=96\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err = tuned(t, "--root", root, "-c", conf, "-o", "json", "--profile", "development")
	if jsonErr := json.Unmarshal([]byte(out), &r); !errors.Is(err, somethingLeft) || jsonErr != nil {
		t.Fatalf("%v, %v\n%s", err, jsonErr, out)
	}
	if want := (tuning.Ratios{Expired: 60, Forcibly: 93, Full: 96}); r.Facts.Store.Ratios != want || !slices.Equal(r.Facts.Network.Ports, []int{9876, 20911, 31000, 20909}) {
		t.Errorf("%+v, %v", r.Facts.Store.Ratios, r.Facts.Network.Ports)
	}
}

func TestTuneRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		`output "xml": table or json`:                                   {"-o", "xml"},
		"--undo takes back what --apply did: give one of them":          {"--undo", "--apply"},
		"--persist goes with --apply, or with --dry-run":                {"--persist"},
		"--force goes with --undo":                                      {"--force"},
		"--undo-file x is no absolute path":                             {"--undo-file", "x"},
		`--unit "../x.service", --user "*": each is one name`:           {"--unit", "../x.service"},
		"--pid 4194999: there is no such process":                       {"--pid", "4194999"},
		`profile "big" is none of auto, production, development, conta`: {"--profile", "big"},
		"there is no advice about vm.swapiness on this host":            {"--root", madeTree(t), "--only", "vm.swapiness"},
		"undo file: read":           {"--root", madeTree(t), "--undo", "--undo-file", "/proc"},
		"--limit 1h0m0s: up to 18s": {"probe-disk", "--limit", "1h"},
		"the store is not there yet; make its directory, as the user th": {"probe-disk", "--store", filepath.Join(t.TempDir(), "none")},
	} {
		if out, err := tuned(t, args...); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}

// TestTuneProbeDisk: the answer is kept where a broker looks, and a broker's lock is noticed.
func TestTuneProbeDisk(t *testing.T) {
	dir := t.TempDir()
	out, err := tuned(t, "probe-disk", "--store", dir, "--limit", "2s")
	if err != nil || !strings.Contains(out, "kept in "+dir+"/ringmq/disk.json") || strings.Contains(out, "a broker runs") {
		t.Fatalf("%v\n%s", err, out)
	}
	lock, err := disk.OS().Lock(dir + "/lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	out, err = tuned(t, "probe-disk", "--store", dir, "--limit", "2s", "-o", "json")
	note, text, _ := strings.Cut(out, "\n") // it is printed first, to the other stream
	m, err2 := disk.DecodeMeasured([]byte(text))
	if err != nil || err2 != nil || m.Pwrite.Count < 3 || !strings.HasPrefix(note, "a broker runs on this store") {
		t.Fatalf("%v, %v\n%s", err, err2, out)
	}
	kept, err := disk.LoadMeasured(disk.OS(), dir+"/ringmq")
	if err != nil || kept.Pwrite != m.Pwrite {
		t.Errorf("%v: %+v, %+v", err, kept, m)
	}
}

// TestProbeDiskOfTheLog: with the log on a file system of its own it is that one that is measured, and tune knows; the answer lies with the store.
func TestProbeDiskOfTheLog(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "ringmq-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	store, log, conf := t.TempDir(), filepath.Join(dir, "log"), filepath.Join(t.TempDir(), "broker.conf")
	there, err := disk.Identity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if here, err := disk.Identity(store); err != nil || here == there {
		t.Skip("there is one file system", err)
	}
	if err := os.WriteFile(conf, []byte("storePathRootDir="+store+"\nstorePathCommitLog="+log+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := tuned(t, "probe-disk", "-c", conf, "--limit", "1s")
	if err == nil || !strings.HasPrefix(err.Error(), "the log's directory cannot be looked at") {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Mkdir(log, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-c", conf}, {"-c", conf, "--store", store}} {
		if err := os.RemoveAll(store + "/ringmq"); err != nil {
			t.Fatal(err)
		}
		out, err = tuned(t, append([]string{"probe-disk", "--limit", "1s"}, args...)...)
		if err != nil || !strings.HasPrefix(out, "measured in "+log+"/.ringmq, since") || !strings.Contains(out, "kept in "+store+"/ringmq/disk.json") {
			t.Fatalf("%v\n%s", err, out)
		}
		m, err := disk.LoadMeasured(disk.OS(), store+"/ringmq")
		if err != nil || m.Device != there {
			t.Errorf("%v, %+v", err, m)
		}
		out, err = tuned(t, append([]string{"-o", "json"}, args...)...)
		var r tuning.Report
		if jsonErr := json.Unmarshal([]byte(out), &r); err != nil && !errors.Is(err, somethingLeft) || jsonErr != nil {
			t.Fatalf("%v, %v\n%s", err, jsonErr, out)
		}
		if s := r.Facts.Store; s.LogDir != log || s.Rest == nil || s.Measured == nil || s.Type != "tmpfs" {
			t.Errorf("%+v", s)
		}
	}
	// Another store than the file's has its log inside.
	other := t.TempDir()
	out, err = tuned(t, "probe-disk", "--limit", "1s", "-c", conf, "--store", other)
	if err != nil || strings.Contains(out, "measured in") || !strings.Contains(out, "kept in "+other+"/ringmq/disk.json") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestProbeDiskEnds: whoever measures a device that does not answer is ended, and not waited for.
func TestProbeDiskEnds(t *testing.T) {
	if measureTime > measureLimit || measureLimit >= answerLimit || answerLimit >= 20*time.Second {
		t.Errorf("%s, %s and %s do not make 20 seconds", measureTime, measureLimit, answerLimit)
	}
	stalled := func() *exec.Cmd { return exec.Command("sleep", "600") }
	gone := func(child *exec.Cmd) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !errors.Is(syscall.Kill(child.Process.Pid, 0), syscall.ESRCH); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("process", child.Process.Pid, "still runs")
			}
		}
	}
	var out, errOut bytes.Buffer
	child := stalled()
	began := time.Now()
	err := guarded(t.Context(), child, 100*time.Millisecond, &out, &errOut)
	if err == nil || !strings.HasPrefix(err.Error(), "the device under the store did not answer: it was given 100ms") || time.Since(began) > 30*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	gone(child)

	ctx, stop := context.WithCancel(t.Context())
	stop()
	child = stalled()
	if err := guarded(ctx, child, time.Hour, &out, &errOut); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	gone(child)

	// What the other process says comes out as if this one had said it.
	err = guarded(t.Context(), exec.Command("sh", "-c", "echo figures; echo a note >&2; echo ringmq: it failed >&2; exit 1"), time.Hour, &out, &errOut)
	if err == nil || err.Error() != "it failed" || errOut.String() != "a note\n" || out.Len() > 0 {
		t.Errorf("%v, %q, %q", err, errOut.String(), out.String())
	}
	errOut.Reset()
	if err := guarded(t.Context(), exec.Command("sh", "-c", "echo figures; echo a note >&2"), time.Hour, &out, &errOut); err != nil || errOut.String() != "a note\n" || out.String() != "figures\n" {
		t.Errorf("%v, %q, %q", err, errOut.String(), out.String())
	}
}
