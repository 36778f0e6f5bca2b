// Package commitlog is the one file all messages go to, in segments of fixed size named by their offset, as the reference
// broker keeps it. One lock orders appends, one batch at a time is written.
//
// Reading order: watermark.go (the one way to wait), tail.go (the ring of newest bytes: append buffer and recent reads in
// one), append.go (reserve, encode in place, publish), commit.go (the committer: write and sync what has gathered),
// ringing.go (the same by event loops, that wait for nothing), asked.go (how long a batch was waited for), history.go (how long the disk took), batchsize.go (whether zeroing ahead pays), segment.go
// maker.go and need.go (files, and the next one ahead of need), read.go, walk.go and search.go (recovery: every valid record, damage
// stepped over), start.go (the cut behind the last record), mark.go (how far the log was synced), doubt.go (bytes that were damaged when they
// came, and how damage is mended).
//
// What always holds, in log offsets:
//
//	durable <= written <= published <= reserved
//	reserved - written <= size of the tail
//	bytes behind reserved are zeros on disk, as far as anything was ever written there
package commitlog
