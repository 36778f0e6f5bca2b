// Ringmq is a message broker that speaks RocketMQ's protocol and keeps RocketMQ's files: name server and broker, in one process
// or each in its own, and a look into store files.
//
// Reading order: main.go; settings.go (where values come from), serve.go (start, stop, what is printed); then a file for every
// subcommand: standalone.go, namesrv.go, broker.go, backup.go, doctor.go, health.go, tune.go, dump.go with dump_*.go, admin.go with admin_*.go and operands.go, bench*.go (bench.go has the table of workloads), tune*.go,
// version.go, man.go; notify.go for the service manager.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker: -ldflags '-X main.version=...'.
var version = "dev"

// errSilent ends the process with code 1; everything about it has been printed.
var errSilent = errors.New("")

// exitCode ends the process with a code other than 1; everything about it has been printed.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func main() {
	if err := newRoot().Execute(); err != nil {
		var code exitCode
		if errors.As(err, &code) {
			os.Exit(int(code))
		}
		var end *endError
		if errors.As(err, &end) {
			fmt.Fprintln(os.Stderr, "ringmq:", err)
			os.Exit(int(end.code))
		}
		if !errors.Is(err, errSilent) {
			fmt.Fprintln(os.Stderr, "ringmq:", err)
		}
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	cobra.EnableCaseInsensitive = true // stock's mqadmin knows its commands in any case
	root := &cobra.Command{
		Use:   "ringmq",
		Short: "A message broker for RocketMQ clients",
		// What went wrong while running is no fault of how the command was written: no usage text then.
		SilenceUsage: true, SilenceErrors: true,
		Version: version,
	}
	root.AddCommand(newStandalone(), newNamesrv(), newBroker(), newBackup(), newRestore(), newDoctor(), newHealth(), newAdmin(), newDump(), newBench(), newTune(), newVersion(), newMan())
	root.InitDefaultCompletionCmd() // beside the others, also where they are listed
	root.SetVersionTemplate(versionText())
	root.Flags().BoolP("version", "v", false, "print version, Go version and platform")
	root.SetFlagErrorFunc(suggestFlag)
	refuseUnknown(root)
	sayOperands(root)
	return root
}

// refuseUnknown makes every command that only has others below it answer a name that none of them has with an error; cobra would
// print its help and succeed. Without any name it still does.
func refuseUnknown(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		refuseUnknown(c)
	}
	if cmd.Runnable() {
		return
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return fmt.Errorf("%q is no command of %s; did you mean %s?", args[0], cmd.CommandPath(), strings.Join(near, ", "))
		}
		names := make([]string, 0, len(cmd.Commands()))
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				names = append(names, c.Name())
			}
		}
		return fmt.Errorf("%q is no command of %s; there are %s", args[0], cmd.CommandPath(), strings.Join(names, ", "))
	}
}
