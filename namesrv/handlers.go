package namesrv

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

// later says that the answer comes from a worker.
const later int32 = -1 << 31

const faq = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."

const orderTopics = "ORDER_TOPIC_CONFIG"

// append1 appends a whole answer; requests that need only a code and a remark have none.
type append1 func(dst []byte) []byte

// handle deals with one request on its loop. It does not block: what writes files goes to a worker.
func (s *Server) handle(c *netpoll.Conn, req *remoting.Command) (int32, string, append1) {
	if !s.admits(c, req) {
		return remoting.RespNoPermission, s.gate.Refusal(c, req), nil
	}
	if !s.admitsBroker(c, req) {
		return remoting.RespNoPermission, s.brokers.Refusal(c, req), nil
	}
	switch req.Code {
	case remoting.CodeRegisterBroker:
		return s.registerBroker(c, req)
	case remoting.CodeGetRouteinfoByTopic:
		return s.routeOf(req)
	case remoting.CodeUnregisterBroker:
		return s.unregisterBroker(c, req)
	case remoting.CodeBrokerHeartbeat:
		s.routes.refresh(req.Text("clusterName"), req.Text("brokerAddr"), s.o.Clock())
		return remoting.RespSuccess, "", nil
	case remoting.CodeQueryDataVersion:
		return s.queryVersion(req)
	case remoting.CodePutKvConfig, remoting.CodeDeleteKvConfig, remoting.CodeUpdateNamesrvConfig:
		return s.onWorker(c, req)
	case remoting.CodeGetKvConfig, remoting.CodeGetKvlistByNamespace:
		return s.readKV(req)
	case remoting.CodeWipeWritePermOfBroker, remoting.CodeAddWritePermOfBroker:
		return s.writePerm(req)
	case remoting.CodeDeleteTopicInNamesrv:
		s.routes.deleteTopic(req.Text("topic"), req.Text("clusterName"))
		return remoting.RespSuccess, "", nil
	case remoting.CodeRegisterTopicInNamesrv:
		return s.registerTopic(c, req)
	}
	return s.list(req)
}

// list deals with the requests that list things.
func (s *Server) list(req *remoting.Command) (int32, string, append1) {
	topics := func(enabled string, names func() []string) (int32, string, append1) {
		if !s.v.Bool(enabled) {
			return remoting.RespSystemError, "disable", nil
		}
		return body(req, remoting.TopicList{TopicList: names()})
	}
	switch req.Code {
	case remoting.CodeGetBrokerClusterInfo:
		return bytesBody(req, s.routes.clusterInfo().AppendLegacyJSON(nil))
	case remoting.CodeGetAllTopicListFromNameserver:
		return topics("enableAllTopicList", func() []string { return s.routes.topicNames(nil) })
	case remoting.CodeGetTopicsByCluster:
		return topics("enableTopicList", func() []string { return s.routes.clusterTopics(req.Text("cluster")) })
	case remoting.CodeGetSystemTopicListFromNs:
		return body(req, s.routes.systemTopics())
	case remoting.CodeGetUnitTopicList:
		return topics("enableTopicList", func() []string { return s.routes.topicsByFlag(flagUnit, 0) })
	case remoting.CodeGetHasUnitSubTopicList:
		return topics("enableTopicList", func() []string { return s.routes.topicsByFlag(flagUnitSub, 0) })
	case remoting.CodeGetHasUnitSubUnunitTopicList:
		return topics("enableTopicList", func() []string { return s.routes.topicsByFlag(flagUnitSub, flagUnit) })
	case remoting.CodeGetNamesrvConfig:
		return s.config(req)
	case remoting.CodeGetBrokerMemberGroup:
		return memberGroup(req, s.routes.brokerAddrs(req.Text("brokerName")))
	}
	return remoting.RespRequestCodeNotSupported, " request type " + strconv.Itoa(int(req.Code)) + " not supported", nil
}

