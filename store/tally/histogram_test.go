package tally

import (
	"slices"
	"sync"
	"testing"
)

func TestBuckets(t *testing.T) {
	h := New(1, 10, 100)
	for _, v := range []int64{0, 1, 2, 10, 11, 100, 101, 1000} {
		h.Add(v)
	}
	turn := NewTurn(h)
	turn.Add(5)
	if c := h.Counts(); c.N() != 8 {
		t.Fatal("shown before Flush:", c)
	}
	turn.Flush()
	turn.Flush()
	if c := h.Counts(); !slices.Equal(c.Counts, []int64{2, 3, 2, 2}) || c.Sum != 1230 || c.N() != 9 {
		t.Fatal(c)
	}
}

func TestPlus(t *testing.T) {
	a, b := New(1), New(1)
	a.Add(1)
	b.Add(5)
	before := a.Counts()
	if sum := before.Plus(b.Counts()); !slices.Equal(sum.Counts, []int64{1, 1}) || sum.Sum != 6 || before.N() != 1 {
		t.Fatal(sum)
	}
	if sum := (Counts{}).Plus(before); sum.N() != 1 {
		t.Fatal(sum)
	}
}

func TestMinusAndQuantile(t *testing.T) {
	h := New(10, 20, 40)
	if q := h.Counts().Quantile(0.99); q != 0 {
		t.Error(q)
	}
	for range 100 {
		h.Add(5)
	}
	before := h.Counts()
	for range 98 {
		h.Add(15)
	}
	h.Add(30)
	h.Add(1000)
	c := h.Counts().Minus(before)
	for q, want := range map[float64]float64{0: 10, 0.49: 15, 0.98: 20, 0.99: 40, 0.999: 40, 1: 40} {
		if got := c.Quantile(q); got != want {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if c.N() != 100 || before.N() != 100 || h.Counts().Minus(Counts{}).N() != 200 {
		t.Error(c, before)
	}
}

// TestNothingIsLost while several goroutines count, some of them turn by turn.
func TestNothingIsLost(t *testing.T) {
	h := New(3, 5)
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			turn := NewTurn(h)
			for i := range int64(1000) {
				h.Add(i % 7)
				turn.Add(i % 7)
				if i%10 == 0 {
					turn.Flush()
				}
			}
			turn.Flush()
		})
	}
	done.Wait()
	if c := h.Counts(); c.N() != 8000 {
		t.Fatal(c)
	}
}

func TestCountingDoesNotAllocate(t *testing.T) {
	h := New(1, 2, 3)
	turn := NewTurn(h)
	if n := testing.AllocsPerRun(100, func() { h.Add(2); turn.Add(9); turn.Flush() }); n != 0 {
		t.Fatal(n)
	}
}

func TestBoundsMustGrow(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("taken")
		}
	}()
	New(2, 1)
}
