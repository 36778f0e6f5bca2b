package broker

import (
	"sync/atomic"
	"time"

	"ringmq/broker/meta"
	"ringmq/broker/stats"
	"ringmq/netpoll/remoting"
	"ringmq/store/tally"
)

// figures are what a loop counts of the requests that it answers: in plain memory of its own while its turn lasts, and for others to see
// when it ends. Answers leave at the end of a turn, so all that were made in it took from its beginning to its end.
type figures struct {
	stats *stats.Stats

	stored    [parkedKinds]*tally.Turn // answers 0 to what was stored, by kind, in microseconds
	found     *tally.Turn              // answers 0 to pulls that were made in their own turn
	foundHeld *tally.Turn              // and to pulls that were held
	answers   []stats.RpcKey           // the other answers of this turn
	pulls     int64                    // of this turn, in found at its end
	read      [readSources]int64       // pulls of this turn that found messages, by where they were read from

	turns     *tally.Histogram // how long turns took that answered anything, in microseconds
	readTotal [readSources]atomic.Int64
	parked    atomic.Int64 // answers that wait for the log, after the last turn
	parkedNow int64        // the same, the loop's own
}

// parkedKind says which request an answer that waits for the log belongs to.
type parkedKind uint8

const (
	parkedSend parkedKind = iota
	parkedSendV2
	parkedBatch
	parkedBack // a message given back, which says otherwise what went wrong
	parkedKinds
)

// codeOf a parked answer's request.
func (k parkedKind) code() int32 {
	return [parkedKinds]int32{remoting.CodeSendMessage, remoting.CodeSendMessageV2, remoting.CodeSendBatchMessage, remoting.CodeConsumerSendMsgBack}[k]
}

// kindOfSend is the kind of a send's answer by the request's code.
func kindOfSend(code int32) parkedKind {
	switch code {
	case remoting.CodeSendMessage:
		return parkedSend
	case remoting.CodeSendBatchMessage:
		return parkedBatch
	}
	return parkedSendV2
}

// readSource is where the messages of a pull came from.
type readSource uint8

const (
	fromMemory    readSource = iota // the tail cache, or windows that were kept
	fromPageCache                   // by the loop, or by a worker that never waited for the disk
	fromDisk
	readSources
)

// names of the sources, as the label source.
var readSourceNames = [readSources]string{"memory", "page_cache", "disk"}

// turnMicros are the bounds of the histogram of turns.
var turnMicros = []int64{100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000}

// init makes the counters; when the stats are there.
func (f *figures) init(s *stats.Stats) {
	f.stats = s
	for k := range f.stored {
		f.stored[k] = tally.NewTurn(s.Rpc(stats.RpcKey{Request: parkedKind(k).code()}))
	}
	f.found = tally.NewTurn(s.Rpc(stats.RpcKey{Request: remoting.CodePullMessage}))
	f.foundHeld = tally.NewTurn(s.Rpc(stats.RpcKey{Request: remoting.CodePullMessage, LongPolling: true}))
	f.turns = tally.New(turnMicros...)
}

// answered counts an answer made in this turn.
func (f *figures) answered(k stats.RpcKey) {
	if k == (stats.RpcKey{Request: remoting.CodePullMessage}) {
		f.pulls++
		return
	}
	f.answers = append(f.answers, k)
}

// answeredLate counts an answer to a request that came so long ago.
func (f *figures) answeredLate(k stats.RpcKey, d time.Duration) {
	if k == (stats.RpcKey{Request: remoting.CodePullMessage, LongPolling: true}) {
		f.foundHeld.Add(d.Microseconds())
		return
	}
	f.stats.Rpc(k).Add(d.Microseconds())
}

// turnEnded shows what was counted in a turn that began at a time of Broker.uptime, 0 if nobody asked for it: nothing was answered then.
func (f *figures) turnEnded(began time.Duration, uptime func() time.Duration) {
	if began != 0 {
		f.turned((uptime() - began).Microseconds())
	}
	for i := range f.read {
		if f.read[i] != 0 {
			f.readTotal[i].Add(f.read[i])
			f.read[i] = 0
		}
	}
}

func (f *figures) turned(micros int64) {
	f.turns.Add(micros)
	for ; f.pulls > 0; f.pulls-- {
		f.found.Add(micros)
	}
	for _, k := range f.answers {
		f.stats.Rpc(k).Add(micros)
	}
	f.answers = f.answers[:0]
	for _, t := range f.stored {
		t.Flush()
	}
	f.found.Flush()
	f.foundHeld.Flush()
}

// answeredElsewhere counts an answer that another goroutine than a loop gives, to a request that came at a time of Broker.uptime.
func (b *Broker) answeredElsewhere(req *remoting.Command, code int32, came time.Duration) {
	micros := (b.uptime() - came).Microseconds()
	b.stats.Rpc(stats.RpcKey{Request: req.Code, Response: code, Oneway: req.IsOneway()}).Add(micros)
	switch req.Code {
	case remoting.CodeUpdateAndCreateTopic, remoting.CodeUpdateAndCreateTopicList:
		b.stats.Created(stats.Creation{Topic: true, Failed: code != remoting.RespSuccess, System: meta.IsSystemTopic(req.Text("topic"))}, micros)
	case remoting.CodeUpdateAndCreateSubscriptiongroup, remoting.CodeUpdateAndCreateSubscriptiongroupList:
		b.stats.Created(stats.Creation{Failed: code != remoting.RespSuccess}, micros)
	}
}
