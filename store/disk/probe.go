package disk

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// Names of the engines, as the configuration says them.
const (
	EngineAuto   = "auto"
	EngineUring  = "io_uring"
	EnginePwrite = "pwrite"
)

// NewRing returns the engine that is wanted for files on the file system of dir, and one line that says why it is this one. "auto" takes
// io_uring where the kernel allows it, unless pwrite is more than a tenth faster: as a long measurement found that was kept in state (see
// Measured) and fits dir, and otherwise by a short probe in dir. The two may be one; where they are not, dir is where the writes go.
func NewRing(want string, fs FS, dir, state string, depth int) (Ring, string, error) {
	_, host := fs.(osFS)
	switch want {
	case EnginePwrite:
		return NewPwriteRing(depth), "configured", nil
	case EngineUring:
		r, err := NewUringRing(depth)
		return r, "configured", err
	case EngineAuto, "":
	default:
		return nil, "", fmt.Errorf("disk: engine %q is none of auto, io_uring, pwrite", want)
	}
	if !host {
		return NewPwriteRing(depth), "the file system is not the host's", nil
	}
	u, err := NewUringRing(depth)
	if err != nil {
		return NewPwriteRing(depth), err.Error(), nil
	}
	p := NewPwriteRing(depth)
	uringUs, pwriteUs, why, err := probed(fs, dir, state, u, p)
	if err != nil {
		// A full disk, for one: the store must start all the same, to serve what it has.
		return p, "the two could not be compared: " + err.Error(), u.Close()
	}
	if fasterEngine(uringUs, pwriteUs) == EnginePwrite {
		return p, why, u.Close()
	}
	return u, why, nil
}

// NewReadRing returns an engine for reads of so many at a time: io_uring where it is there and pwrite was not asked for, else
// ordinary calls.
func NewReadRing(want string, fs FS, depth int) Ring {
	if _, host := fs.(osFS); host && want != EnginePwrite {
		if r, err := NewUringRing(depth); err == nil {
			return r
		}
	}
	return NewPwriteRing(depth)
}

// fasterEngine prefers io_uring unless pwrite is more than a tenth faster.
func fasterEngine(uringUs, pwriteUs float64) string {
	if pwriteUs*1.1 < uringUs {
		return EnginePwrite
	}
	return EngineUring
}

// probed is what a synced write costs with each of the two, and where that is known from.
func probed(fs FS, dir, state string, uring, pwrite Ring) (uringUs, pwriteUs float64, why string, err error) {
	aside := ""
	m, err := LoadMeasured(fs, state)
	if err == nil {
		err = m.Fits(dir)
	}
	switch {
	case err == nil && m.Engine() != "":
		why = fmt.Sprintf("synced 16 KiB write as measured on %s: io_uring %.0f us, pwrite %.0f us", m.MeasuredAt.Format(time.DateOnly), m.Uring.P50Us, m.Pwrite.P50Us)
		return m.Uring.P50Us, m.Pwrite.P50Us, why, nil
	case err != nil && !errors.Is(err, iofs.ErrNotExist):
		aside = fmt.Sprintf("; %s not used: %v", MeasuredFile, err)
	}
	uringUs, pwriteUs, err = compareRings(fs, dir, uring, pwrite)
	return uringUs, pwriteUs, fmt.Sprintf("synced 16 KiB write here: io_uring %.0f us, pwrite %.0f us%s", uringUs, pwriteUs, aside), err
}

const (
	probeBytes  = 16 << 10
	probeRounds = 24
	probeLimit  = 60 * time.Millisecond // per engine
)

// compareRings measures synced writes into one zeroed scratch file, the engines by turns, and returns each one's median.
func compareRings(fs FS, dir string, a, b Ring) (aUs, bUs float64, err error) {
	name := filepath.Join(dir, "probe.tmp")
	f, err := fs.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), fs.Remove(name)) }()
	buf, err := Arena(probeBytes)
	if err != nil {
		return 0, 0, err
	}
	defer buf.Free()
	if err := f.ZeroRange(0, probeBytes*probeRounds); err != nil {
		return 0, 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, 0, err
	}
	var took [2][]float64
	began := time.Now()
	for i := 0; i < probeRounds && (i < 3 || time.Since(began) < 2*probeLimit); i++ {
		for k, r := range []Ring{a, b} {
			us, err := syncedWrite(r, f, buf.Bytes(), int64(i*probeBytes))
			if err != nil {
				return 0, 0, err
			}
			took[k] = append(took[k], us)
		}
	}
	sort.Float64s(took[0])
	sort.Float64s(took[1])
	return took[0][len(took[0])/2], took[1][len(took[1])/2], nil
}

func syncedWrite(r Ring, f File, buf []byte, off int64) (us float64, err error) {
	ops := []*Op{{Kind: OpWrite, File: f, Buf: buf, Offset: off, Link: true}, {Kind: OpDatasync, File: f}}
	began := time.Now()
	if err := r.Submit(ops); err != nil {
		return 0, err
	}
	for done := []*Op(nil); len(done) < len(ops); {
		if done, err = r.Wait(len(ops)-len(done), done); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(began).Nanoseconds()) / 1e3, errors.Join(ops[0].Err, ops[1].Err)
}
