package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ringmq/bench"
)

// benchOptions is what the flags of bench's subcommands say. A command has those of its groups, the others keep their zero.
type benchOptions struct {
	w       bench.Workload
	sizes   string
	backlog string
	namesrv string
	cluster string
	pid     string
	name    string

	output       string
	jsonFile     string
	htmlFile     string
	title        string
	note         string
	command      string
	failOnErrors bool
	maxCPURatio  float64 // of versus; 0: any

	failOnRate  bool
	deleteTopic bool

	told bool // the result was printed for people, failures included
}

// flagGroup is a part of the flags that several subcommands share.
type flagGroup struct {
	name, title string
	add         func(o *benchOptions, f *pflag.FlagSet)
}

// flagGroups in the order in which help shows them.
var flagGroups = []flagGroup{
	{"target", "The broker", func(o *benchOptions, f *pflag.FlagSet) {
		f.StringVarP(&o.w.Addr, "broker", "b", "127.0.0.1:10911", "`host:port` of the broker")
		f.StringVarP(&o.namesrv, "namesrv", "n", "", "`host:port` of a name server that knows the broker, or several, host:port;host:port, of which the first that answers is asked, instead of --broker: the first master of the topic's route, or of the cluster")
		f.StringVar(&o.cluster, "cluster", "", "with --namesrv: only a broker of this `cluster`")
		f.StringVar(&o.pid, "pid", "", "the broker's process on this machine, a `number` or auto, for its CPU, memory and disk figures")
		f.StringVar(&o.name, "name", "", "what to call the broker in what is printed and saved")
	}},
	{"load", "The load", func(o *benchOptions, f *pflag.FlagSet) {
		f.IntVar(&o.w.Conns, "connections", 4, "connections")
		f.IntVar(&o.w.Window, "window", 64, "requests in flight on each connection; with --rate the most that may be")
		f.StringVar(&o.w.Encoding, "encoding", "json", "of the headers: json, as Java clients send, or binary")
	}},
	{"rate", "The load", func(o *benchOptions, f *pflag.FlagSet) {
		f.Float64Var(&o.w.Rate, "rate", 0, "messages a second, all connections together, in an open loop; 0: a closed loop")
		f.BoolVar(&o.w.Poisson, "poisson", false, "with --rate: random intervals, as of many independent senders, instead of even ones")
		f.BoolVar(&o.failOnRate, "fail-on-rate", false, "exit with code 1 when less than 99 % of --rate was reached")
	}},
	{"soak", "The load", func(o *benchOptions, f *pflag.FlagSet) {
		f.Float64Var(&o.w.PeakShare, "peak-share", 0, "instead of --rate: `share` of what a closed loop reaches beside the readers, which is measured first for 20s; 0: 0.8, without --rate")
		f.Float64Var(&o.w.GrowthMiBHour, "growth", 20, "`MiB` an hour by which the broker's memory may grow (with --pid)")
		f.StringVar(&o.w.Metrics, "metrics", "", "`URL` of a ringmq broker's page of metrics, http://host:port/metrics: its goroutines must not grow")
	}},
	{"consume", "Reading", func(o *benchOptions, f *pflag.FlagSet) {
		f.BoolVar(&o.w.Fill, "fill", false, "make the topics and send messages first, and read only those")
		f.IntVar(&o.w.FillMessages, "fill-messages", 100_000, "with --fill: how many")
		f.BoolVar(&o.w.Again, "again", false, "at the end of a queue begin it again, until --duration is over: few messages are then read many times, from memory")
		f.BoolVar(&o.w.Drain, "drain", false, "end when all that was there is read, however long it takes, and not after --duration; there is no warm-up then")
	}},
	{"pull", "Reading", func(o *benchOptions, f *pflag.FlagSet) {
		f.IntVar(&o.w.PullMessages, "pull-messages", 32, "messages in one answer, at most")
	}},
	{"groups", "Reading", func(o *benchOptions, f *pflag.FlagSet) {
		f.IntVar(&o.w.Groups, "groups", 1, "consumer groups, each of which reads everything: messages and latency are of all of them together")
	}},
	{"backlog", "The backlog", func(o *benchOptions, f *pflag.FlagSet) {
		f.StringVar(&o.backlog, "backlog", "", "`size` of the messages that lie there first, as 512M or 20GiB; 1GiB, or with --existing what is there")
		f.BoolVar(&o.w.DropCache, "drop-cache", false, "empty this machine's page cache before reading, so that it comes from the disk (root)")
	}},
	{"ledger", "The ledger", func(o *benchOptions, f *pflag.FlagSet) {
		f.StringVar(&o.w.Ledger, "ledger", "", "`file` of what was acknowledged: written after sending, read with --check")
		f.BoolVar(&o.w.Check, "check", false, "send nothing: read what --ledger says was acknowledged, and check it")
	}},
	{"messages", "The messages", func(o *benchOptions, f *pflag.FlagSet) {
		f.StringVar(&o.sizes, "size", "1024", "bytes of a body: SIZE, LOW-HIGH, or several with weights, 256:70,4096:30; 4K or 1MiB too")
		f.IntVar(&o.w.Batch, "batch", 1, "messages in a request")
		f.StringVar(&o.w.Tag, "tag", "", "tag of every message")
		f.BoolVar(&o.w.Keys, "keys", false, "give every message a key of its own")
		f.IntVar(&o.w.Property, "property", 0, "`bytes` of one more property")
	}},
	{"oneway", "The messages", func(o *benchOptions, f *pflag.FlagSet) {
		f.BoolVar(&o.w.Oneway, "oneway", false, "want no answers: what is counted was only handed to the kernel")
	}},
	{"topics", "The topics", func(o *benchOptions, f *pflag.FlagSet) {
		f.StringVar(&o.w.Topic, "topic", "RingmqBench", "`name` of the topic; of several topics the beginning of their names")
		f.IntVar(&o.w.Topics, "topics", 1, "how many")
		f.IntVar(&o.w.Queues, "queues", 8, "queues of each topic; of topics that are there as many as they have")
		f.BoolVar(&o.w.Existing, "existing", false, "the topics are there: make none, and take the number of their queues")
	}},
	{"made", "The topics", func(o *benchOptions, f *pflag.FlagSet) {
		f.BoolVar(&o.deleteTopic, "delete-topic", false, "delete at the end the topics that this run has made, and no others")
		f.BoolVar(&o.w.ToSlave, "to-slave", false, "send to a broker that says it is a slave; otherwise that is refused")
	}},
	{"warmup", "Time", func(o *benchOptions, f *pflag.FlagSet) {
		durationVar(f, &o.w.WarmUp, "warm-up", 2*time.Second, "before counting; a stock broker's JVM wants 20s after its start")
	}},
	{"time", "Time", func(o *benchOptions, f *pflag.FlagSet) {
		durationVar(f, &o.w.Duration, "duration", 10*time.Second, "counted, as 30s, 10m or 1h")
	}},
	{"output", "What comes out", func(o *benchOptions, f *pflag.FlagSet) {
		f.StringVarP(&o.output, "output", "o", "table", "`form` of what is printed: table or json")
		f.StringVar(&o.jsonFile, "json", "", "also write a `file` of JSON, which compare and page read; -: to standard output, instead of the table")
		f.StringVar(&o.htmlFile, "html", "", "also write a `file` of HTML with charts; it needs nothing else and can be mailed")
	}},
	{"failing", "What comes out", func(o *benchOptions, f *pflag.FlagSet) {
		f.BoolVar(&o.failOnErrors, "fail-on-errors", false, "exit with code 1 when a request failed, and not only when nothing was acknowledged")
	}},
	{"naming", "Naming", func(o *benchOptions, f *pflag.FlagSet) {
		f.StringVar(&o.title, "title", "", "`text` above the result")
		f.StringVar(&o.note, "note", "", "`text` that a reader of the result must know")
		f.StringVar(&o.command, "command", "", "`text` that says how the result was made, instead of this command line")
	}},
}

