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
