package netpoll

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

func nobody(netip.Addr, netip.Addr) bool { return false }

// from is an address of this machine that connections come from.
func from(host string) netip.Addr { return netip.MustParseAddr(host) }

// dialFrom connects from an address of this machine, and says whether the connection was let in: then a request is answered.
func dialFrom(t *testing.T, addr, host string) (conn net.Conn, in bool) {
	t.Helper()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from(host), 0))}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Write(remoting.AppendCommand(nil, remoting.NewRequest(1))); err != nil {
		return conn, false
	}
	n, err := conn.Read(make([]byte, 1024))
	return conn, err == nil && n > 0
}

// inside is how many connections have a place. One that ends is still inside when it is counted among the connections no more.
func (d *door) inside() (n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, taken := range d.taken {
		n += taken
	}
	return n
}

// TestCaps: of all and of one host; who was turned away is closed at once, counted, and others go on; one who goes makes room for one.
func TestCaps(t *testing.T) {
	s, addr := serve(t, Options{MaxConns: 5, MaxConnsPerHost: 2, isLocal: nobody}, &testHandler{})
	var all []net.Conn
	for _, host := range []string{"127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3"} {
		c, in := dialFrom(t, addr, host)
		if !in {
			t.Fatal(host, "is turned away")
		}
		all = append(all, c)
	}
	for range 3 {
		if _, in := dialFrom(t, addr, "127.0.0.2"); in {
			t.Fatal("a third connection of a host")
		}
	}
	if _, in := dialFrom(t, addr, "127.0.0.4"); !in {
		t.Fatal("the fifth connection")
	}
	if _, in := dialFrom(t, addr, "127.0.0.5"); in {
		t.Fatal("a sixth connection")
	}
	if st := s.Stats(); st.Connections != 5 || st.TurnedAway != 1 || st.TurnedAwayOfHost != 3 {
		t.Fatalf("%+v", st)
	}
	_ = all[0].Close()
	until(t, "room", func() bool { return s.door.inside() == 4 })
	if _, in := dialFrom(t, addr, "127.0.0.2"); !in {
		t.Fatal("no room after one has gone")
	}
	s.Cap(20, 0)
	for range 4 {
		if _, in := dialFrom(t, addr, "127.0.0.2"); !in {
			t.Fatal("the caps were raised")
		}
	}
	s.Cap(1, 0)
	if st := s.Stats(); st.Connections != 9 {
		t.Fatalf("a lower cap ended connections: %+v", st)
	}
	if _, in := dialFrom(t, addr, "127.0.0.6"); in {
		t.Fatal("let in above a cap that was lowered")
	}
}

// TestReserve: when the cap is reached, this machine and those who are preferred get in, each for so many places, of which the other kind takes
// none; and one host's cap is none for this machine.
func TestReserve(t *testing.T) {
	mine := func(remote, _ netip.Addr) bool { return remote == from("127.0.0.1") }
	slaves := func(remote netip.Addr) bool { return remote == from("127.0.0.9") }
	s, addr := serve(t, Options{MaxConns: 2, MaxConnsPerHost: 1, isLocal: mine, Prefers: slaves}, &testHandler{})
	for host, want := range map[string]bool{"127.0.0.2": true, "127.0.0.3": true} {
		if _, in := dialFrom(t, addr, host); in != want {
			t.Fatal(host, in)
		}
	}
	if _, in := dialFrom(t, addr, "127.0.0.4"); in {
		t.Fatal("a stranger has a place that is kept")
	}
	for range reservedConns {
		if _, in := dialFrom(t, addr, "127.0.0.9"); !in {
			t.Fatal("a slave is turned away")
		}
	}
	if _, in := dialFrom(t, addr, "127.0.0.9"); in {
		t.Fatal("the places of slaves have no end")
	}
	for range reservedConns {
		if _, in := dialFrom(t, addr, "127.0.0.1"); !in {
			t.Fatal("an administrator on this machine is turned away")
		}
	}
	for _, host := range []string{"127.0.0.1", "127.0.0.9"} {
		if _, in := dialFrom(t, addr, host); in {
			t.Fatal("the places that are kept have no end for", host)
		}
	}
	if n := s.Stats().Connections; n != 2+2*reservedConns {
		t.Fatal(n)
	}
}

