// Package commitlog is the one file all messages go to, in segments of fixed size named by their offset, as the reference
// broker keeps it. One lock orders appends, one batch at a time is written.
//
// Reading order: log.go and options.go (what there is), watermark.go (the one way to wait), tail.go (the ring of newest bytes: append buffer and recent reads in
// one), append.go (reserve, encode in place, publish), stamp.go (a clock that is set back), commit.go (the committer: write and sync what has gathered),
// ringing.go (the same by event loops, that wait for nothing), asked.go (how long a batch was waited for), history.go (how long the disk took), syncer.go (ASYNC_FLUSH), batchsize.go and
// zero.go (whether zeroing ahead pays, and how it meets no commit), segment.go, maker.go, zeropace.go and need.go (files, and the next one ahead of need), read.go, region.go and unreadable.go
// (bytes back), copy.go, catchup.go and rebase.go (a slave's log), walk.go, window.go and search.go (recovery: every valid record, damage
// stepped over), start.go and aside.go (the cut behind the last record), mark.go (how far the log was synced), doubt.go (bytes that were damaged when they
// came, and how damage is mended).
//
// What always holds, in log offsets:
//
//	durable <= written <= published <= reserved
//	reserved - written <= size of the tail
//	bytes behind reserved are zeros on disk, as far as anything was ever written there
package commitlog
