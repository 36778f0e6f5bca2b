package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ringmq/store/commitlog"
	"ringmq/store/disk"
	"ringmq/tuning"
)

const (
	measureTime  = 12 * time.Second
	measureLimit = 18 * time.Second
	answerLimit  = 18500 * time.Millisecond // until an end is put to it, whatever the device does: all of it is over within 20
)

// program makes a command of this program's, with those arguments.
type program func(args ...string) (*exec.Cmd, error)

func thisProgram(args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	return exec.Command(self, args...), err
}

func newProbeDisk(self program) *cobra.Command {
	o := tuneOptions{source: source{environ: os.Environ()}}
	limit, here := measureTime, false
	cmd := &cobra.Command{
		Use: "probe-disk", Short: "Measure the device under the log, for the broker's choice of engine", Args: cobra.NoArgs,
		Long: "Measure what synced writes cost on the device under the store's log: fdatasync, fsync and DSYNC, io_uring and ordinary writes, several at a\n" +
			"time, and a stream. The answer is kept in <store>/ringmq/" + disk.MeasuredFile + ", where a broker finds it at its start; it counts while file system and kernel\n" +
			"are the same. A scratch file of 64 MiB is written there and removed; with the log on a file system of its own (storePathCommitLog, by -c) it is\n" +
			"written in .ringmq beside the segments. A broker that runs meanwhile is slowed down, and slows this down.\n" +
			"It is over within 20 seconds even if the device does not answer; then nothing is kept.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit <= 0 || limit > measureLimit {
				return fmt.Errorf("--limit %s: up to %s", limit, measureLimit)
			}
			if o.output != "table" && o.output != "json" {
				return fmt.Errorf("output %q: table or json", o.output)
			}
			ctx, stop := untilSignal(context.Background())
			defer stop()
			if !here {
				child, err := self("tune", "probe-disk", "--here", "--limit", limit.String(), "--output", o.output, "--store", o.store, "--configFile", o.file)
				if err != nil {
					return err
				}
				return guarded(ctx, child, answerLimit, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			asked, err := o.asked()
			if err != nil {
				return err
			}
			return probeDisk(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), asked, limit, o.output)
		},
	}
	o.storeFlags(cmd)
	cmd.Flags().DurationVar(&limit, "limit", limit, "how long to measure")
	cmd.Flags().StringVarP(&o.output, "output", "o", "table", "`form` of what is printed: table or json")
	cmd.Flags().BoolVar(&here, "here", false, "in this process, for as long as the device takes")
	_ = cmd.Flags().MarkHidden("here")
	return cmd
}

// guarded runs what touches the device in a process of its own and passes on what that says. A thread that waits for a device cannot be
// ended, nor can a process that has one; so this one touches nothing of the store, and does not wait for the other's end beyond the limit.
func guarded(ctx context.Context, child *exec.Cmd, limit time.Duration, out, errOut io.Writer) error {
	var said, noted bytes.Buffer
	child.Stdout, child.Stderr = &said, &noted
	if err := child.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case err := <-ended:
		notes, last := strings.TrimSuffix(noted.String(), "\n"), ""
		if err != nil {
			at := strings.LastIndexByte(notes, '\n') + 1
			notes, last = notes[:at], strings.TrimPrefix(notes[at:], "ringmq: ")
		}
		if notes = strings.TrimSuffix(notes, "\n"); notes != "" {
			fmt.Fprintln(errOut, notes)
		}
		if err != nil && last != "" {
			err = errors.New(last)
		}
		if err == nil {
			_, err = said.WriteTo(out)
		}
		return err
	case <-late.C:
		return errors.Join(fmt.Errorf("the device under the store did not answer: it was given %s for what takes a sound one %s; nothing was kept. "+
			"The kernel's log (dmesg) and iostat -x may say why", limit, measureTime), child.Process.Kill())
	case <-ctx.Done():
		return errors.Join(ctx.Err(), child.Process.Kill())
	}
}

