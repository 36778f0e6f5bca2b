package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// sayOperands has every command say what it takes without a flag, where cobra speaks of unknown commands and numbers of args.
func sayOperands(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		sayOperands(c)
	}
	takes := cmd.Args
	if takes == nil || cmd.HasSubCommands() && !cmd.Runnable() {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := takes(cmd, args)
		if err == nil || !cobraSays(err.Error()) {
			return err
		}
		_, operands, some := strings.Cut(cmd.Use, " ")
		switch {
		case !some:
			return fmt.Errorf("%q stands without a flag, and %s takes nothing such; %s --help lists its flags", args[0], cmd.CommandPath(), cmd.CommandPath())
		case len(args) == 0:
			return fmt.Errorf("%s: %s is missing", cmd.CommandPath(), operands)
		}
		return fmt.Errorf("%s takes %s, and got %d: %s", cmd.CommandPath(), operands, len(args), strings.Join(args, " "))
	}
}

// cobraSays tells cobra's own words from those of a command that says more.
func cobraSays(text string) bool {
	for _, begin := range []string{"unknown command ", "accepts ", "requires at least "} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return false
}
