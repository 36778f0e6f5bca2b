package main

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ringmq/bench"
)

func newBench() *cobra.Command {
	cmd := &cobra.Command{Use: "bench", Short: "Load a broker and measure it"}
	cmd.AddCommand(newBenchProduce())
	return cmd
}

func newBenchProduce() *cobra.Command {
	var w bench.Workload
	sizes := "1024"
	cmd := &cobra.Command{
		Use: "produce", Short: "Send messages", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if w.Sizes, err = bench.ParseSizes(sizes); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			r, err := bench.Produce(ctx, w, nil)
			if err != nil {
				return err
			}
			r.Series, r.Curve = nil, nil
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetIndent("", " ")
			return e.Encode(r)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&w.Addr, "broker", "b", "127.0.0.1:10911", "address of the broker")
	f.IntVar(&w.Conns, "connections", 4, "connections")
	f.IntVar(&w.Window, "window", 64, "requests in flight on each connection")
	f.Float64Var(&w.Rate, "rate", 0, "messages a second in an open loop; 0: a closed loop")
	f.BoolVar(&w.Poisson, "poisson", false, "random intervals in an open loop")
	f.StringVar(&sizes, "size", sizes, "bytes of a body")
	f.IntVar(&w.Batch, "batch", 1, "messages a request")
	f.IntVar(&w.Topics, "topics", 1, "topics")
	f.IntVar(&w.Queues, "queues", 8, "queues of each topic")
	f.BoolVar(&w.Existing, "existing", false, "make no topics, they are there")
	f.StringVar(&w.Encoding, "encoding", "json", "encoding of headers, json or binary")
	f.DurationVar(&w.WarmUp, "warm-up", 2*time.Second, "time before counting")
	f.DurationVar(&w.Duration, "duration", 10*time.Second, "time counted")
	f.IntVar(&w.PID, "pid", 0, "process of the broker on this machine")
	return cmd
}
