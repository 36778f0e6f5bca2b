// Package disk is the only place that knows the kernel: files and directories with explicit durability, the two engines that
// write the commit log (io_uring and pwrite) behind one small interface, memory outside the Go heap, and an in-memory file
// system that can crash, fail and flip bits for the tests of everything above.
//
// Reading order: fs.go (the contract), os_linux.go (the host), waits_linux.go and waits_other.go (what waits, and says so), limit_linux.go (how many files), unreadable.go (what the disk cannot give back), syncall_linux.go (all of its files at once), pagecache_linux.go (what is in its page cache), ring.go (the engines'
// contract), ring_pwrite.go, ring_uring_linux.go (build tag uring), probe.go (which engine runs and why), measured.go and
// measure_linux.go (what a longer look at the device tells it), arena_linux.go, faulty.go (the crash model), faulty_faults.go (what tests ask of it), faulty_file.go, faulty_info.go, faulty_cache.go (its
// page cache); mutant_none.go, and mutant_nodatasync.go and mutant_nosyncdir.go, which have a test show that it would see a broken disk.
package disk
