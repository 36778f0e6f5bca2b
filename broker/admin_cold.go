package broker

import (
	"maps"
	"strconv"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

// updateColdLimits serves 2001: bytes by group, as properties. What is no number is left out.
func (b *Broker) updateColdLimits(_ *netpoll.Conn, req *remoting.Command) answer {
	if len(req.Body) == 0 {
		return answer{}
	}
	all, err := settings.ParseProperties("request", req.Body)
	if err != nil {
		return fail(remoting.RespSystemError, "string2Properties error")
	}
	for _, s := range all {
		bytes, err := strconv.ParseInt(s.Value, 10, 64)
		if err == nil && !b.coldControl.setLimit(s.Key, bytes) {
			return fail(remoting.RespSystemError, "too many groups have a limit of their own")
		}
		if err != nil {
			b.logger.Warn("limit of cold reads is no number", "group", s.Key, "value", s.Value)
		}
	}
	return answer{}
}

// removeColdLimit serves 2002.
func (b *Broker) removeColdLimit(_ *netpoll.Conn, req *remoting.Command) answer {
	b.coldControl.removeLimit(string(req.Body))
	return answer{}
}

// coldInfo is the answer to 2003, in stock's order.
type coldInfo struct {
	Groups     map[string]coldGroup `json:"runtimeTable"`
	Limits     map[string]int64     `json:"configTable"`
	GroupLimit int64                `json:"cgColdReadThreshold"`
	TotalLimit int64                `json:"globalColdReadThreshold"`
	Total      int64                `json:"globalAcc"`
}

// coldInfo serves 2003.
func (b *Broker) coldInfo(*netpoll.Conn, *remoting.Command) answer {
	f, c := b.inForce.get(), b.coldControl
	c.mu.Lock()
	i := coldInfo{Groups: map[string]coldGroup{}, Limits: maps.Clone(c.limits), GroupLimit: f.coldGroupLimit, TotalLimit: f.coldTotalLimit, Total: c.total}
	for name, g := range c.groups {
		i.Groups[name] = *g
	}
	c.mu.Unlock()
	return jsonBody(i)
}

// Modes of 2004, as madvise has them.
const (
	readAheadNormal = 0
	readAheadNever  = 1
)

// setReadAhead serves 2004: whether what lies around the records of a cold pull is read together with them.
func (b *Broker) setReadAhead(_ *netpoll.Conn, req *remoting.Command) answer {
	if len(req.Ext) == 0 {
		return fail(remoting.RespSystemError, "set commitlog readahead mode param error")
	}
	mode, err := strconv.ParseInt(req.Text("READ_AHEAD_MODE"), 10, 32)
	if err != nil {
		return fail(remoting.RespSystemError, "set commitlog readahead mode failed")
	}
	if mode != readAheadNormal && mode != readAheadNever {
		return fail(remoting.RespInvalidParameter, "set commitlog readahead mode param value error")
	}
	keys, err := b.c.Change([]settings.Setting{{Key: "dataReadAheadEnable", Value: strconv.FormatBool(mode == readAheadNormal)}})
	if err != nil {
		return fail(remoting.RespSystemError, "set commitlog readahead mode failed")
	}
	b.applyConfig(keys)
	return answer{Remark: "set commitlog readahead mode success, mode: " + strconv.FormatInt(mode, 10)}
}
