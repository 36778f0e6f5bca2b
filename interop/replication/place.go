package main

import (
	"os"
	"path/filepath"

	"ringmq/interop/rig"
)

// place is where one store lies. It outlives the broker that runs on it: a slave's place may become the master's.
type place struct {
	dir  string    // storePathRootDir
	disk *rig.Disk // nil: an ordinary folder
	view *view     // what was found in its log so far
}

const placeBytes = 6 << 30 // of a file system that may be filled or made to fail; its image takes what is written

// newPlace makes an empty one, on a file system of its own where there shall be disks.
func (s *stage) newPlace(name string) (*place, error) {
	p := &place{dir: filepath.Join(s.work, name, "store")}
	if s.disks {
		d, err := rig.Plug(s.work, name, "ext4", placeBytes)
		if err != nil {
			return nil, err
		}
		p.disk, p.dir = d, filepath.Join(d.Mount, "store")
	}
	p.view = newView(p.logDir(), s.segment)
	return p, os.MkdirAll(p.dir, 0o755)
}

func (p *place) logDir() string { return filepath.Join(p.dir, "commitlog") }

// document puts one into a store whose broker does not run.
func (p *place) document(name, text string) error {
	dir := filepath.Join(p.dir, "config")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
}

// empty throws the store away.
func (p *place) empty() error {
	p.view = newView(p.logDir(), p.view.segment)
	return os.RemoveAll(p.dir)
}

// discard is for the end: nothing runs on it any more.
func (p *place) discard() error {
	if p.disk != nil {
		return p.disk.Unplug()
	}
	return os.RemoveAll(filepath.Dir(p.dir))
}
