// Package queue keeps the consume queues: for every queue of every topic the places of its records in the commit log,
// in files that a stock RocketMQ broker can read. See docs/DISK.md for the format. Entries may be longer than those of a consume queue,
// as those of batches are; nothing here looks at what stands behind the unit.
//
// Reading order:
//
//   - set.go: all queues, how one is found; queue.go: one queue, its numbers, and how an entry is put;
//   - ring.go: the entries held in memory; budget.go: how much memory all of them may take;
//   - read.go: reading, from memory or from files; write.go: entries to files; flush.go: all dirty queues, and durability; whole.go: that of very many at once; tidy.go: their first write after a crash;
//   - files.go: which files a queue has, and the few that are open;
//   - recover.go: what a start finds; trust.go: what it need not look at; anew.go: a queue that begins again; damage.go: entries that cannot be true, and how they are put right; search.go: by physical offset; trim.go: both ends cut, topics deleted.
//
// # Numbers of a queue, in entries
//
//	first <= Min <= Max          first: where the oldest file begins
//	written <= Max               entries below are in files
//	ring:  [from, Max)           entries held in memory; from may lie above written only over a gap of blanks
//
// A record that was lost leaves a blank (offset 0, size 0x7FFFFFFF) in its place, so that the logical offsets of those
// behind it stay true. Readers step over blanks.
//
// # Threads
//
// One goroutine, the writer, calls Put, and writes no file as long as another calls WritePressing when Wake says so. Everything else may be called by any goroutine. Each queue has two locks: mu for
// its numbers and its ring, held for memory work only, so that the event loops may take it; and io for changes of its
// files, taken before mu, which readers never take.
package queue
