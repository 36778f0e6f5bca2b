package disk

import "golang.org/x/sys/unix"

// OpenFilesLimit raises the number of files this process may have open as far as it is allowed to and returns it; 0 when the
// kernel does not say.
func OpenFilesLimit() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	if r.Cur < r.Max {
		up := unix.Rlimit{Cur: r.Max, Max: r.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &up) == nil {
			r = up
		}
	}
	return int(min(r.Cur, 1<<30))
}
