package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// What stock says: a slave reports 8 bytes, how far it has the log; a master sends 12 bytes, where the bytes that follow belong and how
// many they are, none for a heartbeat. Everything is big endian.
const (
	reportBytes = 8
	headerBytes = 12
	// stockPieceBytes is how much a master sends to a stock slave at once where nobody says otherwise, stock's haTransferBatchSize.
	stockPieceBytes = 32 << 10
	// pieceBytes is that between ours.
	pieceBytes = 1 << 20
	// maxPieceBytes is what a slave believes a header.
	maxPieceBytes = 64 << 20
	// maxStockPieceBytes: a stock slave waits for a whole piece in a buffer of 4 MiB, which may have other bytes in front.
	maxStockPieceBytes = 1 << 20
)

// What ours say to each other. Each begins with a number that stock takes for an offset and that cannot be one: it is negative. docs,
// PROTOCOL.md has the bytes.
const (
	helloMagic   = uint64(0xF272696E676D7101) // 0xF2 "ringmq" 1: a slave's first words
	welcomeMagic = uint64(0xF272696E676D7102) // the master's answer, in place of a header's offset
	statusMagic  = uint64(0xF272696E676D7103) // how far the master is, likewise
	helloCompare = uint32(1)                  // a flag of hello
	helloAside   = uint32(2)                  // another one
	welcomeAside = uint32(1)                  // a flag of welcome
	askMagic     = uint64(0xF272696E676D7104) // either side wants bytes of the other's log
	bytesMagic   = uint64(0xF272696E676D7105) // and gets them
	helloVersion = 1

	helloBytes   = 64
	welcomeBytes = 56
	statusBytes  = 16
	askBytes     = 16
	bytesBytes   = 16 // of an answer, before the bytes asked for
	// maxAskBytes is the most that can be asked for.
	maxAskBytes = 16 << 20
	// sumBytes is how much of the newest log is compared when a slave comes.
	sumBytes = 1 << 20
)

var errFrame = errors.New("replica: bytes that are no frame")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what stands before bytes of the log.
type header struct {
	offset int64
	size   int32
}

func (h header) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.offset))
	return binary.BigEndian.AppendUint32(dst, uint32(h.size))
}

// parseHeader reads headerBytes. The caller judges the numbers.
func parseHeader(b []byte) header {
	return header{offset: int64(binary.BigEndian.Uint64(b)), size: int32(binary.BigEndian.Uint32(b[8:]))}
}

// hello is how a slave of ours begins. A stock master takes the last words for a report and goes on with that.
type hello struct {
	version      uint32
	compare      bool // it asks for bytes, and wants no log
	aside        bool // what it acknowledges is to count as no copy
	segmentBytes int64
	min          int64  // its log begins here
	sumFrom      int64  // sum covers from here to end; nothing where they are the same
	sum          uint32 // CRC-32C
	id           uint64 // the same whenever this slave connects; 0: it does not say
	end          int64  // its log ends here
}

func (h hello) append(dst []byte) []byte {
	be, start := binary.BigEndian, len(dst)
	dst = be.AppendUint64(dst, helloMagic)
	dst = be.AppendUint32(dst, h.version)
	flags := uint32(0)
	if h.compare {
		flags |= helloCompare
	}
	if h.aside {
		flags |= helloAside
	}
	dst = be.AppendUint32(dst, flags)
	dst = be.AppendUint64(dst, uint64(h.segmentBytes))
	dst = be.AppendUint64(dst, uint64(h.min))
	dst = be.AppendUint64(dst, uint64(h.sumFrom))
	dst = be.AppendUint32(dst, h.sum)
	dst = be.AppendUint32(dst, 0)
	dst = be.AppendUint64(dst, h.id)
	dst = be.AppendUint64(dst, uint64(h.end))
	be.PutUint32(dst[start+44:], helloSum(dst[start:]))
	return dst
}

// helloSum covers a hello but for itself.
func helloSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:44], castagnoli), castagnoli, b[48:helloBytes])
}

// parseHello reads helloBytes that begin with helloMagic.
func parseHello(b []byte) (h hello, err error) {
	be := binary.BigEndian
	if len(b) != helloBytes || be.Uint64(b) != helloMagic || be.Uint32(b[44:]) != helloSum(b) {
		return h, errFrame
	}
	flags := be.Uint32(b[12:])
	h = hello{version: be.Uint32(b[8:]), compare: flags&helloCompare != 0, aside: flags&helloAside != 0, segmentBytes: int64(be.Uint64(b[16:])),
		min: int64(be.Uint64(b[24:])), sumFrom: int64(be.Uint64(b[32:])), sum: be.Uint32(b[40:]), id: be.Uint64(b[48:]), end: int64(be.Uint64(b[56:]))}
	if h.min < 0 || h.sumFrom < h.min || h.end < h.sumFrom || h.end-h.sumFrom > sumBytes {
		return h, errFrame
	}
	return h, nil
}

// refusal says why a master gives a slave nothing.
type refusal uint32

const (
	accepted refusal = iota
	slaveAhead
	bytesDiffer
	segmentsDiffer
	slaveBehind // the master's log begins later, and a stock slave cannot go on there
)

