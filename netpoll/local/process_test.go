package local

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestStat: a name may hold blanks and brackets, and a process that is not there or not whole is an error.
func TestStat(t *testing.T) {
	proc := t.TempDir()
	const rest = "S 1 1 1 0 -1 4194560 1 2 3 4 500 60 7 8 20 0 9 0 12345 1 1"
	for pid, text := range map[int]string{10: "10 (ring) mq (R 2) " + rest + "\n", 11: "11 (x) S 1 2 3\n", 12: ""} {
		dir := filepath.Join(proc, fmt.Sprint(pid))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Stat(proc, 10)
	if err != nil || f[0] != "S" || f[1] != "1" || f[19] != "12345" || CPU(f) != 5600*time.Millisecond {
		t.Errorf("%q, %v", f, err)
	}
	for _, pid := range []int{11, 12, 13} {
		if f, err := Stat(proc, pid); err == nil {
			t.Errorf("process %d: %q", pid, f)
		}
	}
	if f, err := Stat("/proc", os.Getpid()); err != nil || f[1] != fmt.Sprint(os.Getppid()) {
		t.Errorf("this process: %q, %v", f, err)
	}
}

func TestLabels(t *testing.T) {
	name := filepath.Join(t.TempDir(), "status")
	if err := os.WriteFile(name, []byte("Name:\tringmq: 1\nVmRSS:\t  1024 kB\nThreads:\t7\nEmpty:\nno label 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := Labels(name)
	if len(got) != 2 || got["VmRSS"] != 1024 || got["Threads"] != 7 {
		t.Error(got)
	}
	if got := Labels(name + ".not"); len(got) != 0 {
		t.Error(got)
	}
}
