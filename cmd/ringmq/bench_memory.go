package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ringmq/bench"
)

func newBenchHoldMemory() *cobra.Command {
	var size string
	var pid int
	cmd := &cobra.Command{
		Use: "hold-memory", Short: "Have a virtual machine keep its memory while something is measured", Args: cobra.NoArgs,
		Long: "Touches memory and gives it back, but for one page of each 2 MiB, and then waits for Ctrl-C. The host of a virtual machine may take\n" +
			"free memory away (free page reporting, a balloon); each page that is used again then costs a fault in the host, and whoever stores\n" +
			"most pays most: several times what storing costs. While a page of a block is held the host takes nothing of it, so what is measured\n" +
			"meanwhile is the broker. On a machine that has all its memory it changes nothing. All targets of a comparison have it alike.",
		Example: examples("hold-memory                     three quarters of what is available, until Ctrl-C\nhold-memory --size 8GiB --pid $$    until this shell ends, in the background of a script"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			n := int64(0)
			if size != "" {
				var err error
				if n, err = bench.ParseBytes(size); err != nil {
					return fmt.Errorf("--size: %w", err)
				}
				if n == 0 {
					return fmt.Errorf("--size is 0, it must be above; without the flag it is three quarters of what is available")
				}
			}
			return holdMemory(cmd, n, pid)
		},
	}
	cmd.Flags().StringVar(&size, "size", "", "`size` of memory, as 8GiB, at most three quarters of what is available, which is the default")
	cmd.Flags().IntVar(&pid, "pid", 0, "end when the process with this `number` is gone")
	return cmd
}

func holdMemory(cmd *cobra.Command, bytes int64, pid int) error {
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	began := time.Now()
	h, err := bench.HoldMemory(ctx, bytes)
	if err != nil {
		return stoppedError(ctx, err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "holding %s, touched in %s; Ctrl-C ends it\n", bench.Bytes(float64(h.Bytes())), time.Since(began).Round(time.Millisecond))
	awaitGone(ctx, pid)
	return h.Release()
}

// awaitGone waits for ctx, or for a process to be gone; 0: for ctx alone.
func awaitGone(ctx context.Context, pid int) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for pid <= 0 || syscall.Kill(pid, 0) != syscall.ESRCH {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
