package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmq/interop/rig"
)

// What node.maker says.
const (
	ours  = "ours"
	stock = "stock"
)

// setting is one line of a broker.conf.
type setting struct{ key, value string }

// node is one broker: what it is told, where its store lies, and the process while there is one.
type node struct {
	stage  *stage
	name   string // of its files: master, slave, other
	maker  string
	port   int
	id     int // brokerId
	conf   []setting
	at     *place
	proc   *process
	memory *rig.Memory // nil: all there is
}

func (n *node) addr() string   { return loopback(n.port) }
func (n *node) haAddr() string { return loopback(n.port + 1) }

// set adds a setting or replaces it.
func (n *node) set(key, value string) {
	for i := range n.conf {
		if n.conf[i].key == key {
			n.conf[i].value = value
			return
		}
	}
	n.conf = append(n.conf, setting{key, value})
}

// unset leaves a setting to its default.
func (n *node) unset(key string) {
	n.conf = slices.DeleteFunc(n.conf, func(s setting) bool { return s.key == key })
}

// broker makes a node of a broker group. A stock broker and ours are given the same file. What it does not name is as it comes: bars are measured so.
func (s *stage) broker(name, maker, group string, id, port int, at *place) *node {
	n := &node{stage: s, name: name, maker: maker, port: port, id: id, at: at}
	for _, kv := range []setting{
		{"brokerClusterName", "DefaultCluster"}, {"brokerName", group}, {"brokerId", strconv.Itoa(id)},
		{"brokerIP1", "127.0.0.1"}, {"brokerIP2", "127.0.0.1"}, {"listenPort", strconv.Itoa(port)}, {"haListenPort", strconv.Itoa(port + 1)},
		{"namesrvAddr", s.nsAddr()}, {"mappedFileSizeCommitLog", strconv.FormatInt(s.segment, 10)}, {"cleanFileForciblyEnable", "false"},
	} {
		n.set(kv.key, kv.value)
	}
	return n
}

// inHaste has a broker of a scene make small files and notice soon that its peer is gone.
func (n *node) inHaste() *node {
	for _, kv := range []setting{
		{"mappedFileSizeConsumeQueue", "200000"}, {"maxHashSlotNum", "50000"}, {"maxIndexNum", "200000"},
		{"slaveReadEnable", "true"}, {"autoCreateTopicEnable", "true"},
		{"haSendHeartbeatInterval", "1000"}, {"haHousekeepingInterval", "4000"}, {"registerNameServerPeriod", "10000"}, {"slaveTimeout", "1000"},
	} {
		n.set(kv.key, kv.value)
	}
	return n
}

// start runs the broker and waits until it answers.
func (n *node) start() error {
	limit := time.Minute
	if n.maker == stock {
		limit = 3 * time.Minute
	}
	return n.startWithin(limit)
}

// write makes the broker's folder and its file, and returns the file's name.
func (n *node) write() (string, error) {
	n.set("storePathRootDir", n.at.dir)
	n.set("storePathCommitLog", n.at.logDir())
	if err := os.MkdirAll(n.at.dir, 0o755); err != nil {
		return "", err
	}
	var text strings.Builder
	for _, kv := range n.conf {
		fmt.Fprintf(&text, "%s=%s\n", kv.key, kv.value)
	}
	file := filepath.Join(n.stage.work, n.name+".conf")
	return file, os.WriteFile(file, []byte(text.String()), 0o644)
}

func (n *node) startWithin(limit time.Duration) error {
	file, err := n.write()
	if err != nil {
		return err
	}
	p, err := n.serve(file)
	if err != nil {
		return err
	}
	n.proc = p
	return n.stage.waitFor(p, limit, func(ctx context.Context) bool { return rig.Answered(ctx, n.addr()) })
}

// serve runs the broker, in its control group if it has one.
func (n *node) serve(conf string) (*process, error) {
	env, words, err := n.stage.program(n.name, n.maker, "broker", conf)
	if err != nil {
		return nil, err
	}
	if n.memory != nil {
		words = n.memory.Within(words...)
	}
	return spawn(filepath.Join(n.stage.work, n.name+".log"), env, words...)
}

// serve runs a name server or broker of a maker.
func (s *stage) serve(name, maker, kind, conf string) (*process, error) {
	env, words, err := s.program(name, maker, kind, conf)
	if err != nil {
		return nil, err
	}
	return spawn(filepath.Join(s.work, name+".log"), env, words...)
}

// program is what runs as a name server or broker of a maker.
func (s *stage) program(name, maker, kind, conf string) (env, words []string, err error) {
	if maker == ours {
		return nil, []string{s.bin, kind, "-c", conf}, nil
	}
	home, err := s.stockHome(name)
	if err != nil {
		return nil, nil, err
	}
	heap := s.heap
	if kind == "namesrv" {
		heap = "128m"
	}
	return []string{"RMQ_HOME=" + home, fmt.Sprintf("HEAP=-Xms%[1]s -Xmx%[1]s", heap)}, []string{s.rmq, "exec", kind, conf}, nil
}

// stockHome is a home of a stock server's own, for its logs: the jars are shared.
func (s *stage) stockHome(name string) (string, error) {
	home := filepath.Join(s.work, "home-"+name)
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	for _, part := range []string{"lib", "conf"} {
		if err := os.Symlink(filepath.Join(s.jars, part), filepath.Join(home, part)); err != nil {
			return "", err
		}
	}
	return home, nil
}

// waitFor waits until a server is ready; it must not end meanwhile.
func (s *stage) waitFor(p *process, limit time.Duration, ready func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for !ready(ctx) {
		switch {
		case p.ended():
			return fmt.Errorf("%s ended at its start (%s)", filepath.Base(p.log), lastLine(p.log))
		case ctx.Err() != nil:
			return fmt.Errorf("%s does not answer after %s (%s)", filepath.Base(p.log), limit, lastLine(p.log))
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// lastLine is what a log says last.
func lastLine(log string) string {
	b, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(string(b))
	line := text[strings.LastIndexByte(text, '\n')+1:]
	return line[:min(len(line), 300)]
}

// alive makes sure that the process runs: one that ended by itself is an error with a broker of ours.
func (n *node) alive() error {
	if !n.proc.ended() {
		return nil
	}
	if n.maker == ours && !n.proc.asked {
		return fmt.Errorf("the %s ended by itself (%s)", n.name, lastLine(n.proc.log))
	}
	return n.start()
}

// restart is what follows a kill.
func (n *node) restart() error {
	if !n.proc.ended() {
		n.proc.kill()
	}
	return n.start()
}
