package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const topic = "PairTopic"

// history is everything that producers tried and were told.
type history struct {
	run   string // tells the messages of this run from those of any other
	lanes []*lane
	gate  sync.RWMutex // producers hold it for reading while they send: who locks it has them at rest

	promised atomic.Int64 // sends answered 0
	lastTime atomic.Int64 // of the last such answer, in nanoseconds since 1970
	other    sync.Map     // other answers and failures: text to *atomic.Int64
}

// lane is one queue and the producers that fill it, as many as it may have sends under way.
type lane struct {
	queue  int
	window int

	mu    sync.Mutex
	fate  []fate // by number of the message
	acked []ack  // in the order in which answers came
}

// fate of an attempt.
type fate uint8

const (
	unknown  fate = iota // no answer, or one that promises nothing and excludes nothing
	promised             // answered 0
	kept                 // stored, but not as safely as asked for: 10, 11, 12
	refused              // answered so that it must never be seen
)

// ack is what a producer was promised.
type ack struct {
	seq    int64
	offset int64 // in the queue
	log    int64 // in the log
}

func newHistory(run string, windows ...int) *history {
	h := &history{run: run}
	for q, w := range windows {
		h.lanes = append(h.lanes, &lane{queue: q, window: w})
	}
	return h
}

// take gives out the next number.
func (l *lane) take() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fate = append(l.fate, unknown)
	return int64(len(l.fate) - 1)
}

func (l *lane) settle(seq int64, f fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fate[seq] = f
}

func (l *lane) promise(a ack) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fate[a.seq] = promised
	l.acked = append(l.acked, a)
}

// least is how many messages the queue with the fewest has for certain.
func (h *history) least() int64 {
	least := int64(math.MaxInt64)
	for _, l := range h.lanes {
		l.mu.Lock()
		least = min(least, int64(len(l.acked)))
		l.mu.Unlock()
	}
	return least
}

// count notes an answer that is no promise.
func (h *history) count(what string) {
	n, _ := h.other.LoadOrStore(what, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
}

func (h *history) lastPromise() time.Time { return time.Unix(0, h.lastTime.Load()) }

// String is for the line of a scene.
func (h *history) String() string {
	var parts []string
	h.other.Range(func(what, n any) bool {
		parts = append(parts, fmt.Sprintf("%d x %s", n.(*atomic.Int64).Load(), what))
		return true
	})
	text := strconv.FormatInt(h.promised.Load(), 10) + " acknowledged"
	if len(parts) > 0 {
		text += ", " + strings.Join(parts, ", ")
	}
	return text
}

// body is the numbered text, padded to a length that varies so that records end anywhere in a block.
func (h *history) body(queue int, seq int64) []byte {
	n := int(seq*2654435761%1500) + 40
	b := make([]byte, 0, n+40)
	b = append(b, h.run+" q"+strconv.Itoa(queue)+" n"+strconv.FormatInt(seq, 10)+" "...)
	for i := int(seq); len(b) < n; i++ {
		b = append(b, byte('a'+(i&0xffff)%26))
	}
	return b
}

// number finds out which message a body is; one that nobody sent, or that was refused, is an error.
func (h *history) number(queue int, body []byte) (int64, error) {
	words := strings.SplitN(string(body[:min(len(body), 80)]), " ", 4)
	if len(words) != 4 || words[0] != h.run || words[1] != "q"+strconv.Itoa(queue) || !strings.HasPrefix(words[2], "n") {
		return 0, fmt.Errorf("a body that nobody sent: %.60q", body)
	}
	seq, err := strconv.ParseInt(words[2][1:], 10, 64)
	if err != nil || queue >= len(h.lanes) {
		return 0, fmt.Errorf("a body that nobody sent: %.60q", body)
	}
	if string(h.body(queue, seq)) != string(body) {
		return 0, fmt.Errorf("message %d of queue %d has a changed body", seq, queue)
	}
	l := h.lanes[queue]
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq >= int64(len(l.fate)) {
		return 0, fmt.Errorf("message %d of queue %d was not sent yet", seq, queue)
	}
	if l.fate[seq] == refused {
		return 0, fmt.Errorf("message %d of queue %d was refused and is there", seq, queue)
	}
	return seq, nil
}
