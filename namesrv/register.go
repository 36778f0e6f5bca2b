package namesrv

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// longBytes is what a loop reads of one request that brings topics; more is read on the registrar, a worker alone: what is in it is
// done in its order, and no more than one is in memory as topics.
const longBytes = 64 << 10

// backlog is what waits for the registrar, or is being done there, by broker: nothing of a broker overtakes what it sent before, by
// whichever connection.
type backlog struct {
	mu    sync.Mutex
	count map[addrKey]int
}

func (b *backlog) waits(key addrKey) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count[key] > 0
}

func (b *backlog) add(key addrKey, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count[key] += n; b.count[key] == 0 {
		delete(b.count, key)
	}
}

// registerBroker serves 103.
func (s *Server) registerBroker(c *netpoll.Conn, req *remoting.Command) (int32, string, append1) {
	key := brokerOf(req)
	if s.backlog.waits(key) || remoting.RegisterBodyExceeds(req.Body, req.Bool("compressed"), longBytes) {
		return s.onRegistrar(c, req, key, func(c *netpoll.Conn, req *remoting.Command) (int32, string, append1) {
			if c.IsClosed() {
				return remoting.RespSystemError, netpoll.ErrClosed.Error(), nil // nobody would take out what it enters
			}
			return s.register(c, req)
		})
	}
	return s.register(c, req)
}

// unregisterBroker serves 104.
func (s *Server) unregisterBroker(c *netpoll.Conn, req *remoting.Command) (int32, string, append1) {
	unregister := func(_ *netpoll.Conn, req *remoting.Command) (int32, string, append1) {
		s.routes.unregister(req.Text("clusterName"), req.Text("brokerName"), req.Text("brokerAddr"))
		return remoting.RespSuccess, "", nil
	}
	if key := brokerOf(req); s.backlog.waits(key) {
		return s.onRegistrar(c, req, key, unregister)
	}
	return unregister(c, req)
}

// registerTopic serves 217.
func (s *Server) registerTopic(c *netpoll.Conn, req *remoting.Command) (int32, string, append1) {
	add := func(_ *netpoll.Conn, req *remoting.Command) (int32, string, append1) {
		var r remoting.TopicRouteData
		if err := remoting.Unmarshal(req.Body, &r); err != nil {
			return remoting.RespSystemError, err.Error(), nil
		}
		s.routes.addTopic(req.Text("topic"), r.QueueDatas)
		return remoting.RespSuccess, "", nil
	}
	if len(req.Body) > longBytes {
		return s.onRegistrar(c, req, addrKey{}, add)
	}
	return add(c, req)
}

func brokerOf(req *remoting.Command) addrKey {
	return addrKey{req.Text("clusterName"), req.Text("brokerAddr")}
}

// onRegistrar has fn deal with a request on the registrar. The connection is not read from until then, so that what it asks next
// finds this done.
func (s *Server) onRegistrar(c *netpoll.Conn, req *remoting.Command, key addrKey, fn func(*netpoll.Conn, *remoting.Command) (int32, string, append1)) (int32, string, append1) {
	s.backlog.add(key, 1)
	ok := s.registrar.TryClone(req, func(own *remoting.Command) {
		defer c.Resume()
		defer s.backlog.add(key, -1)
		code, remark, reply := fn(c, own)
		if c.IsClosed() {
			s.connectionClosed(c) // its end came before what was entered just now
			return
		}
		switch {
		case own.IsOneway():
		case reply != nil:
			_ = c.Give(reply(nil))
		default:
			_ = c.Give(remoting.AppendReply(nil, own.Encoding, own.Opaque, code, remark))
		}
	})
	if !ok {
		s.backlog.add(key, -1)
		return remoting.RespSystemBusy, busy, nil
	}
	c.Pause()
	return later, "", nil
}

// register enters a broker and what it brings.
func (s *Server) register(c *netpoll.Conn, req *remoting.Command) (int32, string, append1) {
	if sum, ok, err := req.Int32("bodyCrc32"); err != nil {
		return remoting.RespSystemError, err.Error(), nil
	} else if ok && sum != 0 && uint32(sum) != remoting.BodyCRC(req.Body) {
		return remoting.RespSystemError, "crc32 not match", nil
	}
	b, err := remoting.DecodeRegisterBody(req.Body, req.Bool("compressed"), req.Version)
	if err != nil {
		return remoting.RespSystemError, err.Error(), nil
	}
	id, _, err := req.Int64("brokerId")
	if err != nil {
		return remoting.RespSystemError, err.Error(), nil
	}
	timeout := defaultTimeout
	if ms, ok, err := req.Int64("heartbeatTimeoutMillis"); err == nil && ok && ms > 0 {
		timeout = time.Duration(ms) * time.Millisecond
	}
	_, hasActing := req.Get("enableActingMaster")
	s.mu.Lock()
	s.conns[c.ID()] = c
	s.mu.Unlock()
	entry := &registration{
		cluster: req.Text("clusterName"), name: req.Text("brokerName"), addr: req.Text("brokerAddr"), haAddr: req.Text("haServerAddr"),
		id: id, timeout: timeout, acting: req.Bool("enableActingMaster"), hasActing: hasActing, zone: req.Text("__ZONE_NAME"),
		conn: c.ID(), host: c.RemoteAddr().Addr().Unmap(), body: b, dropMissingTopics: s.v.Bool("deleteTopicWithBrokerRegistration"),
	}
	r, ok := s.routes.register(entry, s.o.Clock())
	s.tell(entry, &r, ok)
	if !ok {
		return remoting.RespSystemError, "register broker failed", nil
	}
	if r.full != "" {
		return remoting.RespSystemError, "register broker failed: " + r.full, nil
	}
	var table []byte
	if order, there := s.kv.list(orderTopics); there && s.v.Bool("returnOrderTopicConfigToBroker") {
		table, _ = json.Marshal(remoting.KVTable{Table: order})
	}
	return remoting.RespSuccess, "", func(dst []byte) []byte {
		w := remoting.BeginReply(dst, req.Encoding, req.Opaque, remoting.RespSuccess)
		if r.masterAddr != "" {
			w.Str("haServerAddr", r.haAddr)
			w.Str("masterAddr", r.masterAddr)
		}
		w.Body(table)
		return w.End()
	}
}

// tell logs what a registration changed, or why it changed nothing.
func (s *Server) tell(e *registration, r *registered, ok bool) {
	log := func(level slog.Level, text string, more ...any) {
		s.logger.Log(context.Background(), level, text, append([]any{"cluster", e.cluster, "name", e.name, "id", e.id, "broker", e.addr}, more...)...)
	}
	switch {
	case !ok:
		log(slog.LevelWarn, "broker refused: it brings a single topic and has not registered before")
	case r.full != "":
		if s.toldFull.Now() {
			log(slog.LevelWarn, "broker refused: "+r.full, "from", e.host)
		}
	case r.keptFor != "":
		log(slog.LevelWarn, "broker ignored: another one of its name and id is in the route, with a newer state", "inRoute", r.keptFor)
	case r.replaced != "":
		log(slog.LevelWarn, "broker took the place of a live one: if the master was not switched, two brokers have the same name and id", "replaced", r.replaced)
	case r.joined:
		log(slog.LevelInfo, "broker registered", "haServer", e.haAddr)
	}
}
