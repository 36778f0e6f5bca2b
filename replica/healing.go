package replica

import (
	"io"
	"sync"
	"time"

	"ringmq/store"
)

// healing is one connection's way, between two of ours, to get back what is damaged on one side: gaps are asked for one at a time, and
// what comes is judged by the store.
type healing struct {
	st    *store.Store
	every time.Duration // it is looked for gaps

	mu     sync.Mutex
	looked time.Time
	out    ask   // that was sent and not answered; n is 0: none
	piece  int64 // that is asked for at once: firstAskBytes, or more where no whole record was in it
	since  time.Time
	vain   map[int64]time.Time // gaps for which the other side had nothing good
	asks   []ask               // of the other side, not yet answered
	healer *store.Healer       // nil: the other side is not asked
}

const (
	// firstAskBytes of a large gap are asked for at once. An answer is read and written by the goroutine that takes acknowledgements on a master and
	// the log on a slave: both wait for it.
	firstAskBytes = 256 << 10

	answerTime = 10 * time.Second // an ask may take
	vainTime   = time.Minute      // until a gap is asked for again in vain
	// maxAsks bounds what the other side may ask for before it has the answers.
	maxAsks = 4
	maxVain = 1024
)

// join says that the other side is asked from now on; wake is for who asks.
func (h *healing) join(wake chan struct{}) {
	healer := h.st.Healer(func() {
		h.mu.Lock()
		h.looked = time.Time{}
		h.mu.Unlock()
		poke(wake)
	})
	h.mu.Lock()
	h.healer = healer
	h.mu.Unlock()
	poke(wake)
}

// leave says that the connection is over.
func (h *healing) leave() {
	h.mu.Lock()
	healer := h.healer
	h.healer = nil
	h.mu.Unlock()
	if healer != nil {
		healer.Leave()
	}
}

// next is the next thing to ask for, if there is any.
func (h *healing) next(now time.Time) (ask, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.looked) < h.every || h.out.n > 0 && now.Sub(h.since) < answerTime {
		return ask{}, false
	}
	h.looked = now
	segment := h.st.SegmentBytes()
	for _, g := range h.st.Gaps() {
		to := min(g.To, g.From-g.From%segment+segment, g.From+max(h.piece, firstAskBytes), h.st.Sendable().Load())
		if now.Sub(h.vain[g.From]) < vainTime || to <= g.From {
			continue
		}
		h.out, h.since = ask{from: g.From, n: int32(to - g.From)}, now
		return h.out, true
	}
	h.out = ask{}
	return ask{}, false
}

// read reads the body of an ask or an answer: no more than was asked for. The answer to an ask that was given up meanwhile is read past: nil.
func (h *healing) read(r io.Reader, f header) ([]byte, error) {
	limit := int32(askBytes)
	if uint64(f.offset) == bytesMagic {
		h.mu.Lock()
		limit = bytesBytes + h.out.n
		h.mu.Unlock()
		if f.size > limit && f.size <= bytesBytes+maxAskBytes {
			_, err := io.CopyN(io.Discard, r, int64(f.size))
			return nil, err
		}
	}
	if f.size < 0 || f.size > limit {
		return nil, errFrame
	}
	b := make([]byte, f.size)
	_, err := io.ReadFull(r, b)
	return b, err
}

// asked notes what the other side wants; wake is for who will send it.
func (h *healing) asked(body []byte, wake chan struct{}) error {
	a, err := parseAsk(body)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.asks) >= maxAsks {
		return errFrame
	}
	h.asks = append(h.asks, a)
	poke(wake)
	return nil
}

// take returns what was asked for first.
func (h *healing) take() (a ask, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.asks) == 0 {
		return a, false
	}
	a = h.asks[0]
	h.asks = append(h.asks[:0], h.asks[1:]...)
	return a, true
}

// answer sends what was asked for by write, a little at a time: whoever asks must not decide how much memory that takes.
func (h *healing) answer(a ask, write func(b []byte) error) error {
	to := a.from + int64(a.n)
	sum, err := uint32(0), error(store.ErrGone)
	if to <= h.st.Sendable().Load() {
		sum, err = sumOf(h.st, a.from, to)
	}
	if err != nil {
		return write(answer{from: a.from}.append(nil))
	}
	if err := write(answerHead(nil, a.from, int(a.n), sum)); err != nil {
		return err
	}
	return eachPiece(h.st, a.from, to, write)
}

// bytesOf reads a range of the log, all of it or nothing.
func bytesOf(l log, from, to int64) ([]byte, error) {
	if to > l.Sendable().Load() {
		return nil, store.ErrGone
	}
	b := make([]byte, 0, to-from)
	err := eachPiece(l, from, to, func(p []byte) error {
		b = append(b, p...)
		return nil
	})
	return b, err
}

// answered heals a gap with what came, if it is good; wake is for who asks for the next one. On a slow link an answer may come when its
// ask was given up, or twice: such a one changes nothing.
func (h *healing) answered(body []byte, wake chan struct{}) error {
	if body == nil {
		return nil
	}
	a, err := parseAnswer(body)
	if err != nil {
		return err
	}
	h.mu.Lock()
	out := h.out
	wanted := out.n > 0 && a.from == out.from && (len(a.b) == 0 || len(a.b) == int(out.n))
	if wanted {
		h.out = ask{}
	}
	h.mu.Unlock()
	if !wanted {
		return nil
	}
	// What can be asked for at once may end inside of a record, and one of many may be damaged there too: what is whole in front is had back, and
	// the gap goes on behind it. How large records may be here is no matter: the store's log has had them.
	n := cutter{segmentBytes: h.st.SegmentBytes(), maxRecord: maxAskBytes}.whole(a.b, a.from)
	healed := n > 0 && h.st.Heal(a.from, a.b[:n]) == nil
	defer poke(wake)
	h.mu.Lock()
	h.looked = time.Time{}
	healer := h.healer
	if asked := int64(len(a.b)); n == 0 && asked == max(h.piece, firstAskBytes) && asked < maxAskBytes {
		h.piece = min(4*asked, maxAskBytes) // a record may be longer than this piece of the gap
		h.mu.Unlock()
		return nil
	}
	h.piece = 0
	if !healed {
		h.inVain(a.from)
	}
	h.mu.Unlock()
	if !healed && healer != nil {
		healer.HasNot(a.from)
	}
	return nil
}

// inVain has a gap left alone for a while. mu is held.
func (h *healing) inVain(from int64) {
	if h.vain == nil || len(h.vain) >= maxVain {
		h.vain = map[int64]time.Time{}
	}
	h.vain[from] = time.Now()
}
