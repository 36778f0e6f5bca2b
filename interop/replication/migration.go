package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// newOperator starts a shell that knows a pair, and has our binary and stock's programs under the names that a release gives them. As there,
// mqbroker is a shell that waits for another, and that one for the JVM: $! is no broker.
func (p *pair) newOperator(more ...string) (*operator, error) {
	home, err := p.stockHome("operator")
	if err != nil {
		return nil, err
	}
	stockHome := "export RMQ_HOME=" + home + "\n"
	return startOperator(p.work, map[string]string{
		"ringmq":       "exec " + p.bin + " \"$@\"",
		"mqadmin":      stockHome + "HEAP='-Xms128m -Xmx128m' exec " + p.rmq + " admin \"$@\"",
		"mqbroker":     "sh \"$(dirname \"$0\")/runbroker.sh\" org.apache.rocketmq.broker.BrokerStartup \"$@\"\n:",
		"runbroker.sh": stockHome + "HEAP='-Xms512m -Xmx512m' " + p.rmq + " exec broker \"$3\"\n:",
	}, append([]string{"NAMESRV=" + p.nsAddr(), "MASTER=" + p.master.addr(), "SLAVE=" + p.slave.addr(),
		"MASTER_CONF=" + filepath.Join(p.work, "master.conf"), "SLAVE_CONF=" + filepath.Join(p.work, "slave.conf"),
		"MASTER_PID=" + strconv.Itoa(p.master.proc.pid())}, more...), false)
}

// slavePid is for an operator of a pair whose slave runs.
func (p *pair) slavePid() string { return "SLAVE_PID=" + strconv.Itoa(p.slave.proc.pid()) }

// Headings in docs/MIGRATION.md: of the functions of all steps, of the steps of a pair, of what is done with a slave alone.
const (
	beforeTitle = "Before"
	stepTitles  = "Step "
	goneTitle   = "When the master is gone for good"
)

// migration: a pair of stock brokers becomes ours and stock again, by the commands of docs/MIGRATION.md as they stand there, under load.
// After each step both logs are held against the history, and both brokers are asked for the progress of a group that was committed before it.
func migration(document string) func(*pair) (string, error) {
	return func(p *pair) (text string, err error) {
		steps, err := stepsOf(document, func(title string) bool { return title == beforeTitle || strings.HasPrefix(title, stepTitles) })
		if err != nil {
			return "", err
		}
		if len(steps) < 5 {
			return "", fmt.Errorf("%s has %d blocks of commands", document, len(steps))
		}
		if err := p.start(); err != nil {
			return "", err
		}
		o, err := p.newOperator(p.slavePid())
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
		if err := p.makeGroup(movedGroup); err != nil {
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
			if strings.HasPrefix(st.title, stepTitles) {
				text += fmt.Sprintf("%s in %.0f s; ", st.title[:6], time.Since(began).Seconds())
			}
		}
		return fmt.Sprintf("%sprogress kept by the master at once and by the slave within %.0f s; %s", text, slowest.Seconds(), p.history), nil
	}
}

// gone: a master and its directory are lost; by the commands of docs/MIGRATION.md its slave becomes the master and gets a new slave. What
// was acknowledged before and since is in both logs.
func gone(document string) func(*pair) (string, error) {
	return func(p *pair) (text string, err error) {
		steps, err := stepsOf(document, func(title string) bool { return title == beforeTitle || title == goneTitle })
		if err != nil {
			return "", err
		}
		if len(steps) < 2 {
			return "", fmt.Errorf("%s has %d blocks of commands", document, len(steps))
		}
		p.slave.set("namesrvAddr", p.nsAddr())
		p.slave.unset("haMasterAddress")
		if err := p.underLoad(); err != nil {
			return "", err
		}
		if err := p.grow(2); err != nil {
			return "", err
		}
		p.rest()
		lost := p.master
		lost.proc.kill()
		at, err := p.newPlace("new")
		if err != nil {
			return "", err
		}
		fresh := p.broker("new", ours, "broker-a", 1, p.base+newPort, at)
		fresh.set("brokerRole", "SLAVE")
		file, err := fresh.write()
		if err != nil {
			return "", err
		}
		p.slave.proc.asked = true
		o, err := p.newOperator(p.slavePid(), "NEW="+fresh.addr(), "NEW_CONF="+file)
		if err != nil {
			return "", err
		}
		defer func() {
			p.rest()
			err = errors.Join(err, o.end(), lost.at.discard())
		}()
		for _, st := range steps {
			if _, err := o.do(st.commands, time.Minute); err != nil {
				return "", fmt.Errorf("%s: %w", st.title, err)
			}
		}
		p.master, p.slave, p.compared = p.slave, fresh, 0
		p.reader = newReader(p.history, p.nsAddr(), p.reader.ours)
		p.run()
		took, err := p.recovered()
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("acknowledged again after %.1f s, %s", took.Seconds(), p.history), p.check()
	}
}
