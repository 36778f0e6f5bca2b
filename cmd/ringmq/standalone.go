package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ringmq/broker/config"
	"ringmq/namesrv"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting/settings"
)

const namesrvPortKey = "namesrvListenPort" // in standalone, listenPort is the broker's

func newStandalone() *cobra.Command {
	s := source{environ: os.Environ()}
	cmd := &cobra.Command{
		Use: "standalone", Short: "Run a name server and a broker in one process, on loopback", Args: cobra.NoArgs,
		Long: "Run a name server and a broker in one process, on loopback, with data under ./ringmq-data.\n\n" +
			"--set takes the keys of both; listenPort is the broker's port, " + namesrvPortKey + " the name server's.\n\n" + strings.Replace(precedence, ", else from the\nfile, else its default", ", else its\ndefault", 1),
		Example: "  ringmq standalone\n  ringmq standalone --set storePathRootDir=/srv/mq --set bindAddress=0.0.0.0",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := &standaloneProcess{logger: newLogger(cmd.ErrOrStderr())}
			over, err := s.overrides()
			if err != nil {
				return err
			}
			if p.both, err = split(over); err != nil {
				return err
			}
			if s.print {
				return p.both.print(cmd.OutOrStdout())
			}
			p.b.loops = netpoll.SpareProcessors()
			return serve(cmd.OutOrStdout(), p.logger, p)
		},
	}
	s.setFlag(cmd)
	return cmd
}

// both are the settings of a name server and a broker that were given together.
type both struct {
	over    []settings.Setting // as given, for the broker
	namesrv *settings.Values
	broker  *config.Config
}

// split sorts settings to the two servers: a key that both know goes to both, but listenPort and adminHttpAddress to the broker. It
// fills in the defaults of this subcommand, which differ from those of a server of its own.
func split(over []settings.Setting) (both, error) {
	b := both{over: over}
	table := namesrv.Keys()
	known, err := table.Merge()
	if err != nil {
		return b, err
	}
	var mine []settings.Setting
	for _, s := range over {
		switch {
		case s.Key == namesrvPortKey:
			if _, err := strconv.ParseUint(s.Value, 10, 16); err != nil {
				return b, fmt.Errorf("%s: %s=%s is no port", s.Where, s.Key, s.Value)
			}
			s.Key = "listenPort"
			mine = append(mine, s)
		case s.Key == "listenPort" || s.Key == "configBlackList" || s.Key == adminHTTPKey: // the broker's alone
		case strings.EqualFold(s.Key, namesrvPortKey):
			return b, fmt.Errorf("%s: there is no key %s; did you mean %s?", s.Where, s.Key, namesrvPortKey)
		case known.Known(s.Key):
			mine = append(mine, s)
		}
	}
	// The port alone decides what the broker is told before the name server listens.
	first, err := b.brokerConfig("")
	if err != nil {
		return b, err
	}
	root := first.Text("storePathRootDir")
	b.namesrv, err = table.Merge([]settings.Setting{
		base("bindAddress", "127.0.0.1"),
		base("kvConfigPath", root+"/namesrv/kvConfig.json"), base("configStorePath", root+"/namesrv/namesrv.properties"),
	}, mine)
	if err != nil {
		return b, err
	}
	if err := namesrv.Check(b.namesrv); err != nil {
		return b, err
	}
	addr := "" // not known before the kernel has chosen the port
	if port := b.namesrv.Int("listenPort"); port != 0 {
		addr = namesrv.OwnAddress(b.namesrv.Text("bindAddress"), port)
	}
	b.broker, err = b.brokerConfig(addr)
	return b, err
}

// brokerConfig is the broker's configuration once the address of the name server is known.
func (b *both) brokerConfig(namesrvAddr string) (*config.Config, error) {
	var mine []settings.Setting
	bind := "127.0.0.1"
	for _, s := range b.over {
		if s.Key == namesrvPortKey {
			continue
		}
		if s.Key == "bindAddress" {
			bind = s.Value
		}
		mine = append(mine, s)
	}
	// Whoever opens the socket to other hosts wants them to be sent there, not to their own loopback.
	ip := bind
	if a, err := netip.ParseAddr(bind); err != nil {
		ip = "127.0.0.1"
	} else if a.IsUnspecified() {
		ip = config.LocalIP()
	}
	v, err := config.Keys(ip).Merge([]settings.Setting{
		base("bindAddress", "127.0.0.1"), base("storePathRootDir", "./ringmq-data"), base("namesrvAddr", namesrvAddr),
	}, mine)
	if err != nil {
		return nil, err
	}
	return config.New(v)
}

func (b *both) print(w io.Writer) error {
	return printText(w, "# name server; its listenPort is set as "+namesrvPortKey+"\n"+b.namesrv.Grouped()+"# broker\n"+b.broker.Grouped())
}

// withoutEffect lists the keys that do nothing in either.
func (b *both) withoutEffect() []string {
	mine := map[string]bool{}
	for _, k := range b.namesrv.WithoutEffect() {
		mine[k] = true
	}
	var all []string
	for _, k := range b.broker.WithoutEffect() {
		if !b.namesrv.Known(k) || mine[k] {
			all = append(all, k)
			delete(mine, k)
		}
	}
	for k := range mine {
		if !b.broker.Known(k) {
			all = append(all, k)
		}
	}
	return all
}

// Alike is the key of either that key may be meant for.
func (b *both) Alike(key string) string { return cmp.Or(b.broker.Alike(key), b.namesrv.Alike(key)) }

// Known says whether either has the key.
func (b *both) Known(key string) bool { return b.broker.Known(key) || b.namesrv.Known(key) }

// standaloneProcess is both servers as serve runs them. The broker starts last and stops first.
type standaloneProcess struct {
	both
	logger *slog.Logger
	ns     *namesrv.Server
	b      brokerProcess
}

func (p *standaloneProcess) buffersBytes() int64 { return p.broker.StoreOptions().BufferBytes() } // p.b is configured when it starts

func (p *standaloneProcess) start() error {
	const servers = 2
	ns, err := startNamesrv(namesrv.Options{Values: p.namesrv, Version: version, Logger: p.logger, Servers: servers}, namesrvPortKey)
	if err != nil {
		return unusable(p.broker, err)
	}
	if p.namesrv.Int("listenPort") == 0 { // chosen by the kernel
		p.broker, err = p.brokerConfig(namesrv.OwnAddress(p.namesrv.Text("bindAddress"), int(ns.Addr().Port())))
	}
	if err == nil {
		p.b.c, p.b.logger, p.b.shared = p.broker, p.logger, servers
		err = p.b.start()
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
		defer cancel()
		return errors.Join(err, ns.Shutdown(ctx))
	}
	p.ns = ns
	return nil
}

func (p *standaloneProcess) report(w io.Writer) {
	fmt.Fprintf(w, "name server    %s\n", p.ns.Addr())
	p.b.where(w)
	firstMessage(w, reachable(p.ns.Addr()))
	withoutEffect(w, p.broker.Unsupported(), p.withoutEffect(), &p.both)
}

func (p *standaloneProcess) shutdown(ctx context.Context) error {
	return errors.Join(p.b.shutdown(ctx), p.ns.Shutdown(ctx))
}
