package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// otherPort is where the broker without a slave listens, from the pair's base on; controlPort is for its clients' orders.
const (
	otherPort   = 40
	controlPort = 45
)

// away is how long a master stays away that does not come back at once: longer than a client needs to find its slave.
const away = 6 * time.Second

// lifeLimit is how long clients may take for all of it.
const lifeLimit = 15 * time.Minute

// life: clients of the reference work with a pair and one more broker, and have the pair's brokers killed and restarted. The command is told in
// its environment where everything is: NAMESRV, BROKERS (all that get the topic), BROKER (the master), CONTROL (a program that carries
// out kill-master, start-master, restart-slave, restart-master and away-master). Its PASS and FAIL lines count.
func (t *tally) life(command string) func(*pair) (string, error) {
	return func(p *pair) (text string, err error) {
		at, err := p.newPlace("other")
		if err != nil {
			return "", err
		}
		other := p.broker("other", p.master.maker, "broker-b", 0, p.base+otherPort, at)
		other.set("brokerRole", "ASYNC_MASTER")
		defer func() {
			if other.proc != nil {
				other.proc.kill()
			}
			err = errors.Join(err, at.discard())
		}()
		if err := other.start(); err != nil {
			return "", err
		}
		if err := p.start(); err != nil {
			return "", err
		}
		control, err := p.newControl()
		if err != nil {
			return "", err
		}
		defer control.close()
		if err := t.follow(p, command, control.program, other); err != nil {
			return "", err
		}
		return "both logs compared", p.check()
	}
}

// follow runs the clients and prints their lines.
func (t *tally) follow(p *pair, command, control string, other *node) error {
	cmd := exec.Command("timeout", fmt.Sprint(int(lifeLimit.Seconds())), "bash", "-c", command)
	cmd.Dir = p.work
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Env = append(os.Environ(), "NAMESRV="+p.nsAddr(), "BROKER="+p.master.addr(), "CONTROL="+control,
		"BROKERS="+strings.Join([]string{p.master.addr(), p.slave.addr(), other.addr()}, ","))
	errs, err := os.Create(filepath.Join(p.work, "clients.err"))
	if err != nil {
		return err
	}
	defer errs.Close()
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	whole := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "PASS "):
			t.passed++
		case strings.HasPrefix(line, "FAIL "):
			t.failed++
		case strings.Contains(line, " passed, "):
			whole = true
			continue
		default:
			continue
		}
		fmt.Printf("%s %s/%s\n", line[:4], p.name, line[5:])
	}
	err = cmd.Wait()
	if !whole {
		return fmt.Errorf("the clients ended early: %w (%s)", err, lastLine(errs.Name()))
	}
	return nil
}

// control takes orders from a client's program, one line a connection, and answers "ok" or why not.
type control struct {
	program  string
	listener net.Listener
	all      sync.WaitGroup
}

func (p *pair) newControl() (*control, error) {
	l, err := net.Listen("tcp", loopback(p.base+controlPort))
	if err != nil {
		return nil, err
	}
	c := &control{program: filepath.Join(p.work, "control"), listener: l}
	text := fmt.Sprintf("#!/usr/bin/env bash\nexec 3<>/dev/tcp/127.0.0.1/%d\necho \"$1\" >&3\nread -r answer <&3\n[ \"$answer\" = ok ] || { echo \"$answer\" >&2; exit 1; }\n", p.base+controlPort)
	if err := os.WriteFile(c.program, []byte(text), 0o755); err != nil {
		return nil, err
	}
	c.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			word, err := bufio.NewReader(conn).ReadString('\n')
			if err == nil {
				err = p.order(strings.TrimSpace(word))
			}
			answer := "ok"
			if err != nil {
				answer = strings.ReplaceAll(err.Error(), "\n", "; ")
			}
			_, _ = fmt.Fprintln(conn, answer)
			_ = conn.Close()
		}
	})
	return c, nil
}

func (c *control) close() {
	_ = c.listener.Close()
	c.all.Wait()
}

// order carries out a word of a client's program.
func (p *pair) order(word string) error {
	switch word {
	case "kill-master":
		p.master.proc.kill()
		return nil
	case "start-master":
		return p.master.start()
	case "restart-slave":
		return p.slave.inOrder()
	case "restart-master":
		return p.master.inOrder()
	case "away-master":
		if err := p.master.proc.end(); err != nil {
			return err
		}
		time.Sleep(away)
		return p.master.start()
	}
	return fmt.Errorf("no order %q", word)
}

// inOrder ends a broker as an operator does and starts it again.
func (n *node) inOrder() error {
	if err := n.proc.end(); err != nil {
		return err
	}
	return n.start()
}
