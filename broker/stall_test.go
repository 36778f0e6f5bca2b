package broker

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/disk"
	"ringmq/store/record"
)

// Of TestAStalledDiskHoldsNobodyElseUp.
const (
	floodBytes   = 64 << 20 // more than the append buffer and all buffers of the kernel take
	floodBody    = 32 << 10
	floodFrames  = floodBytes / floodBody
	stalledBound = 250 * time.Millisecond // for an answer beside a stalled disk; see soon
	heldBound    = 1 << 20                // bytes that a producer without end may cost
)

// TestAStalledDiskHoldsNobodyElseUp: while no write and no sync comes back, everything else on the same loop goes on: heartbeats, also
// of groups that are new and have to be saved, and pulls. A producer that goes on sending costs little. When the disk is back, all that
// it sent is there, acknowledged in its order.
func TestAStalledDiskHoldsNobodyElseUp(t *testing.T) {
	for _, flush := range []string{"SYNC_FLUSH", "ASYNC_FLUSH"} {
		t.Run(flush, func(t *testing.T) {
			f := disk.NewFaulty()
			r := &rig{t: t, root: t.TempDir()}
			r.startRoutes("127.0.0.1", 0)
			r.startWith(Options{Loops: 1, alterStore: func(o *store.Options) { o.FS = f }}, func(*Broker) {}, "flushDiskType="+flush,
				"syncFlushTimeout=3600000", "maxTransferBytesOnMessageInDisk=1048576", "maxTransferCountOnMessageInDisk=32", "maxTransferBytesOnMessageInMemory=1048576")
			s := &besideStall{rig: r, member: r.dial(), consumer: r.dial()}
			want(t, r.dial().call(sendTo("Flood", 0, "", "before")), 0, "") // its topic is there
			const hot = 16
			for i := range hot {
				want(t, r.dial().call(sendTo("Hot", 0, "", fmt.Sprint("hot ", i))), 0, "")
			}
			r.visibleMax("Hot", 0, hot)
			reached, release := stall(f)
			t.Cleanup(release) // before the broker's end, which waits for the disk

			waits := r.dial().start(sendTo("Hot", 0, "", "waits"))
			<-reached
			r.parkedNow(1)
			for range 20 {
				if _, _, inMemory := r.broker.store.ReadHot(&store.Want{Topic: []byte("Hot"), MaxMessages: hot}, nil); !inMemory {
					t.Fatal("the pulls are not hot")
				}
				s.goOn(hot)
			}
			flood := newFlood(t, r.broker.Addr().String())
			until(t, "a producer that is not read from", func() bool { return r.broker.net.Stats().Paused == 1 })
			for range 100 {
				s.goOn(hot)
			}
			select {
			case a := <-waits:
				t.Fatal("acknowledged by a disk that is stalled: ", a.Code)
			default:
			}
			if n := flood.offered.Load(); n == floodFrames || flood.acknowledged.Load() > 0 {
				t.Errorf("%d frames written and %d acknowledged while the disk is stalled", n, flood.acknowledged.Load())
			}
			if s.held > heldBound {
				t.Errorf("%d bytes held for a producer without end", s.held)
			}
			t.Logf("%d of %d frames were taken, %d bytes held", flood.offered.Load(), floodFrames, s.held)
			soon(t, s.took)
			release()
			want(t, await(t, waits), 0, "")
			flood.done.Wait()
			s.allThere(flood)
		})
	}
}

// stall makes every operation that changes the disk hang until release; reached is closed when one does.
func stall(f *disk.Faulty) (reached <-chan struct{}, release func()) {
	return stallOf(f, func(string, string) bool { return true })
}

// stallOf is stall for some operations, by kind and name.
func stallOf(f *disk.Faulty, which func(kind, name string) bool) (reached <-chan struct{}, release func()) {
	gate, first := make(chan struct{}), make(chan struct{})
	tell := sync.OnceFunc(func() { close(first) })
	f.OnOp(func(_ int, kind, name string) {
		if !which(kind, name) {
			return
		}
		tell()
		<-gate
	})
	return first, sync.OnceFunc(func() { f.OnOp(nil); close(gate) })
}

// besideStall are those who share the loop with the producer.
type besideStall struct {
	*rig
	member, consumer *client
	groups           int64
	held             int64           // most bytes in netpoll's buffers
	took             []time.Duration // every answer
}

