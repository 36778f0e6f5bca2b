package netpoll

import (
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// LingerTime is what Options.Linger is worth: longer than the pauses of a busy loop, shorter than anybody notices.
	LingerTime = time.Millisecond
	// spareProcessors (of Go's scheduler, which are only a number) are for others while loops that linger keep theirs.
	spareProcessors = 2
)

// SpareProcessors returns how many event loops a process should have, one for every processor, and gives the scheduler some more, so
// that loops may linger; unless the environment's GOMAXPROCS says how many there are. Once in a process, before Serve.
func SpareProcessors() (loops int) {
	loops = runtime.GOMAXPROCS(0)
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(loops + spareProcessors)
	}
	return loops
}

// linger waits a moment for the loop's next event before gnet looks for it. gnet yields to Go's scheduler whenever it finds
// nothing to do, which wakes threads that have nothing to do either, and sends the loop from one to the next: under load that
// costs more than the loop's own work. Waiting on the epoll descriptor takes nothing away from gnet, and a raw call keeps the
// loop's processor, so nobody has to be told; Options.Linger says who may do that. gnet's own tasks are no events: they must
// not be kept waiting, so a loop lingers only at the end of a turn of a connection or of its bell, with no task of ours to come.
func (l *loop) linger() {
	if l.s.o.Linger <= 0 || l.bell == nil || !l.bell.heard.Load() || l.tasks.Load() != 0 || l.woken.Load() {
		return
	}
	s := l.s
	if s.lingering.Add(1) <= s.mayLinger {
		l.await(s.o.Linger)
	}
	s.lingering.Add(-1)
}

// await waits for the loop's next event.
func (l *loop) await(limit time.Duration) {
	fd := unix.PollFd{Fd: int32(l.epoll), Events: unix.POLLIN}
	wait := unix.NsecToTimespec(limit.Nanoseconds())
	_, _, _ = syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fd)), 1, uintptr(unsafe.Pointer(&wait)), 0, 0, 0)
}