func body(req *remoting.Command, v any) (int32, string, append1) {
	b, err := json.Marshal(v)
	if err != nil {
		return remoting.RespSystemError, err.Error(), nil
	}
	return bytesBody(req, b)
}

func bytesBody(req *remoting.Command, b []byte) (int32, string, append1) {
	return remoting.RespSuccess, "", func(dst []byte) []byte {
		r := remoting.BeginReply(dst, req.Encoding, req.Opaque, remoting.RespSuccess)
		r.Body(b)
		return r.End()
	}
}

func field(req *remoting.Command, key, value string) (int32, string, append1) {
	return remoting.RespSuccess, "", func(dst []byte) []byte {
		r := remoting.BeginReply(dst, req.Encoding, req.Opaque, remoting.RespSuccess)
		r.Str(key, value)
		return r.End()
	}
}

// config serves 319. The field ringmqVersion=true, which is ours, has the header of the answer say which build this is; the body is stock's in
// either case.
func (s *Server) config(req *remoting.Command) (int32, string, append1) {
	return remoting.RespSuccess, "", func(dst []byte) []byte {
		r := remoting.BeginReply(dst, req.Encoding, req.Opaque, remoting.RespSuccess)
		if req.Bool("ringmqVersion") {
			r.Str("ringmqVersion", s.o.Version)
		}
		r.Body([]byte(s.v.Properties()))
		return r.End()
	}
}

// textOrNull is a field as stock prints it in remarks when it is absent.
func textOrNull(req *remoting.Command, key string) string {
	if v, ok := req.Get(key); ok {
		return string(v)
	}
	return "null"
}

// memberGroup is the answer to 901. Stock's handler leaves in it the remark of an answer in which nothing was set.
func memberGroup(req *remoting.Command, addrs map[int64]string) (int32, string, append1) {
	b := []byte(`{"brokerMemberGroup":{"brokerAddrs":{`)
	for i, id := range slices.Sorted(maps.Keys(addrs)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendInt(b, id, 10), ':')
		b = appendText(b, addrs[id])
	}
	b = appendText(append(b, `},"brokerName":`...), req.Text("brokerName"))
	b = appendText(append(b, `,"cluster":`...), req.Text("clusterName"))
	b = append(b, '}', '}')
	return remoting.RespSuccess, "", func(dst []byte) []byte {
		w := remoting.BeginReply(dst, req.Encoding, req.Opaque, remoting.RespSuccess)
		w.Remark("not set any response code")
		w.Body(b)
		return w.End()
	}
}

func appendText(dst []byte, s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be written
	}
	return append(dst, b...)
}

func (s *Server) routeOf(req *remoting.Command) (int32, string, append1) {
	if s.waits() > 0 {
		return remoting.RespSystemError, "name server not ready", nil
	}
	topic := textOrNull(req, "topic")
	r, ok := s.routes.route(topic)
	if !ok {
		return remoting.RespTopicNotExist, "No topic route info in name server for the topic: " + topic + faq, nil
	}
	if s.v.Bool("orderMessageEnable") {
		r.OrderTopicConf, _ = s.kv.get(orderTopics, topic)
	}
	const standardSince = 401
	standard := req.Version >= standardSince || req.Bool("acceptStandardJsonOnly")
	if req.Bool("__ZONE_MODE") && req.Text("__ZONE_NAME") != "" {
		inZone(r, req.Text("__ZONE_NAME"))
		standard = false
	}
	if standard {
		return bytesBody(req, r.AppendJSON(nil))
	}
	return bytesBody(req, r.AppendLegacyJSON(nil))
}

func (s *Server) queryVersion(req *remoting.Command) (int32, string, append1) {
	v, known := s.routes.refresh(req.Text("clusterName"), req.Text("brokerAddr"), s.o.Clock())
	var asked remoting.DataVersion
	changed := !known || remoting.Unmarshal(req.Body, &asked) != nil || asked != v
	var b []byte
	if known {
		b, _ = json.Marshal(v)
	}
	return remoting.RespSuccess, "", func(dst []byte) []byte {
		w := remoting.BeginReply(dst, req.Encoding, req.Opaque, remoting.RespSuccess)
		w.Bool("changed", changed)
		w.Body(b)
		return w.End()
	}
}

