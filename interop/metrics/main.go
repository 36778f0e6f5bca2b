// Command metrics shows that what deploy/ asks a Prometheus for is there: load gives a broker something of everything to count, and check
// evaluates every alert that a Prometheus has loaded, and every query of dashboards, and fails where one brings no data: interop/metrics.sh
// runs both. With -stock and -ours it compares what the brokers of two files showed after the same traffic, for interop/reads.sh. With
// -pushed it is the collector of a stock broker and of one of ours, and compares what they push.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	duration := flag.Duration("duration", 20*time.Second, "of the load")
	prometheus := flag.String("prometheus", "", "URL of the Prometheus to check on; the arguments are dashboards")
	broker := flag.String("broker", "", "address, host:port, of the broker to load")
	stock := flag.String("stock", "", "file with a scrape of a stock broker, to compare with -ours")
	ours := flag.String("ours", "", "and of one of ours")
	push := flag.Bool("pushed", false, "receive and compare pushes for as long as -duration at most; the arguments are stock's broker and its collector's address, and ours")
	flag.Parse()
	var err error
	switch {
	case *push:
		err = pushed(os.Stdout, *duration, flag.Args())
	case *stock != "" && *ours != "":
		err = compareScrapes(os.Stdout, *stock, *ours)
	case *broker != "":
		ctx, cancel := context.WithTimeout(context.Background(), *duration)
		defer cancel()
		err = load(ctx, *broker)
	case *prometheus != "":
		err = check(*prometheus, flag.Args())
	default:
		err = fmt.Errorf("give -broker, -prometheus, -pushed, or -stock and -ours")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		os.Exit(1)
	}
}
