package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Disk is a file system on a loop device whose power can be cut: the file system is told to go down without writing anything
// more, its journal included, and is mounted again from what had reached the image. Until then all I/O on it fails with EIO.
type Disk struct {
	Mount string // folder where it is mounted
	image string
}

// Plug makes and mounts a file system of the given kind, ext4 or xfs, and size under root. It needs the rights of root.
func Plug(root, name, kind string, bytes int64) (*Disk, error) {
	d := &Disk{image: filepath.Join(root, name+"-"+kind+".img"), Mount: filepath.Join(root, name+"-"+kind)}
	if err := os.MkdirAll(d.Mount, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	err = errors.Join(f.Truncate(bytes), f.Close())
	mkfs := []string{"mkfs.ext4", "-qF", d.image}
	if kind == "xfs" {
		mkfs = []string{"mkfs.xfs", "-q", "-f", d.image}
	}
	if err == nil {
		err = run(mkfs...)
	}
	if err == nil {
		err = run("mount", "-o", "loop", d.image, d.Mount)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(d.image))
	}
	return d, nil
}

// Cut is EXT4_IOC_SHUTDOWN, which XFS calls XFS_IOC_GOINGDOWN, with the flag that keeps even the journal from being written.
func (d *Disk) Cut() error {
	const shutdown, noLogFlush = 0x8004587d, 2
	dir, err := os.Open(d.Mount)
	if err != nil {
		return err
	}
	defer dir.Close()
	flag := uint32(noLogFlush)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), shutdown, uintptr(unsafe.Pointer(&flag)))
	if errno != 0 {
		return fmt.Errorf("power cut of %s: %w", d.Mount, errno)
	}
	return nil
}

// Replug mounts again what the cut left. Nobody may have a file open on it.
func (d *Disk) Replug() error {
	if err := d.umount(); err != nil {
		return err
	}
	return run("mount", "-o", "loop", d.image, d.Mount)
}

const ballast = "ballast"

// Fill takes all the space there is.
func (d *Disk) Fill() error {
	f, err := os.OpenFile(filepath.Join(d.Mount, ballast), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	at := int64(0)
	for step := int64(64 << 20); step >= 4096; {
		switch err := unix.Fallocate(int(f.Fd()), 0, at, step); {
		case err == nil:
			at += step
		case errors.Is(err, unix.ENOSPC):
			step /= 2
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("filling %s: %w", d.Mount, err)
		}
	}
	return nil
}

// Free gives back what Fill took.
func (d *Disk) Free() error { return os.Remove(filepath.Join(d.Mount, ballast)) }

// umount waits for the killed process to let go of its files.
func (d *Disk) umount() (err error) {
	for range 100 {
		if err = run("umount", d.Mount); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// Unplug unmounts and removes the file system.
func (d *Disk) Unplug() error {
	if err := d.umount(); err != nil {
		return err
	}
	return os.Remove(d.image)
}

func run(words ...string) error {
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, out)
	}
	return nil
}
