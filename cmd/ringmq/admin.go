package main

import "github.com/spf13/cobra"

// newAdmin is the parent of what operators do to brokers.
func newAdmin() *cobra.Command {
	admin := &cobra.Command{Use: "admin", Short: "Commands of an operator"}
	admin.AddCommand(newCutLog(), newAdoptLog(), newLendLog())
	return admin
}
