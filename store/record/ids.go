package record

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"sync"
	"time"
)

const upperHex = "0123456789ABCDEF"

// ErrOffsetID is returned for text that is not an offset id.
var ErrOffsetID = errors.New("record: not an offset message id")

// AppendOffsetID appends the offset id of the record at offset in the log of the broker at host: address, port and
// offset in upper-case hexadecimal, 32 characters for IPv4, 56 for IPv6. It does not allocate when dst has room.
func AppendOffsetID(dst []byte, host netip.AddrPort, offset int64) []byte {
	var b [28]byte
	n := 0
	if addr := host.Addr(); wide(host, 0) {
		ip := addr.As16()
		n = copy(b[:], ip[:])
	} else {
		if addr.IsValid() {
			ip := addr.Unmap().As4()
			copy(b[:], ip[:])
		}
		n = 4
	}
	binary.BigEndian.PutUint32(b[n:], uint32(host.Port()))
	binary.BigEndian.PutUint64(b[n+4:], uint64(offset))
	return appendHex(dst, b[:n+12])
}

// ParseOffsetID reads what AppendOffsetID writes; lower case is accepted. It does not allocate.
func ParseOffsetID(id []byte) (host netip.AddrPort, offset int64, err error) {
	var b [28]byte
	if len(id) != 32 && len(id) != 56 {
		return host, 0, ErrOffsetID
	}
	if _, err := hex.Decode(b[:], id); err != nil {
		return host, 0, ErrOffsetID
	}
	host, at, ok := parseHost(b[:], 0, len(id) == 56)
	if !ok {
		return host, 0, ErrOffsetID
	}
	return host, int64(binary.BigEndian.Uint64(b[at:])), nil
}

// UniqKeys makes unique keys (property UNIQ_KEY) in the form the Java client gives them: address, 16 bits of the process
// id, 32 bits that tell processes apart, milliseconds since the beginning of the month, a counter of 16 bits; in upper-case
// hexadecimal. Safe for use by any goroutine.
type UniqKeys struct {
	clock func() time.Time

	mu      sync.Mutex
	key     [28]byte // address, pid, salt; the rest is filled by every Append
	fixed   int      // bytes of key that do not change
	month   int64    // ms of the beginning of the month the keys count from
	next    int64    // ms of the beginning of the month after
	counter uint16
}

// NewUniqKeys returns a generator for one process; salt tells apart what address and pid do not. clock nil is time.Now.
func NewUniqKeys(addr netip.Addr, pid int, salt uint32, clock func() time.Time) *UniqKeys {
	u := &UniqKeys{clock: clock}
	if clock == nil {
		u.clock = time.Now
	}
	switch {
	case addr.Is6() && !addr.Is4In6():
		ip := addr.As16()
		u.fixed = copy(u.key[:], ip[:])
	case addr.IsValid():
		ip := addr.Unmap().As4()
		u.fixed = copy(u.key[:], ip[:])
	default:
		u.fixed = 4
	}
	binary.BigEndian.PutUint16(u.key[u.fixed:], uint16(pid))
	binary.BigEndian.PutUint32(u.key[u.fixed+2:], salt)
	u.fixed += 6
	return u
}

// Append appends the next key: 32 characters for an IPv4 address, 56 for IPv6. It does not allocate when dst has room.
func (u *UniqKeys) Append(dst []byte) []byte {
	now := u.clock()
	ms := now.UnixMilli()
	u.mu.Lock()
	defer u.mu.Unlock()
	if ms >= u.next || u.next == 0 {
		first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, now.Location())
		u.month, u.next = first.UnixMilli(), first.AddDate(0, 1, 0).UnixMilli()
	}
	binary.BigEndian.PutUint32(u.key[u.fixed:], uint32(ms-u.month))
	binary.BigEndian.PutUint16(u.key[u.fixed+4:], u.counter)
	u.counter++
	return appendHex(dst, u.key[:u.fixed+6])
}

func appendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, upperHex[c>>4], upperHex[c&15])
	}
	return dst
}