func (s *Server) readKV(req *remoting.Command) (int32, string, append1) {
	namespace := textOrNull(req, "namespace")
	if req.Code == remoting.CodeGetKvlistByNamespace {
		table, ok := s.kv.list(namespace)
		if !ok {
			return remoting.RespQueryNotFound, "No config item, Namespace: " + namespace, nil
		}
		return body(req, remoting.KVTable{Table: table})
	}
	value, ok := s.kv.get(namespace, req.Text("key"))
	if !ok {
		return remoting.RespQueryNotFound, "No config item, Namespace: " + namespace + " Key: " + textOrNull(req, "key"), nil
	}
	return field(req, "value", value)
}

func (s *Server) writePerm(req *remoting.Command) (int32, string, append1) {
	name := req.Text("brokerName")
	if req.Code == remoting.CodeWipeWritePermOfBroker {
		n := s.routes.setPerm(name, func(p int32) int32 { return p &^ remoting.PermWrite })
		return field(req, "wipeTopicCount", strconv.Itoa(n))
	}
	n := s.routes.setPerm(name, func(int32) int32 { return remoting.PermRead | remoting.PermWrite })
	return field(req, "addTopicCount", strconv.Itoa(n))
}

// onWorker does what writes a file, and answers then.
func (s *Server) onWorker(c *netpoll.Conn, req *remoting.Command) (int32, string, append1) {
	_, hasNamespace := req.Get("namespace")
	_, hasKey := req.Get("key")
	if req.Code == remoting.CodePutKvConfig && (!hasNamespace || !hasKey) {
		return remoting.RespSystemError, "namespace or key is null", nil
	}
	ok := s.workers.TryClone(req, func(own *remoting.Command) {
		code, remark := s.write(own)
		if !own.IsOneway() {
			_ = c.Give(remoting.AppendReply(nil, own.Encoding, own.Opaque, code, remark))
		}
	})
	if !ok {
		return remoting.RespSystemBusy, busy, nil
	}
	return later, "", nil
}

func (s *Server) write(req *remoting.Command) (int32, string) {
	var err error
	switch req.Code {
	case remoting.CodePutKvConfig:
		err = s.kv.put(req.Text("namespace"), req.Text("key"), req.Text("value"))
	case remoting.CodeDeleteKvConfig:
		err = s.kv.remove(req.Text("namespace"), req.Text("key"))
	default:
		return s.updateConfig(req)
	}
	if err != nil {
		s.logger.Error("kv configuration not saved", "error", err)
		return remoting.RespSystemError, err.Error()
	}
	return remoting.RespSuccess, ""
}

func (s *Server) updateConfig(req *remoting.Command) (int32, string) {
	if len(req.Body) == 0 {
		return remoting.RespSuccess, ""
	}
	all, err := settings.ParseProperties("request", req.Body)
	if err != nil {
		return remoting.RespSystemError, "string2Properties error"
	}
	black := append(strings.Split(s.v.Text("configBlackList"), ";"), neverRemote...)
	for _, one := range all {
		for _, b := range black {
			if strings.TrimSpace(b) == one.Key {
				return remoting.RespNoPermission, "Can not update config in black list."
			}
		}
	}
	// What a request sets is in the file afterwards, and the next start must not fail over it.
	next, err := s.v.With(all)
	if err == nil {
		err = Check(next)
	}
	if err == nil {
		_, err = s.v.Change(all)
	}
	if err != nil {
		return remoting.RespSystemError, err.Error()
	}
	s.capConnections()
	if s.o.ConfigFile != "" {
		if err := s.v.Rewrite(s.o.ConfigFile); err != nil {
			s.logger.Error("configuration file not written", "error", err)
		}
	}
	return remoting.RespSuccess, ""
}
