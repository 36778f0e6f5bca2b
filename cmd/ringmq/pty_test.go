package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pty is a terminal of the test's own: what is written to its file is seen on the screen.
type pty struct {
	t    *testing.T
	file *os.File
	mu   sync.Mutex
	seen strings.Builder
	read chan struct{} // closed when nobody has the file open any more
}

func newPty(t *testing.T, columns uint16) *pty {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals can be made here: ", err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	p := &pty{t: t, read: make(chan struct{})}
	if err == nil {
		p.file, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		_ = master.Close()
		t.Skip("no terminals can be made here: ", err)
	}
	go func() {
		defer close(p.read)
		for b := make([]byte, 4096); ; {
			n, err := master.Read(b)
			p.mu.Lock()
			p.seen.Write(b[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = p.file.Close()
		<-p.read
		_ = master.Close()
	})
	return p
}

// text is all that was written so far, with the ends of lines that were written.
func (p *pty) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.ReplaceAll(p.seen.String(), "\r\n", "\n")
}

// all is what was written when everybody who had the terminal is gone.
func (p *pty) all() string {
	_ = p.file.Close()
	<-p.read
	return p.text()
}

// until waits for words on the screen, so many times.
func (p *pty) until(words string, times int) {
	p.t.Helper()
	for began := time.Now(); strings.Count(p.text(), words) < times; time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			p.t.Fatalf("no %q on the screen:\n%q", words, p.text())
		}
	}
}
