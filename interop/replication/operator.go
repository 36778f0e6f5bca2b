package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// documents are those whose commands are run as well. "": it is not.
type documents struct{ migration, gone, setUp string }

func (d *documents) flags() {
	flag.StringVar(&d.migration, "migration", "", "run the commands of this document as well: docs/MIGRATION.md")
	flag.StringVar(&d.gone, "gone", "", "run what this document says for a master that is gone for good: docs/MIGRATION.md")
	flag.StringVar(&d.setUp, "setup", "", "run the commands of this document that set up a pair: docs/REPLICATION.md")
}

func (d *documents) play(t *tally, s *stage) {
	if d.migration != "" {
		t.play(s, "migration", stock, stock, migration(d.migration))
		t.play(s, "migration-alone", stock, stock, alone(d.migration))
	}
	if d.gone != "" {
		t.play(s, "gone", ours, ours, gone(d.gone))
	}
	if d.setUp != "" {
		began := time.Now()
		text, err := setUpPair(s, d.setUp)
		t.counts("setup", began, text, err)
	}
}

// step is one block of shell commands in a document, with the heading above it. prints is what the block right behind it says they print.
type step struct{ title, commands, prints string }

// stepsOf finds the blocks of shell commands in a Markdown file, under the headings (## ...) that are wanted.
func stepsOf(file string, wanted func(title string) bool) ([]step, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var steps []step
	var into *string // of the block that a line is in; nil: in none
	title, behind := "", false
	for line := range strings.Lines(string(text)) {
		switch fence := strings.TrimRight(line, "\n"); {
		case into != nil && fence == "```":
			behind = len(steps) > 0 && into == &steps[len(steps)-1].commands
			into = nil
		case into != nil:
			*into += line
		case fence == "```sh":
			steps = append(steps, step{title: title})
			into = &steps[len(steps)-1].commands
		case fence == "```" && behind:
			into = &steps[len(steps)-1].prints
		case strings.HasPrefix(fence, "```"):
			into = new(string)
		case strings.HasPrefix(line, "## "):
			title = strings.TrimSpace(line[3:])
		case fence != "":
			behind = false
		}
	}
	kept := steps[:0]
	for _, st := range steps {
		if wanted(st.title) {
			kept = append(kept, st)
		}
	}
	return kept, nil
}

// operator is a shell that is told commands one after the other, as somebody at a terminal would.
type operator struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startOperator starts a shell in a folder, with programs of its own: scripts by name. apart gives it a network of its own, where the ports
// that a document names are free.
func startOperator(dir string, programs map[string]string, env []string, apart bool) (*operator, error) {
	tools := filepath.Join(dir, "tools")
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return nil, err
	}
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(tools, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("bash")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if apart {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	}
	cmd.Env = append(append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH")), env...)
	o := &operator{cmd: cmd}
	var err error
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

// end kills what the shell started, wherever a failed step has left it, and the shell.
func (o *operator) end() error {
	_ = o.in.Close()
	err := syscall.Kill(-o.cmd.Process.Pid, syscall.SIGKILL)
	_ = o.cmd.Wait() // it was killed
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}
