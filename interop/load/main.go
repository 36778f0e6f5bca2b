// Command load sends messages over a few connections with many in flight on each, in a closed loop, and prints messages a second
// and the broker's CPU time a message. It is a small instrument for one figure, for any broker that speaks the protocol.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:10911", "broker")
	conns := flag.Int("conns", 4, "connections")
	window := flag.Int("window", 64, "requests in flight per connection")
	size := flag.Int("size", 1024, "bytes of a body")
	warm := flag.Duration("warm", 3*time.Second, "time before counting")
	measure := flag.Duration("time", 10*time.Second, "time counted")
	pid := flag.Int("pid", 0, "broker's process, for its CPU time")
	flag.Parse()
	if err := run(*addr, *conns, *window, *size, *warm, *measure, *pid); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(addr string, conns, window, size int, warm, measure time.Duration, pid int) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var sent, failed atomic.Int64
	var all sync.WaitGroup
	latencies := make([][]time.Duration, conns*window)
	var counting atomic.Bool
	for i := range conns {
		c, err := netpoll.Dial(ctx, addr, netpoll.DialOptions{})
		if err != nil {
			return err
		}
		defer c.Close()
		for w := range window {
			all.Add(1)
			go func() {
				defer all.Done()
				req := request(w, size)
				for ctx.Err() == nil {
					began := time.Now()
					resp, err := c.Call(ctx, req)
					if ctx.Err() != nil {
						return
					}
					if err != nil || resp.Code != remoting.RespSuccess {
						failed.Add(1)
						continue
					}
					sent.Add(1)
					if counting.Load() {
						latencies[i*window+w] = append(latencies[i*window+w], time.Since(began))
					}
				}
			}()
		}
	}
	time.Sleep(warm)
	counting.Store(true)
	n0, cpu0, t0 := sent.Load(), cpuTime(pid), time.Now()
	time.Sleep(measure)
	n, cpu, took := sent.Load()-n0, cpuTime(pid)-cpu0, time.Since(t0)
	cancel()
	all.Wait()
	var merged []time.Duration
	for _, l := range latencies {
		merged = append(merged, l...)
	}
	sort.Slice(merged, func(i, j int) bool { return merged[i] < merged[j] })
	if n == 0 || len(merged) == 0 {
		return fmt.Errorf("nothing was acknowledged, %d failed", failed.Load())
	}
	fmt.Printf("%.0f msg/s, %.2f us broker CPU a message, p50 %s p99 %s p99.9 %s, %d failed\n", float64(n)/took.Seconds(), cpu.Seconds()*1e6/float64(n),
		merged[len(merged)/2].Round(time.Microsecond), merged[len(merged)*99/100].Round(time.Microsecond), merged[len(merged)*999/1000].Round(time.Microsecond), failed.Load())
	return nil
}

func request(w, size int) *remoting.Command {
	req := remoting.NewRequest(remoting.CodeSendMessageV2)
	for _, f := range [][2]string{
		{"a", "LoadProducer"}, {"b", "LoadTopic"}, {"c", "TBW102"}, {"d", "4"}, {"e", strconv.Itoa(w % 4)}, {"f", "0"},
		{"g", strconv.FormatInt(time.Now().UnixMilli(), 10)}, {"h", "0"}, {"i", "UNIQ_KEY\x01C0A80001000018B4AAC2000000000001\x02WAIT\x01true\x02"},
		{"j", "0"}, {"k", "false"}, {"m", "false"}, {"n", "broker-a"},
	} {
		req.Set(f[0], f[1])
	}
	req.Body = []byte(strings.Repeat("x", size))
	return req
}

// cpuTime is what a process has used, user and system, from /proc; ticks are hundredths of a second.
func cpuTime(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	const utime, stime = 11, 12
	user, _ := strconv.ParseInt(fields[utime], 10, 64)
	system, _ := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}
