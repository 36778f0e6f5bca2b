package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"ringmq/broker/web"
	"ringmq/namesrv"
)

func newNamesrv() *cobra.Command {
	s := source{environ: os.Environ()}
	cmd := &cobra.Command{
		Use: "namesrv", Short: "Run a name server", Args: cobra.NoArgs,
		Long:    "Run a name server. Its key-value configuration lies under $HOME/namesrv, as stock's does.\n\n" + precedence,
		Example: "  ringmq namesrv -c namesrv.conf\n  ringmq namesrv --set listenPort=9877",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, file, err := s.load(namesrv.Keys())
			if err != nil {
				return err
			}
			if err := namesrv.Check(v); err != nil {
				return err
			}
			if s.print {
				return printText(cmd.OutOrStdout(), v.Grouped())
			}
			logger := newLogger(cmd.ErrOrStderr())
			return serve(cmd.OutOrStdout(), logger, &namesrvProcess{o: namesrv.Options{Values: v, ConfigFile: file, Version: version, Logger: logger}})
		},
	}
	s.setFlag(cmd)
	s.fileFlag(cmd)
	return cmd
}

// namesrvProcess is a name server as serve runs it.
type namesrvProcess struct {
	o      namesrv.Options
	s      *namesrv.Server
	probes *web.Server // nil: adminHttpAddress is not set
}

func (p *namesrvProcess) buffersBytes() int64 { return 0 }

func (p *namesrvProcess) start() error {
	var err error
	if p.s, err = startNamesrv(p.o, "listenPort"); err != nil {
		return err
	}
	addr := p.o.Values.Text(adminHTTPKey)
	if addr == "" {
		return nil
	}
	if p.probes, err = web.Serve(addr, web.Probes(namesrvHealth(p.s)), p.o.Logger); err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
		defer cancel()
		return errors.Join(busy(err, adminHTTPKey+"="+addr), p.s.Shutdown(ctx))
	}
	return nil
}

// namesrvHealth is what probes look at in a name server.
func namesrvHealth(s *namesrv.Server) web.Health {
	loops := web.Check{Name: "event-loops", Look: s.Turns}
	return web.Health{Live: []web.Check{loops}, Ready: []web.Check{loops, {Name: "serving", Look: s.Serves}}}
}

// startNamesrv starts one; portKey is what its port is set by.
func startNamesrv(o namesrv.Options, portKey string) (*namesrv.Server, error) {
	s, err := namesrv.New(o)
	if err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, busy(err, fmt.Sprintf("%s=%d", portKey, o.Values.Int("listenPort")))
	}
	return s, nil
}

func (p *namesrvProcess) report(w io.Writer) {
	fmt.Fprintf(w, "name server    %s\n", p.s.Addr())
	fmt.Fprintf(w, "brokers        start one with: ringmq broker -n %s\n", reachable(p.s.Addr()))
	withoutEffect(w, nil, p.o.Values.WithoutEffect(), p.o.Values)
}

func (p *namesrvProcess) shutdown(ctx context.Context) error {
	if p.probes != nil {
		p.probes.Close()
	}
	return p.s.Shutdown(ctx)
}

func newLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
