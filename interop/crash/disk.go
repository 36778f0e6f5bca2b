package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// disk is a file system on a loop device whose power can be cut: the file system is told to go down without writing anything
// more, its journal included, and is mounted again from what had reached the image.
type disk struct {
	image string
	mount string
}

// plug makes and mounts a file system of the given kind under root.
func plug(root, name, kind string) (*disk, error) {
	d := &disk{image: filepath.Join(root, name+"-"+kind+".img"), mount: filepath.Join(root, name+"-"+kind)}
	if err := os.MkdirAll(d.mount, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(2 << 30); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	mkfs := []string{"mkfs.ext4", "-qF", d.image}
	if kind == "xfs" {
		mkfs = []string{"mkfs.xfs", "-q", "-f", d.image}
	}
	if err := run(mkfs...); err != nil {
		return nil, err
	}
	return d, run("mount", "-o", "loop", d.image, d.mount)
}

// cut is EXT4_IOC_SHUTDOWN, which XFS calls XFS_IOC_GOINGDOWN, with the flag that keeps even the journal from being written.
func (d *disk) cut() error {
	const shutdown, noLogFlush = 0x8004587d, 2
	dir, err := os.Open(d.mount)
	if err != nil {
		return err
	}
	defer dir.Close()
	flag := uint32(noLogFlush)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), shutdown, uintptr(unsafe.Pointer(&flag)))
	if errno != 0 {
		return fmt.Errorf("power cut of %s: %w", d.mount, errno)
	}
	return nil
}

// replug mounts again what the cut left.
func (d *disk) replug() error {
	if err := d.umount(); err != nil {
		return err
	}
	return run("mount", "-o", "loop", d.image, d.mount)
}

// umount waits for the killed process to let go of its files.
func (d *disk) umount() (err error) {
	for range 100 {
		if err = run("umount", d.mount); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

func (d *disk) unplug() {
	if err := d.umount(); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
	}
	_ = os.Remove(d.image)
}

func run(words ...string) error {
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, out)
	}
	return nil
}
