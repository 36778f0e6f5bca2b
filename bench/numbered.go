package bench

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"ringmq/netpoll/remoting"
)

// number is what a message of Verify says of itself.
type number struct {
	conn   int
	queue  int
	serial uint64 // of this connection and queue
}

// numberedBytes is what a body begins with: run (8), connection (4), queue (4), serial (8), and a CRC-32C of the whole body but
// these last four bytes. What follows is filler.
const (
	numberedBytes = 28
	numberedCRCAt = 24
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// putNumber writes the beginning of body.
func putNumber(body []byte, run uint64, n number) {
	be := binary.BigEndian
	be.PutUint64(body, run)
	be.PutUint32(body[8:], uint32(n.conn))
	be.PutUint32(body[12:], uint32(n.queue))
	be.PutUint64(body[16:], n.serial)
	be.PutUint32(body[numberedCRCAt:], numberSum(body))
}

// readNumber reads it. ours: it names the run; whole: the checksum fits.
func readNumber(body []byte, run uint64) (n number, ours, whole bool) {
	if len(body) < numberedBytes {
		return n, false, false
	}
	be := binary.BigEndian
	n = number{conn: int(be.Uint32(body[8:])), queue: int(be.Uint32(body[12:])), serial: be.Uint64(body[16:])}
	return n, be.Uint64(body) == run, be.Uint32(body[numberedCRCAt:]) == numberSum(body)
}

func numberSum(body []byte) uint32 {
	return crc32.Update(crc32.Checksum(body[:numberedCRCAt], castagnoli), castagnoli, body[numberedBytes:])
}

// numberer numbers a producer's messages and enters in a ledger what was acknowledged. The producer's goroutine calls it.
type numberer struct {
	l      *ledger
	batch  int
	serial []uint64     // by connection and queue, the next one
	flying [][]inFlight // by connection and slot
	now    number       // of the message to be written next
	cmd    remoting.Command
}

type inFlight struct {
	queue  int
	serial uint64 // of the first message
}

func newNumberer(w *Workload, l *ledger) *numberer {
	n := &numberer{l: l, batch: w.Batch, serial: make([]uint64, l.conns*len(l.pages))}
	for range w.Conns {
		n.flying = append(n.flying, make([]inFlight, w.Window))
	}
	return n
}

func (n *numberer) begin(line int, slot int32, queue int, _ time.Duration) {
	next := &n.serial[line*len(n.l.pages)+queue]
	n.now = number{line, queue, *next}
	n.flying[line][slot] = inFlight{queue, *next}
	*next += uint64(n.batch)
	n.l.sent += uint64(n.batch)
}

func (n *numberer) write(body []byte) {
	putNumber(body, n.l.run, n.now)
	n.now.serial++
}

// answered enters an acknowledgement. Anything but success says nothing about whether the message is there.
func (n *numberer) answered(line int, slot, code int32, frame []byte) error {
	if code != remoting.RespSuccess {
		return nil
	}
	if err := n.cmd.Decode(frame); err != nil {
		return err
	}
	f := n.flying[line][slot]
	queue, _, err := n.cmd.Int64("queueId")
	offset, ok, offsetErr := n.cmd.Int64("queueOffset")
	if err != nil || offsetErr != nil || !ok || offset < 0 || queue != int64(f.queue/n.l.topics) {
		return fmt.Errorf("bench: an acknowledgement for queue %q, offset %q of a message to queue %d", n.cmd.Text("queueId"), n.cmd.Text("queueOffset"), f.queue/n.l.topics)
	}
	n.l.enter(line, f.queue, f.serial, offset)
	return nil
}
