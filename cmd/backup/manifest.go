package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"ringmq/store/disk"
)

const (
	// ManifestName is the file in which a backup says what it is. A directory without it is none.
	ManifestName  = "backup.json"
	formatVersion = 1
	// maxManifestBytes and maxDocumentBytes bound what a damaged directory can make us read.
	maxManifestBytes = 16 << 20
	maxDocumentBytes = 1 << 30
)

// State of a backup's directory.
const (
	StateUnderWay = "under way" // a run began and has not come to its end
	StateComplete = "complete"
)

// Manifest is what a backup says of itself. What speaks of the last complete run stays while another one is under way.
type Manifest struct {
	FormatVersion int    `json:"formatVersion"`
	State         string `json:"state"`
	Cluster       string `json:"brokerClusterName"`
	Broker        string `json:"brokerName"`
	Version       string `json:"version"` // of the ringmq that wrote this
	Began         string `json:"began"`   // the run that is under way, or was the last; RFC 3339

	// Of the last complete run; To is 0 as long as there was none.
	Ended         string            `json:"ended,omitempty"`
	From          int64             `json:"from"`          // where the log begins
	To            int64             `json:"to"`            // and where it ends
	Before        int64             `json:"before"`        // where the run before that had ended
	MasterVersion string            `json:"masterVersion"` // of the broker's ringmq
	Keys          map[string]string `json:"keys"`          // configuration that a broker needs to go on with it
	Files         map[string]string `json:"files"`         // SHA-256 of what lies in config/, by name
	Damaged       [][2]int64        `json:"damaged"`       // of the log, from and to: the master's own log was damaged there, or has a record that no queue takes

	// Of the log too: damaged here, and not on the master, when a run looked last. The next one has it back.
	Doubtful [][2]int64 `json:"doubtful,omitempty"`

	Sum string `json:"sum"` // SHA-256 of all this with Sum empty
}

// Complete says whether the last run came to its end.
func (m *Manifest) Complete() bool { return m.State == StateComplete }

func (m *Manifest) sum() string {
	own := *m
	own.Sum = ""
	b, err := json.Marshal(own)
	if err != nil {
		panic(err) // texts and numbers
	}
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// ErrNoBackup: the directory has no manifest.
var ErrNoBackup = errors.New("there is no " + ManifestName + " in it: it is no backup")

// IsBackup says that a directory is one, whole or not. A broker must not have it: its own messages would be taken for the master's.
func IsBackup(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ManifestName))
	return err == nil
}

// ReadManifest reads a directory's. ErrNoBackup; an error too where it is damaged, or of another release's format.
func ReadManifest(dir string) (*Manifest, error) {
	b, err := readSmall(filepath.Join(dir, ManifestName), maxManifestBytes)
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Stat(dir); errors.Is(gone, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: no such directory (%w)", dir, ErrNoBackup)
		}
		return nil, fmt.Errorf("%s: %w", dir, ErrNoBackup)
	}
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(b)
	if err != nil {
		return nil, fmt.Errorf("%s in %s %w", ManifestName, dir, err)
	}
	return m, nil
}

func parseManifest(b []byte) (*Manifest, error) {
	m := &Manifest{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("is damaged: %w", err)
	}
	if m.FormatVersion != formatVersion {
		return nil, fmt.Errorf("has format version %d, of another release, which can read it; this one knows %d", m.FormatVersion, formatVersion)
	}
	if m.Sum != m.sum() {
		return nil, errors.New("is damaged: its checksum is wrong")
	}
	if m.State != StateComplete && m.State != StateUnderWay || m.From < 0 || m.To < m.From {
		return nil, fmt.Errorf("says what cannot be: state %q, from %d to %d", m.State, m.From, m.To)
	}
	return m, nil
}

// write puts the manifest in its place; when it returns that is durable.
func (m *Manifest) write(dir, version string) error {
	m.FormatVersion, m.Version = formatVersion, version
	m.Sum = m.sum()
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(dir, ManifestName)
	if err := writeSynced(name+".tmp", append(b, '\n')); err != nil {
		return err
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return err
	}
	return disk.OS().SyncDir(dir)
}

func writeSynced(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// readSmall reads a file of at most limit bytes.
func readSmall(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(f, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return b.Bytes(), err
}

// documents are the files in config/ that a backup has.
var documents = []string{"topics.json", "subscriptionGroup.json", "consumerOffset.json", "delayOffset.json", "messageRequestMode.json"}

// documentSums are those of the documents that are there.
func documentSums(dir string) (map[string]string, error) {
	sums := map[string]string{}
	for _, name := range documents {
		b, err := readSmall(filepath.Join(dir, "config", name), maxDocumentBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s := sha256.Sum256(b)
		sums[name] = hex.EncodeToString(s[:])
	}
	return sums, nil
}

// isEmpty says whether a directory has nothing in it, or is not there. What file systems and packages put into a fresh one counts for nothing.
func isEmpty(dir string) (bool, error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	for _, e := range list {
		if e.Name() != "lost+found" {
			return false, nil
		}
	}
	return true, err
}
