package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// createTopics makes the workload's topics at the broker, or sets their number of queues.
func createTopics(ctx context.Context, w *Workload) error {
	c, err := netpoll.Dial(ctx, w.Addr, netpoll.DialOptions{})
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range w.Topics {
		req := remoting.NewRequest(remoting.CodeUpdateAndCreateTopic)
		n := strconv.Itoa(w.Queues)
		for _, f := range [][2]string{
			{"topic", w.topic(i)}, {"defaultTopic", "TBW102"}, {"readQueueNums", n}, {"writeQueueNums", n}, {"perm", "6"},
			{"topicFilterType", "SINGLE_TAG"}, {"topicSysFlag", "0"}, {"order", "false"},
		} {
			req.Set(f[0], f[1])
		}
		call, cancel := context.WithTimeout(ctx, 30*time.Second)
		resp, err := c.Call(call, req)
		cancel()
		if err != nil {
			return fmt.Errorf("create topic %s: %w", w.topic(i), err)
		}
		if resp.Code != remoting.RespSuccess {
			return fmt.Errorf("create topic %s: code %d: %s", w.topic(i), resp.Code, resp.Remark)
		}
	}
	return nil
}
