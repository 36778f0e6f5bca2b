package bench

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"ringmq/netpoll"
)

// TestLossWords: a broker that was killed is told in words, and not by how the library calls the end of its socket.
func TestLossWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("%w: %w", netpoll.ErrClosed, io.EOF), "the broker ended the connection: it was stopped or killed"},
		{fmt.Errorf("connection 2 of 4: %w", fmt.Errorf("%w: %w", netpoll.ErrClosed, syscall.ECONNRESET)), "connection 2 of 4: the connection was cut: the broker was killed"},
		{fmt.Errorf("%w: %w", netpoll.ErrClosed, errors.New("odd")), "connection closed: odd"},
		{fmt.Errorf("no connection of 4 is left: %w", &lossError{fmt.Errorf("%w: %w", netpoll.ErrClosed, io.EOF)}), "no connection of 4 is left: the broker ended the connection"},
	} {
		got := endedBy(c.err)
		if !strings.HasPrefix(got, c.want) || strings.Contains(got, "netpoll") || strings.Contains(got, "EOF") {
			t.Errorf("%v: %s", c.err, got)
		}
		if !errors.Is(&lossError{c.err}, netpoll.ErrClosed) {
			t.Errorf("%v: what it is, is lost", c.err)
		}
	}
}

// TestFillIsExact: as many messages are sent as were asked for, and no whole batches more.
func TestFillIsExact(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{refuse: func(n int) int32 { // some are sent again
		if n == 3 {
			return 2
		}
		return 0
	}})
	r, err := Consume(t.Context(), brief(b, func(w *Workload) { w.Fill, w.Drain, w.FillMessages = true, true, 1001 }), nil)
	if err != nil || r.Messages != 1001 {
		t.Fatalf("%v, %+v", err, r)
	}
}

// TestHalfStored: what was stored and not as safely as it should be has a line of its own.
func TestHalfStored(t *testing.T) {
	t.Parallel()
	r := sampleReport("ours", 1000, 2, 0)
	r.Errors = map[string]int64{"code 11 SLAVE_NOT_AVAILABLE": 30, "send: code 10 FLUSH_DISK_TIMEOUT": 1, "code 2 SYSTEM_BUSY": 4}
	var text strings.Builder
	if err := r.Text(&text); err != nil || !strings.Contains(text.String(), "  stored by the broker, but not as safely as it was to: 1 send: not on disk in time; 30 sends: with no slave near enough to copy it\n") {
		t.Errorf("%v\n%s", err, text.String())
	}
	if r.Errors = map[string]int64{"code 2 SYSTEM_BUSY": 4}; r.halfStored() != "" {
		t.Error(r.halfStored())
	}
}
