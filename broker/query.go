package broker

import (
	"strconv"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// maxQueries bounds the queries that run: each may hold as much as a frame, twice, and a record that did not fit.
const maxQueries = 2

// queryMessage serves 12: messages by key, or by the key the client gave them.
func (b *Broker) queryMessage(_ *netpoll.Conn, req *remoting.Command) answer {
	topic, _ := req.Get("topic")
	key, _ := req.Get("key")
	limit, _, err := req.Int32("maxNum")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	begin, _, err := req.Int64("beginTimestamp")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	end, _, err := req.Int64("endTimestamp")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	if req.Bool("_UNIQUE_KEY_QUERY") {
		limit = int32(b.c.Int("defaultQueryMaxNum"))
	}
	limit = min(limit, int32(b.c.Int("maxMsgsNumBatch")))
	found, err := b.store.QueryKey(topic, key, int(limit), begin, end)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	a := answer{Fields: []answerField{
		{"indexLastUpdatePhyoffset", strconv.FormatInt(found.LastPhysical, 10)},
		{"indexLastUpdateTimestamp", strconv.FormatInt(found.LastTimestamp, 10)},
	}}
	a.Body = found.Body
	if len(a.Body) == 0 {
		a.Code, a.Remark = remoting.RespQueryNotFound, "can not find message, maybe time range not correct"
	}
	return a
}

// viewMessage serves 33: the record at an offset of the log.
func (b *Broker) viewMessage(_ *netpoll.Conn, req *remoting.Command) answer {
	offset, _, err := req.Int64("offset")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	raw, err := b.store.MessageByOffset(offset, nil)
	if err != nil {
		return fail(remoting.RespSystemError, noMessageAt+strconv.FormatInt(offset, 10))
	}
	return withBody(raw)
}

// noMessageAt is what a broker says to 33 where no record lies, before the offset.
const noMessageAt = "can not find message by the offset, "
