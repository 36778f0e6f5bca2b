package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// step is one block of commands in a document, with the heading above it.
type step struct{ title, commands string }

// stepsOf finds the blocks of shell commands in a Markdown file.
func stepsOf(file string) ([]step, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var steps []step
	title, inside := "", false
	for line := range strings.Lines(string(text)) {
		switch {
		case inside && strings.HasPrefix(line, "```"):
			inside = false
		case inside:
			steps[len(steps)-1].commands += line
		case strings.HasPrefix(line, "```sh"):
			inside = true
			steps = append(steps, step{title: title})
		case strings.HasPrefix(line, "## "):
			title = strings.TrimSpace(line[3:])
		}
	}
	return steps, nil
}

// operator is a shell that is told commands one after the other, as somebody at a terminal would.
type operator struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// newOperator starts a shell whose PATH has our binary, and stock's programs under the names that a release gives them.
func (p *pair) newOperator() (*operator, error) {
	tools := filepath.Join(p.work, "tools")
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return nil, err
	}
	home, err := p.stockHome("operator")
	if err != nil {
		return nil, err
	}
	stockHome := "#!/bin/sh\nexport RMQ_HOME=" + home + "\n"
	for name, text := range map[string]string{
		"ringmq":   "#!/bin/sh\nexec " + p.bin + " \"$@\"\n",
		"mqadmin":  stockHome + "HEAP='-Xms128m -Xmx128m' exec " + p.rmq + " admin \"$@\"\n",
		"mqbroker": stockHome + "HEAP='-Xms512m -Xmx512m' exec " + p.rmq + " exec broker \"$2\"\n",
	} {
		if err := os.WriteFile(filepath.Join(tools, name), []byte(text), 0o755); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("bash")
	cmd.Dir = p.work
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"), "NAMESRV="+p.nsAddr(), "MASTER="+p.master.addr(), "SLAVE="+p.slave.addr(),
		"MASTER_CONF="+filepath.Join(p.work, "master.conf"), "SLAVE_CONF="+filepath.Join(p.work, "slave.conf"),
		"MASTER_PID="+strconv.Itoa(p.master.proc.pid()), "SLAVE_PID="+strconv.Itoa(p.slave.proc.pid()))
	o := &operator{cmd: cmd}
	if o.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	o.out = bufio.NewReader(out)
	return o, cmd.Start()
}

// do has commands run and returns what they print.
func (o *operator) do(commands string, limit time.Duration) (string, error) {
	if _, err := io.WriteString(o.in, commands+"\necho \"== done $?\"\n"); err != nil {
		return "", err
	}
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text := ""
		for {
			line, err := o.out.ReadString('\n')
			if strings.HasPrefix(line, "== done ") && !strings.HasPrefix(line, "== done 0") {
				err = fmt.Errorf("the last command failed, %s", strings.TrimSpace(line[8:]))
			}
			if err != nil || strings.HasPrefix(line, "== done ") {
				done <- result{strings.TrimSpace(text), err}
				return
			}
			text += line
		}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-time.After(limit):
		return "", fmt.Errorf("not done within %s", limit)
	}
}

// end kills the brokers that the shell started, and the shell.
func (o *operator) end() error {
	_, err := o.do(`kill -9 "$MASTER_PID" "$SLAVE_PID" 2>/dev/null; wait; true`, 10*time.Second)
	_ = o.in.Close()
	if err != nil {
		_ = o.cmd.Process.Kill()
	}
	return errors.Join(err, o.cmd.Wait())
}

// migration: a pair of stock brokers becomes ours and stock again, by the commands of docs/MIGRATION.md as they stand there, under load.
// After each step both logs are held against the history, and both brokers are asked for the progress of a group that was committed before it.
func migration(document string) func(*pair) (string, error) {
	return func(p *pair) (text string, err error) {
		steps, err := stepsOf(document)
		if err != nil {
			return "", err
		}
		if len(steps) < 5 {
			return "", fmt.Errorf("%s has %d blocks of commands", document, len(steps))
		}
		if err := p.start(); err != nil {
			return "", err
		}
		o, err := p.newOperator()
		if err != nil {
			return "", err
		}
		p.master.proc.asked, p.slave.proc.asked = true, true
		p.run()
		defer func() {
			p.rest()
			err = errors.Join(err, o.end())
		}()
		if err := p.check(); err != nil {
			return "", err
		}
		if err := p.makeMoved(); err != nil {
			return "", err
		}
		var slowest time.Duration
		for i, st := range steps {
			if err := p.commitMoved(int64(10 * (i + 1))); err != nil {
				return "", fmt.Errorf("before %s: %w", st.title, err)
			}
			began := time.Now()
			if _, err := o.do(st.commands, 3*time.Minute); err != nil {
				return "", fmt.Errorf("%s: %w", st.title, err)
			}
			if _, err := p.recovered(); err != nil {
				return "", fmt.Errorf("%s: %w", st.title, err)
			}
			if err := p.check(); err != nil {
				return "", fmt.Errorf("after %s: %w", st.title, err)
			}
			took, err := p.moved(int64(10 * (i + 1)))
			if err != nil {
				return "", fmt.Errorf("after %s: %w", st.title, err)
			}
			slowest = max(slowest, took)
			if strings.HasPrefix(st.title, "Step") {
				text += fmt.Sprintf("%s in %.0f s; ", st.title[:6], time.Since(began).Seconds())
			}
		}
		return fmt.Sprintf("%sprogress kept by the master at once and by the slave within %.0f s; %s", text, slowest.Seconds(), p.history), nil
	}
}
