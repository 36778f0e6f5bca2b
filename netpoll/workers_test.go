package netpoll

import (
	"testing"

	"ringmq/netpoll/remoting"
)

func TestWorkers(t *testing.T) {
	w := NewWorkers(1, 1, NewBudget(0))
	gate, ran := make(chan struct{}), make(chan struct{}, 3)
	started := make(chan struct{})
	w.Try(0, func() { close(started); <-gate; ran <- struct{}{} })
	<-started
	if !w.Try(0, func() { ran <- struct{}{} }) || w.Try(0, func() {}) {
		t.Fatal("the queue holds one")
	}
	close(gate)
	w.Close()
	if len(ran) != 2 || w.Try(0, func() {}) {
		t.Fatal(len(ran))
	}
}

// TestWorkersBytes: what jobs hold together is bounded, queued ones included, and comes back when they are done or were not taken.
func TestWorkersBytes(t *testing.T) {
	req := &remoting.Command{Body: make([]byte, 600), Ext: []remoting.Field{{Key: []byte("k"), Value: make([]byte, 100)}}}
	one := CloneBytes(req)
	if one < 701 {
		t.Fatal(one)
	}
	budget := NewBudget(int64(2*one + 10))
	w, other := NewWorkers(1, 3, budget), NewWorkers(1, 3, budget)
	gate, bodies := make(chan struct{}), make(chan int, 3)
	work := func(own *remoting.Command) { <-gate; bodies <- len(own.Body) }
	for n, want := range []bool{true, true, false} {
		if w.TryClone(req, work) != want {
			t.Fatal("two have room, not", n+1)
		}
	}
	if other.Try(11, func() {}) {
		t.Fatal("there is room for 10")
	}
	if !other.Try(10, func() { <-gate }) || budget.Held() != int64(2*one+10) {
		t.Fatal(budget.Held())
	}
	close(gate)
	w.Close()
	other.Close()
	if first, second := <-bodies, <-bodies; first != 600 || second != 600 || budget.Held() != 0 {
		t.Fatal(first, second, budget.Held())
	}
	if w.TryClone(req, work) || budget.Held() != 0 {
		t.Fatal("closed")
	}
}
