package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ringmq/cmd/backup"
	"ringmq/netpoll/remoting"
)

// backupFlags are those of ringmq backup.
type backupFlags struct {
	o       backup.Options
	namesrv string
	name    string // brokerName
}

func newBackup() *cobra.Command {
	f := backupFlags{}
	cmd := &cobra.Command{
		Use: "backup", Short: "Copy the store of a running master into a directory, or have such a copy go on", Args: cobra.NoArgs,
		Long: "Copies messages, topics, groups and progress of a running master into a directory of its own, from this machine or another one.\n" +
			"The next run goes on where the last one ended: it takes what is new. The broker serves its clients meanwhile, and the copy is\n" +
			"consistent: every message that was acknowledged before the run began is in it, and no consumer is further than its queue.\n\n" +
			"It asks what a slave asks, of the broker's port and of its HA port, so adminAllowedCidrs does not matter and haAllowedCidrs must have\n" +
			"this machine, or be empty. It counts as no copy: a SYNC_MASTER waits for its slaves as if it were not there. Until a run has come to\n" +
			"its end the directory says that it is under way; the same command goes on then. What the master's retention deletes stays in the\n" +
			"backup. When the master no longer has what follows, the run fails and a backup in another directory has to be begun.\n\n" +
			"Exit code 0: the backup is complete; 1: it is not, and the text says why; 130: interrupted, the same command goes on.",
		Example: "  ringmq backup -b 10.0.0.1:10911 --to /backup/broker-a\n" +
			"  ringmq backup -n 10.0.0.9:9876 --brokerName broker-a --to /backup/broker-a\n" +
			"  ringmq backup verify /backup/broker-a\n" +
			"  ringmq restore --from /backup/broker-a --to /srv/mq",
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.o.Broker, "broker", "b", "", "`host:port` of the master")
	fl.StringVarP(&f.namesrv, "namesrvAddr", "n", "", "name servers, `'host:port;host:port'`, that know the master, instead of --broker; without both NAMESRV_ADDR")
	fl.StringVar(&f.name, "brokerName", "", "of the master that name servers are asked for; without it the only one there is")
	fl.StringVar(&f.o.HA, "ha", "", "`host:port` of the master's HA port, where it cannot be reached as it says itself (brokerIP2, haListenPort)")
	fl.StringVar(&f.o.Dir, "to", "", "the `directory` of the backup: empty, not there, or a backup of this broker")
	fl.DurationVar(&f.o.Timeout, "timeout", 10*time.Second, "how long to wait for a connection, and for an answer")
	_ = cmd.MarkFlagRequired("to")
	cmd.AddCommand(newBackupVerify())
	return cmd
}

func (f *backupFlags) run(cmd *cobra.Command) error {
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	if f.o.Timeout <= 0 {
		return fmt.Errorf("--timeout: %s is no time to wait", f.o.Timeout)
	}
	if f.o.Broker != "" && f.namesrv != "" {
		return errors.New("name the master with --broker, or with --namesrvAddr, not with both")
	}
	if f.o.Broker != "" && !strings.Contains(f.o.Broker, ":") {
		return fmt.Errorf("--broker %q is not of the form host:port; by its name a master is found with --brokerName %s", f.o.Broker, f.o.Broker)
	}
	if f.o.Broker == "" {
		servers := f.nameServers(os.Getenv("NAMESRV_ADDR"))
		if len(servers) == 0 {
			return errors.New("name the master with --broker, or with --namesrvAddr, or its name servers in NAMESRV_ADDR")
		}
		addr, err := backup.Find(ctx, servers, f.name, f.o.Timeout)
		if err != nil {
			return interruptedError(ctx, err)
		}
		f.o.Broker = addr
	}
	out := cmd.OutOrStdout()
	p := adminProgress{w: terminal(cmd.ErrOrStderr()), after: progressAfter}
	f.o.Version, f.o.Progress = version, p.showMiB
	f.o.Tell = func(format string, args ...any) {
		p.clear()
		fmt.Fprintf(out, format+"\n", args...)
	}
	f.o.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelError}))
	m, err := backup.Take(ctx, f.o)
	p.clear()
	if err != nil {
		return interruptedError(ctx, err)
	}
	_, err = fmt.Fprintf(out, "complete: the log of %s from %d to %d is in %s, %d MiB of it new\n", m.Broker, m.From, m.To, absolute(f.o.Dir), (m.To-max(m.Before, m.From))>>20)
	return err
}

// nameServers are those of the flag, else those of the environment.
func (f *backupFlags) nameServers(environment string) []string {
	text := f.namesrv
	if text == "" {
		text = environment
	}
	return remoting.ServerNames(text)
}

// interruptedError is what becomes of an error of something that a signal has ended.
func interruptedError(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return &endError{exitStopped, err.Error()}
}

