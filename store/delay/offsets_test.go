package delay

import (
	"testing"
	"testing/synctest"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
)

// TestLevelsTakenAwayAndGivenBack: how far levels had come that are not configured any more is kept, by a master and by its slave. When
// they are configured again nothing is delivered twice, and what waited is.
func TestLevelsTakenAwayAndGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(disk.NewMemory())
		run := func(levels int, during func(b *bench)) {
			b := begin(t, o, func(c *Options) { c.Levels = store.DefaultDelayLevels()[:levels] })
			during(b)
			b.end()
		}
		run(5, func(b *bench) {
			b.send(1, "A", 0)
			b.send(4, "D", 0)
			time.Sleep(time.Minute)
			if got := b.all(); len(got) != 2 {
				t.Fatalf("delivered: %v", got)
			}
			b.send(4, "D", 1)
		})
		run(2, func(b *bench) {
			b.send(1, "A", 1) // so that progress is saved
			time.Sleep(time.Minute)
			if got := b.all(); len(got) != 1 || got[0].topic != "A" {
				t.Fatalf("with fewer levels: %v", got)
			}
			if err := b.d.TakeOver(b.d.Document()); err != nil {
				t.Fatal(err)
			}
		})
		run(5, func(b *bench) {
			time.Sleep(time.Minute)
			if got := b.all(); len(got) != 1 || got[0].topic != "D" || got[0].queue != 1 {
				t.Errorf("with all levels again: %v", got)
			}
		})
	})
}
