// Command goclient drives rocketmq-client-go against a broker: every way of sending, push consumption of both kinds, broadcast, pull,
// groups whose members come, go and are killed, retry, delay, and a broker that is started again. It prints a PASS or FAIL line a case
// and ends with "N passed, N failed". With -member it is one consumer of such a group, in a process of its own.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

// testCase is one thing to show; limit is the longest it may take.
type testCase struct {
	name  string
	limit time.Duration
	run   func(e env, topic, group string) error
}

// together run side by side.
var together = []testCase{
	{"send-sync", time.Minute, sendSync},
	{"send-async", time.Minute, sendAsync},
	{"send-oneway", time.Minute, sendOneway},
	{"send-batch", time.Minute, sendBatch},
	{"consume-orderly", time.Minute, consumeOrderly},
	{"consume-tags", time.Minute, consumeTags},
	{"consume-broadcast", time.Minute, broadcast},
	{"consume-pull", time.Minute, pull},
	{"consume-poll", time.Minute, poll},
	{"start-first", time.Minute, startFirst},
	{"start-last", time.Minute, startLast},
	{"start-timestamp", time.Minute, startTimestamp},
	{"start-last-misses-nothing-new", time.Minute, startLastEmptyQueue},
	{"retry", 2 * time.Minute, retry},
	{"retry-until-dlq", 2 * time.Minute, retryUntilDLQ},
	{"retry-straight-to-dlq", 2 * time.Minute, retryStraightToDLQ},
	{"retry-orderly-dlq", 2 * time.Minute, retryOrderlyDLQ},
	{"delay", time.Minute, delay},
	{"delay-levels", 2 * time.Minute, delayLevels},
	{"group-concurrent-two", 3 * time.Minute, twoMembers(concurrent)},
	{"group-concurrent-three", 3 * time.Minute, threeMembers(concurrent)},
	// A member that joins waits for a lock that nobody gives back, and so does one that takes a killed one's queues over.
	{"group-orderly-two", 200 * time.Second, twoMembers(orderly)},
	{"group-orderly-three", 200 * time.Second, threeMembers(orderly)},
}

// alone run one after another when the others are done: they start the broker again.
var alone = []testCase{
	{"offset-kept-over-restart", time.Minute, offsetKept},
	{"clients-survive-kill", 80 * time.Second, clientsSurvive},
}

func main() {
	e := env{run: strconv.FormatInt(time.Now().UnixMilli()%1e8, 36)}
	flag.StringVar(&e.namesrv, "namesrv", "127.0.0.1:9876", "name server")
	flag.StringVar(&e.broker, "broker", "127.0.0.1:10911", "broker")
	flag.StringVar(&e.brokers, "pair", "", "brokers of a pair and another one, separated by commas: run only pair-life, with this pair's control program")
	flag.StringVar(&e.control, "control", "", "program that starts the broker again: in order (restart) or after a kill (kill)")
	mode := flag.String("member", "", "be a member of a group: concurrent or orderly")
	group := flag.String("group", "", "group of the member")
	topic := flag.String("topic", "", "topic of the member")
	name := flag.String("name", "", "name of the member")
	flag.Parse()
	rlog.SetLogLevel("fatal")
	// An asynchronous send that fails reads the answer it did not get: that fails its case, not all of them.
	primitive.PanicHandler = func(v any) { fmt.Fprintln(os.Stderr, "goclient: the client panicked:", v) }
	if *mode != "" {
		if err := e.member(*mode, *group, *topic, *name); err != nil {
			fmt.Fprintln(os.Stderr, "goclient: member:", err)
			os.Exit(1)
		}
		return
	}
	s := &score{only: flag.Args()}
	if e.brokers != "" {
		s.run(e, testCase{"pair-life", 6 * time.Minute, pairLife})
		s.end()
	}
	var all sync.WaitGroup
	for _, c := range together {
		all.Go(func() { s.run(e, c) })
	}
	all.Wait()
	for _, c := range alone {
		if e.control != "" {
			s.run(e, c)
		}
	}
	s.end()
}

// end prints the sum and ends the program.
func (s *score) end() {
	fmt.Printf("%d passed, %d failed\n", s.passed, s.failed)
	if s.failed > 0 || s.passed == 0 {
		os.Exit(1)
	}
	os.Exit(0)
}

// score runs cases, all or those that were named, and counts them.
type score struct {
	only           []string
	mu             sync.Mutex
	passed, failed int
}

func (s *score) run(e env, c testCase) {
	if len(s.only) > 0 && !slices.Contains(s.only, c.name) {
		return
	}
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- c.run(e, "GT-"+c.name+"-"+e.run, "GG-"+c.name+"-"+e.run) }()
	var err error
	select {
	case err = <-done:
	case <-time.After(c.limit):
		err = fmt.Errorf("not done within %s", c.limit)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed++
		fmt.Printf("FAIL go/%s (%.1f s): %v\n", c.name, time.Since(began).Seconds(), err)
		return
	}
	s.passed++
	fmt.Printf("PASS go/%s (%.1f s)\n", c.name, time.Since(began).Seconds())
}
