package netpoll

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Seldom
		said := 0
		for range 30 {
			if s.Now() {
				said++
			}
			time.Sleep(100 * time.Millisecond)
		}
		if said != 3 {
			t.Error(said, "times in three seconds")
		}
	})
}
