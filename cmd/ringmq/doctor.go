package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ringmq/cmd/doctor"
	"ringmq/netpoll/remoting"
)

// doctorFlags are doctor's own; the rest goes to doctor.Options.
type doctorFlags struct {
	o       doctor.Options
	namesrv string
	output  string
	colour  string
}

func newDoctor() *cobra.Command {
	f := doctorFlags{}
	cmd := &cobra.Command{
		Use: "doctor", Short: "Say why a set-up does not work, and what to do about it", Args: cobra.NoArgs,
		Long: "Looks at name servers, brokers, a broker.conf or namesrv.conf, a store, a topic and a consumer group, as far as they are named\n" +
			"or lead to each other, and prints what is wrong first, each with why it matters and its fix. It works against a stock broker too.\n\n" +
			"Unless --no-message says otherwise, it sends a message of 1 KiB through every master and reads it back, in the topic\n" +
			doctor.TestTopic + ", which it makes and deletes; not through one that is drained, which that would open again. And it asks for\n" +
			"locks that an ordered consumer does not get, and gives them back. Nothing else is changed, and a store is only read.\n\n" +
			"Exit code 0: nothing is broken; 1: something is; 2: nothing could be looked at.",
		Example: "  ringmq doctor -n 10.0.0.1:9876\n" +
			"  ringmq doctor -n '10.0.0.1:9876;10.0.0.2:9876' --topic Orders --group billing\n" +
			"  ringmq doctor -c broker.conf\n" +
			"  ringmq doctor --store /srv/mq --no-message -o json",
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.namesrv, "namesrvAddr", "n", "", "name servers, `'host:port;host:port'`; without it those of the broker or the file, else NAMESRV_ADDR, else 127.0.0.1:9876")
	fl.StringVarP(&f.o.Broker, "broker", "b", "", "`host:port` of a broker, besides those that the name servers know")
	fl.StringVarP(&f.o.ConfigFile, "configFile", "c", "", "a broker.conf or namesrv.conf: the `file` is checked, and says where its broker, name servers and store are")
	fl.StringVar(&f.o.Store, "store", "", "`directory` of a store on this machine; only read")
	fl.StringVarP(&f.o.Topic, "topic", "t", "", "a `topic` that does not work")
	fl.StringVarP(&f.o.Group, "group", "g", "", "a consumer `group` that does not consume")
	fl.BoolVar(&f.o.NoMessage, "no-message", false, "only ask: no test message, no lock")
	fl.DurationVar(&f.o.Timeout, "timeout", 3*time.Second, "how long to wait for a connection, and for an answer")
	fl.StringVarP(&f.output, "output", "o", "table", "`table` or json")
	fl.StringVar(&f.colour, "color", "auto", "colours: `auto` (on a terminal, unless NO_COLOR is set), always or never")
	return cmd
}

func (f *doctorFlags) run(cmd *cobra.Command) error {
	if f.output != "table" && f.output != "json" {
		return fmt.Errorf("--output: %q is neither table nor json", f.output)
	}
	if f.colour != "auto" && f.colour != "always" && f.colour != "never" {
		return fmt.Errorf("--color: %q is none of auto, always, never", f.colour)
	}
	if f.o.Timeout <= 0 {
		return fmt.Errorf("--timeout: %s is no time to wait", f.o.Timeout)
	}
	f.o.NameServers = f.nameServers(os.Getenv("NAMESRV_ADDR"))
	ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	r := doctor.Run(ctx, f.o)
	if err := f.write(cmd.OutOrStdout(), r); err != nil {
		return err
	}
	if code := r.ExitCode(); code != doctor.ExitFine {
		return exitCode(code)
	}
	return nil
}

// nameServers are those that were named; where a broker, a file or a store was named instead, those that it knows.
func (f *doctorFlags) nameServers(environ string) []string {
	text := f.namesrv
	if text == "" && f.o.Broker == "" && f.o.ConfigFile == "" {
		if text = environ; text == "" && f.o.Store == "" {
			text = "127.0.0.1:9876"
		}
	}
	return remoting.ServerNames(text)
}

func (f *doctorFlags) write(w io.Writer, r *doctor.Report) error {
	if f.output == "json" {
		return r.WriteJSON(w)
	}
	colour, width := f.colour == "always", 0
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		colour = colour || f.colour == "auto" && os.Getenv("NO_COLOR") == ""
		width, _, _ = term.GetSize(int(file.Fd()))
	}
	return r.WriteTable(w, colour, width)
}
