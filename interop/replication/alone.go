package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll/remoting"
)

// Headings in docs/MIGRATION.md of what is done without a slave.
const (
	aloneTitle   = "One broker without a slave"
	namesrvTitle = "Name servers"
)

// alone: a stock broker without a slave becomes ours and stock again, and the stock name server ours, by the commands of docs/MIGRATION.md, under load.
// After each of them the log is held against the history, the broker is asked for the progress of a group that was committed before, and the
// name server for the key-value configuration that it was told at the beginning.
func alone(document string) func(*pair) (string, error) {
	return func(p *pair) (text string, err error) {
		steps, err := stepsOf(document, func(title string) bool { return title == beforeTitle || title == aloneTitle || title == namesrvTitle })
		if err != nil {
			return "", err
		}
		if len(steps) != 4 {
			return "", fmt.Errorf("%s has %d blocks of commands for one broker and a name server", document, len(steps))
		}
		o, err := p.startAlone()
		if err != nil {
			return "", err
		}
		p.run()
		defer func() {
			p.rest()
			err = errors.Join(err, o.end())
		}()
		for i, st := range steps {
			want := int64(10 * (i + 1))
			if err := p.commitMoved(want); err != nil {
				return text, fmt.Errorf("before %s: %w", st.title, err)
			}
			began := time.Now()
			if _, err := o.do(st.commands, 3*time.Minute); err != nil {
				return text, fmt.Errorf("%s: %w", st.title, err)
			}
			if _, err := p.recovered(); err != nil {
				return text, fmt.Errorf("%s: %w", st.title, err)
			}
			if err := errors.Join(p.checkAlone(), p.hasMoved(p.master, want), p.namesrvKnows()); err != nil {
				return text, fmt.Errorf("after %s: %w", st.title, err)
			}
			if st.title != beforeTitle {
				text += fmt.Sprintf("%s in %.0f s; ", st.title, time.Since(began).Seconds())
			}
		}
		return text + p.history.String(), nil
	}
}

// startAlone starts a stock name server and a stock broker that asks for one copy, and somebody at a terminal.
func (p *pair) startAlone() (*operator, error) {
	conf := filepath.Join(p.work, "namesrv.conf")
	if err := p.ns.end(); err != nil {
		return nil, err
	}
	var err error
	if p.ns, err = p.serve("namesrv", stock, "namesrv", conf); err != nil {
		return nil, err
	}
	if err := p.waitFor(p.ns, 90*time.Second, func(context.Context) bool { return p.tellNamesrv() == nil }); err != nil {
		return nil, err
	}
	p.master.set("brokerRole", "ASYNC_MASTER")
	p.master.unset("inSyncReplicas")
	if err := p.master.start(); err != nil {
		return nil, err
	}
	if err := errors.Join(p.primeMaster(), p.makeGroup(movedGroup)); err != nil {
		return nil, err
	}
	p.master.proc.asked, p.ns.asked = true, true
	return p.newOperator("NAMESRV_PID="+strconv.Itoa(p.ns.pid()), "NAMESRV_CONF="+conf)
}

// checkAlone has producers pause, and holds the log of a broker without a slave against the history and what was read.
func (p *pair) checkAlone() error {
	p.history.gate.Lock()
	defer p.history.gate.Unlock()
	v := p.master.at.view
	if err := v.walk(p.history); err != nil {
		return err
	}
	if err := errors.Join(v.promises(p.history), p.history.order(), p.drained()); err != nil {
		return err
	}
	return p.reader.consumed(v, false)
}

// What the name server is told to keep.
const kvNamespace, kvKey, kvValue = "ORDER_TOPIC_CONFIG", topic, "broker-a:6"

func (p *pair) tellNamesrv() error {
	_, err := p.askNamesrv(remoting.CodePutKvConfig, map[string]string{"namespace": kvNamespace, "key": kvKey, "value": kvValue})
	return err
}

func (p *pair) namesrvKnows() error {
	resp, err := p.askNamesrv(remoting.CodeGetKvConfig, map[string]string{"namespace": kvNamespace, "key": kvKey})
	if err != nil {
		return fmt.Errorf("key-value configuration: %w", err)
	}
	if got := resp.Text("value"); got != kvValue {
		return fmt.Errorf("key-value configuration: %q instead of %q", got, kvValue)
	}
	return nil
}

func (p *pair) askNamesrv(code int32, fields map[string]string) (*remoting.Command, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := rig.Dial(ctx, p.nsAddr())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return rig.Expect(rig.Call(ctx, c, code, fields))
}
