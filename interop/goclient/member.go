package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const (
	concurrent = "concurrent"
	orderly    = "orderly"
)

// member consumes until its standard input ends. It writes a line when it is at work and one for every message, each with a single write:
// the lines of all members of a group go into one pipe and stand there in the order in which they were written.
func (e env) member(mode, group, topic, name string) error {
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, func(_ context.Context, m *primitive.MessageExt) consumer.ConsumeResult {
		fmt.Printf("%s %d %d %s\n", name, m.Queue.QueueId, m.QueueOffset, m.Body)
		return consumer.ConsumeSuccess
	}, consumer.WithInstance(name+group), consumer.WithConsumerOrder(mode == orderly))
	if err != nil {
		return err
	}
	fmt.Printf("%s started\n", name)
	if _, err := io.Copy(io.Discard, bufio.NewReader(os.Stdin)); err != nil {
		return err
	}
	return c.Shutdown()
}

// child is a member in a process of its own.
type child struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	gone  bool
}

func (e env) startMember(mode, group, topic, name string, out *os.File) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-namesrv", e.namesrv, "-broker", e.broker, "-member", mode, "-group", group, "-topic", topic, "-name", name)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &child{name: name, cmd: cmd, stdin: stdin}, nil
}

// leave lets the member end in order.
func (c *child) leave() error {
	c.gone = true
	if err := c.stdin.Close(); err != nil {
		return err
	}
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("member %s leaves: %w", c.name, err)
	}
	return nil
}

// kill ends it with SIGKILL.
func (c *child) kill() error {
	if c.gone {
		return nil
	}
	c.gone = true
	if err := c.cmd.Process.Kill(); err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := c.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}
