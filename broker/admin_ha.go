package broker

import (
	"encoding/binary"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// haTable lists the requests about copies of this broker.
func (b *Broker) haTable() map[int32]onWorker {
	return map[int32]onWorker{
		remoting.CodeGetBrokerHaStatus:        b.haStatus,
		remoting.CodeResetMasterFlushOffset:   b.resetMasterFlush,
		remoting.CodeGetBrokerEpochCache:      b.epochs,
		remoting.CodeNotifyMinBrokerIdChange:  b.minIDChanged,
		remoting.CodeGetAllMessageRequestMode: forPeer(b.allRequestModes, func(remoting.DataVersion) bool { return false }),
		remoting.CodeGetTimerCheckPoint:       b.timerCheckpoint,
		remoting.CodeGetTimerMetrics:          b.timerMetrics,
	}
}

// haStatus serves 907.
func (b *Broker) haStatus(_ *netpoll.Conn, _ *remoting.Command) answer {
	r := remoting.HARuntimeInfo{HAConnectionInfo: []remoting.HAConnectionInfo{}}
	if f := b.replication.follower; f != nil {
		s := f.State()
		r.Client = remoting.HAClientInfo{MasterAddr: s.Master, MasterFlushOffset: b.replication.masterFlush.Load(), MaxOffset: b.store.LogMax(),
			TransferredBytesPerSec: b.replication.rate.Load()}
		if !s.LastRead.IsZero() {
			r.Client.LastReadTimestamp = s.LastRead.UnixMilli()
			r.Client.LastWriteTimestamp = r.Client.LastReadTimestamp // what is read is acknowledged at once
		}
		return jsonBody(r)
	}
	r.Master, r.MasterMaxOffset = true, b.store.LogMax()
	for _, s := range b.replication.leader.Slaves() {
		r.HAConnectionInfo = append(r.HAConnectionInfo, remoting.HAConnectionInfo{
			Addr: s.Addr, Diff: r.MasterMaxOffset - s.AckOffset, InSync: s.InStep, AckOffset: s.AckOffset, FromOffset: s.SentOffset,
			TransferredBytesPerSec: s.BytesPerSecond,
		})
		if s.InStep {
			r.InSyncSlaves++
		}
	}
	return jsonBody(r)
}

// resetMasterFlush serves 908: the number is shown and, without controllers, used for nothing else.
func (b *Broker) resetMasterFlush(_ *netpoll.Conn, req *remoting.Command) answer {
	offset, there, err := req.Int64("masterFlushOffset")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	if there && b.slave {
		b.replication.masterFlush.Store(offset)
	}
	return answer{}
}

// epochs serves 1007: there are none without controllers.
func (b *Broker) epochs(_ *netpoll.Conn, _ *remoting.Command) answer {
	return fail(remoting.RespSystemError, "this request only for controllerMode ")
}

// minIDChanged serves 905, a name server's hint. What is true the name servers say when they are asked.
func (b *Broker) minIDChanged(_ *netpoll.Conn, _ *remoting.Command) answer {
	if b.slave {
		b.replication.group.look()
	}
	return answer{}
}

// allRequestModes serves 402.
func (b *Broker) allRequestModes(_ *netpoll.Conn, _ *remoting.Command) answer {
	doc, err := b.store.LoadDoc(store.DocRequestMode)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	if len(doc) == 0 {
		doc = []byte(`{"messageRequestModeMap":{}}`)
	}
	return withBody(doc)
}

// timerCheckpoint serves 60, which a stock slave asks every three seconds: a broker without timers has done all that were due so far.
func (b *Broker) timerCheckpoint(_ *netpoll.Conn, _ *remoting.Command) answer {
	now := time.Now().UnixMilli()
	out := binary.BigEndian.AppendUint64(nil, uint64(now/1000*1000))
	for range 4 { // how far log, queue and the master's queue were read; state of the version
		out = binary.BigEndian.AppendUint64(out, 0)
	}
	out = binary.BigEndian.AppendUint64(out, uint64(b.began.UnixMilli()))
	return withBody(binary.BigEndian.AppendUint64(out, 0))
}

// timerMetrics serves 61.
func (b *Broker) timerMetrics(_ *netpoll.Conn, _ *remoting.Command) answer {
	return jsonBody(remoting.TimerMetrics{DataVersion: remoting.DataVersion{Timestamp: b.began.UnixMilli()}, TimingCount: map[string]any{}})
}
