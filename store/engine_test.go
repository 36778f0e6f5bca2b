package store

import (
	"os"
	"strings"
	"testing"
	"time"

	"ringmq/store/disk"
)

// TestEngineOfTheLogsDisk: with the log on another file system engines are compared there, by what was measured there and kept with the store.
func TestEngineOfTheLogsDisk(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "ringmq-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	o := smallOptions(disk.OS())
	o.Root, o.CommitLogDir, o.Engine = t.TempDir(), dir+"/commitlog", disk.EngineAuto
	there, err := disk.Identity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if here, err := disk.Identity(o.Root); err != nil || here == there {
		t.Skip("there is one file system", err)
	}
	closeStore(t, mustOpen(t, o))
	work := o.CommitLogDir + "/.ringmq"
	if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	m, err := disk.Measure(t.Context(), work, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if m.Engine() == "" {
		t.Skip(m.Missing)
	}
	for device, want := range map[string]string{there: "as measured on", "another": "disk.json not used: measured on another file system"} {
		m.Device = device
		if err := m.Save(disk.OS(), o.Root+"/ringmq"); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, o)
		if why := s.Stats().EngineReason; !strings.Contains(why, want) {
			t.Errorf("%s: %s", device, why)
		}
		closeStore(t, s)
	}
}
