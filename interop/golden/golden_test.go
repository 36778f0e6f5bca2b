package golden

import (
	"os"
	"testing"
)

func TestScenariosAreThere(t *testing.T) {
	n := 0
	for _, s := range Scenarios(t) {
		n += len(Scenario(t, s))
	}
	if n != 6481 {
		t.Fatalf("%d exchanges, want 6481", n)
	}
}

func TestStoresUnpack(t *testing.T) {
	if got := len(Stores(t)); got != 6 {
		t.Fatalf("%d stores, want 6", got)
	}
	for _, name := range DamagedNames(t) {
		dir, d := DamagedStore(t, name)
		if _, err := os.Stat(dir + "/commitlog"); err != nil || d.Base == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := len(DamagedNames(t)); got != 14 {
		t.Errorf("%d damaged stores, want 14", got)
	}
}

// TestManifests: every store's manifest is read whole.
func TestManifests(t *testing.T) {
	for name, want := range map[string]int{"clean": 1513, "killed": 2232, "crc": 522, "batchcq": 222, "timer": 247, "ext": 600} {
		messages := 0
		for _, l := range Manifest(t, name) {
			if l.Kind == "message" {
				messages++
				if l.Topic == "" || l.RecordSize == 0 || len(l.RecordSha256) != 64 {
					t.Errorf("%s: %+v", name, l)
				}
			}
		}
		if messages != want {
			t.Errorf("%s: %d messages, want %d", name, messages, want)
		}
		if StoreConf(t, name)["mapedFileSizeCommitLog"]+StoreConf(t, name)["mappedFileSizeCommitLog"] == "" {
			t.Errorf("%s: no size of segments in %v", name, StoreConf(t, name))
		}
	}
}

// TestDamageIsApplied: a broken copy differs from its base where it should.
func TestDamageIsApplied(t *testing.T) {
	dir, d := DamagedStore(t, "killed-flip-first-file")
	ranges := d.Touched(t)
	if len(ranges) == 0 {
		t.Fatal("nothing was touched")
	}
	base := Store(t, d.Base)
	for _, op := range d.Operations {
		a, errA := os.ReadFile(dir + "/" + op.File)
		b, errB := os.ReadFile(base + "/" + op.File)
		if errA != nil || errB != nil || len(a) != len(b) || string(a) == string(b) {
			t.Errorf("%s: %v %v, %d and %d bytes", op.File, errA, errB, len(a), len(b))
		}
	}
}
