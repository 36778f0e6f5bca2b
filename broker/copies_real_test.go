package broker

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// haPeer speaks the least of what a slave speaks: it says how far it has the log, and reads past what comes.
type haPeer struct {
	t    *testing.T
	conn net.Conn
	gone chan struct{}
}

// peerOf connects to a master and says that it has all there is.
func peerOf(t *testing.T, r *rig) *haPeer {
	t.Helper()
	conn, err := net.Dial("tcp", r.broker.replication.leader.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := &haPeer{t: t, conn: conn, gone: make(chan struct{})}
	go func() {
		defer close(p.gone)
		_, _ = io.Copy(io.Discard, conn)
	}()
	t.Cleanup(p.close)
	p.has(r.broker.store.Sendable().Load())
	return p
}

func (p *haPeer) has(offset int64) {
	p.t.Helper()
	if _, err := p.conn.Write(binary.BigEndian.AppendUint64(nil, uint64(offset))); err != nil {
		p.t.Fatal(err)
	}
}

func (p *haPeer) close() {
	_ = p.conn.Close()
	<-p.gone
}

func inStep(t *testing.T, r *rig, n int) {
	t.Helper()
	until(t, fmt.Sprint("copies in step: ", n), func() bool { return r.broker.replication.leader.Agreed().InStep == n })
}

// slaveOf starts one more slave of a master.
func slaveOf(t *testing.T, m *rig, id int) *rig {
	t.Helper()
	s := &rig{t: t, root: t.TempDir(), routes: m.routes}
	s.startBroker("brokerRole=SLAVE", fmt.Sprint("brokerId=", id))
	return s
}

// TestThreeCopiesOfTwoSlaves: with three copies asked for, a send is told 0 when both slaves have it, 12 when one of them goes while it waits, and
// 11 afterwards; with enableAutoInSyncReplicas it is told 0 as long as those have it that are there.
func TestThreeCopiesOfTwoSlaves(t *testing.T) {
	t.Parallel()
	for _, auto := range []bool{false, true} {
		t.Run(fmt.Sprint("auto=", auto), func(t *testing.T) {
			t.Parallel()
			m := &rig{t: t, root: t.TempDir()}
			m.startRoutes("127.0.0.1", 0)
			m.startBroker("brokerRole=SYNC_MASTER", "inSyncReplicas=3", "slaveTimeout=600000", "haHousekeepingInterval=600000", fmt.Sprint("enableAutoInSyncReplicas=", auto))
			first, second := slaveOf(t, m, 1), slaveOf(t, m, 2)
			inStep(t, m, 3)
			c := m.dial()
			want(t, c.call(sendTo("T", 0, "", "three")), remoting.RespSuccess, "")
			for _, s := range []*rig{first, second} {
				if have, end := s.broker.store.Sendable().Load(), m.broker.store.LogMax(); have != end {
					t.Errorf("told 0 when a slave had %d of %d bytes", have, end)
				}
			}
			second.stopBroker()
			inStep(t, m, 2)
			later := int32(remoting.RespSlaveNotAvailable)
			if auto {
				later = remoting.RespSuccess
			}
			want(t, c.call(sendTo("T", 0, "", "two")), later, "")
			if have, end := first.broker.store.Sendable().Load(), m.broker.store.LogMax(); auto && have != end {
				t.Errorf("told 0 when the slave that is left had %d of %d bytes", have, end)
			}

			// One that takes what comes and says nothing of it.
			mute := peerOf(t, m)
			inStep(t, m, 3)
			waits := c.start(sendTo("T", 0, "", "waits"))
			until(t, "sent", func() bool {
				for _, s := range m.broker.replication.leader.Slaves() {
					if !s.Ours {
						return s.SentOffset == m.broker.store.LogMax() && s.SentOffset > s.AckOffset
					}
				}
				return false
			})
			until(t, "copied", func() bool { return first.broker.store.Sendable().Load() == m.broker.store.LogMax() })
			select {
			case resp := <-waits:
				t.Fatal("answered with two copies:", resp.Code)
			case <-time.After(50 * time.Millisecond):
			}
			mute.close()
			told := int32(remoting.RespFlushSlaveTimeout)
			if auto {
				told = remoting.RespSuccess // it has as many as are in step
			}
			want(t, await(t, waits), told, "")
			want(t, c.call(sendTo("T", 0, "", "later")), later, "")
		})
	}
}

// TestSlaveFallsBehindTheGap: a slave that is behind by haMaxGapNotInSync leaves the set however long it may be silent: what waits is told 12, what
// comes later 11 and is stored, or 1 and is not, where minInSyncReplicas asks for it. When it has caught up, it counts again.
func TestSlaveFallsBehindTheGap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		least string
		later int32
		kept  int64
	}{{"minInSyncReplicas=1", remoting.RespSlaveNotAvailable, 1}, {"minInSyncReplicas=2", remoting.RespSystemError, 0}} {
		t.Run(c.least, func(t *testing.T) {
			t.Parallel()
			const gap = 64 << 10
			m := &rig{t: t, root: t.TempDir()}
			m.startRoutes("127.0.0.1", 0)
			m.startBroker("brokerRole=SYNC_MASTER", "inSyncReplicas=2", "slaveTimeout=600000", "haHousekeepingInterval=600000", fmt.Sprint("haMaxGapNotInSync=", gap), c.least)
			p := peerOf(t, m)
			inStep(t, m, 2)
			has := m.broker.store.Sendable().Load()
			conn := m.dial()
			body := string(make([]byte, 8<<10))
			var waiting []<-chan *remoting.Command
			behind := func() int64 { return m.broker.store.Sendable().Load() - has }
			for len(waiting) == 0 || behind() < gap {
				if len(waiting) > 2*gap/len(body) {
					t.Fatal("so many sends wait, and the log has grown by", behind())
				}
				if n := m.broker.replication.leader.Agreed().InStep; n != 2 {
					t.Fatalf("%d in step, %d bytes behind of %d", n, behind(), gap)
				}
				before := behind()
				waiting = append(waiting, conn.start(sendTo("T", 0, "", body)))
				until(t, "stored", func() bool { return behind() > before })
			}
			for _, w := range waiting {
				want(t, await(t, w), remoting.RespFlushSlaveTimeout, "")
			}
			inStep(t, m, 1)
			stored := int64(len(waiting))
			max := func() int64 { return m.broker.store.MaxOffset([]byte("T"), 0) }
			until(t, "consumers go on", func() bool { return max() == stored })
			resp := conn.call(sendTo("T", 0, "", "later"))
			if resp.Code != c.later {
				t.Fatal(resp.Code, string(resp.Remark))
			}
			want(t, conn.call(sendTo("T", 0, "WAIT\x01false\x02", "does not wait")), remoting.RespSuccess, "")
			until(t, "what was taken is there, and no more", func() bool { return max() == stored+1+c.kept })

			end := m.broker.store.Sendable().Load()
			until(t, "sent", func() bool { return m.broker.replication.leader.Slaves()[0].SentOffset == end })
			p.has(end)
			inStep(t, m, 2)
			last := conn.start(sendTo("T", 0, "", "with its copy"))
			until(t, "sent", func() bool { return m.broker.replication.leader.Slaves()[0].SentOffset > end })
			p.has(m.broker.store.LogMax())
			want(t, await(t, last), remoting.RespSuccess, "")
		})
	}
}
