package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ringmq/cmd/admin"
	"ringmq/netpoll/remoting"
)

func newAdmin() *cobra.Command {
	cmd := &cobra.Command{
		Use: "admin", Short: "Look at and change topics, groups, brokers and name servers",
		Long: "The commands of stock's mqadmin for everything that name server and broker support, with its names, its flags and its tables.\n" +
			"They work with stock's servers too. Names of commands are known in any case.\n\n" +
			"Every command can answer in JSON or CSV: --output json, or -o json where the command has no -o of its own. A broker may be\n" +
			"given by its address or by its name. Commands that change nothing can be repeated with --watch.",
		Example: "  ringmq admin topicList -n 10.0.0.1:9876\n" +
			"  ringmq admin updateTopic -c DefaultCluster -t Orders -r 8 -w 8\n" +
			"  ringmq admin consumerProgress -g billing --watch\n" +
			"  ringmq admin topicStatus -t Orders -o csv",
		Args: cobra.ArbitraryArgs, FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true}, SuggestionsMinimumDistance: 2,
		RunE: refuseAdmin,
	}
	for _, c := range admin.All() {
		cmd.AddCommand(newAdminCommand(c))
	}
	cmd.AddCommand(newCutLog(), newAdoptLog(), newLendLog())
	return cmd
}

// refuseAdmin says what is wrong with a name that no command has.
func refuseAdmin(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	if args[0] == "help" { // stock's way to ask for the flags of a command
		if args = args[1:]; len(args) == 0 {
			return cmd.Help()
		}
		if one, _, err := cmd.Find(args[:1]); err == nil && one != cmd {
			return one.Help()
		}
	}
	if why := admin.NotHere(args[0]); why != "" {
		return fmt.Errorf("admin: %s is a command of stock's that is not here: %s", args[0], why)
	}
	hint := "\"ringmq admin --help\" lists them"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, ", ") + "?"
	}
	return fmt.Errorf("%q is no command of ringmq admin; %s", args[0], hint)
}

// adminFlags are those that all commands have.
type adminFlags struct {
	barAfter time.Duration // a command that takes less draws no bar

	namesrv string
	output  string
	timeout time.Duration
	watch   time.Duration
}

// answerTime is how long an answer is waited for unless somebody says otherwise.
const answerTime = 5 * time.Second

// add gives a command these flags, -o and --timeout only if it has no other ones.
func (f *adminFlags) add(fl *pflag.FlagSet) {
	fl.StringVarP(&f.namesrv, "namesrvAddr", "n", "", "name servers, `'host:port;host:port'`; without it NAMESRV_ADDR, else 127.0.0.1:9876")
	if f.timeout = answerTime; fl.Lookup("timeout") == nil {
		fl.DurationVar(&f.timeout, "timeout", answerTime, "how long to wait for a connection, and for an answer")
	}
	short := "o"
	if fl.ShorthandLookup(short) != nil {
		short = ""
	}
	fl.StringVarP(&f.output, "output", short, "table", "`form` of the answer: "+strings.Join(admin.FormatNames(), ", "))
}

func (f *adminFlags) options() (o admin.Options, err error) {
	o.NameServers, o.Timeout = f.nameServers(), f.timeout
	if f.timeout <= 0 {
		return o, fmt.Errorf("--timeout: %s is no time to wait", f.timeout)
	}
	o.Format, err = admin.ParseFormat(f.output)
	return o, err
}

func (f *adminFlags) nameServers() []string {
	text := f.namesrv
	if text == "" {
		text = os.Getenv("NAMESRV_ADDR")
	}
	if text == "" {
		text = "127.0.0.1:9876"
	}
	return remoting.ServerNames(text)
}

// adminLong is what the help of commands says that stock does not have.
var adminLong = map[string]string{
	"drain": "Takes a broker out of use, for a planned stop: wipes the write permission of its name at every name server; waits until producers\n" +
		"have left, until all groups that have members have consumed everything, and until every slave has the whole log and the groups'\n" +
		"progress; and with --stop ends its process. While it waits it says what for. Where a registration of the broker brings the\n" +
		"permission back, it is wiped again. What was wiped stays so, however this ends, until ringmq admin undrain or a start of the broker.\n\n" +
		"Exit code 0: drained, and stopped if that was wanted; 1: nothing was begun; 2: not drained in time; 3: drained, not stopped;\n" +
		"130: interrupted.",
	"import": "Exit code 0: all of the file is there; 1: something failed; 2: something was kept, or left out, as the plan says; 130: interrupted.",
	"undrain": "Gives a broker that was drained its write permission back at every name server, and looks at the routes of all its topics whether\n" +
		"producers see it. A broker that was stopped needs none: it has its permission back when it starts.",
}

