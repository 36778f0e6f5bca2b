package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"ringmq/interop/rig"
)

// process is one life of the broker.
type process struct {
	cmd  *exec.Cmd
	log  string
	done bool
}

func (p *process) kill() {
	if p.done {
		return
	}
	p.done = true
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
}

// start runs the binary and waits until it answers; the time it took counts against the limit.
func (t *trial) start() (*process, error) {
	ports, err := freePorts()
	if err != nil {
		return nil, err
	}
	t.port = ports[0]
	logName := filepath.Join(t.dir, "broker.log")
	log, err := os.OpenFile(logName, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{"standalone"}
	for _, s := range []string{
		"listenPort=" + strconv.Itoa(ports[0]), "namesrvListenPort=" + strconv.Itoa(ports[1]),
		"storePathRootDir=" + filepath.Join(t.root(), "store"), "storePathCommitLog=" + t.logDir(),
		"mappedFileSizeConsumeQueue=20000", "maxHashSlotNum=5000", "maxIndexNum=20000",
		"flushDiskType=" + t.mode.flush, "diskEngine=" + t.mode.engine,
		"mappedFileSizeCommitLog=" + strconv.FormatInt(t.mode.segmentBytes(), 10),
	} {
		args = append(args, "--set", s)
	}
	if t.mode.recycled {
		args = append(args, "--set", "commitLogMaxBytes="+strconv.FormatInt(t.mode.keptBytes(), 10), "--set", "deleteCommitLogFilesInterval=1")
	}
	cmd := exec.Command(t.bin, args...)
	cmd.Stdout, cmd.Stderr = log, log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: logName}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if rig.Answered(ctx, t.addr()) {
			break
		}
		if ctx.Err() != nil {
			p.kill()
			return nil, fmt.Errorf("no answer 30 s after the start (log %s)", logName)
		}
		time.Sleep(5 * time.Millisecond)
	}
	took := time.Since(began)
	t.ready = append(t.ready, took.Seconds())
	if took > t.readyLimit {
		p.kill()
		return nil, fmt.Errorf("ready only after %s (log %s)", took, logName)
	}
	return p, nil
}

// freePorts finds a broker port whose neighbours (the second port two below, one above) are free too, and one for the name server.
func freePorts() ([2]int, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return [2]int{}, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		free := port > 1100 && port < 65000
		for _, p := range []int{port - 2, port + 1, port + 2} {
			n, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(p))
			if err != nil {
				free = false
				break
			}
			_ = n.Close()
		}
		if free {
			return [2]int{port, port + 2}, nil
		}
	}
	return [2]int{}, fmt.Errorf("no run of free ports found")
}
