package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ringmq/broker"
	"ringmq/broker/config"
	"ringmq/cmd/backup"
	"ringmq/netpoll"
	"ringmq/store"
)

func newBroker() *cobra.Command {
	s := source{environ: os.Environ()}
	cmd := &cobra.Command{
		Use: "broker", Short: "Run a broker", Args: cobra.NoArgs,
		Long:    "Run a broker. Without storePathRootDir its data lies under $HOME/store, as stock's does.\n\n" + precedence,
		Example: "  ringmq broker -c broker.conf -n '10.0.0.1:9876;10.0.0.2:9876'\n  ringmq broker -n 127.0.0.1:9876 --set storePathRootDir=./data",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, file, err := s.load(config.Keys(config.LocalIP()))
			if err != nil {
				return err
			}
			c, err := config.New(v)
			if err != nil {
				return err
			}
			if s.print {
				return printText(cmd.OutOrStdout(), v.Grouped())
			}
			logger := newLogger(cmd.ErrOrStderr())
			return serve(cmd.OutOrStdout(), logger, &brokerProcess{c: c, file: file, logger: logger, loops: netpoll.SpareProcessors()})
		},
	}
	s.setFlag(cmd)
	s.fileFlag(cmd)
	cmd.Flags().StringVarP(&s.namesrv, "namesrvAddr", "n", "", "name servers, `'host:port;host:port'`; wins over the file and the environment")
	return cmd
}

// brokerProcess is a broker as serve runs it.
type brokerProcess struct {
	c      *config.Config
	file   string // rewritten when a request changes the configuration
	logger *slog.Logger
	loops  int // event loops; 0: one for every processor
	shared int // servers that this process has; 0: 1
	b      *broker.Broker
}

func (p *brokerProcess) buffersBytes() int64 { return p.c.StoreOptions().BufferBytes() }

func (p *brokerProcess) start() error {
	if dir := p.c.Text("storePathRootDir"); backup.IsBackup(dir) {
		return fmt.Errorf("storePathRootDir=%s is a backup, which a broker would make useless: put it back into a directory of its own, ringmq restore --from %s --to STORE", dir, dir)
	}
	b, err := broker.New(broker.Options{Config: p.c, ConfigFile: p.file, Version: version, Logger: p.logger, Loops: p.loops, Linger: netpoll.LingerTime, Servers: p.shared})
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("the data directory %s is in use by another broker, ours or stock; stop that one, or choose another with --set storePathRootDir=PATH (%w)",
			absolute(p.c.Text("storePathRootDir")), err)
	}
	if err != nil {
		return unusable(p.c, err)
	}
	if err := b.Start(); err != nil {
		return busy(err, fmt.Sprintf("listenPort=%d (and %d beside it, %d for slaves)", p.c.ListenPort(), p.c.FastPort(), p.c.HAPort()))
	}
	p.b = b
	return nil
}

func (p *brokerProcess) report(w io.Writer) {
	p.where(w)
	names := p.c.NameServers()
	if len(names) == 0 {
		fmt.Fprintf(w, "name server    none configured, clients will not find this broker: give one with -n host:port\n")
	} else {
		if there := p.b.Registered(); len(there) > 0 {
			fmt.Fprintf(w, "registered at  %s\n", strings.Join(there, ", "))
		}
		for addr, why := range p.b.NotRegistered() {
			fmt.Fprintf(w, "not yet at     %s, tried again every second: %v\n", addr, why)
		}
		if !p.c.IsSlave() { // which takes none
			firstMessage(w, names[0])
		}
	}
	withoutEffect(w, p.c.Unsupported(), p.c.WithoutEffect(), p.c)
}

// where prints where the broker listens and what it stores how.
func (p *brokerProcess) where(w io.Writer) {
	on := p.b.Addr().String()
	if fast := p.c.FastPort(); fast != 0 {
		on += fmt.Sprintf(" and %d", fast)
	}
	fmt.Fprintf(w, "broker         %s of %s on %s, advertised as %s\n", p.c.Name(), p.c.Cluster(), on, p.c.Text("brokerIP1"))
	fmt.Fprintf(w, "data           %s, %s\n", absolute(p.c.Text("storePathRootDir")), p.c.Text("flushDiskType"))
	fmt.Fprintf(w, "disk engine    %s\n", p.b.Engine())
	fmt.Fprintf(w, "role           %s\n", p.b.Role())
	for _, text := range p.c.Assumed() {
		fmt.Fprintf(w, "note           %s\n", text)
	}
}

func (p *brokerProcess) shutdown(ctx context.Context) error { return p.b.Shutdown(ctx) }

// firstMessage tells how to try it out, with this program as it was called.
func firstMessage(w io.Writer, namesrvAddr string) {
	fmt.Fprintf(w, "first message  %s admin sendMessage -n %s -t Hello -p \"first\"\n", os.Args[0], namesrvAddr)
}

// unusable adds the key to an error about the data directory or that of the log, and what a unit lacks that may not write there.
func unusable(c *config.Config, err error) error {
	var about *fs.PathError
	if !errors.As(err, &about) {
		return err
	}
	key := "storePathRootDir"
	if log := c.Text("storePathCommitLog"); log != "" && within(about.Path, log) && !within(log, c.Text(key)) {
		key = "storePathCommitLog"
	} else if !within(about.Path, c.Text(key)) {
		return err
	}
	err = fmt.Errorf("%s=%s cannot be used: %w", key, c.Text(key), err)
	if errors.Is(err, syscall.EROFS) && os.Getenv("INVOCATION_ID") != "" { // the service manager sets it for what it starts
		dir := absolute(c.Text(key))
		return fmt.Errorf("%w; under systemd the unit needs ReadWritePaths=%s, and %s has to be there (systemctl edit): ProtectSystem=strict makes all else read-only", err, dir, dir)
	}
	return err
}

// within says whether path is dir or below it, or dir below path.
func within(path, dir string) bool {
	path, dir = absolute(path)+"/", absolute(dir)+"/"
	return strings.HasPrefix(path, dir) || strings.HasPrefix(dir, path)
}

// busy adds the key to an error about a port that cannot be listened on.
func busy(err error, key string) error {
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("%s: %w", key, err)
	}
	return err
}

func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}
