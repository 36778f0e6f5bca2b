package bench

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestParsePID: a process that listens there is found, one that does not is doubted, one that is not there is refused.
func TestParsePID(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, s := range []string{"auto", own} {
		if pid, doubt, err := ParsePID(t.Context(), s, l.Addr().String()); err != nil || pid != os.Getpid() || doubt != "" {
			t.Errorf("%s: %d, %q, %v", s, pid, doubt, err)
		}
	}
	for _, c := range []struct{ s, addr, doubt, err string }{
		{"", "x", "", ""}, {"0", "x", "", ""}, {"-3", "127.0.0.1:1", "", "a number or auto"}, {"999999999", "127.0.0.1:1", "", "pid 999999999: no such process"},
		{own, "127.0.0.1:1", "does not listen on 127.0.0.1:1", ""}, {own, "192.0.2.1:1", "no address of this machine", ""},
	} {
		_, doubt, err := ParsePID(t.Context(), c.s, c.addr)
		if (doubt == "") != (c.doubt == "") || !strings.Contains(doubt, c.doubt) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s for %s: %q, %v", c.s, c.addr, doubt, err)
		}
	}
}
