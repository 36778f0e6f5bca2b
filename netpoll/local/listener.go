package local

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// FindPID finds the process of this machine that listens on host:port. It needs to be allowed to look into the process's
// descriptors: the same user, or root.
func FindPID(ctx context.Context, addr string) (int, error) {
	at, err := localListener(ctx, addr)
	if err != nil {
		return 0, err
	}
	return findListener("/proc", at)
}

// Listens says whether a process listens on host:port, which has to be an address of this machine; known is false where its descriptors may
// not be seen.
func Listens(ctx context.Context, pid int, addr string) (listens, known bool, err error) {
	at, err := localListener(ctx, addr)
	if err != nil {
		return false, false, err
	}
	listens, known = listensOn("/proc", pid, at)
	return listens, known, nil
}

// HostAddrs are the addresses of this host.
func HostAddrs() (out []netip.Addr) {
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out
}

// localListener is host:port as an address of this machine.
func localListener(ctx context.Context, addr string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %q: the port is no number", addr)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	local := HostAddrs()
	for _, ip := range ips {
		if ip = ip.Unmap(); ip.IsLoopback() || slices.Contains(local, ip) {
			return netip.AddrPortFrom(ip, uint16(n)), nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("%s is no address of this machine: the broker's process can only be looked at where it runs", host)
}

// findListener looks for the socket in proc/net/tcp*, then for its inode among all processes' descriptors.
func findListener(proc string, addr netip.AddrPort) (int, error) {
	sockets := listeners(proc, addr)
	if len(sockets) == 0 {
		return 0, fmt.Errorf("nothing on this machine listens on %s", addr)
	}
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && sockets[target] {
			return strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(link))))
		}
	}
	return 0, fmt.Errorf("whose process listens on %s is not to be seen by this user: give its pid", addr)
}

// listensOn is Listens for an address of this machine.
func listensOn(proc string, pid int, addr netip.AddrPort) (listens, known bool) {
	sockets := listeners(proc, addr)
	links, _ := filepath.Glob(filepath.Join(proc, strconv.Itoa(pid), "fd", "*"))
	for _, link := range links {
		target, err := os.Readlink(link)
		if sockets[target] {
			return true, true
		}
		known = known || err == nil
	}
	return false, known
}

// listeners are the sockets that take connections to addr, as descriptors name them.
func listeners(proc string, addr netip.AddrPort) map[string]bool {
	sockets := map[string]bool{}
	for _, name := range []string{"tcp", "tcp6"} {
		b, _ := os.ReadFile(filepath.Join(proc, "net", name))
		for line := range strings.SplitSeq(string(b), "\n") {
			if inode, ok := listening(line, addr); ok {
				sockets["socket:["+inode+"]"] = true
			}
		}
	}
	return sockets
}

// listening reads a line of /proc/net/tcp; ok when it is a socket that takes connections to addr.
func listening(line string, addr netip.AddrPort) (inode string, ok bool) {
	const local, state, node = 1, 3, 9
	const listen = "0A"
	f := strings.Fields(line)
	if len(f) <= node || f[state] != listen {
		return "", false
	}
	host, port, _ := strings.Cut(f[local], ":")
	n, err := strconv.ParseUint(port, 16, 16)
	ip, good := kernelAddr(host)
	if err != nil || !good || uint16(n) != addr.Port() || !ip.IsUnspecified() && ip != addr.Addr() {
		return "", false
	}
	return f[node], true
}

// kernelAddr reads an address as the kernel prints it: words of 32 bits, each in the machine's order of bytes (little endian).
func kernelAddr(s string) (netip.Addr, bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b)%4 != 0 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	ip, ok := netip.AddrFromSlice(b)
	return ip.Unmap(), ok
}
