package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ringmq/broker/config"
	"ringmq/replica"
	"ringmq/store"
)

// What to do when the logs of a master and its slave have parted. Every command works on the store of a broker that is stopped, as its
// configuration says where and how that is kept, and changes nothing without --yes.

// parted is what these commands have in common.
type parted struct {
	source
	peer string
	yes  bool
	c    *config.Config
	st   *store.Store
	out  io.Writer
	errs io.Writer
}

const partedHelp = "Run by root it goes on as the user whose the store is. docs/REPLICATION.md has the whole story, \"When a pair has parted\"."

// command makes one of them; run is called with the configuration read.
func (p *parted) command(use, short, long, example string, run func(ctx context.Context) error) *cobra.Command {
	p.environ = os.Environ()
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs, Long: long + "\n\n" + partedHelp, Example: example,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, _, err := p.load(config.Keys(config.LocalIP()))
			if err != nil {
				return err
			}
			if p.c, err = config.New(v); err != nil {
				return err
			}
			if err := becomeOwner(p.c.Text("storePathRootDir")); err != nil {
				return err
			}
			p.out, p.errs = cmd.OutOrStdout(), cmd.ErrOrStderr()
			ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			return run(ctx)
		},
	}
	p.fileFlag(cmd)
	cmd.Flags().StringArrayVar(&p.sets, "set", nil, "set a configuration key, `key=value`; may be repeated, wins over file and environment")
	return cmd
}

