// Package index keeps the key index: which records carry which keys, in files that a stock RocketMQ broker can read.
// A file is a header, a table of slots (hash to newest entry), and entries that are chained by slot. See docs/DISK.md.
//
// Reading order:
//
//   - index.go: the files there are, and what is known of them without reading much; file.go: one file's layout and name;
//   - active.go: the file that takes entries, and the next one; ring.go: entries not yet written; put.go: keys in;
//     query.go: the records of a key out;
//   - flush.go: what is in memory to the files, and full files sealed; recover.go: what a start finds after a crash, and
//     entries cut off.
//
// # What is where
//
// Entries of the active file wait in a ring and are written in sequence. The next file is prepared in the folder for state
// of our own and gets its name before its first entry is written. The active file's slots are kept outside the Go heap and
// written only now and then, because they can be made again from the entries. So after a crash the entries decide:
// as far as they are sane, they are taken, and the slots are made from them.
//
//	written entries <= entries in memory
//	a header whose count says "full" is written only after all entries and slots of its file are durable
//	no entry is written before a header with the file's begin time is durable
//
// # Threads
//
// One goroutine, the writer, calls Put and PutAll. Flush, Tend, Query and the rest may be called by any goroutine. mu guards
// memory and is never held while the disk is asked; io, taken before it, is held by whoever writes. The writer takes io
// only when its memory is full.
package index
