package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

// sweep leaves no file system of this run mounted, whatever ended it. Servers that still run lose theirs when they are gone.
func (s *stage) sweep() {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(mounts)) {
		if words := strings.Fields(line); len(words) > 1 && strings.HasPrefix(words[1], s.work+"/") {
			if out, err := exec.Command("umount", "-l", words[1]).CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "replication: umount %s: %v: %s\n", words[1], err, out)
			}
		}
	}
}

// sweepWhenTold ends the program at a signal, with the file systems put away. Its servers die with it.
func (s *stage) sweepWhenTold() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-told
		s.sweep()
		os.Exit(130)
	}()
}
