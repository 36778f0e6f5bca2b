package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ringmq/bench"
)

func newBenchFillMemory() *cobra.Command {
	var folder string
	var pid int
	cmd := &cobra.Command{
		Use: "fill-memory", Short: "Have a virtual machine keep its memory while something is measured", Args: cobra.NoArgs,
		Long: "Fills memory that is free with pages of an empty file, which the kernel gives to whoever wants memory, and does so again when\n" +
			"memory becomes free, until Ctrl-C. The host of a virtual machine may take free memory away (free page reporting); each page\n" +
			"that is used again then costs a fault in the host, and whoever stores most pays most: several times what storing costs. So\n" +
			"brokers on such a machine are measured in a state that no machine is in which has stored and read for some hours. All\n" +
			"targets of a comparison have it alike.",
		Example: examples("fill-memory                             until Ctrl-C\nfill-memory --folder /data --pid $$     until this shell ends, in the background of a script"),
		RunE:    func(cmd *cobra.Command, _ []string) error { return fillMemory(cmd, folder, pid) },
	}
	cmd.Flags().StringVar(&folder, "folder", os.TempDir(), "`folder` of a file without a name, which takes no room; its file system needs a page cache, as ext4 and xfs have")
	cmd.Flags().IntVar(&pid, "pid", 0, "end when the process with this `number` is gone")
	return cmd
}

func fillMemory(cmd *cobra.Command, folder string, pid int) error {
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	began := time.Now()
	m, err := bench.FillMemory(ctx, folder)
	if err != nil {
		return stoppedError(ctx, err)
	}
	defer m.Close()
	fmt.Fprintf(cmd.OutOrStdout(), "memory is full of pages that hold nothing, after %s; Ctrl-C ends it\n", time.Since(began).Round(time.Millisecond))
	return keepFull(ctx, m, pid)
}

// keepFull refills until ctx ends, or a process is gone; 0: until ctx ends.
func keepFull(ctx context.Context, m *bench.FilledMemory, pid int) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for pid <= 0 || syscall.Kill(pid, 0) != syscall.ESRCH {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := m.Refill(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}
