package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// createTopics makes the workload's topics at the broker, or gives them more queues. One that has enough stays as it is.
func createTopics(ctx context.Context, c *netpoll.Client, w *Workload) error {
	for i := range w.Topics {
		name := w.topic(i)
		n, err := queuesOf(ctx, c, w, name, false)
		var untold *untoldError
		var none *noTopicError
		switch {
		case err == nil && n >= w.Queues:
			continue
		case err != nil && !errors.As(err, &untold) && !errors.As(err, &none):
			return fmt.Errorf("create topic %s: %w", name, err)
		}
		if err := createTopic(ctx, c, w, name); err != nil {
			return err
		}
		if none != nil {
			w.Made.add(w, name)
		}
	}
	return nil
}

func createTopic(ctx context.Context, c *netpoll.Client, w *Workload, name string) error {
	req := remoting.NewRequest(remoting.CodeUpdateAndCreateTopic)
	n := strconv.Itoa(w.Queues)
	for _, f := range [][2]string{
		{"topic", name}, {"defaultTopic", "TBW102"}, {"readQueueNums", n}, {"writeQueueNums", n}, {"perm", "6"},
		{"topicFilterType", "SINGLE_TAG"}, {"topicSysFlag", "0"}, {"order", "false"},
	} {
		req.Set(f[0], f[1])
	}
	resp, err := call(ctx, c, req)
	switch {
	case err != nil:
		return fmt.Errorf("create topic %s: %w", name, err)
	case resp.Code == remoting.RespNoPermission:
		return fmt.Errorf("create topic %s: %s; make it where the broker lets you (ringmq admin updateTopic -b %s -t %s -r %s -w %s on its machine, or let this host in by its adminAllowedCidrs), then run this with --existing",
			name, refusal(resp), w.Addr, name, n, n)
	case resp.Code != remoting.RespSuccess:
		return fmt.Errorf("create topic %s: %s", name, refusal(resp))
	}
	return nil
}
