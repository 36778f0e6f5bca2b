package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is one life of a server.
type process struct {
	cmd     *exec.Cmd
	log     string
	gone    chan struct{} // closed when it has ended
	stopped bool          // by SIGSTOP
	asked   bool          // it was killed or told to end
}

// spawn runs a program whose output goes to the end of a log file. It dies with this program.
func spawn(log string, env []string, words ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: log, gone: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.gone)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ended says whether it runs no more.
func (p *process) ended() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

func (p *process) kill() {
	p.asked = true
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.gone
}

// end asks it to end in order; after a minute it is killed, which is an error.
func (p *process) end() error {
	p.asked = true
	p.resume()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.gone:
		return nil
	case <-time.After(time.Minute):
		p.kill()
		return fmt.Errorf("%s did not end within a minute", filepath.Base(p.log))
	}
}

func (p *process) suspend() error {
	p.stopped = true
	return p.cmd.Process.Signal(syscall.SIGSTOP)
}

func (p *process) resume() {
	if p.stopped {
		p.stopped = false
		if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			fmt.Println("replication:", err)
		}
	}
}
