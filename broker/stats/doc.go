// Package stats counts what goes through a broker: messages and bytes by topic and group in the windows that operators ask for
// (315), and the runtime figures (28). Counting allocates nothing once a topic or group is known.
//
// Reading order: item.go, set.go, stats.go, kinds.go, puts.go, rates.go, minute.go, runtime.go.
package stats
