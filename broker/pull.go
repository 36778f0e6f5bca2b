package broker

import (
	"slices"
	"time"

	"ringmq/broker/lag"
	"ringmq/broker/meta"
	"ringmq/broker/quota"
	"ringmq/broker/stats"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// pull serves 11 and 361. What is in memory or in the page cache is answered on the loop; what needs the disk goes to a worker and comes
// back; what is not there yet is held.
func (b *Broker) pull(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
	state := c.State().(*connState)
	again := state.slowed.again
	state.slowed.again = false
	if b.slave && !b.inForce.get().slaveRead {
		b.reply(c, req, rejected)
		return netpoll.Done
	}
	l := b.loop(c.Loop())
	h := &l.pull
	if err := h.Decode(req); err != nil {
		b.reply(c, req, fail(remoting.RespSystemError, err.Error()))
		return netpoll.Done
	}
	a := pullAnswer{enc: req.Encoding, opaque: req.Opaque, oneway: req.IsOneway(), code: req.Code, came: l.now()}
	if code, remark, forbidden := b.mayPull(c, l, &a, req.Code == remoting.CodeLitePullMessage); code != remoting.RespSuccess {
		b.refusePull(c, req, code, remark, forbidden)
		return netpoll.Done
	}
	// Only as it comes: while it is offered again its queue may have got a new owner, who has come further.
	if h.SysFlag&remoting.PullCommitOffset != 0 && !again {
		b.offsets.Commit(h.ConsumerGroup, h.Topic, h.QueueID, h.CommitOffset)
	}
	hold := b.mayHold(h)
	if v, slowed := b.slowsPull(c, l, &a, hold); slowed {
		return v
	}
	b.runPull(c, l, &a, hold)
	return netpoll.Done
}

// pullAnswer is what an answer to a pull needs beside the outcome.
type pullAnswer struct {
	enc      remoting.Encoding
	opaque   int32
	oneway   bool
	filters  bool // the loop's tag filter is set
	topicSys int32
	groupSys int32
	suggest  int64 // the group's brokerId
	slowly   int64 // the group's whichBrokerWhenConsumeSlowly
	keptBack bool  // once, by the control of cold reads

	code        int32         // of the request
	held        bool          // it waited for messages to come
	came        time.Duration // Broker.uptime
	ran, handed time.Duration // when it was run last, and then given to the workers; 0: it was not
	began, read time.Duration // when a worker began to read, and had read; 0: none did
}

// warmBytes is how much of the page cache the pulls of one turn of a loop may read. What is more goes to workers: nobody else on the loop
// waits longer than a fraction of a millisecond for it.
const warmBytes = 2 << 20

// runPull reads and answers, or holds. The header and the filter are the loop's.
func (b *Broker) runPull(c *netpoll.Conn, l *loopState, a *pullAnswer, hold holdFor) {
	h := &l.pull
	a.ran, a.handed, a.began, a.read = l.now(), 0, 0, 0
	if c.Spent() && b.putOff(c, l, a, hold) {
		return
	}
	if reset, ok := b.offsets.TakeReset(h.ConsumerGroup, h.Topic, h.QueueID); ok {
		low, high := b.store.MinOffset(h.Topic, h.QueueID), b.store.MaxOffset(h.Topic, h.QueueID)
		b.answerPull(c, h, a, nil, &store.Found{NextOffset: reset, Min: low, Max: high}, remoting.RespPullOffsetMoved, "OFFSET_RESET")
		return
	}
	w := &l.want
	*w = store.Want{Topic: h.Topic, QueueID: h.QueueID, Offset: h.QueueOffset, MaxMessages: int(h.MaxMsgNums), Warm: &l.warm}
	if a.filters {
		w.Match = l.tags.match
	}
	// The records are read to where they leave from, behind room for the head of the frame.
	out := c.Out()
	start := len(out)
	warm := l.warm
	out, found, ok := b.store.ReadHot(w, slices.Grow(out, l.headRoom)[:start+l.headRoom])
	if ok && found.Messages > 0 && !a.oneway {
		out = l.putHead(a, &found, out, start)
		l.built += len(out) - start
		c.PutOut(out)
		b.notePull(c, h, &found)
		b.answeredPull(c, h, a, &found, remoting.RespSuccess, found.Status.String())
		if l.warm == warm {
			l.figures.read[fromMemory]++
		} else {
			l.figures.read[fromPageCache]++
		}
		return
	}
	c.PutOut(out[:start])
	if !ok {
		if !found.Cold || !b.keepBack(c, l, a) {
			b.pullCold(c, l, *a, hold)
		}
		return
	}
	b.finishPull(c, h, a, nil, &found, hold, l.tags.codes)
}

// runAgain runs a pull that was put aside with its header and its filter: on the loop they have given way to those of other pulls.
func (l *loopState) runAgain(c *netpoll.Conn, h *remoting.PullHeader, codes []int32, a *pullAnswer, hold holdFor) {
	l.pull, l.tags.codes = *h, append(l.tags.codes[:0], codes...)
	l.b.runPull(c, l, a, hold)
}

// putHead puts the head of an answer before the records in out. The head before this one told how much room to leave: mostly they are
// of one length. Otherwise the records move.
func (l *loopState) putHead(a *pullAnswer, f *store.Found, out []byte, start int) []byte {
	from := start + l.headRoom
	n := len(out) - from
	r := l.b.beginPull(l.head[:0], a, f, remoting.RespSuccess, f.Status.String())
	l.head = r.EndHead(n)
	if to := start + len(l.head); to != from {
		out = slices.Grow(out, len(l.head))[:max(from, to)+n]
		copy(out[to:], out[from:from+n])
		out = out[:to+n]
		l.headRoom = len(l.head)
	}
	copy(out[start:], l.head)
	return out
}

// pullCold does on a worker what needs the disk, and what there is too much of for a turn of the loop.
func (b *Broker) pullCold(c *netpoll.Conn, l *loopState, a pullAnswer, hold holdFor) {
	h, _ := copyHeader(&l.pull, nil)
	codes := append([]int32(nil), l.tags.codes...)
	filter := &tagFilter{codes: codes}
	group := string(h.ConsumerGroup)
	a.handed = b.uptime()
	over := b.readWaits.begin(lag.Key{Group: group, Topic: string(h.Topic)}, a.handed)
	ok := b.readers.try(group, heldBytes(&h, codes), func() {
		if c.Spent() {
			over(b.uptime())
			_ = c.Do(func() { l.runAgain(c, &h, codes, &a, hold) })
			return
		}
		w := store.Want{Topic: h.Topic, QueueID: h.QueueID, Offset: h.QueueOffset, MaxMessages: int(h.MaxMsgNums)}
		if a.filters {
			w.Match = filter.wanted
		}
		a.began = b.uptime()
		records, found, err := b.store.Read(&w, nil)
		a.read = b.uptime()
		over(a.read)
		b.stats.NoteGetTime(a.read - a.began)
		b.coldControl.note(group, found.ColdBytes)
		_ = c.DoHolding(len(records), func() {
			if err != nil {
				b.warnPullFailed(&h, err)
				b.failPull(c, &h, &a, &found, remoting.RespSystemError, err.Error())
				return
			}
			if found.Messages > 0 {
				l.figures.read[sourceOf(&found)]++
			}
			b.finishPull(c, &h, &a, records, &found, hold, codes)
		})
	})
	if !ok {
		over(a.handed)
		b.failPull(c, &h, &a, nil, busy.Code, busy.Remark)
	}
}

// warnPullFailed says so, but not for every pull that meets a broken disk.
func (b *Broker) warnPullFailed(h *remoting.PullHeader, err error) {
	if b.pullWarned.Now() {
		b.logger.Error("pull failed", "topic", string(h.Topic), "queueId", h.QueueID, "offset", h.QueueOffset, "error", err)
	}
}

// sourceOf is where a worker found messages.
func sourceOf(f *store.Found) readSource {
	if f.ColdBytes > 0 {
		return fromDisk
	}
	return fromPageCache
}

// failPull answers a pull that cannot be served; f is nil where nothing was read. On the loop.
func (b *Broker) failPull(c *netpoll.Conn, h *remoting.PullHeader, a *pullAnswer, f *store.Found, code int32, remark string) {
	if !a.oneway {
		c.PutOut(remoting.AppendReply(c.Out(), a.enc, a.opaque, code, remark))
	}
	b.answeredPull(c, h, a, f, code, remark)
}

// answeredPull counts the answer to a pull, and says so where it took long.
func (b *Broker) answeredPull(c *netpoll.Conn, h *remoting.PullHeader, a *pullAnswer, f *store.Found, code int32, remark string) {
	l := b.loop(c.Loop())
	k := stats.RpcKey{Request: a.code, Response: code, LongPolling: a.held}
	if now := l.now(); a.came != now {
		l.figures.answeredLate(k, now-a.came)
		b.slow.pull(c, h, a, f, code, remark)
		return
	}
	l.figures.answered(k)
}

// finishPull turns the outcome of a read into an answer, or holds the pull. On the loop.
func (b *Broker) finishPull(c *netpoll.Conn, h *remoting.PullHeader, a *pullAnswer, records []byte, f *store.Found, hold holdFor, codes []int32) {
	if f.Status == store.StatusNoMatchedLogicQueue {
		f.Status = store.StatusNoMessageInQueue // stock makes a queue when it is first asked for
	}
	code := pullCode(f.Status, h.QueueOffset)
	if f.Messages == 0 {
		b.stats.Miss()
	}
	wait := code == remoting.RespPullNotFound
	if b.slave && f.Status != store.StatusFound {
		var pause bool
		if code, pause = b.onSlave(h, f, code); pause {
			hold.timeout = min(hold.timeout, redirectPause)
		}
		wait = pause || code == remoting.RespPullNotFound
	}
	if f.Status == store.StatusGap {
		wait, hold.atGap, hold.gap = true, true, f.Gap
		hold.timeout = min(hold.timeout, b.store.Awaited(f.Gap))
	}
	if wait && hold.allowed {
		b.holds.add(c, h, a, hold, codes)
		return
	}
	b.answerPull(c, h, a, records, f, code, f.Status.String())
	b.notePull(c, h, f)
}

// notePull notes how far a group has come, by whom, and what it got. On the loop.
func (b *Broker) notePull(c *netpoll.Conn, h *remoting.PullHeader, f *store.Found) {
	b.offsets.Pulled(h.ConsumerGroup, h.Topic, h.QueueID, meta.Pull{Offset: f.NextOffset, Conn: c.ID(), At: b.loop(c.Loop()).now()})
	if f.Messages > 0 {
		b.stats.Get(h.ConsumerGroup, h.Topic, int64(f.Messages), int64(f.Bytes))
		b.loop(c.Loop()).used(&c.State().(*connState).use, quota.Counts{quota.PullBytes: int64(f.Bytes)})
	}
}

// pullCode is the response code of a status.
func pullCode(s store.Status, asked int64) int32 {
	switch s {
	case store.StatusFound:
		return remoting.RespSuccess
	case store.StatusMessageWasRemoving, store.StatusNoMatchedMessage:
		return remoting.RespPullRetryImmediately
	case store.StatusNoMatchedLogicQueue, store.StatusNoMessageInQueue:
		if asked != 0 {
			return remoting.RespPullOffsetMoved
		}
		return remoting.RespPullNotFound
	case store.StatusOffsetFoundNull, store.StatusOffsetOverflowOne, store.StatusGap:
		return remoting.RespPullNotFound
	}
	return remoting.RespPullOffsetMoved
}

// answerPull writes the answer. On the loop; no allocation when the output buffer is warm.
func (b *Broker) answerPull(c *netpoll.Conn, h *remoting.PullHeader, a *pullAnswer, records []byte, f *store.Found, code int32, remark string) {
	if a.oneway {
		return
	}
	r := b.beginPull(c.Out(), a, f, code, remark)
	if code == remoting.RespSuccess {
		r.Body(records)
	}
	c.PutOut(r.End())
	b.answeredPull(c, h, a, f, code, remark)
}

// beginPull writes the fields of an answer.
func (b *Broker) beginPull(dst []byte, a *pullAnswer, f *store.Found, code int32, remark string) remoting.Builder {
	suggest, slowly := int64(0), b.slaveNext(f)
	if b.inForce.get().slaveRead {
		suggest = a.suggest
		if slowly {
			suggest = a.slowly
		}
	}
	if b.slave && !slowly && b.replication.group.masterAlive() {
		suggest = 0
	}
	r := remoting.BeginReply(dst, a.enc, a.opaque, code)
	r.Remark(cutRemark(remark))
	r.Int("groupSysFlag", int64(a.groupSys))
	r.Int("maxOffset", f.Max)
	r.Int("minOffset", f.Min)
	r.Int("nextBeginOffset", f.NextOffset)
	r.Int("suggestWhichBrokerId", suggest)
	r.Int("topicSysFlag", int64(a.topicSys))
	return r
}
