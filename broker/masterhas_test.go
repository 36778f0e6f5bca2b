package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmq/interop/golden"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// TestViewed: what a master has at an offset, as its answers to 33 say; the recorded ones are a stock broker's.
func TestViewed(t *testing.T) {
	recorded := 0
	for _, e := range golden.Scenario(t, "raw-offsets") {
		if e.Code == nil || int32(*e.Code) != remoting.CodeViewMessageById || len(e.Response) == 0 {
			continue
		}
		recorded++
		offset, err := strconv.ParseInt(*e.RequestHeader.Ext["offset"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		raw, found, err := viewed(decode(t, e.Response))
		if err != nil || found != (offset == 0) {
			t.Errorf("at %d: found %v, %v", offset, found, err)
		}
		var r record.Record
		if found && (r.Parse(raw) != nil || r.Verify(raw) != nil || r.PhysicalOffset != offset || int(r.TotalSize) != len(raw)) {
			t.Errorf("what lies at %d is no record as it is stored: %x", offset, raw)
		}
	}
	if recorded != 3 {
		t.Errorf("%d recorded answers", recorded)
	}
	for _, c := range []struct {
		code   int32
		remark string
		body   string
		found  bool
		fails  bool
	}{
		{code: remoting.RespSuccess, body: "raw", found: true},
		{code: remoting.RespSuccess, found: true}, // four zeros lie there
		{code: remoting.RespSystemError, remark: "can not find message by the offset, 77"},
		{code: remoting.RespSystemError, remark: "java.lang.IllegalArgumentException: newLimit > capacity: (1633771873 > 1073741824), java.base/java.nio.Buffer.createLimitException(Buffer.java:372)", found: true},
		{code: remoting.RespSystemError, remark: "org.apache.rocketmq.acl.common.AclException: no accessKey", fails: true},
		{code: remoting.RespSystemBusy, remark: "[REJECTREQUEST]system busy, start flow control for a while", fails: true},
		{code: remoting.RespNoPermission, fails: true},
	} {
		raw, found, err := viewed(&remoting.Command{Code: c.code, Remark: []byte(c.remark), Body: []byte(c.body)})
		if found != c.found || (err != nil) != c.fails || c.found && string(raw) != c.body {
			t.Errorf("code %d %q: %q, found %v, %v", c.code, c.remark, raw, found, err)
		}
	}
}

// stockHA listens for slaves as a stock master that has nothing to send: a heartbeat at whatever offset a slave says.
func stockHA(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(4 * patience))
				var hello [64]byte // as many reports for stock, of which it believes the last
				if _, err := io.ReadFull(conn, hello[:]); err != nil {
					return
				}
				_, _ = conn.Write(binary.BigEndian.AppendUint32(hello[56:64:64], 0))
				_, _ = io.Copy(io.Discard, conn)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String()
}

// TestStockMasterIsAsked: a slave of a master that compares nothing asks it for the newest record, at the address that clients have for it, and
// follows it or is refused.
func TestStockMasterIsAsked(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	m := p.master.dial()
	for i := range 10 {
		want(t, m.call(sendTo("T", 0, "", strconv.Itoa(i))), remoting.RespSuccess, "")
	}
	p.master.visibleMax("T", 0, 10)
	p.copied()
	p.slave.stopBroker()
	p.slaveKeys = append(p.slaveKeys, "haMasterAddress="+stockHA(t))
	p.startSlave()
	s := p.slave.broker
	until(t, "follows", func() bool {
		f := s.replication.follower.State()
		return f.Connected && !f.Ours && f.Refused == ""
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	mine, err := s.store.MessageByOffset(0, nil)
	if raw, found, askErr := s.masterHas(ctx, 0); err != nil || askErr != nil || !found || !bytes.Equal(raw, mine) {
		t.Errorf("%d bytes at 0, found %v, %v, %v", len(raw), found, askErr, err)
	}
	if _, found, err := s.masterHas(ctx, s.store.LogMax()); found || err != nil {
		t.Errorf("at the end: found %v, %v", found, err)
	}

	// The master comes back with an older log, of which there is nothing at all.
	end := s.store.LogMax()
	p.slave.stopBroker()
	p.master.stopBroker()
	p.master.root = t.TempDir()
	p.startMaster()
	p.startSlave()
	s = p.slave.broker
	until(t, "refused", func() bool { return s.replication.refused() })
	if f := s.replication.follower.State(); f.Connected || !strings.Contains(f.Refused, "longer than the master's") || s.store.LogMax() != end {
		t.Errorf("%+v, the log ends at %d of %d", f, s.store.LogMax(), end)
	}
	p.master.stopBroker()
	if _, _, err := s.masterHas(ctx, 0); err == nil {
		t.Error("a master that is gone says what it has")
	}
}
