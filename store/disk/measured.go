package disk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// MeasuredFile is the name, in the folder of the store's own state, of what a long measurement of the device found out.
const MeasuredFile = "disk.json"

const (
	measuredVersion = 1
	measuredLimit   = 64 << 10 // bytes that such a file may have
)

// Latency of one kind of operation, in microseconds.
type Latency struct {
	P50Us float64 `json:"p50Us"`
	P99Us float64 `json:"p99Us"`
	Count int     `json:"count"`
}

// InFlight is what direct writes with RWF_DSYNC reach when so many are under way at a time.
type InFlight struct {
	Writes    int     `json:"writes"`
	PerSecond float64 `json:"perSecond"`
	Latency
}

// Measured is what Measure found out about the device under a directory. Writes are of WriteBytes each, into zeroed blocks; a Latency
// of Count 0 was not measured, and Missing says why.
type Measured struct {
	FormatVersion int       `json:"formatVersion"`
	Device        string    `json:"device"` // which file system it was, see Identity
	Kernel        string    `json:"kernel"`
	MeasuredAt    time.Time `json:"measuredAt"`
	WriteBytes    int       `json:"writeBytes"`

	Fdatasync Latency `json:"fdatasync"` // write, then fdatasync
	Fsync     Latency `json:"fsync"`     // write, then fsync
	Dsync     Latency `json:"dsync"`     // one write with RWF_DSYNC
	Uring     Latency `json:"uring"`     // write and fdatasync by the io_uring engine
	Pwrite    Latency `json:"pwrite"`    // the same by the pwrite engine

	DirectDsync              []InFlight `json:"directDsync"`
	SequentialBytesPerSecond int64      `json:"sequentialBytesPerSecond"` // direct writes of 1 MiB
	Missing                  []string   `json:"missing"`
}

// LoadMeasured reads what Save wrote into dir. Without a file the error is fs.ErrNotExist.
func LoadMeasured(fs FS, dir string) (*Measured, error) {
	f, err := fs.Open(filepath.Join(dir, MeasuredFile), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, measuredLimit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return DecodeMeasured(text)
}

// DecodeMeasured reads the text of such a file.
func DecodeMeasured(text []byte) (*Measured, error) {
	if len(text) > measuredLimit {
		return nil, fmt.Errorf("disk: %s has more than %d bytes", MeasuredFile, measuredLimit)
	}
	var m Measured
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("disk: %s: %w", MeasuredFile, err)
	}
	if m.FormatVersion != measuredVersion {
		return nil, fmt.Errorf("disk: %s has format version %d, not %d", MeasuredFile, m.FormatVersion, measuredVersion)
	}
	return &m, nil
}

// Save keeps it in dir, whole or not at all, for the starts of brokers to come.
func (m *Measured) Save(fs FS, dir string) (err error) {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(dir, MeasuredFile)
	f, err := fs.Open(name+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(append(text, '\n'), 0)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, fs.Remove(name+".tmp"))
	}
	return errors.Join(fs.Rename(name+".tmp", name), fs.SyncDir(dir))
}

// Fits says why it holds no longer for dir: another file system lies there, or another kernel runs. nil: it does.
func (m *Measured) Fits(dir string) error {
	device, err := Identity(dir)
	if err != nil {
		return err
	}
	kernel, err := kernelRelease()
	if err != nil {
		return err
	}
	if m.Device != device {
		return errors.New("measured on another file system")
	}
	if m.Kernel != kernel {
		return fmt.Errorf("measured with kernel %s", m.Kernel)
	}
	return nil
}

// Engine is the one that NewRing takes by it, and "" if it says nothing about one of them.
func (m *Measured) Engine() string {
	if m.Uring.Count == 0 || m.Pwrite.Count == 0 {
		return ""
	}
	return fasterEngine(m.Uring.P50Us, m.Pwrite.P50Us)
}
