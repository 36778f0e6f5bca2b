package main

import "ringmq/bench"

// The workloads besides produce, each with the help that teaches it.

var consumeWorkload = workload{
	name: "consume", short: "Read messages and measure throughput and the latency of pulls",
	long: "Pulls what lies in the topics, from the beginning of every queue, with one pull in flight for each queue, and measures\n" +
		"messages a second and how long a pull takes that finds messages at once. With --fill it sends messages first and reads\n" +
		"only those: that is reading what was just written, from memory. Without it the topics must hold messages; those that are\n" +
		"older than the machine's memory come from its disk.\n\n" +
		"How to read it: messages a second is the figure; divide it by --pull-messages and you have the pulls a second. With --drain\n" +
		"the run is as long as the messages last. Without, it ends after --duration, and a warning says if the messages did not last\n" +
		"so long: then the figures are of waiting, so give more --fill-messages, --drain or --again. CPU a message falls with --pull-messages.",
	example: `consume --fill --fill-messages 1000000 --drain --pid auto    reads a million messages that were just sent
consume --fill --fill-messages 10000 --again --pid auto      reads the same few again and again: consumers at the tail
consume --topic Orders --drain                               reads all of a topic that is there
consume --fill --drain --pull-messages 1                     what a message costs that is pulled alone
consume --fill --fill-messages 100000 --drain --groups 8     eight groups that each read all of it`,
	shared: []string{percentilesHelp, processHelp, leavesHelp, endHelp},
	groups: []string{"target", "load", "consume", "pull", "groups", "messages", "topics", "made", "warmup", "time", "output", "failing"},
	run:    bench.Consume,
}

var endToEndWorkload = workload{
	name: "endtoend", short: "Send at a rate, read at once, and measure how long a message takes",
	long: "Sends at --rate while consumers wait at the end of every queue with pulls that the broker holds, and measures the time from\n" +
		"when a message should have been sent to when a consumer had it. One process does both, so one clock times them.\n\n" +
		"How to read it: 'end to end' is what your consumers see; 'sends' below it is what the producers see meanwhile. A broker may\n" +
		"hand a message to consumers before its producer has the answer, or long after. 'undelivered' counts what was acknowledged\n" +
		"and no consumer had 5 s after the end: it must be 0. If the rate was not kept, latency only says how long the run was.",
	example: `endtoend --rate 10000 --pid auto                             the delay at a load that the broker bears easily
endtoend --rate 50000 --poisson --duration 30s --html e.html the tail under bursts, with a page of charts
endtoend --rate 1000 --queues 1 --connections 1              one ordered stream
endtoend --rate 2000 --groups 8                              every message to eight groups: a fan-out`,
	shared:   []string{openHelp, percentilesHelp, processHelp, leavesHelp, endHelp},
	groups:   []string{"target", "load", "rate", "pull", "groups", "messages", "topics", "made", "warmup", "time", "output", "failing"},
	run:      bench.Plain(bench.EndToEnd),
	defaults: []preset{{"rate", "10000"}, {"window", "1024"}},
}

var catchupWorkload = workload{
	name: "catchup", short: "Read a backlog beside producers and measure what it costs them",
	long: "Sends a backlog at full speed, then sends at --rate for --duration beside nothing, then goes on at that rate while consumers\n" +
		"read the backlog from its beginning as fast as they can. That is a consumer which was down for an hour and comes back.\n\n" +
		"How to read it: 'drained' is how fast consumers catch up, 'p99 of sends, during to before' what the producers pay: 1.00x is\n" +
		"nothing, 10x means one send in a hundred is ten times as slow. A backlog that fits into memory is read from there; for the\n" +
		"disk's part give --drop-cache as root, or a --backlog larger than the memory.",
	example: `catchup --backlog 4GiB --rate 5000 --pid auto                from memory, if there is so much
catchup --backlog 4GiB --rate 5000 --drop-cache              from the disk (as root)
catchup --existing --topic Orders --rate 1000                the backlog is what the topic holds`,
	shared:   []string{openHelp, percentilesHelp, processHelp, leavesHelp, endHelp},
	groups:   []string{"target", "load", "rate", "backlog", "pull", "messages", "topics", "made", "warmup", "time", "output", "failing"},
	run:      bench.Plain(bench.Catchup),
	defaults: []preset{{"rate", "10000"}, {"window", "1024"}},
}

var soakWorkload = workload{
	name: "soak", short: "Load a broker evenly for a long time; pass or fail",
	long: "Sends at --rate, or at a share of the peak, while consumers follow and one more reads everything from the beginning again and\n" +
		"again. The peak is measured first, beside the same readers: what sends reach alone, they do not reach beside\n" +
		"them. Hours of that show what minutes do not: memory that grows, consumers that fall behind, a slow second when files roll or\n" +
		"are deleted.\n\n" +
		"How to read it: it passes, or says what failed, and then the exit code is 1: a send was refused, a connection lost, less than\n" +
		"98 % of the rate was kept over the whole run, the consumers were more than 5 s behind at the end, or (with --pid) memory that\n" +
		"is no file's grew over the second half by more than --growth an hour and 10 %, or (with --metrics) there are over 16 goroutines\n" +
		"more at the end than after a quarter of the time. One that is stopped has not passed. Compare\n" +
		"'slowest interval' with the rate: both should be near. For the trend of a day look at --html.",
	example: `soak --pid auto --duration 10m                               80 % of the peak for ten minutes
soak --pid auto --peak-share 0.5 --duration 24h --html s.html a day at half of the peak
soak --rate 20000 --duration 1h --growth 5                   a given rate, and a strict eye on memory
soak --pid auto --metrics http://127.0.0.1:5557/metrics      with the goroutines of a broker whose adminHttpAddress that is`,
	shared:   []string{openHelp, shortProcessHelp, leavesHelp, endHelp},
	groups:   []string{"target", "load", "rate", "soak", "pull", "messages", "topics", "made", "time", "output", "failing"},
	run:      bench.Plain(bench.Soak),
	defaults: []preset{{"duration", "10m0s"}, {"window", "256"}},
}

var verifyWorkload = workload{
	name: "verify", short: "Check that what was acknowledged is there, whole and in order; pass or fail",
	long: "Sends numbered messages, notes in a ledger which of them the broker acknowledged and at which offset, reads all back and\n" +
		"checks that each is there once, whole, at its offset and in its order. It passes, or says what failed, and then the exit code\n" +
		"is 1. The rate is not the point here: the figures are those of produce with a little more work.\n\n" +
		"How to read it: 'lost' is what must never be: acknowledged, and nowhere. 'there without an acknowledgement' is allowed, an\n" +
		"answer may get lost on its way. Order holds for the messages of one connection to one queue; a stock broker keeps it only\n" +
		"with --window 1, since it hands the requests of a connection to several threads.\n\n" +
		"Across a kill: give --ledger, and while it sends, kill the broker (kill -9). The run ends when its connections do, says NOT\n" +
		"CHECKED (exit code 3), and the ledger is written. Start the broker again, then --check the same ledger: only what was acknowledged counts, and all of that.",
	example: `verify --duration 10s                                        sends, reads back, checks
verify --ledger run.ledger --duration 1h                     the same; kill the broker meanwhile, start it, then:
verify --ledger run.ledger --check                           what it had acknowledged must be there`,
	shared: []string{shortProcessHelp, leavesHelp, endHelp},
	groups: []string{"target", "load", "rate", "ledger", "pull", "messages", "topics", "made", "time", "output", "failing"},
	run:    bench.Plain(bench.Verify),
}
