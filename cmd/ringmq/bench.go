package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ringmq/bench"
)

// workload is a subcommand that loads a broker. A new one needs a row in workloads and no more.
type workload struct {
	name    string
	short   string
	long    string   // what it does and how to read what it prints
	shared  []string // paragraphs of help behind it
	example string   // without "ringmq bench", a line each
	groups  []string // of flags, by their names in flagGroups
	run     bench.Run

	defaults []preset // of flags, where they differ from those of the groups
}

type preset struct{ flag, value string }

var workloads = []workload{
	{
		name: "produce", short: "Send messages and measure throughput, latency and what the broker uses",
		long: "Sends messages to one broker over a few connections and measures how many are acknowledged, how long each request\n" +
			"takes, and, given the broker's process, its CPU, memory and disk. The topics are made first, unless --existing.",
		example: `produce                                               a closed loop against 127.0.0.1:10911
produce --pid auto --duration 30s --html run.html    with the broker's CPU and memory, and a page of charts
produce --connections 1 --window 1                   what one caller that waits for every answer sees
produce --rate 20000 --poisson                       an open loop: latency at a load that does not yield
produce -n 10.0.0.5:9876 --size 100-2000 --batch 16  the broker found through its name server; mixed sizes
produce --size 256:70,4096:25,65536:5                70 % small messages, 25 % larger, 5 % large ones`,
		shared: []string{loopsHelp, percentilesHelp, processHelp, leavesHelp, endHelp},
		groups: []string{"target", "load", "rate", "messages", "oneway", "topics", "made", "warmup", "time", "output", "failing"},
		run:    bench.Produce,
	},
	consumeWorkload, endToEndWorkload, catchupWorkload, soakWorkload, verifyWorkload,
}

// Paragraphs of help that several workloads share; each shows those that mean something to it.
const (
	loopsHelp = `Closed and open loops. Without --rate the loop is closed: each connection keeps --window requests in flight and sends the
next when one is answered. That finds the most a broker can do, but a broker that stalls is then also asked less, so the
stall shows up as one slow request per place in the window and the rest is never sent: coordinated omission. With --rate
the loop is open: every request has a time at which it should leave, whatever the answers do, and its latency counts from
that time. To know what users will see, find the maximum in a closed loop, then run an open loop at half of it.`

	openHelp = `Every send has a time at which it should leave, whatever the answers do, and latency counts from that time (an open loop;
ringmq bench produce --help tells about open and closed ones).`

	percentilesHelp = `Percentiles. p99 = 2 ms says that one request in a hundred took longer than 2 ms. A page that makes 100 requests meets
the p99 in most of its views, so p99 and p99.9 tell more than the mean. A percentile is only told when at least ten
requests lie beyond it; max is one request, and chance. Compare latency at the same --rate, or at the same window.`

	processHelp = `The broker's process. --pid auto finds the process that listens on the broker's port, if it runs on this machine under
the same user (or you are root). Otherwise: pgrep -f 'ringmq broker', or jps for a stock broker, and --pid NUMBER.
If the generator itself used a whole processor a warning says so: then it was the limit, and not the broker.`

	shortProcessHelp = `--pid auto finds the broker's process on this machine, for its CPU, memory and disk figures.`

	leavesHelp = `What it leaves behind: the topics stay at the broker, with all messages that were sent, each of --size and about 200 bytes more on its
disk, until its retention comes to them (fileReservedTime, 72 h). --delete-topic deletes at the end the topics that this run has made.`

	endHelp = `Ctrl-C ends a run early and prints what was counted until then; a second one ends it at once.
` + exitHelp
)

func newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bench", Short: "Load a broker, ours or stock, and measure it",
		Long: "Loads a broker that speaks RocketMQ's protocol, ours or stock, and measures it. Try first:\n\n" +
			"  ringmq standalone                                    in one terminal\n" +
			"  ringmq bench produce --pid auto --html run.html      in another\n\n" +
			"produce, consume, endtoend, catchup, soak and verify run one workload against one broker; versus runs it against two in turns and says who did better\n" +
			"and how far to trust it; compare does that for reports saved with --json; page gathers saved results in one document. fill-memory is for virtual machines.",
	}
	for i := range workloads {
		cmd.AddCommand(workloads[i].command())
	}
	cmd.AddCommand(newBenchVersus(), newBenchCompare(), newBenchPage(), newBenchFillMemory())
	return cmd
}

// suggestFlag adds to the error about a flag that there is not what may have been meant, by the measure that commands are suggested by.
func suggestFlag(cmd *cobra.Command, err error) error {
	_, name, unknown := strings.Cut(err.Error(), "unknown flag: --")
	if !unknown {
		if strings.HasPrefix(err.Error(), "unknown shorthand flag") {
			return fmt.Errorf("%w; %s --help lists them", err, cmd.CommandPath())
		}
		return err
	}
	names := &cobra.Command{SuggestionsMinimumDistance: 2}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	if near := names.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("%w; did you mean --%s?", err, strings.Join(near, ", --"))
	}
	return fmt.Errorf("%w; %s --help lists them", err, cmd.CommandPath())
}

func (wl *workload) command() *cobra.Command {
	o := &benchOptions{}
	cmd := &cobra.Command{
		Use: wl.name, Short: wl.short, Long: strings.Join(append([]string{wl.long}, wl.shared...), "\n\n"), Example: examples(wl.example), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.single(cmd, wl) },
	}
	o.addGroups(cmd, wl.groups)
	for _, d := range wl.defaults {
		cmd.Flags().Lookup(d.flag).DefValue = d.value
	}
	return cmd
}

// examples puts the program's name in front of every line.
func examples(lines string) string {
	return "  ringmq bench " + strings.ReplaceAll(lines, "\n", "\n  ringmq bench ")
}

// addGroups gives a command its flags, and a help that shows them group by group.
func (o *benchOptions) addGroups(cmd *cobra.Command, names []string) {
	type titled struct {
		title string
		*pflag.FlagSet
	}
	var sets []titled
	for _, g := range flagGroups {
		if !slices.Contains(names, g.name) {
			continue
		}
		set := pflag.NewFlagSet(g.name, pflag.ContinueOnError)
		set.SortFlags = false
		g.add(o, set)
		cmd.Flags().AddFlagSet(set)
		if last := len(sets) - 1; last >= 0 && sets[last].title == g.title {
			sets[last].AddFlagSet(set)
		} else {
			sets = append(sets, titled{g.title, set})
		}
	}
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		w := cmd.OutOrStderr()
		fmt.Fprintf(w, "Usage:\n  %s\n", cmd.UseLine())
		if cmd.Example != "" {
			fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
		}
		own := pflag.NewFlagSet("", pflag.ContinueOnError)
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !slices.ContainsFunc(sets, func(s titled) bool { return s.Lookup(f.Name) != nil }) {
				own.AddFlag(f)
			}
		})
		for _, set := range append([]titled{{"Of this command", own}}, sets...) {
			if usage := set.FlagUsages(); usage != "" {
				fmt.Fprintf(w, "\n%s:\n%s", set.title, usage)
			}
		}
		return nil
	})
	if cmd.Flags().Lookup("broker") != nil {
		cmd.MarkFlagsMutuallyExclusive("broker", "namesrv")
	}
}

// workloadNamed finds a workload.
func workloadNamed(name string) (*workload, error) {
	var names []string
	for i := range workloads {
		if workloads[i].name == name {
			return &workloads[i], nil
		}
		names = append(names, workloads[i].name)
	}
	return nil, fmt.Errorf("workload %q: one of %s", name, strings.Join(names, ", "))
}
