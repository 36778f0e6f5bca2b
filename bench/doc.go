// Package bench loads a broker that speaks RocketMQ's protocol, ours or stock, and says what it did and what it kept. It knows the
// broker only through its sockets, and its process through /proc.
//
// Reading order:
//
//   - workload.go: what may be asked for, and its limits; sizes.go: how large bodies are;
//   - open.go: a workload made ready; reach.go, about.go: the broker found and asked about itself; topics.go, made.go: topics made, and deleted again;
//   - report.go: what every run measures; detail.go: what only some do; kind.go: how the workloads differ as reports;
//   - meter.go: one run's time and counts: warm-up, a look a second, the sum; process.go, others.go and host.go: what is read from /proc; memory.go: what a host is to leave us;
//   - produce.go: the sending generator, one goroutine for all connections; frame.go and item.go: its requests, of which only
//     some bytes change; filler.go: their bodies; take.go and answer.go: answers, and as much of one as it needs; pace.go: when an open loop sends;
//   - puller.go: the reading generator; pullframe.go: its requests; positions.go: what the queues hold; fill.go: what is sent ahead;
//   - the workloads besides Produce: consume.go; endtoend.go, where bodies carry their time; catchup.go and pagecache.go, cold
//     readers beside producers; soak.go, judge.go, goroutines.go and trend.go, hours of all at once;
//   - verify.go: what was acknowledged must be there. numbered.go: messages that say who they are; ledger.go: what was
//     acknowledged, in memory and as a file; checker.go: the two compared, and the verdict;
//   - versus.go: two brokers in turns; target.go and route.go: which broker, and which process, is meant;
//   - stopped.go, loss.go: runs that end before their time, and connections that do;
//   - result.go: reports of one broker or two, as JSON and back; compare.go: medians, spreads, ratios; words.go and describe.go:
//     what they mean, in sentences; summary.go and standing.go: several results in a table, and what they come to; bars.go: what they are to reach;
//   - text.go, result_text.go, table.go, units.go: for a terminal; page.go, charts.go, chart.go: for a browser; markdown.go.
//
// # Time
//
// In a closed loop a request's latency counts from when it was sent, in an open loop from when it should have been: a broker
// that stalls is charged for all that it kept waiting. A generator's goroutine is locked to its thread and reads its clock once
// for all answers that come together. What the meter does once a second does not touch a request in flight.
//
// # Threads
//
// A generator belongs to one goroutine, and its gauge is the only thing that another one looks at, under the gauge's lock.
// Nothing is allocated per message. Every exported workload blocks until it is over; ending its context ends it early, with what
// was counted until then.
package bench
