package rig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Memory is a control group that bounds the memory of the processes in it, the page cache of the files they bring in included.
type Memory struct{ dir string }

// NewMemory makes a control group of either kind at the top of its tree. It needs the rights of root, and a tree that may be written.
func NewMemory(name string, bytes int64) (*Memory, error) {
	const top = "/sys/fs/cgroup"
	m, limit := &Memory{filepath.Join(top, "memory", name)}, "memory.limit_in_bytes"
	if _, err := os.Stat(filepath.Join(top, "cgroup.controllers")); err == nil {
		m.dir, limit = filepath.Join(top, name), "memory.max"
		if err := os.WriteFile(filepath.Join(top, "cgroup.subtree_control"), []byte("+memory"), 0); err != nil {
			return nil, err
		}
	} else if _, err := os.Stat(filepath.Join(top, "memory", "cgroup.procs")); err != nil {
		return nil, err
	}
	if err := os.Mkdir(m.dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(m.dir, limit), []byte(strconv.FormatInt(bytes, 10)), 0); err != nil {
		return nil, errors.Join(err, m.Remove())
	}
	return m, nil
}

// Within is a command that runs words in the group from its first instruction on, in the process that is started for it.
func (m *Memory) Within(words ...string) []string {
	return append([]string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(m.dir, "cgroup.procs")}, words...)
}

// Remove waits for the last process to be gone, and removes the group.
func (m *Memory) Remove() (err error) {
	for range 100 {
		if err = os.Remove(m.dir); err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("control group %s stays: %w", m.dir, err)
}
