package main

import (
	"encoding/binary"
	"sync/atomic"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// handler takes every request for a send.
type handler struct {
	log   *log
	s     *netpoll.Server
	loops []loopState
	ready atomic.Bool // start was called
}

// loopState is what one loop alone touches, but for waiting.
type loopState struct {
	parked  []parked // in the order of their ends
	head    int      // in parked
	held    []*netpoll.Conn
	waiting atomic.Int64 // parked and held
	_       [64]byte     // loops do not share a cache line
}

// parked is an acknowledgement that waits for the log.
type parked struct {
	c      *netpoll.Conn
	end    int64
	opaque int32
	enc    remoting.Encoding
}

// start tells the handler its server. What sends before that is closed.
func (h *handler) start(s *netpoll.Server) {
	h.s = s
	h.loops = make([]loopState, s.Loops())
	h.ready.Store(true)
}

func (h *handler) Opened(*netpoll.Conn)        {}
func (h *handler) Closed(*netpoll.Conn, error) {}

// Serve appends what a broker would store of a send, body and properties behind two lengths, and parks the acknowledgement.
func (h *handler) Serve(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
	if !h.ready.Load() {
		c.Close()
		return netpoll.Done
	}
	l := &h.loops[c.Loop()]
	var properties []byte
	if send, err := req.Send(); err == nil {
		properties = send.Properties
	}
	var lengths [8]byte
	binary.BigEndian.PutUint32(lengths[:], uint32(len(req.Body)))
	binary.BigEndian.PutUint32(lengths[4:], uint32(len(properties)))
	end, ok := h.log.append(lengths[:], req.Body, properties)
	if !ok {
		l.held = append(l.held, c)
		l.wait(h, c, end)
		return netpoll.Hold
	}
	if req.IsOneway() {
		return netpoll.Done
	}
	l.parked = append(l.parked, parked{c, end, req.Opaque, req.Encoding})
	l.wait(h, c, end)
	return netpoll.Done
}

// wait counts something that waits for the log to reach end, which may have happened before anyone knew that it waits.
func (l *loopState) wait(h *handler, c *netpoll.Conn, end int64) {
	l.waiting.Add(1)
	if h.log.durable.Load() >= end {
		h.s.Wake(c.Loop())
	}
}

// committed has every loop look that waits. The committer's goroutine.
func (h *handler) committed() {
	for i := range h.loops {
		if h.loops[i].waiting.Load() > 0 {
			h.s.Wake(i)
		}
	}
}

// Woken acknowledges what was written, and lets connections go on.
func (h *handler) Woken(loop int) {
	l := &h.loops[loop]
	durable := h.log.durable.Load()
	for ; l.head < len(l.parked) && l.parked[l.head].end <= durable; l.head++ {
		p := &l.parked[l.head]
		b := remoting.BeginReply(p.c.Out(), p.enc, p.opaque, remoting.RespSuccess)
		p.c.PutOut(b.End())
		p.c = nil
		l.waiting.Add(-1)
	}
	if l.head*2 > len(l.parked) {
		n := copy(l.parked, l.parked[l.head:])
		clear(l.parked[n:])
		l.parked, l.head = l.parked[:n], 0
	}
	for _, c := range l.held {
		c.Resume()
		l.waiting.Add(-1)
	}
	l.held = l.held[:0]
}
