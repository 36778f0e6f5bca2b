package local

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFindPID finds this process by a port that it listens on.
func TestFindPID(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Logf("%s: %v", addr, err)
			continue
		}
		host, _, _ := net.SplitHostPort(addr)
		if host == "0.0.0.0" {
			host = "127.0.0.1"
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		target := net.JoinHostPort(host, port)
		if pid, err := FindPID(t.Context(), target); err != nil || pid != os.Getpid() {
			t.Errorf("%s: %d, %v", addr, pid, err)
		}
		if listens, known, err := Listens(t.Context(), os.Getpid(), target); err != nil || !listens || !known {
			t.Errorf("%s: %t, known %t, %v", addr, listens, known, err)
		}
		l.Close()
		if _, err := FindPID(t.Context(), target); err == nil || !strings.Contains(err.Error(), "nothing on this machine listens") {
			t.Errorf("%s closed: %v", addr, err)
		}
		if listens, known, err := Listens(t.Context(), os.Getpid(), target); err != nil || listens || !known {
			t.Errorf("%s closed: %t, known %t, %v", addr, listens, known, err)
		}
	}
	for addr, want := range map[string]string{"192.0.2.1:80": "no address of this machine", "nothing": "missing port", "127.0.0.1:http": "no number"} {
		if _, err := FindPID(t.Context(), addr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// TestFindListener reads what a kernel printed.
func TestFindListener(t *testing.T) {
	proc := t.TempDir()
	for dir, links := range map[string]map[string]string{
		"100/fd": {"0": "/dev/null", "3": "socket:[555]"}, "200/fd": {"7": "socket:[777]"}, "300/fd": {"9": "socket:[888]"}, "net": nil,
	} {
		if err := os.MkdirAll(filepath.Join(proc, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, target := range links {
			if err := os.Symlink(target, filepath.Join(proc, dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	line := func(local, state, inode string) string {
		return fmt.Sprintf("   0: %s 00000000:0000 %s 00000000:00000000 00:00000000 00000000     0        0 %s 1 0000000000000000 100 0 0 10 0\n", local, state, inode)
	}
	tcp := "  sl  local_address rem_address   st ...\n" + line("0100007F:2A9F", "01", "777") + line("0200007F:2A9F", "0A", "888") + line("0100007F:2A9F", "0A", "555") + line("0100007F:2AA0", "0A", "999")
	tcp6 := "  sl\n" + line("00000000000000000000000000000000:1F90", "0A", "777") + line("0000000000000000FFFF00000100007F:0050", "0A", "888") + line("zz:0051", "0A", "1")
	for name, text := range map[string]string{"tcp": tcp, "tcp6": tcp6} {
		if err := os.WriteFile(filepath.Join(proc, "net", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		addr string
		pid  int
		err  string
	}{
		{"127.0.0.1:10911", 100, ""}, {"127.0.0.2:10911", 300, ""}, {"127.0.0.1:8080", 200, ""}, {"[::1]:8080", 200, ""}, {"127.0.0.1:80", 300, ""},
		{"127.0.0.3:10911", 0, "nothing on this machine"}, {"127.0.0.1:81", 0, "nothing on this machine"}, {"127.0.0.1:10912", 0, "not to be seen"},
	} {
		pid, err := findListener(proc, netip.MustParseAddrPort(c.addr))
		if pid != c.pid || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d, %v", c.addr, pid, err)
		}
	}
}