// becomeOwner makes root the user whose a store is, for good, so that the broker can write all that is made in it from here on. The lock says
// who that is: its broker has made it, or restore for its broker.
func becomeOwner(dir string) error {
	info, err := os.Stat(filepath.Join(dir, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Stat(dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // which the store itself will say
	}
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 || owner.Uid == 0 {
		return nil
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(int(owner.Gid)), syscall.Setuid(int(owner.Uid))); err != nil {
		return fmt.Errorf("%s belongs to user %d, and this process cannot become that one, who alone must write there: %w", absolute(dir), owner.Uid, err)
	}
	return nil
}

// yesFlag adds the word without which nothing is changed.
func (p *parted) yesFlag(cmd *cobra.Command, what string) {
	cmd.Flags().BoolVar(&p.yes, "yes", false, what+"; without it is only said what would be done")
}

// options are those of the store, which must be there: nothing is made, and nothing is deleted by its age.
func (p *parted) options() (store.Options, error) {
	o := p.c.StoreOptions()
	o.DisableRetention = true
	o.Logger = slog.New(slog.NewTextHandler(p.errs, &slog.HandlerOptions{Level: slog.LevelWarn}))
	files, err := os.ReadDir(o.CommitLogDir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(files) == 0 {
		return o, fmt.Errorf("there is no commit log in %s; name the broker's file with -c, or its directory with --set storePathRootDir=PATH", absolute(o.CommitLogDir))
	}
	return o, err
}

// opened calls fn with the store open, and closes it again in order.
func (p *parted) opened(fn func() error) (err error) {
	o, err := p.options()
	if err != nil {
		return err
	}
	if p.st, err = store.Open(o); err != nil {
		return p.inUse(err)
	}
	err = fn()
	return errors.Join(err, p.st.Close(context.Background()))
}

func (p *parted) inUse(err error) error {
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("a broker has %s open; stop it first (%w)", absolute(p.c.Text("storePathRootDir")), err)
	}
	return unusable(p.c, err)
}

// other is the address of the other log.
func (p *parted) other() (string, error) {
	if p.peer != "" {
		return p.peer, nil
	}
	if a := p.c.Text("haMasterAddress"); a != "" {
		return a, nil
	}
	return "", errors.New("name where the other log is served with --peer HOST:PORT: the port of a master that slaves connect to (haListenPort), or what ringmq admin lendLog says")
}

// compare says where the logs part, and prints it.
func (p *parted) compare(ctx context.Context) (replica.Parting, error) {
	addr, err := p.other()
	if err != nil {
		return replica.Parting{}, err
	}
	found, err := replica.Compare(ctx, p.st, addr)
	if errors.Is(err, replica.ErrNotOurs) {
		return found, fmt.Errorf("%s: %w; cutLog cuts at an offset with --at", addr, err)
	}
	if err != nil {
		return found, fmt.Errorf("%s: %w", addr, err)
	}
	fmt.Fprintf(p.out, "this log       %s, from %d to %d\n", absolute(p.c.StoreOptions().CommitLogDir), p.st.LogMin(), found.Mine.To)
	fmt.Fprintf(p.out, "the other one  %s, to %d\n", addr, found.Other.To)
	fmt.Fprintf(p.out, "the same       up to %d\n", found.Same)
	p.describe("only here", found.Mine)
	p.describe("only there", found.Other)
	return found, nil
}

// describe prints what one side has alone.
func (p *parted) describe(where string, t replica.Tail) {
	if t.From >= t.To {
		fmt.Fprintf(p.out, "%-14s nothing\n", where)
		return
	}
	text := fmt.Sprintf("%d bytes, %d messages", t.To-t.From, t.Messages)
	if t.Messages > 0 {
		text += fmt.Sprintf(", stored from %s to %s", timeText(t.First), timeText(t.Last))
	}
	if t.Looked < t.To {
		text += fmt.Sprintf(", as far as it was looked at, to %d", t.Looked)
	}
	fmt.Fprintf(p.out, "%-14s %s\n", where, text)
	for _, topic := range slices.Sorted(maps.Keys(t.Topics)) {
		fmt.Fprintf(p.out, "               %8d  %s\n", t.Topics[topic], topic)
	}
}

func newCutLog() *cobra.Command {
	p := &parted{}
	at, save := int64(-1), ""
	cmd := p.command("cutLog", "Cut the end of a stopped broker's log where it parts from another one, and save it",
		"Compares the log of a stopped broker, a slave as a rule, with the other one of its pair, says what it has that the other one has not,\n"+
			"and with --yes cuts that off. What is cut is saved first, as it is, in a file that ringmq dump commitlog reads.",
		"  ringmq admin cutLog -c slave.conf --peer 10.0.0.1:10912\n  ringmq admin cutLog -c slave.conf --peer 10.0.0.1:10912 --yes",
		func(ctx context.Context) error { return p.cutLog(ctx, at, save) })
	cmd.Flags().StringVar(&p.peer, "peer", "", "`host:port` where the other log is served; without it haMasterAddress")
	cmd.Flags().Int64Var(&at, "at", -1, "the `offset` to cut at, instead of a comparison; a record must begin there")
	cmd.Flags().StringVar(&save, "save", "", "the `directory` to save what is cut in; without it ringmq/cut in the store's")
	p.yesFlag(cmd, "cut")
	return cmd
}

func (p *parted) cutLog(ctx context.Context, at int64, save string) error {
	end := int64(0)
	err := p.opened(func() (err error) {
		end = p.st.LogMax()
		if at >= 0 {
			fmt.Fprintf(p.out, "this log       %s, from %d to %d\n", absolute(p.c.StoreOptions().CommitLogDir), p.st.LogMin(), end)
			t, err := replica.TailOf(p.st, at)
			if err == nil {
				p.describe("to be cut", t)
			}
			return err
		}
		found, err := p.compare(ctx)
		at = found.Same
		return err
	})
	if err != nil {
		return err
	}
	o, err := p.options()
	if err != nil {
		return err
	}
	if save == "" {
		save = filepath.Join(o.Root, "ringmq", "cut")
	}
	switch {
	case at >= end:
		fmt.Fprintln(p.out, "Nothing is to be cut.")
		return nil
	case !p.yes:
		fmt.Fprintf(p.out, "With --yes the log would be cut at %d, and what is behind it be saved in %s. Nothing was changed.\n", at, absolute(save))
		return nil
	}
	cut, err := store.CutTail(o, at, end, save)
	if err != nil {
		return p.inUse(err)
	}
	fmt.Fprintf(p.out, "The log was cut at %d. The %d bytes behind it are in %s.\n", at, cut, absolute(save))
	return nil
}

func newAdoptLog() *cobra.Command {
	p := &parted{}
	cmd := p.command("adoptLog", "Have a stopped master take what its slave has beyond the end of its log",
		"Compares the log of a stopped master with its slave's, which ringmq admin lendLog serves, and with --yes appends what the slave has\n"+
			"beyond its end. Where the two differ before that end, nothing is taken: one of them has to be cut first.",
		"  ringmq admin adoptLog -c master.conf --peer 10.0.0.2:10912\n  ringmq admin adoptLog -c master.conf --peer 10.0.0.2:10912 --yes",
		func(ctx context.Context) error { return p.opened(func() error { return p.adoptLog(ctx) }) })
	cmd.Flags().StringVar(&p.peer, "peer", "", "`host:port` where the slave's log is served")
	p.yesFlag(cmd, "take it")
	return cmd
}

func (p *parted) adoptLog(ctx context.Context) error {
	found, err := p.compare(ctx)
	if err != nil {
		return err
	}
	addr, _ := p.other()
	switch {
	case found.Same < found.Mine.To:
		return fmt.Errorf("nothing can be taken: this log has something else from %d on; cut one of the two there first, with ringmq admin cutLog", found.Same)
	case found.Same >= found.Other.To:
		fmt.Fprintln(p.out, "Nothing is to be taken.")
		return nil
	case !p.yes:
		fmt.Fprintf(p.out, "With --yes the log would be continued from %d to %d. Nothing was changed.\n", found.Same, found.Other.To)
		return nil
	}
	from, to, err := replica.Adopt(ctx, replica.FollowerOptions{Store: p.st, Master: func() string { return addr }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("taken up to %d: %w", to, err)
	}
	fmt.Fprintf(p.out, "The log was continued from %d to %d.\n", from, to)
	return nil
}

func newLendLog() *cobra.Command {
	p := &parted{}
	listen := ""
	cmd := p.command("lendLog", "Serve the log of a stopped broker, so that another one can be compared with it or take its end",
		"Serves the log of a stopped broker for ringmq admin cutLog and adoptLog on the other machine, until it is interrupted. No client is\n"+
			"served and nothing is changed.",
		"  ringmq admin lendLog -c slave.conf --listen 10.0.0.2:10912",
		func(ctx context.Context) error { return p.opened(func() error { return p.lendLog(ctx, listen) }) })
	cmd.Flags().StringVar(&listen, "listen", "", "`host:port` to serve it on; without it bindAddress and haListenPort")
	return cmd
}

func (p *parted) lendLog(ctx context.Context, listen string) error {
	if listen == "" {
		listen = net.JoinHostPort(p.c.Text("bindAddress"), strconv.Itoa(p.c.HAPort()))
	}
	l, err := replica.Lead(replica.LeaderOptions{Addr: listen, Store: p.st, Copies: 1, SlaveTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return busy(err, "--listen "+listen)
	}
	defer l.Close()
	fmt.Fprintf(p.out, "this log       %s, from %d to %d\n", absolute(p.c.StoreOptions().CommitLogDir), p.st.LogMin(), p.st.LogMax())
	fmt.Fprintf(p.out, "served on      %s; Ctrl-C ends it\n", l.Addr())
	<-ctx.Done()
	return nil
}