func newAdminCommand(c *admin.Command) *cobra.Command {
	return (&adminFlags{barAfter: progressAfter}).command(c)
}

func (f *adminFlags) command(c *admin.Command) *cobra.Command {
	cmd := &cobra.Command{Use: c.Name, Short: c.Short, Long: adminLong[c.Name], Args: cobra.NoArgs}
	if c.Operand.Long != "" {
		cmd.Use += " " + strings.ToUpper(c.Operand.Long)
		cmd.Long = strings.TrimPrefix(cmd.Long+"\n\n", "\n\n") + c.Short + ".\n\n" + strings.ToUpper(c.Operand.Long) + ": " + c.Operand.Usage + "."
		cmd.Args = cobra.ExactArgs(1)
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	for _, one := range c.Flags {
		usage := one.Usage
		if one.Required {
			usage += " (required)"
		}
		if one.Kind == admin.Switch {
			fl.BoolP(one.Long, one.Short, false, usage)
		} else {
			fl.StringP(one.Long, one.Short, "", usage)
		}
	}
	f.add(fl)
	if c.Reads {
		fl.DurationVar(&f.watch, "watch", 0, "repeat, every two seconds or every so often: --watch=10s")
		fl.Lookup("watch").NoOptDefVal = "2s"
	}
	addCompletion(cmd, c, f)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return f.run(cmd, c, args) }
	return cmd
}

func (f *adminFlags) run(cmd *cobra.Command, c *admin.Command, args []string) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	a := admin.Args{}
	for _, one := range c.Flags {
		if given := cmd.Flags().Lookup(one.Long); given.Changed && !(one.Kind == admin.Switch && given.Value.String() == "false") {
			a[one.Long] = strings.TrimSpace(given.Value.String())
		}
	}
	if c.Operand.Long != "" {
		a[c.Operand.Long] = args[0]
	}
	every := f.watch
	if every <= 0 && cmd.Flags().Changed("watch") {
		return fmt.Errorf("--watch=%s: no time between two looks", every)
	}
	if seconds := a.Number("interval", 0); seconds > 0 && every == 0 {
		every = time.Duration(seconds) * time.Second
	}
	ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	w, errs := cmd.OutOrStdout(), cmd.ErrOrStderr()
	if every > 0 {
		return admin.Watch(ctx, o, c, a, every, w, isTerminal(w))
	}
	bar := &adminProgress{w: errs, after: f.barAfter}
	if isTerminal(errs) {
		o.Progress = bar.show
	}
	steps := &adminSteps{w: errs, terminal: isTerminal(errs), now: time.Now}
	o.Steps, o.Stop = steps.show, stopProcess
	clear := func() { bar.clear(); steps.clear() }
	defer clear()
	err = admin.Run(ctx, o, c, a, clearFirst{w, clear})
	var end *admin.EndError
	switch {
	case errors.As(err, &end):
		return &endError{exitCode(end.Code), fmt.Sprintf("admin %s: %s", c.Name, end.Text)}
	case err != nil:
		return fmt.Errorf("admin %s: %w", c.Name, err)
	}
	return nil
}

// addCompletion has a shell complete names that the name server knows.
func addCompletion(cmd *cobra.Command, c *admin.Command, f *adminFlags) {
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(admin.FormatNames(), cobra.ShellCompDirectiveNoFileComp))
	for _, one := range c.Flags {
		if one.Names == admin.Anything {
			continue
		}
		_ = cmd.RegisterFlagCompletionFunc(one.Long, func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
			const patience = 500 * time.Millisecond // a shell waits for it
			var all []string
			for _, name := range admin.Known(cmd.Context(), admin.Options{NameServers: f.nameServers(), Timeout: patience}, one.Names) {
				if strings.HasPrefix(name, begun) {
					all = append(all, name)
				}
			}
			return all, cobra.ShellCompDirectiveNoFileComp
		})
	}
}