// loaded is the workload that the flags describe, for a target that is not chosen yet.
func (o *benchOptions) loaded(cmd *cobra.Command, wl *workload) (bench.Workload, error) {
	for _, d := range wl.defaults {
		if !cmd.Flags().Changed(d.flag) {
			if err := cmd.Flags().Lookup(d.flag).Value.Set(d.value); err != nil {
				return o.w, err
			}
		}
	}
	if err := noZero(cmd); err != nil {
		return o.w, err
	}
	w := o.w
	if w.Drain && !cmd.Flags().Changed("warm-up") || !slices.Contains(wl.groups, "warmup") {
		w.WarmUp = 0
	}
	if o.backlog != "" {
		n, err := bench.ParseBytes(o.backlog)
		if err != nil {
			return w, fmt.Errorf("--backlog: %w", err)
		}
		w.BacklogBytes = n
	}
	if o.sizes != "" {
		var err error
		if w.Sizes, err = bench.ParseSizes(o.sizes); err != nil {
			return w, err
		}
	}
	if (w.Existing || slices.Contains(wl.groups, "consume") && !w.Fill) && !cmd.Flags().Changed("queues") {
		w.Queues = 0 // as many as there are
	}
	if w.Poisson && w.Rate == 0 {
		return w, fmt.Errorf("--poisson needs an open loop: give a --rate")
	}
	return w, nil
}

