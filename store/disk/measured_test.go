package disk

import (
	"context"
	"errors"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	m, err := Measure(t.Context(), dir, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	for name, l := range map[string]Latency{"fdatasync": m.Fdatasync, "fsync": m.Fsync, "pwrite": m.Pwrite} {
		if l.Count < 3 || l.P50Us <= 0 || l.P99Us < l.P50Us {
			t.Errorf("%s: %+v", name, l)
		}
	}
	if said := strings.Join(m.Missing, " "); (m.Uring.Count == 0) != strings.Contains(said, "uring: ") || (m.Dsync.Count == 0) != strings.Contains(said, "dsync: ") ||
		(len(m.DirectDsync) < len(depths)) != strings.Contains(said, "direct: ") {
		t.Errorf("missing is %q of %+v", m.Missing, m)
	}
	for _, d := range m.DirectDsync {
		if d.Count < d.Writes || d.PerSecond <= 0 {
			t.Errorf("%+v", d)
		}
	}
	must(t, m.Save(OS(), dir))
	again, err := LoadMeasured(OS(), dir)
	if err != nil || !reflect.DeepEqual(m, again) {
		t.Fatalf("%v\n%+v\n%+v", err, m, again)
	}
	must(t, again.Fits(dir))
}

func TestMeasureStops(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	dir := t.TempDir()
	if _, err := Measure(ctx, dir, time.Hour); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// slowZeros is a device that takes its time over each step.
type slowZeros struct {
	clock, step time.Duration
	zeroed      int64
	gaps        bool
}

func (z *slowZeros) ZeroRange(off, n int64) error {
	z.gaps = z.gaps || off != z.zeroed
	z.zeroed = off + n
	return nil
}

func (z *slowZeros) Sync() error {
	z.clock += z.step
	return nil
}

// TestMeasureFill: a device that cannot zero the whole scratch file in its share of the time is measured with less of it.
func TestMeasureFill(t *testing.T) {
	const share = 3 * time.Second
	for step, want := range map[time.Duration]int64{10 * time.Millisecond: measureBytes, time.Second: 3 * fillStep, time.Minute: fillStep} {
		z := &slowZeros{step: step}
		got, err := fill(z, func() bool { return z.clock < share })
		if err != nil || got != want || z.zeroed != want || z.gaps {
			t.Errorf("%s a step: %d bytes, %d zeroed, %v", step, got, z.zeroed, err)
		}
	}
}

// TestMeasuredChooses: NewRing believes a measurement that fits, and says when one does not.
func TestMeasuredChooses(t *testing.T) {
	if u, err := NewUringRing(1); err != nil {
		t.Skip(err)
	} else {
		must(t, u.Close())
	}
	dir, state := t.TempDir(), t.TempDir()
	device, err := Identity(dir)
	must(t, err)
	kernel, err := kernelRelease()
	must(t, err)
	fits := Measured{FormatVersion: measuredVersion, Device: device, Kernel: kernel, MeasuredAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Uring: Latency{500, 600, 9}, Pwrite: Latency{100, 200, 9}}
	choice := func(m *Measured) (string, string) {
		t.Helper()
		if m != nil {
			must(t, m.Save(OS(), state))
		}
		r, why, err := NewRing(EngineAuto, OS(), dir, state, 4)
		must(t, err)
		defer r.Close()
		return r.Name(), why
	}
	if name, why := choice(&fits); name != EnginePwrite || why != "synced 16 KiB write as measured on 2026-01-02: io_uring 500 us, pwrite 100 us" {
		t.Errorf("%s, %s", name, why)
	}
	fits.Uring.P50Us = 109
	if name, why := choice(&fits); name != EngineUring {
		t.Errorf("%s, %s: a tenth is the least that counts", name, why)
	}
	other := fits
	other.Device = "another"
	if _, why := choice(&other); !strings.HasSuffix(why, "; disk.json not used: measured on another file system") {
		t.Error(why)
	}
	other = fits
	other.Kernel = "5.4.0"
	if _, why := choice(&other); !strings.HasSuffix(why, "; disk.json not used: measured with kernel 5.4.0") {
		t.Error(why)
	}
	other = fits
	other.FormatVersion = 2
	if _, why := choice(&other); !strings.HasSuffix(why, "has format version 2, not 1") {
		t.Error(why)
	}
	one := fits
	one.Uring.Count = 0
	if _, why := choice(&one); !strings.HasPrefix(why, "synced 16 KiB write here: ") || strings.Contains(why, "disk.json") {
		t.Error(why)
	}
	must(t, os.Remove(filepath.Join(state, MeasuredFile)))
	if _, why := choice(nil); strings.Contains(why, "disk.json") {
		t.Error(why)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestMeasuredElsewhere: a measurement counts for the file system that the writes go to, not for that on which it is kept.
func TestMeasuredElsewhere(t *testing.T) {
	if u, err := NewUringRing(1); err != nil {
		t.Skip(err)
	} else {
		must(t, u.Close())
	}
	dir, err := os.MkdirTemp("/dev/shm", "ringmq-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	state := t.TempDir()
	there, err := Identity(dir)
	must(t, err)
	here, err := Identity(state)
	must(t, err)
	if there == here {
		t.Skip("there is one file system")
	}
	kernel, err := kernelRelease()
	must(t, err)
	for device, want := range map[string]string{there: "as measured on", here: "disk.json not used: measured on another file system"} {
		m := Measured{FormatVersion: measuredVersion, Device: device, Kernel: kernel, Uring: Latency{500, 600, 9}, Pwrite: Latency{100, 200, 9}}
		must(t, m.Save(OS(), state))
		r, why, err := NewRing(EngineAuto, OS(), dir, state, 4)
		must(t, err)
		if !strings.Contains(why, want) {
			t.Errorf("%s: %s", r.Name(), why)
		}
		must(t, r.Close())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestMeasuredMissing(t *testing.T) {
	if _, err := LoadMeasured(OS(), t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := DecodeMeasured(make([]byte, measuredLimit+1)); err == nil {
		t.Error("a file without end was read")
	}
	if _, err := DecodeMeasured([]byte(`{"formatVersion":2,"uring":{"p50Us":3}}`)); err == nil || !strings.Contains(err.Error(), "disk.json has format version 2, not 1") {
		t.Error(err)
	}
}

// TestMeasuredIsWhole: whatever operation of saving it is the last before a power cut, the one before is there or the new one.
func TestMeasuredIsWhole(t *testing.T) {
	for cut := 0; ; cut++ {
		d := NewFaulty()
		must(t, d.MkdirAll("/r", 0o755))
		must(t, (&Measured{FormatVersion: measuredVersion, Device: "first"}).Save(d, "/r"))
		before := d.Ops()
		d.CrashAt(before + cut)
		err := (&Measured{FormatVersion: measuredVersion, Device: "second"}).Save(d, "/r")
		m, loadErr := LoadMeasured(d.Crash(rand.New(rand.NewSource(int64(cut)))), "/r")
		if loadErr != nil || m.Device != "second" && (err == nil || m.Device != "first") {
			t.Fatalf("cut %d, saved %v: %v %v", cut, err, m, loadErr)
		}
		if err == nil {
			if cut < 4 {
				t.Fatalf("only %d operations", cut)
			}
			return
		}
	}
}

func FuzzMeasured(f *testing.F) {
	f.Add([]byte(`{"formatVersion":1,"uring":{"p50Us":3}}`))
	f.Add([]byte(`{"formatVersion":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := DecodeMeasured(text)
		if err == nil && m.FormatVersion != measuredVersion {
			t.Fatal(m.FormatVersion)
		}
	})
}