func (r refusal) String() string {
	switch r {
	case accepted:
		return ""
	case slaveAhead:
		return "the slave's log is longer than the master's"
	case bytesDiffer:
		return "the slave's log differs from the master's"
	case segmentsDiffer:
		return "master and slave have segments of different sizes (mappedFileSizeCommitLog)"
	case slaveBehind:
		return "the slave's log ends before the master's begins, and a stock slave cannot go on there: empty its store"
	}
	return fmt.Sprintf("the master gives reason %d, which this version does not know", uint32(r))
}

// welcome is a master's answer to hello.
type welcome struct {
	version      uint32
	refusal      refusal
	start        int64 // the first byte that will be sent
	end, min     int64 // of the master's log
	segmentBytes int64
	history      uint64 // of the master's log, see Store.History; 0: it does not say
	aside        bool   // it grants what a hello of that name asked for
}

// append writes the answer as a frame.
func (w welcome) append(dst []byte) []byte {
	be := binary.BigEndian
	dst = be.AppendUint64(dst, welcomeMagic)
	dst = be.AppendUint32(dst, welcomeBytes)
	start := len(dst)
	dst = be.AppendUint32(dst, w.version)
	dst = be.AppendUint32(dst, uint32(w.refusal))
	dst = be.AppendUint64(dst, uint64(w.start))
	dst = be.AppendUint64(dst, uint64(w.end))
	dst = be.AppendUint64(dst, uint64(w.min))
	dst = be.AppendUint64(dst, uint64(w.segmentBytes))
	dst = be.AppendUint64(dst, w.history)
	flags := uint32(0)
	if w.aside {
		flags = welcomeAside
	}
	dst = be.AppendUint32(dst, flags)
	return be.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// parseWelcome reads what follows the header of one.
func parseWelcome(b []byte) (w welcome, err error) {
	be := binary.BigEndian
	if len(b) != welcomeBytes || be.Uint32(b[52:]) != crc32.Checksum(b[:52], castagnoli) {
		return w, errFrame
	}
	w = welcome{version: be.Uint32(b), refusal: refusal(be.Uint32(b[4:])), start: int64(be.Uint64(b[8:])), end: int64(be.Uint64(b[16:])),
		min: int64(be.Uint64(b[24:])), segmentBytes: int64(be.Uint64(b[32:])), history: be.Uint64(b[40:]), aside: be.Uint32(b[48:])&welcomeAside != 0}
	if w.min < 0 || w.end < w.min || w.start < 0 || w.segmentBytes <= 0 {
		return w, errFrame
	}
	return w, nil
}

// status tells a slave of ours how far the master is.
type status struct{ end, confirmed int64 }

func (s status) append(dst []byte) []byte {
	be := binary.BigEndian
	dst = be.AppendUint64(dst, statusMagic)
	dst = be.AppendUint32(dst, statusBytes)
	dst = be.AppendUint64(dst, uint64(s.end))
	return be.AppendUint64(dst, uint64(s.confirmed))
}

func parseStatus(b []byte) (s status, err error) {
	if len(b) != statusBytes {
		return s, errFrame
	}
	s = status{end: int64(binary.BigEndian.Uint64(b)), confirmed: int64(binary.BigEndian.Uint64(b[8:]))}
	if s.confirmed < 0 || s.end < s.confirmed {
		return s, errFrame
	}
	return s, nil
}

// plausibleReport says whether a number can be an offset somebody means: text and other protocols on the port are beyond it.
func plausibleReport(v int64) bool { return v >= 0 && v < 1<<56 }

// ask is a wish for n bytes of the other side's log. Slaves send it as a frame too, among their reports.
type ask struct {
	from int64
	n    int32
}

func (a ask) append(dst []byte) []byte {
	be := binary.BigEndian
	dst = be.AppendUint64(dst, askMagic)
	dst = be.AppendUint32(dst, askBytes)
	dst = be.AppendUint64(dst, uint64(a.from))
	dst = be.AppendUint32(dst, uint32(a.n))
	return be.AppendUint32(dst, 0)
}

func parseAsk(b []byte) (a ask, err error) {
	if len(b) != askBytes {
		return a, errFrame
	}
	a = ask{from: int64(binary.BigEndian.Uint64(b)), n: int32(binary.BigEndian.Uint32(b[8:]))}
	if a.from < 0 || a.n <= 0 || a.n > maxAskBytes {
		return a, errFrame
	}
	return a, nil
}

// answer are the bytes that were asked for, none where the log does not have all of them.
type answer struct {
	from int64
	b    []byte
}

func (a answer) append(dst []byte) []byte {
	return append(answerHead(dst, a.from, len(a.b), crc32.Checksum(a.b, castagnoli)), a.b...)
}

// answerHead is an answer up to its n bytes, whose checksum is given.
func answerHead(dst []byte, from int64, n int, sum uint32) []byte {
	be := binary.BigEndian
	dst = be.AppendUint64(dst, bytesMagic)
	dst = be.AppendUint32(dst, uint32(bytesBytes+n))
	dst = be.AppendUint64(dst, uint64(from))
	dst = be.AppendUint32(dst, uint32(n))
	return be.AppendUint32(dst, sum)
}

func parseAnswer(b []byte) (a answer, err error) {
	be := binary.BigEndian
	if len(b) < bytesBytes {
		return a, errFrame
	}
	a = answer{from: int64(be.Uint64(b)), b: b[bytesBytes:]}
	if a.from < 0 || int(be.Uint32(b[8:])) != len(a.b) || be.Uint32(b[12:]) != crc32.Checksum(a.b, castagnoli) {
		return a, errFrame
	}
	return a, nil
}
