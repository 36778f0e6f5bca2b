package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// adminHTTPKey opens the address that probes are answered on, of a broker and of a name server.
const adminHTTPKey = "adminHttpAddress"

func newHealth() *cobra.Command {
	live, timeout := false, 2*time.Second
	cmd := &cobra.Command{
		Use: "health [HOST:PORT]", Short: "Ask a server of this kind whether it is ready, or alive", Args: cobra.MaximumNArgs(1),
		Long: "Asks the address that a broker or a name server has as " + adminHTTPKey + " for /readyz, or with --live for /livez, and prints a line for\n" +
			"everything that was looked at. It is for what cannot ask by HTTP itself, such as the health check of a container that has\n" +
			"nothing but this program.\n\n" +
			"Without an argument the address is that of the environment, RINGMQ_" + adminHTTPKey + "; where that is not set either, nothing is\n" +
			"asked, which it says, and the exit code is 0.\n\n" +
			"Exit code 0: ready, or alive; 1: not, or no answer.",
		Example: "  ringmq health 127.0.0.1:10920\n  ringmq health --live 127.0.0.1:10920",
		RunE: func(cmd *cobra.Command, args []string) error {
			addr := os.Getenv("RINGMQ_" + adminHTTPKey)
			if len(args) > 0 {
				addr = args[0]
			}
			if timeout <= 0 {
				return fmt.Errorf("--timeout: %s is no time to wait", timeout)
			}
			ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			ctx, cancelTime := context.WithTimeout(ctx, timeout)
			defer cancelTime()
			return askHealth(ctx, addr, live, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&live, "live", false, "ask whether it is alive: only another start mends what is not")
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait for the answer")
	return cmd
}

// askHealth prints the answer of a probe; one that is not 200 is an error.
func askHealth(ctx context.Context, addr string, live bool, w io.Writer) error {
	if addr == "" {
		fmt.Fprintln(w, adminHTTPKey+" is not set: nothing was asked")
		return nil
	}
	where := "/readyz"
	if live {
		where = "/livez"
	}
	host, err := askedAt(addr)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+where, nil)
	if err != nil {
		return fmt.Errorf("health: %s: %w", addr, err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // and no proxy of the environment
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("health: %w: is %s the %s of a server that runs?", err, addr, adminHTTPKey)
	}
	defer resp.Body.Close()
	const limit = 64 << 10
	if _, err := io.Copy(w, io.LimitReader(resp.Body, limit)); err != nil {
		return fmt.Errorf("health: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusServiceUnavailable:
		return errSilent // why has been printed
	}
	return fmt.Errorf("health: %s answers %s: is it %s of a broker or a name server of this kind?", addr, resp.Status, adminHTTPKey)
}

// askedAt is where an address is asked that may be one to listen on: of all interfaces, or without a host.
func askedAt(addr string) (string, error) {
	addr = strings.TrimSuffix(strings.TrimPrefix(addr, "http://"), "/")
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", errors.New("health: " + addr + " is not of the form host:port")
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}
