package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ringmq/interop/rig"
)

// partedWays: the two ways out when a pair has parted, as docs/REPLICATION.md tells an operator. First the master's directory is put back
// to an older copy, so that its slave is ahead: it is refused, and the master takes what it has beyond its end. Then both are
// masters for a while: the logs differ, the slave is refused, and its end is cut with a copy saved.
func partedWays(p *pair) (string, error) {
	defer p.rest()
	if err := p.filled(1); err != nil {
		return "", err
	}
	adopted, err := p.aheadAdopted()
	if err != nil {
		return "", fmt.Errorf("a slave that is ahead: %w", err)
	}
	cut, err := p.differentCut()
	if err != nil {
		return adopted, fmt.Errorf("a slave that differs: %w", err)
	}
	return adopted + "; " + cut + "; " + p.history.String(), nil
}

// aheadAdopted: what was acknowledged is in the slave's log alone, and then in both.
func (p *pair) aheadAdopted() (string, error) {
	older, err := p.aside()
	if err != nil {
		return "", err
	}
	if err := p.master.start(); err != nil {
		return "", err
	}
	p.run()
	if _, err := p.recovered(); err != nil {
		return "", err
	}
	if err := p.grow(1); err != nil {
		return "", err
	}
	p.rest()
	if err := p.check(); err != nil {
		return "", err
	}
	for _, n := range []*node{p.master, p.slave} {
		if err := n.proc.end(); err != nil {
			return "", err
		}
	}
	if err := p.putBack(older); err != nil {
		return "", err
	}
	if err := p.refused("longer"); err != nil {
		return "", err
	}
	lent, err := p.lend(p.slave)
	if err != nil {
		return "", err
	}
	defer lent.kill()
	peer := loopback(p.base + controlPort)
	if out, err := p.admin(p.master, "adoptLog", "--peer", peer); err != nil || !strings.Contains(out, "Nothing was changed") {
		return "", fmt.Errorf("without --yes: %w: %s", err, out)
	}
	out, err := p.admin(p.master, "adoptLog", "--peer", peer, "--yes")
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	if err := lent.end(); err != nil {
		return "", err
	}
	return lastOf(out), p.together()
}

// aside ends the master and copies its directory.
func (p *pair) aside() (older string, err error) {
	if err := p.master.proc.end(); err != nil {
		return "", err
	}
	older = filepath.Join(p.work, "older")
	return older, os.CopyFS(older, os.DirFS(p.master.at.dir))
}

// putBack makes the directory of a master that does not run what it was when it was copied.
func (p *pair) putBack(older string) error {
	if err := p.master.at.empty(); err != nil {
		return err
	}
	return os.CopyFS(p.master.at.dir, os.DirFS(older))
}

// differentCut: the slave has what nobody else has, and loses it.
func (p *pair) differentCut() (string, error) {
	if err := p.master.proc.end(); err != nil {
		return "", err
	}
	role := func(role, id string) {
		p.slave.set("brokerRole", role)
		p.slave.set("brokerId", id)
	}
	role("ASYNC_MASTER", "0")
	if err := p.slave.inOrder(); err != nil {
		return "", err
	}
	if err := p.alone(p.slave, 30); err != nil {
		return "", err
	}
	role("SLAVE", "1")
	if err := p.slave.proc.end(); err != nil {
		return "", err
	}
	if err := p.master.start(); err != nil {
		return "", err
	}
	if err := p.alone(p.master, 50); err != nil {
		return "", err
	}
	if err := p.master.proc.end(); err != nil {
		return "", err
	}
	if err := p.refused("differ"); err != nil {
		return "", err
	}
	if err := p.master.start(); err != nil {
		return "", err
	}
	peer := p.master.haAddr()
	if out, err := p.admin(p.slave, "cutLog", "--peer", peer); err != nil || !strings.Contains(out, "50 messages") || !strings.Contains(out, "30 messages") {
		return "", fmt.Errorf("without --yes: %w: %s", err, out)
	}
	out, err := p.admin(p.slave, "cutLog", "--peer", peer, "--yes")
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	saved, err := filepath.Glob(filepath.Join(p.slave.at.dir, "ringmq", "cut", "*"))
	if err != nil || len(saved) != 1 {
		return "", fmt.Errorf("saved is %v: %w", saved, err)
	}
	shown, err := exec.Command(p.bin, "dump", "commitlog", saved[0]).CombinedOutput()
	if n := strings.Count(string(shown), "\tAlone/0\t"); err != nil || n != 30 {
		return "", fmt.Errorf("the copy shows %d messages of 30: %w", n, err)
	}
	if err := p.master.proc.end(); err != nil {
		return "", err
	}
	return lastOf(out), p.together()
}

// refused starts both, and waits until both have said that the slave is refused, and why; then it ends both.
func (p *pair) refused(why string) error {
	for _, n := range []*node{p.master, p.slave} {
		if err := n.start(); err != nil {
			return err
		}
	}
	for _, n := range []*node{p.master, p.slave} {
		for end := time.Now().Add(p.patience()); ; time.Sleep(50 * time.Millisecond) {
			b, err := os.ReadFile(n.proc.log)
			if err != nil {
				return err
			}
			if i := strings.LastIndex(string(b), "until somebody decides"); i >= 0 && strings.Contains(string(b[i:]), why) {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("the %s does not say that the slave is refused since the logs are %s", n.name, why)
			}
		}
	}
	return errors.Join(p.slave.proc.end(), p.master.proc.end())
}

// together starts both and holds the logs against each other and what producers were told, after some more.
func (p *pair) together() error {
	p.compared = 0
	for _, n := range []*node{p.master, p.slave} {
		if err := n.start(); err != nil {
			return err
		}
	}
	p.run()
	defer p.rest()
	if _, err := p.recovered(); err != nil {
		return err
	}
	return p.check()
}

// alone sends messages that no other broker gets.
func (p *pair) alone(n *node, messages int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := rig.Dial(ctx, n.addr())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := rig.CreateTopic(ctx, c, "Alone", 1); err != nil {
		return err
	}
	for range messages {
		_, _, err := rig.Send(ctx, c, "AloneProducer", "Alone", 0, []byte("alone at the "+n.name))
		if _, answered := rig.Refused(err); err != nil && !answered { // stored, but in one copy only
			return err
		}
	}
	return nil
}

// admin runs a command of ringmq admin on the store of a broker that is stopped.
func (p *pair) admin(n *node, words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conf := filepath.Join(p.work, n.name+".conf")
	out, err := exec.CommandContext(ctx, p.bin, append([]string{"admin", words[0], "-c", conf}, words[1:]...)...).CombinedOutput()
	return string(out), err
}

// lend serves the log of a stopped broker at the control port.
func (p *pair) lend(n *node) (*process, error) {
	log := filepath.Join(p.work, "lend.log")
	lent, err := spawn(log, nil, p.bin, "admin", "lendLog", "-c", filepath.Join(p.work, n.name+".conf"), "--listen", loopback(p.base+controlPort))
	if err != nil {
		return nil, err
	}
	err = p.waitFor(lent, time.Minute, func(context.Context) bool {
		b, err := os.ReadFile(log)
		return err == nil && strings.Contains(string(b), "served on")
	})
	return lent, err
}

// lastOf is the last line of a text.
func lastOf(text string) (last string) {
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		if s.Text() != "" {
			last = s.Text()
		}
	}
	return last
}
