package commitlog

import (
	"testing"

	"golang.org/x/sys/unix"
)

// bell is one that a goroutine listens to.
type bell struct{ ear, rope int }

func newTestBell(t *testing.T) *bell {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &bell{ear: pair[0], rope: pair[1]}
}

// listen calls rung for every ring until the bell is closed.
func (b *bell) listen(rung func()) {
	defer unix.Close(b.ear)
	var buf [64]byte
	for {
		n, err := unix.Read(b.ear, buf[:])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return
		}
		rung()
	}
}

func (b *bell) close() { _ = unix.Close(b.rope) }