func probeDisk(ctx context.Context, out, errOut io.Writer, at tuning.Options, limit time.Duration, output string) error {
	owner, err := os.Stat(at.Dir)
	if err != nil {
		return fmt.Errorf("the store is not there yet; make its directory, as the user that the broker runs as: %w", err)
	}
	if used(at.Dir) {
		fmt.Fprintln(errOut, "a broker runs on this store: the figures are those beside its load")
	}
	ours := filepath.Join(at.Dir, "ringmq")
	if err := makeAs(owner, ours); err != nil {
		return err
	}
	work, err := workDir(at, ours)
	if err != nil {
		return err
	}
	m, err := disk.Measure(ctx, work, limit)
	if err != nil {
		return err
	}
	if err := m.Save(disk.OS(), ours); err != nil {
		return err
	}
	name := filepath.Join(ours, disk.MeasuredFile)
	if err := giveTo(owner, name); err != nil {
		return err
	}
	if output == "json" {
		return tuning.WriteJSON(out, m)
	}
	if work != ours {
		fmt.Fprintf(out, "measured in %s, since the log has a file system of its own\n", work)
	}
	return measuredText(out, m, name)
}

// workDir is the folder to measure in, on the log's file system.
func workDir(at tuning.Options, ours string) (string, error) {
	owner, err := os.Stat(at.Log)
	if errors.Is(err, os.ErrNotExist) && strings.HasPrefix(at.Log, at.Dir+"/") {
		return ours, nil // the broker's first start makes it there
	}
	if err != nil {
		return "", fmt.Errorf("the log's directory cannot be looked at; where it is not there yet make it, as the user that the broker runs as: %w", err)
	}
	work := commitlog.WorkDir(disk.OS(), at.Log, ours)
	return work, makeAs(owner, work)
}

// makeAs makes a directory, unless it is there, for the owner of the one above.
func makeAs(owner os.FileInfo, dir string) error {
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return giveTo(owner, dir)
}

// used says whether a broker, ours or stock, holds the store's lock.
func used(dir string) bool {
	name := filepath.Join(dir, "lock")
	if !exists(name) {
		return false
	}
	l, err := disk.OS().Lock(name)
	if err == nil {
		err = l.Close()
	}
	return errors.Is(err, disk.ErrLocked)
}

// giveTo makes the owner of the store that of what root has made in it, so that a broker of another user can replace it.
func giveTo(store os.FileInfo, name string) error {
	s, ok := store.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(name, int(s.Uid), int(s.Gid))
}

func measuredText(out io.Writer, m *disk.Measured, name string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "write of %d KiB into zeroed blocks, then\tp50 us\tp99 us\twrites/s\n", m.WriteBytes>>10)
	row := func(what string, l disk.Latency, perSecond string) {
		if l.Count > 0 {
			fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%s\n", what, l.P50Us, l.P99Us, perSecond)
		}
	}
	row("fdatasync", m.Fdatasync, "")
	row("fsync", m.Fsync, "")
	row("nothing more: DSYNC", m.Dsync, "")
	row("fdatasync, by the io_uring engine", m.Uring, "")
	row("fdatasync, by the pwrite engine", m.Pwrite, "")
	for _, d := range m.DirectDsync {
		row(fmt.Sprintf("nothing more: direct DSYNC, %d at a time", d.Writes), d.Latency, fmt.Sprintf("%.0f", d.PerSecond))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if m.SequentialBytesPerSecond > 0 {
		fmt.Fprintf(out, "a stream of 1 MiB writes: %d MiB/s\n", m.SequentialBytesPerSecond>>20)
	}
	for _, s := range m.Missing {
		fmt.Fprintf(out, "not measured: %s\n", s)
	}
	engine := m.Engine()
	if engine == "" {
		_, err := fmt.Fprintf(out, "kept in %s; it says nothing about one of the engines, so a broker still looks itself\n", name)
		return err
	}
	_, err := fmt.Fprintf(out, "kept in %s: a broker with diskEngine=auto takes %s from its next start on\n", name, engine)
	return err
}
