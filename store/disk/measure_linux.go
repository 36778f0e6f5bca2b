package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	measureBytes = 64 << 20 // of the scratch file, where the device zeroes as many in its share of the time
	fillStep     = 4 << 20
	streamBytes  = 1 << 20
	fillShare    = 0.25 // of the time
	turnsShare   = 0.6  // of what is left then; the rest goes to depths and to the stream in equal parts
)

// depths of direct writes that are measured.
var depths = [...]int{1, 4, 16}

// Identity tells one file system from another, and stays what it is over a restart of the host where the file system has a number of
// its own (ext4, btrfs) or its device keeps its own (xfs).
func Identity(dir string) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return "", &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return fmt.Sprintf("type %x id %08x%08x blocks %d of %d", s.Type, uint32(s.Fsid.Val[0]), uint32(s.Fsid.Val[1]), s.Blocks, s.Bsize), nil
}

func kernelRelease() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", err
	}
	return unix.ByteSliceToString(u.Release[:]), nil
}

// Measure finds out within about limit what synced writes cost on the device under dir of the host, beside whatever else runs there. It writes a
// scratch file of at most 64 MiB in dir that has no name, so that nothing is left of it whenever this process ends. A context that ends gives
// its error. A device that does not answer holds it for as long as that lasts: who cannot wait has it done by another process.
func Measure(ctx context.Context, dir string, limit time.Duration) (*Measured, error) {
	m := &Measured{FormatVersion: measuredVersion, MeasuredAt: time.Now().UTC().Truncate(time.Second), WriteBytes: probeBytes, Missing: []string{}, DirectDsync: []InFlight{}}
	var err error
	if m.Device, err = Identity(dir); err != nil {
		return nil, err
	}
	if m.Kernel, err = kernelRelease(); err != nil {
		return nil, err
	}
	began := time.Now()
	s, err := openScratch(filepath.Join(dir, "measure.tmp"), func() bool { return ctx.Err() == nil && time.Since(began) < time.Duration(float64(limit)*fillShare) })
	if err != nil {
		return nil, err
	}
	left := max(0, limit-time.Since(began))
	part := time.Duration(float64(left) * (1 - turnsShare) / float64(len(depths)+1))
	err = s.turns(ctx, m, time.Duration(float64(left)*turnsShare))
	if err == nil {
		err = s.direct(ctx, m, part)
	}
	return m, errors.Join(err, ctx.Err(), s.close())
}

// scratchFile is the file that is measured with.
type scratchFile struct {
	f     *osFile
	buf   *Buffer
	bytes int64 // that are zeroed
}

