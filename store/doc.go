// Package store keeps messages: it appends them to the commit log, tells the queues and the key index about them,
// and reads them back. It knows RocketMQ's files and rules about them; it knows no protocol.
//
// Reading order:
//
//   - options.go: what may be set, with the broker's own defaults; message.go: what goes in and comes out; errors.go: what
//     can go wrong;
//   - store.go: Open and what a Store is made of; lock.go: the lock and the abort file; checkpoint.go: from where a
//     start has to look at the log again; sealed.go: the checksum of what a start goes by; release.go: what of another release
//     is refused, and what passed over; recover.go: the look itself; ends.go: how long the queues were, and what is rebuilt; history.go: whose copy the log is;
//     cut.go: a log whose end is to go;
//   - offsets.go: the next queue offset of every queue; append.go and batch.go: one message, one batch; turn.go: those of an event loop; copy.go: what goes to other
//     logs, and comes from them as it is;
//   - scanner.go: the log, record by record; dispatch.go: the one goroutine that turns visible records into queue entries
//     and index keys, in order, round by round; enqueue.go: one record's queue and entry; convert.go: batches that a topic does not keep any more; anew.go: when a queue begins anew; indexing.go: how the index catches
//     up without being in the way; flusher.go: when queues become durable;
//   - read.go: pulls from memory and from disk; readgap.go: entries whose record may be healed; window.go: pieces of the log that are kept for those who read near them; warm.go: what a loop takes
//     from them and from the page cache; plan.go and gather.go: what a worker brings from the disk at once; pacer.go: when it may, beside commits, of which committimes.go knows what they take; verify.go: why no corrupt body leaves; mend.go: damaged queue entries written again; search.go: by time, by id, by key;
//     gaps.go and lost.go: what was lost, by offset, and of which queues; unreadable.go: what the disk cannot read; heal.go: how it is put back; healer.go: until when readers wait for that;
//   - batchset.go, batchqueue.go, batchread.go: queues of topics whose records are batches (BatchCQ);
//   - retention.go: when old segments go; space.go: how full the disk is and whether the store may be written;
//   - documents.go: the JSON files beside the log; topicname.go: which topics there can be; topics.go, graves.go and gravecopy.go: deletion of a topic, and how a later start
//     knows of it; stats.go: numbers for the operator;
//   - close.go: the order in which everything ends.
//
// # One record's way
//
// Append assigns the queue offset and the place in the log under one lock and returns at once. The record becomes
// visible when the log's Visible watermark passes its end: synced under SyncFlush, written otherwise. The dispatcher
// follows that watermark, so a queue's maximum never includes a record that a crash could take back:
//
//	dispatched <= visible <= written <= reserved
//	queues durable up to <= dispatched
//
// # Threads
//
// Append, AppendBatch, ReadHot, those of a Turn and the offset questions may be called by any goroutine and do no I/O, but that ReadHot
// may read what is in the page cache. Read and the searches may block on the disk. The dispatcher, the flusher, the two that write queues and index ahead of the dispatcher's
// need, the index follower, the look through the queues' files and retention are goroutines of the Store and end with Close. The dispatcher waits for the disk
// only when the memory of queues or index is full, which Stats counts.
package store
