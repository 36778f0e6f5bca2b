// Ringmq is a message broker that speaks RocketMQ's protocol and keeps RocketMQ's files: name server and broker, in one process
// or each in its own, and a look into store files.
//
// Reading order: main.go; settings.go (where values come from), serve.go (start, stop, what is printed); then a file for every
// subcommand: standalone.go, namesrv.go, broker.go, dump*.go, bench*.go (bench.go has the table of workloads), version.go.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// version is set by the linker: -ldflags '-X main.version=...'.
var version = "dev"

// errSilent ends the process with code 1; everything about it has been printed.
var errSilent = errors.New("")

func main() {
	if err := newRoot().Execute(); err != nil {
		if !errors.Is(err, errSilent) {
			fmt.Fprintln(os.Stderr, "ringmq:", err)
		}
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "ringmq",
		Short: "A message broker for RocketMQ clients",
		// What went wrong while running is no fault of how the command was written: no usage text then.
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(newStandalone(), newNamesrv(), newBroker(), newDump(), newBench(), newVersion())
	return root
}
