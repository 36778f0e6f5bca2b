package main

import (
	"errors"
	"fmt"
	"math/rand"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	coldBytes   = 128 << 20
	coldPlaces  = 200 // that are read from
	coldAtOnce  = 32  // messages that lie together there
	coldMessage = 1200
)

// cold reads messages as a consumer of old ones does and prints what the kernel took from the disk for each.
func cold(name string) error {
	if _, err := os.Stat(name); err != nil {
		if err := write(name, coldBytes); err != nil {
			return err
		}
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		return err
	}
	before, err := field("/proc/self/io", "read_bytes")
	if err != nil {
		return err
	}
	places := rand.New(rand.NewSource(1)).Perm(coldBytes >> 19)[:coldPlaces] // the same ones each time, half a MiB apart
	buf := make([]byte, coldMessage)
	for _, at := range places {
		for k := range coldAtOnce {
			if _, err := f.ReadAt(buf, int64(at)<<19+int64(k*coldMessage)); err != nil {
				return err
			}
		}
	}
	after, err := field("/proc/self/io", "read_bytes")
	if err != nil {
		return err
	}
	if after == before {
		return errors.New("nothing was read from a disk: the file lies in memory")
	}
	fmt.Printf("%.1f\n", float64(after-before)/1024/(coldPlaces*coldAtOnce))
	return nil
}

func write(name string, bytes int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	part := make([]byte, 1<<20)
	for i := range part {
		part[i] = byte(i*7 + i>>8)
	}
	for done := 0; done < bytes && err == nil; done += len(part) {
		_, err = f.Write(part)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

const (
	burstClients = 1000
	burstTime    = 1500 * time.Millisecond // a client that has to send its SYN again is connected after a second; two of them are not
)

// burst connects at once, holds what it has until the end, and prints how many that are.
func burst(addr string) error {
	var group sync.WaitGroup
	var connected atomic.Int64
	d := net.Dialer{Deadline: time.Now().Add(burstTime)}
	held := make([]net.Conn, burstClients)
	for i := range held {
		group.Go(func() {
			if c, err := d.Dial("tcp", addr); err == nil {
				held[i] = c
				connected.Add(1)
			}
		})
	}
	group.Wait()
	fmt.Println(connected.Load())
	for _, c := range held {
		if c != nil {
			_ = c.Close()
		}
	}
	return nil
}

const (
	dirtyBytes = 1536 << 20
	dirtyTime  = 6 * time.Second
)

// dirty writes as a copy of files does, unsynced, and prints the most that was not on the disk meanwhile.
func dirty(name string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := os.Remove(name); err != nil { // what is not written by then never is
		return err
	}
	most, buf := int64(0), make([]byte, 1<<20)
	for began, done := time.Now(), 0; done < dirtyBytes && time.Since(began) < dirtyTime; done += len(buf) {
		if _, err := f.Write(buf); err != nil {
			return err
		}
		if done%(16<<20) != 0 {
			continue
		}
		waiting, err := field("/proc/meminfo", "Dirty")
		if err != nil {
			return err
		}
		under, err := field("/proc/meminfo", "Writeback")
		if err != nil {
			return err
		}
		most = max(most, waiting+under)
	}
	fmt.Println(most >> 10)
	return nil
}

// field is a number of a file of lines "name: number".
func field(file, name string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			return strconv.ParseInt(strings.Fields(value)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s says nothing about %s", file, name)
}
