package backup

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringmq/store/disk"
)

// firstSegment is the file of a log in which the damage of these tests is, and damagedAt where: in the body of a message.
const (
	firstSegment = "commitlog/00000000000000000000"
	damagedAt    = 100_123
)

// flip turns bits of one byte of a file.
func flip(t *testing.T, name string, at int64, bits byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err = f.ReadAt(b[:], at); err == nil {
		b[0] ^= bits
		_, err = f.WriteAt(b[:], at)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// filled is a broker with a log of two segments.
func filled(t *testing.T, more ...string) *rig {
	t.Helper()
	r := newRig(t, more...)
	m := r.dial()
	var last sent
	for i := range 600 {
		s, ok := m.send("T", i%2, strings.Repeat("z", 2000), "TAGS", "a")
		if !ok {
			t.Fatal("not sent")
		}
		last = s
	}
	eventuallyEnd(t, m, last)
	return r
}

// damaged is a broker again after a bit of its log was turned while it was stopped.
func (r *rig) damaged(bits byte, more ...string) *rig {
	r.t.Helper()
	r.stop()
	flip(r.t, filepath.Join(r.root, firstSegment), damagedAt, bits)
	return startRig(r.t, r.root, more...)
}

// crashed has the next start of a store look at all of its log.
func crashed(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"consumequeue", "batchconsumequeue", "checkpoint", "ringmq"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "abort"), []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDamageOfTheMaster: what the master sends damaged is known for its own, though the run in which it came was interrupted.
func TestDamageOfTheMaster(t *testing.T) {
	t.Parallel()
	r := filled(t).damaged(1, "haFlowControlEnable=true", "maxHaTransferByteInSecond=3000000", "haTransferBatchSize=65536")
	dir := filepath.Join(t.TempDir(), "backup")
	enough := errors.New("enough")
	_, err := Take(t.Context(), Options{Dir: dir, Broker: r.addr(), reached: func(_ context.Context, at int64) error {
		if at > 2*damagedAt {
			return enough
		}
		return nil
	}})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	m, err := ReadManifest(dir)
	if err != nil || m.Complete() || len(m.Damaged) != 1 || !covered(m.Damaged, damagedAt, damagedAt+1) {
		t.Fatalf("%+v, %v", m, err)
	}
	m = r.take(dir)
	if rep := fine(t, dir); rep.Known == 0 || rep.Known != m.Damaged[0][1]-m.Damaged[0][0] || len(m.Doubtful) != 0 {
		t.Errorf("%+v of %+v", rep, m)
	}
	// A start that looks at all of it finds the master's damage, and no other.
	crashed(t, dir)
	if again := r.take(dir); len(again.Damaged) != 1 || again.Damaged[0] != m.Damaged[0] {
		t.Errorf("%+v after %+v", again, m)
	}
	fine(t, dir)
}

// TestDamageOfTheBackup: what is damaged in the backup alone is had back before it is complete, and nobody takes it for the master's. Where the master
// does not have it, no run is complete, and each says why.
func TestDamageOfTheBackup(t *testing.T) {
	t.Parallel()
	r := filled(t)
	dir := filepath.Join(t.TempDir(), "backup")
	r.take(dir)
	flip(t, filepath.Join(dir, firstSegment), damagedAt, 1)
	crashed(t, dir)
	if m := r.take(dir); len(m.Damaged) != 0 || len(m.Doubtful) != 0 {
		t.Errorf("%+v", m)
	}
	fine(t, dir)

	r = r.damaged(2)
	flip(t, filepath.Join(dir, firstSegment), damagedAt, 1)
	crashed(t, dir)
	for range 2 { // the second run's start has nothing to look at
		_, err := Take(t.Context(), Options{Dir: dir, Broker: r.addr()})
		if err == nil || !strings.Contains(err.Error(), "the backup's own log is damaged in 1 ranges") {
			t.Error(err)
		}
		if m, err := ReadManifest(dir); err != nil || m.Complete() || len(m.Damaged) != 0 || len(m.Doubtful) != 1 {
			t.Errorf("%+v, %v", m, err)
		}
	}
	if rep, err := Verify(t.Context(), VerifyOptions{Dir: dir, Interrupted: true}); err != nil || rep.Fine() {
		t.Errorf("%+v, %v", rep, err)
	}
	r = r.damaged(2) // it is whole again
	if m := r.take(dir); len(m.Damaged) != 0 || len(m.Doubtful) != 0 {
		t.Errorf("%+v", m)
	}
	fine(t, dir)
}

// TestInterruptedKeepsItsPromise: what the last complete run had must be there in one that is under way; what came behind it may end anywhere.
func TestInterruptedKeepsItsPromise(t *testing.T) {
	t.Parallel()
	r := filled(t)
	dir := filepath.Join(t.TempDir(), "backup")
	m := r.take(dir)
	m.State = StateUnderWay
	if err := m.write(dir, "test"); err != nil {
		t.Fatal(err)
	}
	look := func(what string, want bool) {
		t.Helper()
		rep, err := Verify(t.Context(), VerifyOptions{Dir: dir, Interrupted: true})
		if err != nil || rep.Fine() != want {
			t.Errorf("%s: %+v, %v", what, rep, err)
		}
	}
	look("as it was", true)
	second := filepath.Join(dir, "commitlog/00000000000001048576")
	was, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	end := m.To - testSegment
	put(second, append(was[:end-700:end-700], make([]byte, testSegment-end+700)...))
	look("the end is lost", false)
	put(second, append(append(was[:end-700:end-700], "garbage"...), make([]byte, testSegment-end+700-7)...))
	look("the end is damaged", false)
	put(second, append(append(was[:end:end], "garbage"...), was[end+7:]...))
	look("what came later is torn", true)
	put(second, nil)
	look("the last segment is empty", false)
	if err := os.Remove(second); err != nil {
		t.Fatal(err)
	}
	look("the last segment is missing", false)
	put(second, was)
	if err := os.Remove(filepath.Join(dir, firstSegment)); err != nil {
		t.Fatal(err)
	}
	look("the first segment is missing", false)
	if _, err := Restore(t.Context(), RestoreOptions{From: dir, To: filepath.Join(t.TempDir(), "to"), Interrupted: true}); err == nil {
		t.Error("it is put back")
	}
}

// TestRecordThatNoQueueTakes: one of those ranges that are noted as the master's may be whole, and have no entry.
func TestRecordThatNoQueueTakes(t *testing.T) {
	t.Parallel()
	r := filled(t)
	dir := filepath.Join(t.TempDir(), "backup")
	m := r.take(dir)
	name := filepath.Join(dir, "consumequeue/T/0/00000000000000000000")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	unit := b[5*20 : 6*20]
	at, n := int64(binary.BigEndian.Uint64(unit)), int64(binary.BigEndian.Uint32(unit[8:]))
	clear(unit)
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if rep, err := Verify(t.Context(), VerifyOptions{Dir: dir}); err != nil || rep.Fine() {
		t.Errorf("%+v, %v", rep, err)
	}
	m.Damaged = [][2]int64{{at, at + n}}
	if err := m.write(dir, "test"); err != nil {
		t.Fatal(err)
	}
	if rep := fine(t, dir); rep.Known != n {
		t.Errorf("%+v, the record has %d bytes", rep, n)
	}
}

// TestCompleteUnderLock: nobody else can write between the last look at a backup and the word that it is complete.
func TestCompleteUnderLock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, ok := r.dial().send("T", 0, "x"); !ok {
		t.Fatal("not sent")
	}
	dir := filepath.Join(t.TempDir(), "backup")
	calls := 0
	_, err := Take(t.Context(), Options{Dir: dir, Broker: r.addr(), complete: func() {
		calls++
		if _, err := Verify(t.Context(), VerifyOptions{Dir: dir}); !errors.Is(err, disk.ErrLocked) {
			t.Error("it is not locked:", err)
		}
	}})
	if err != nil || calls != 1 {
		t.Fatal(err, calls)
	}
	fine(t, dir)
}

// TestRestoreAndLinks: a backup may be named by a link, and has none inside.
func TestRestoreAndLinks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, ok := r.dial().send("T", 0, "x"); !ok {
		t.Fatal("not sent")
	}
	dir, link := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "link")
	r.take(dir)
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if rep, err := Restore(t.Context(), RestoreOptions{From: link, To: filepath.Join(t.TempDir(), "to")}); err != nil || rep.Records != 1 {
		t.Errorf("%+v, %v", rep, err)
	}
	for _, to := range []string{filepath.Join(link, "to"), filepath.Join(dir, "to")} {
		if _, err := Restore(t.Context(), RestoreOptions{From: link, To: to}); err == nil || !strings.Contains(err.Error(), "lies in the backup itself") {
			t.Errorf("%s: %v", to, err)
		}
	}
	if err := os.Symlink("topics.json", filepath.Join(dir, "config", "odd.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), RestoreOptions{From: dir, To: filepath.Join(t.TempDir(), "to")}); err == nil || !strings.Contains(err.Error(), "neither a file nor a folder") {
		t.Error(err)
	}
}

// TestRanges: ranges are joined where they touch, and cut off at an end.
func TestRanges(t *testing.T) {
	t.Parallel()
	all := joined([][2]int64{{10, 20}, {40, 50}}, [][2]int64{{20, 30}, {0, 5}, {45, 47}})
	if len(all) != 3 || all[0] != [2]int64{0, 5} || all[1] != [2]int64{10, 30} || all[2] != [2]int64{40, 50} {
		t.Error(all)
	}
	if b := below(all, 12); len(b) != 2 || b[1] != [2]int64{10, 12} {
		t.Error(b)
	}
	for _, c := range []struct {
		from, to int64
		want     bool
	}{{10, 30, true}, {9, 30, false}, {29, 31, false}, {0, 5, true}, {5, 10, false}, {41, 41, true}} {
		if covered(all, c.from, c.to) != c.want {
			t.Errorf("%+v", c)
		}
	}
	if covered(nil, 0, 1) || len(joined()) != 0 {
		t.Error("nothing covers something")
	}
}