// soon checks that answers which must not wait for the disk did not. Where they do, those wait for ever: nobody has the disk go on before they have
// come. What is left to see are pauses that end by themselves. These come again, and so the one in the middle is judged: single ones are late when the
// machine has others to run.
func soon(t *testing.T, took []time.Duration) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(took))
	t.Logf("of %d answers the one in the middle took %s, the slowest %s", len(sorted), sorted[len(sorted)/2], sorted[len(sorted)-1])
	if middle := sorted[len(sorted)/2]; middle > stalledBound {
		t.Errorf("answers took %s", middle)
	}
}

// goOn asks what must be answered whatever the disk does.
func (s *besideStall) goOn(hot int) {
	s.t.Helper()
	timed := func(what string, c *client, req *remoting.Command) *remoting.Command {
		s.t.Helper()
		began := time.Now()
		a := c.call(req)
		s.took = append(s.took, time.Since(began))
		if a.Code != remoting.RespSuccess {
			s.t.Errorf("%s: code %d %s", what, a.Code, a.Remark)
		}
		return a
	}
	s.groups++
	timed("a heartbeat", s.member, beat("c", "G", "Hot", "*", s.groups))
	timed("a heartbeat of a new group", s.member, beat("c", fmt.Sprint("New", s.groups), "Hot", "*", 1))
	if got := bodies(s.t, timed("a pull", s.consumer, pullOf("G", "Hot", 0, 0, "*", 0))); len(got) != hot || got[hot-1] != fmt.Sprint("hot ", hot-1) {
		s.t.Errorf("pulled %q", got)
	}
	s.held = max(s.held, s.broker.net.Stats().HeldBytes)
}

// allThere reads the flood back.
func (s *besideStall) allThere(f *flood) {
	s.t.Helper()
	if n := f.acknowledged.Load(); n != floodFrames {
		s.t.Fatalf("%d of %d acknowledged", n, floodFrames)
	}
	s.visibleMax("Flood", 0, floodFrames+1)
	for next := int64(1); next <= floodFrames; {
		for rest := s.consumer.call(pullOf("G", "Flood", 0, next, "*", 0)).Body; ; next++ {
			var m record.Record
			if len(rest) == 0 {
				break
			}
			if err := m.Parse(rest); err != nil || m.VerifyBody() != nil || len(m.Body) != floodBody || m.QueueOffset != next {
				s.t.Fatalf("at %d: %v, %d bytes at %d", next, err, len(m.Body), m.QueueOffset)
			}
			if n := int64(binary.BigEndian.Uint64(m.Body)); n != next-1 {
				s.t.Fatalf("message %d lies at %d", n, next)
			}
			rest = rest[m.TotalSize:]
		}
	}
	if n := s.broker.store.MaxOffset([]byte("Flood"), 0); n != floodFrames+1 {
		s.t.Errorf("%d messages, %d were sent", n, floodFrames+1)
	}
}

// flood is a producer that writes and does not wait for answers.
type flood struct {
	offered      atomic.Int64 // frames written whole
	acknowledged atomic.Int64
	done         sync.WaitGroup
}

func newFlood(t *testing.T, addr string) *flood {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	f := &flood{}
	t.Cleanup(func() {
		_ = conn.Close()
		f.done.Wait()
	})
	f.done.Go(func() {
		req := sendTo("Flood", 0, "", string(make([]byte, floodBody)))
		var frame []byte
		for i := range floodFrames {
			req.Opaque = int32(i)
			binary.BigEndian.PutUint64(req.Body, uint64(i))
			frame = remoting.AppendCommand(frame[:0], req)
			if _, err := conn.Write(frame); err != nil {
				t.Error("write:", err)
				return
			}
			f.offered.Add(1)
		}
	})
	f.done.Go(func() {
		in, frame := bufio.NewReader(conn), make([]byte, 4<<10)
		for i := range floodFrames {
			var a remoting.Command
			if _, err := io.ReadFull(in, frame[:4]); err != nil {
				t.Error("read:", err)
				return
			}
			n := min(binary.BigEndian.Uint32(frame), uint32(len(frame)-4))
			if _, err := io.ReadFull(in, frame[4:4+n]); err != nil {
				t.Error("read:", err)
				return
			}
			if err := a.Decode(frame[:4+n]); err != nil {
				t.Error("answer:", err)
				return
			}
			if a.Opaque != int32(i) || a.Code != remoting.RespSuccess || a.Text("queueOffset") != strconv.Itoa(i+1) {
				t.Errorf("answer %d: to %d, code %d %s, offset %s", i, a.Opaque, a.Code, a.Remark, a.Text("queueOffset"))
				return
			}
			f.acknowledged.Add(1)
		}
	})
	return f
}