func newBackupVerify() *cobra.Command {
	interrupted := false
	cmd := &cobra.Command{
		Use: "verify DIRECTORY", Short: "Check a backup: every message, queue and table", Args: cobra.ExactArgs(1),
		Long: "Reads all of a backup and checks every message by its checksums, every queue beside the messages, the tables and what the backup\n" +
			"says of itself. Nothing is changed. The key index is not looked at: a broker makes it again where it is removed.\n\n" +
			"Exit code 0: nothing is wrong; 1: something is, or it could not be looked at; 130: interrupted.",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			p := adminProgress{w: terminal(cmd.ErrOrStderr()), after: progressAfter}
			r, err := backup.Verify(ctx, backup.VerifyOptions{Dir: args[0], Interrupted: interrupted, Progress: p.showMiB})
			p.clear()
			if err != nil {
				return interruptedError(ctx, err)
			}
			printBackup(cmd.OutOrStdout(), r)
			if !r.Fine() {
				return errSilent
			}
			return nil
		},
	}
	interruptedFlag(cmd, &interrupted)
	return cmd
}

func interruptedFlag(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "interrupted", false, "take a backup that is under way as far as it came, with the tables of its last complete run")
}

// printBackup prints what a look at a backup, or at a copy of one, found.
func printBackup(w io.Writer, r *backup.Report) {
	fmt.Fprintf(w, "broker      %s in %s, backup of %s\n", r.Manifest.Broker, r.Manifest.Cluster, r.Manifest.Ended)
	fmt.Fprintf(w, "messages    %d, in %d MiB of log\n", r.Records, r.LogBytes>>20)
	if r.Unchecked == "" {
		fmt.Fprintf(w, "queues      %d, with %d entries\n", r.Queues, r.Entries)
	} else {
		fmt.Fprintf(w, "not looked at: %s\n", r.Unchecked)
	}
	if r.Known > 0 {
		fmt.Fprintf(w, "damaged     %d bytes of the log, as they were on the master\n", r.Known)
	}
	for _, text := range r.Wrong {
		fmt.Fprintf(w, "WRONG       %s\n", text)
	}
	if r.More > 0 {
		fmt.Fprintf(w, "WRONG       and %d more\n", r.More)
	}
	if r.Fine() {
		fmt.Fprintln(w, "nothing is wrong")
	}
}

func newRestore() *cobra.Command {
	o := backup.RestoreOptions{}
	cmd := &cobra.Command{
		Use: "restore", Short: "Put a backup back as a store that a broker starts on", Args: cobra.NoArgs,
		Long: "Copies a backup into an empty directory, checks the copy as ringmq backup verify does, and says what the broker's configuration has to\n" +
			"be. Until all of it is there, durable and found to be fine, no broker starts on the directory. The backup stays as it is.\n\n" +
			"The broker starts as a master. Slaves of the one that is gone may be ahead of it and are refused then: empty their stores.\n\n" +
			"Exit code 0: a broker can start; 1: it cannot, and the text says why; 130: interrupted, remove the directory and restore again.",
		Example: "  ringmq restore --from /backup/broker-a --to /srv/mq",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			p := adminProgress{w: terminal(cmd.ErrOrStderr()), after: progressAfter}
			o.Progress = p.showMiB
			r, err := backup.Restore(ctx, o)
			p.clear()
			out := cmd.OutOrStdout()
			if r != nil {
				printBackup(out, r)
			}
			if err != nil {
				return interruptedError(ctx, err)
			}
			return printText(out, restored(r.Manifest, absolute(o.To)))
		},
	}
	cmd.Flags().StringVar(&o.From, "from", "", "the `directory` of the backup")
	cmd.Flags().StringVar(&o.To, "to", "", "the `directory` of the store: empty, or not there")
	interruptedFlag(cmd, &o.Interrupted)
	_ = cmd.MarkFlagRequired("from")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

// restored says what the configuration of a broker has to be that goes on with a store.
func restored(m *backup.Manifest, dir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "A broker starts on %s with a configuration that has these lines, beside its addresses and its role:\n\n", dir)
	fmt.Fprintf(&b, "brokerClusterName=%s\nbrokerName=%s\nbrokerId=0\nstorePathRootDir=%s\n", m.Cluster, m.Broker, dir)
	for _, k := range slices.Sorted(maps.Keys(m.Keys)) {
		fmt.Fprintf(&b, "%s=%s\n", k, m.Keys[k])
	}
	return b.String()
}

// terminal is w if that is one, and otherwise a writer that drops what is drawn.
func terminal(w io.Writer) io.Writer {
	if isTerminal(w) {
		return w
	}
	return io.Discard
}

// showMiB is show for bytes.
func (p *adminProgress) showMiB(what string, done, total int64) {
	p.show(what+" (MiB)", done>>20, total>>20)
}
