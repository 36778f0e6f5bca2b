package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// commitBytes are the sizes of a batch that is written and synced.
var commitBytes = []int{16 << 10, 128 << 10, 256 << 10}

// benchCommit writes into a file of zeros and brings each write to the disk, one after the other. open returns what does so at an offset of
// the file. TMPDIR says which disk. Processor time is that of the whole process, with the kernel's workers for it.
func benchCommit(b *testing.B, open func(b *testing.B, f *osFile, buf []byte) (commit func(off int64) error)) {
	const fileBytes = 64 << 20
	for _, size := range commitBytes {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			made, err := OS().Open(filepath.Join(b.TempDir(), "f"), os.O_RDWR|os.O_CREATE, 0o644)
			if err != nil {
				b.Fatal(err)
			}
			defer made.Close()
			if err := made.ZeroRange(0, fileBytes); err != nil {
				b.Fatal(err)
			}
			if err := made.Sync(); err != nil {
				b.Fatal(err)
			}
			buf := arena(b, size)
			for i := range buf {
				buf[i] = byte(i*7 + i>>8)
			}
			commit := open(b, made.(*osFile), buf)
			took, before := make([]float64, 0, 1<<16), usedTime(b)
			for i := 0; b.Loop(); i++ {
				began := time.Now()
				if err := commit(int64(i % (fileBytes / size) * size)); err != nil {
					b.Fatal(err)
				}
				took = append(took, microseconds(time.Since(began)))
			}
			used := usedTime(b) - before
			b.ReportMetric(microseconds(used)/float64(len(took)), "cpu-us/op")
			b.ReportMetric(latencyOf(took).P50Us, "p50-us")
		})
	}
}

// usedTime is what this process has used of the processors.
func usedTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCommitFdatasync is pwrite and fdatasync.
func BenchmarkCommitFdatasync(b *testing.B) {
	benchCommit(b, func(_ *testing.B, f *osFile, buf []byte) func(off int64) error {
		return func(off int64) error {
			if _, err := f.WriteAt(buf, off); err != nil {
				return err
			}
			return f.Datasync()
		}
	})
}

// BenchmarkCommitDsync is pwritev2 with RWF_DSYNC.
func BenchmarkCommitDsync(b *testing.B) {
	benchCommit(b, func(b *testing.B, f *osFile, buf []byte) func(off int64) error {
		if err := writeDsync(f.fd, buf, 0); err != nil {
			b.Skip(err)
		}
		return func(off int64) error { return writeDsync(f.fd, buf, off) }
	})
}

// BenchmarkCommitLinked is the engine's write with a sync linked behind it.
func BenchmarkCommitLinked(b *testing.B) {
	benchCommit(b, func(b *testing.B, f *osFile, buf []byte) func(off int64) error {
		r, err := NewUringRing(8)
		if err != nil {
			b.Skip(err)
		}
		b.Cleanup(func() { _ = r.Close() })
		ops, done := []*Op{{Kind: OpWrite, File: f, Buf: buf, Link: true}, {Kind: OpDatasync, File: f}}, make([]*Op, 0, 2)
		return func(off int64) error {
			ops[0].Offset = off
			if err := r.Submit(ops); err != nil {
				return err
			}
			if _, err := r.Wait(len(ops), done); err != nil {
				return err
			}
			if ops[0].Err != nil {
				return ops[0].Err
			}
			return ops[1].Err
		}
	})
}
