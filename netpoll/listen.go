package netpoll

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// reservation keeps a port that the kernel chose from being given to somebody else until it is listened on.
type reservation int

func (r reservation) release() {
	if r >= 0 {
		_ = unix.Close(int(r))
	}
}

// resolve turns host:port into an address. Port 0 becomes a free one, which is bound but not listened on until the
// reservation is released; both sockets allow the address to be reused, so listening beside it works.
func resolve(addr string) (netip.AddrPort, reservation, error) {
	t, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return netip.AddrPort{}, -1, err
	}
	ip, ok := netip.AddrFromSlice(t.IP)
	if !ok {
		ip = netip.IPv4Unspecified()
	}
	ap := netip.AddrPortFrom(ip.Unmap(), uint16(t.Port))
	if t.Port != 0 {
		return ap, -1, nil
	}
	return reserve(ap)
}

func reserve(ap netip.AddrPort) (netip.AddrPort, reservation, error) {
	family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: ap.Addr().As16()})
	if ap.Addr().Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Addr: ap.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return ap, -1, fmt.Errorf("socket: %w", err)
	}
	r := reservation(fd)
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err == nil {
		err = unix.Bind(fd, sa)
	}
	if err == nil {
		sa, err = unix.Getsockname(fd)
	}
	if err != nil {
		r.release()
		return ap, -1, fmt.Errorf("bind: %w", err)
	}
	return netip.AddrPortFrom(ap.Addr(), fromSockaddr(sa).Port()), r, nil
}

func fromSockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch s := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(s.Addr).Unmap(), uint16(s.Port))
	}
	return netip.AddrPort{}
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// descriptors is how many the process may have open.
func descriptors() int64 {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil || r.Cur > 1<<30 {
		return 1 << 21
	}
	return int64(r.Cur)
}

// connCeiling is how many connections each of so many servers may have, the reserved ones apart: all together half of the descriptors,
// so that files and accepting never want for one.
func connCeiling(servers int) int64 {
	return max(1, descriptors()/2/int64(max(servers, 1))-int64(places-1)*reservedConns)
}