// TestDoorCounts: whoever comes and goes, the places taken are the sum over hosts, no kind of place is taken more often than there are of
// it, and hosts without connections are forgotten.
func TestDoorCounts(t *testing.T) {
	host := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }
	d := &door{ceiling: 1000, hosts: map[netip.Addr]int64{}, isLocal: func(remote, _ netip.Addr) bool { return remote == host(0) },
		prefers: func(remote netip.Addr) bool { return remote == host(1) || remote == host(2) }}
	d.cap(300, 20)
	type conn struct {
		from netip.Addr
		at   place
	}
	r := rand.New(rand.NewPCG(1, 2))
	var in []conn
	most := [places]int64{}
	for range 20_000 {
		if r.IntN(3) > 0 {
			from := host(max(0, r.IntN(50)-10))
			if why, at := d.enter(from, from); why == letIn {
				in = append(in, conn{from, at})
			}
		} else if len(in) > 0 {
			i := r.IntN(len(in))
			d.leave(in[i].from, in[i].at)
			in[i] = in[len(in)-1]
			in = in[:len(in)-1]
		}
		sum, taken := int64(0), int64(0)
		for from, n := range d.hosts {
			if n < 1 || n > 20+reservedConns && from != host(0) || n > 20 && from.As4()[3] > 2 {
				t.Fatal(from, n)
			}
			sum += n
		}
		for kind, n := range d.taken {
			most[kind] = max(most[kind], n)
			taken += n
		}
		if sum != taken || taken != int64(len(in)) || most[ordinary] > 300 || most[ofThisMachine] > reservedConns || most[ofPreferred] > reservedConns {
			t.Fatal(sum, d.taken, len(in))
		}
	}
	if most[ofThisMachine] != reservedConns || most[ofPreferred] == 0 {
		t.Fatal(most)
	}
	for _, c := range in {
		d.leave(c.from, c.at)
	}
	if len(d.hosts) != 0 || d.taken != [places]int64{} {
		t.Fatal(d.hosts, d.taken)
	}
}

// TestCeiling: no cap is above what the descriptors of the process allow, whatever is asked for, and that is said.
func TestCeiling(t *testing.T) {
	var log bytes.Buffer
	s := &Server{o: Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
	s.door.ceiling = connCeiling(1)
	files := descriptors()
	if c := s.door.ceiling; c > files/2 || connCeiling(2) > files/4 || c != files/2-2*reservedConns || connCeiling(1<<30) != 1 {
		t.Fatal(c, files)
	}
	s.Cap(0, 0)
	if s.door.most != s.door.ceiling || !strings.Contains(log.String(), capSaid) {
		t.Fatal(s.door.most, log.String())
	}
	log.Reset()
	s.Cap(files*2, 0)
	if s.door.most != s.door.ceiling || !strings.Contains(log.String(), "more than the descriptors") {
		t.Fatal(s.door.most, log.String())
	}
	log.Reset()
	s.Cap(1, 0)
	s.Cap(1, 0)
	if s.door.most != 1 || strings.Count(log.String(), "\n") != 1 {
		t.Fatal(s.door.most, log.String())
	}
}

// TestTurnedAwayIsSaid with the address, once a second at most.
func TestTurnedAwayIsSaid(t *testing.T) {
	var log bytes.Buffer
	s := &Server{o: Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
	c := &Conn{remote: netip.MustParseAddrPort("192.0.2.7:1234")}
	for range 1000 {
		s.turnAway(c, tooManyOfHost)
	}
	if n := strings.Count(log.String(), "\n"); n < 1 || n > 10 || !strings.Contains(log.String(), "from=192.0.2.7:1234 key=maxConnectionsPerHost") {
		t.Fatal(log.String())
	}
	if n := s.door.turnedAway[tooManyOfHost].Load(); n != 1000 {
		t.Fatal(n)
	}
}
