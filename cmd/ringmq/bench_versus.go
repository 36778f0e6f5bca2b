package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"ringmq/bench"
)

func newBenchVersus() *cobra.Command {
	o := &benchOptions{}
	kind, rounds := workloads[0].name, 5
	cmd := &cobra.Command{
		Use: "versus TARGET TARGET", Short: "Run a workload against two brokers in turns and compare them", Args: twoTargets,
		Long: "Runs one workload against two brokers that are running, in turns, so that what changes on the machine meanwhile meets both,\n" +
			"and prints medians and their ratios, each with where the rounds reach from and to, and how many rounds agree on the winner. A target is\n" +
			"name=host:port, with ,pid=NUMBER or ,pid=auto behind it for the CPU and memory of a broker on this machine.\n\n" +
			"Trust a difference when all rounds agree and the spreads do not touch. When they do touch, run more rounds or longer ones:\n" +
			"on a machine that others use too, one run says little. Flags that mean nothing to the --workload are refused. Both brokers are\n" +
			"asked how they flush and what their role is; what they say stands above the figures, with a warning where it differs. If one\n" +
			"goes away, the rounds before are kept.\n\n" + loopsHelp + "\n\n" + percentilesHelp + "\n\n" + leavesHelp + "\n\n" + endHelp,
		Example: examples("versus ours=127.0.0.1:10911,pid=auto stock=127.0.0.1:20911,pid=auto\n" +
			"versus ours=127.0.0.1:10911,pid=auto stock=127.0.0.1:20911,pid=auto --rate 20000 --rounds 9 --html versus.html\n" +
			"versus before=10.0.0.5:10911 after=10.0.0.6:10911 --connections 1 --window 1 --json versus.json\n" +
			"versus ours=127.0.0.1:10911 stock=127.0.0.1:20911 --workload consume --fill --fill-messages 1000000 --drain\n" +
			"versus ours=127.0.0.1:10911 stock=127.0.0.1:20911 --workload endtoend --rate 10000 --rounds 3"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.versus(cmd, args, kind, rounds) },
	}
	var groups []string
	for _, g := range flagGroups {
		used := slices.ContainsFunc(workloads, func(wl workload) bool { return slices.Contains(wl.groups, g.name) })
		if g.name == "naming" || used && g.name != "target" {
			groups = append(groups, g.name)
		}
	}
	o.addGroups(cmd, groups)
	cmd.Flags().StringVar(&kind, "workload", kind, "`name` of the subcommand that is run")
	cmd.Flags().IntVar(&rounds, "rounds", rounds, "how often each broker is measured")
	cmd.Flags().Float64Var(&o.maxCPURatio, "max-cpu-ratio", 0, "exit with code 1 when a message costs the first broker more than so many times the processor time that it costs the second, in the median of the rounds; 0: it may cost anything")
	return cmd
}

// twoTargets says what is missing.
func twoTargets(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("versus compares two brokers, and %d were named: give two targets, as ours=127.0.0.1:10911,pid=auto stock=127.0.0.1:20911,pid=auto", len(args))
	}
	return nil
}

func (o *benchOptions) versus(cmd *cobra.Command, args []string, kind string, rounds int) error {
	wl, err := workloadNamed(kind)
	if err != nil {
		return err
	}
	if err := o.foreign(cmd, wl); err != nil {
		return err
	}
	w, err := o.loaded(cmd, wl)
	if err != nil {
		return err
	}
	if rounds < 1 {
		return fmt.Errorf("--rounds is %d, it must be at least 1", rounds)
	}
	out, err := o.open()
	if err != nil {
		return err
	}
	defer out.close()
	ctx, stop := untilSignal(context.Background())
	defer stop()
	var targets [2]bench.Target
	for i := range targets {
		if targets[i], err = bench.ParseTarget(ctx, args[i]); err != nil {
			return err
		}
		warn(cmd, targets[i])
	}
	defer o.cleanUp(cmd, &w)()
	p := newProgress(cmd.ErrOrStderr(), &w)
	result, err := bench.Versus(ctx, targets[0], targets[1], w, rounds, wl.run, func(round int, t bench.Target) func(bench.Second) {
		return p.begin(fmt.Sprintf("round %d of %d, %s:", round+1, rounds, t.Name))
	})
	p.end()
	if err != nil {
		return stoppedError(ctx, err)
	}
	result.Command, result.Ringmq = commandLine(), version
	o.call(result)
	if err := o.deliver(cmd, out, result, result); err != nil {
		return err
	}
	if err := o.verdict(ctx, result); err != nil {
		return err
	}
	return o.tooDear(result)
}

// tooDear says that a message costs the first broker too much beside the second.
func (o *benchOptions) tooDear(r *bench.Result) error {
	if o.maxCPURatio <= 0 {
		return nil
	}
	ratio, ok := r.CPURatio()
	if !ok {
		return errors.New("--max-cpu-ratio: the processes of both brokers must be known, give pid=")
	}
	if ratio > o.maxCPURatio {
		return fmt.Errorf("a message costs %s %.2f times the processor time it costs %s, more than %.2f", r.A.Name, ratio, r.B.Name, o.maxCPURatio)
	}
	return nil
}

// call gives a result the names that the flags want.
func (o *benchOptions) call(r *bench.Result) {
	if o.command != "" {
		r.Command = o.command
	}
	if o.title != "" {
		r.Title = o.title
	}
	if o.note != "" {
		if r.Note != "" {
			r.Note += " "
		}
		r.Note += o.note
	}
}