// openScratch makes the file, as large as it becomes while there is more time.
func openScratch(name string, more func() bool) (s *scratchFile, err error) {
	f, err := OS().Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	s = &scratchFile{f: f.(*osFile)}
	if err = os.Remove(name); err == nil {
		s.buf, err = Arena(streamBytes)
	}
	if err == nil {
		s.bytes, err = fill(f, more)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	for i := range s.buf.Bytes() { // not zeros: a device may do nothing for them
		s.buf.Bytes()[i] = byte(i*7 + i>>8)
	}
	return s, nil
}

func (s *scratchFile) close() error {
	if s.buf != nil {
		s.buf.Free()
	}
	return s.f.Close()
}

// fill zeroes the beginning of a file step by step, one step at least, while there is more time, and returns how much it has come to.
func fill(f interface {
	ZeroRange(off, n int64) error
	Sync() error
}, more func() bool) (bytes int64, err error) {
	for bytes < measureBytes && (bytes == 0 || more()) {
		if err := errors.Join(f.ZeroRange(bytes, fillStep), f.Sync()); err != nil {
			return bytes, err
		}
		bytes += fillStep
	}
	return bytes, nil
}

// rounds is how many writes have places of their own.
func (s *scratchFile) rounds() int { return int(s.bytes / probeBytes) }

// way is one way to bring a write to the disk.
type way struct {
	into *Latency
	do   func(off int64) error
	took []float64
}

// turns measures every way that works here, one write of each after the other, so that what else the host does meets them alike.
func (s *scratchFile) turns(ctx context.Context, m *Measured, limit time.Duration) error {
	part := s.buf.Bytes()[:probeBytes]
	write := func(then func() error) func(int64) error {
		return func(off int64) error {
			if _, err := s.f.WriteAt(part, off); err != nil {
				return err
			}
			return then()
		}
	}
	ways := []*way{{into: &m.Fdatasync, do: write(s.f.Datasync)}, {into: &m.Fsync, do: write(s.f.Sync)}}
	dsync := &way{into: &m.Dsync, do: func(off int64) error { return writeDsync(s.f.fd, part, off) }}
	if err := dsync.do(0); err != nil {
		m.Missing = append(m.Missing, "dsync: "+err.Error())
	} else {
		ways = append(ways, dsync)
	}
	ring := func(r Ring, into *Latency) {
		ways = append(ways, &way{into: into, do: func(off int64) error {
			_, err := syncedWrite(r, s.f, part, off)
			return err
		}})
	}
	ring(NewPwriteRing(4), &m.Pwrite)
	if u, err := NewUringRing(4); err != nil {
		m.Missing = append(m.Missing, "uring: "+err.Error())
	} else {
		defer u.Close()
		ring(u, &m.Uring)
	}
	for began, i := time.Now(), 0; ctx.Err() == nil && (i < 3 || time.Since(began) < limit); i++ {
		for _, w := range ways {
			t := time.Now()
			if err := w.do(int64(i%s.rounds()) * probeBytes); err != nil {
				return err
			}
			w.took = append(w.took, microseconds(time.Since(t)))
		}
	}
	for _, w := range ways {
		*w.into = latencyOf(w.took)
	}
	return nil
}

// direct measures writes past the page cache: synced ones at each depth, then a stream.
func (s *scratchFile) direct(ctx context.Context, m *Measured, limit time.Duration) error {
	f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", s.f.fd), os.O_WRONLY|unix.O_DIRECT, 0)
	if err != nil {
		m.Missing = append(m.Missing, "direct: "+err.Error())
		return nil
	}
	defer f.Close()
	for _, n := range depths {
		one, err := s.depth(ctx, int(f.Fd()), n, limit)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
			m.Missing = append(m.Missing, "direct: "+err.Error())
			return nil
		}
		if err != nil {
			return err
		}
		m.DirectDsync = append(m.DirectDsync, one)
	}
	began, bytes := time.Now(), int64(0)
	for ctx.Err() == nil && (bytes == 0 || time.Since(began) < limit) {
		if _, err := f.WriteAt(s.buf.Bytes(), bytes%s.bytes); err != nil {
			return err
		}
		bytes += streamBytes
	}
	m.SequentialBytesPerSecond = int64(float64(bytes) / time.Since(began).Seconds())
	return nil
}

// depth writes with n threads, each in a part of the file of its own.
func (s *scratchFile) depth(ctx context.Context, fd, n int, limit time.Duration) (InFlight, error) {
	var group sync.WaitGroup
	took, errs := make([][]float64, n), make([]error, n)
	began := time.Now()
	for k := range n {
		group.Go(func() {
			rounds := s.rounds() / n
			for i := 0; ctx.Err() == nil && (i == 0 || time.Since(began) < limit); i++ {
				t := time.Now()
				off := int64(k*rounds+i%rounds) * probeBytes
				if errs[k] = writeDsync(fd, s.buf.Bytes()[:probeBytes], off); errs[k] != nil {
					return
				}
				took[k] = append(took[k], microseconds(time.Since(t)))
			}
		})
	}
	group.Wait()
	seconds := time.Since(began).Seconds()
	all := slices.Concat(took...)
	return InFlight{Writes: n, PerSecond: float64(int(float64(len(all)) / seconds)), Latency: latencyOf(all)}, errors.Join(errs...)
}

func writeDsync(fd int, buf []byte, off int64) error {
	for {
		n, err := unix.Pwritev2(fd, [][]byte{buf}, off, unix.RWF_DSYNC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n != len(buf) {
			err = unix.EIO
		}
		return err
	}
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()/100) / 10 }

func latencyOf(us []float64) Latency {
	if len(us) == 0 {
		return Latency{}
	}
	slices.Sort(us)
	return Latency{P50Us: us[len(us)/2], P99Us: us[len(us)*99/100], Count: len(us)}
}