// noZero refuses a 0 where the workload would take its default for it.
func noZero(cmd *cobra.Command) (err error) {
	for _, name := range []string{"connections", "window", "topics", "queues", "batch", "groups", "pull-messages", "fill-messages", "duration", "growth"} {
		f := cmd.Flags().Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		switch value := f.Value.String(); value {
		case "0", "0s":
			err = errors.Join(err, fmt.Errorf("--%s is %s, it must be above 0; without the flag it is %s", name, value, f.DefValue))
		}
	}
	return err
}

// chosen is the broker that the flags name.
func (o *benchOptions) chosen(ctx context.Context, topic string) (t bench.Target, err error) {
	t = bench.Target{Name: o.name, Addr: o.w.Addr}
	if o.namesrv != "" {
		if t.Addr, err = bench.FindBroker(ctx, o.namesrv, o.cluster, topic); err != nil {
			return t, err
		}
	}
	if t.Name == "" {
		t.Name = t.Addr
	}
	t.PID, t.Doubt, err = bench.ParsePID(ctx, o.pid, t.Addr)
	return t, err
}

// foreign finds a flag that was given and means nothing to a workload.
func (o *benchOptions) foreign(cmd *cobra.Command, wl *workload) error {
	for _, g := range flagGroups {
		if slices.Contains(wl.groups, g.name) {
			continue
		}
		set := pflag.NewFlagSet("", pflag.ContinueOnError)
		g.add(&benchOptions{}, set)
		var err error
		set.VisitAll(func(f *pflag.Flag) {
			if g.name != "naming" && cmd.Flags().Changed(f.Name) {
				err = fmt.Errorf("--%s means nothing to %s", f.Name, wl.name)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// duration is a flag's time. A number alone is refused with the way to write it.
type duration time.Duration

func (d *duration) String() string { return time.Duration(*d).String() }

func (d *duration) Type() string { return "duration" }

func (d *duration) Set(s string) error {
	v, err := time.ParseDuration(s)
	if _, no := strconv.ParseFloat(s, 64); no == nil && s != "0" {
		return fmt.Errorf("%s of what? write %ss, %sm or %sh", s, s, s, s)
	}
	if err != nil {
		return errors.New("write it as 500ms, 30s, 10m or 1h30m")
	}
	*d = duration(v)
	return nil
}

func durationVar(f *pflag.FlagSet, to *time.Duration, name string, value time.Duration, usage string) {
	*to = value
	f.Var((*duration)(to), name, usage)
}
