package replica

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
)

// smallDisk says how full a disk of `total` bytes is by the segments that are open: those that were deleted and are held take their space too.
type smallDisk struct {
	disk.FS
	dir   string
	total uint64
}

func (d smallDisk) Space(string) (disk.Space, error) {
	used, seen := uint64(0), map[uint64]bool{}
	list, err := os.ReadDir("/proc/self/fd")
	for _, e := range list {
		name := "/proc/self/fd/" + e.Name()
		to, _ := os.Readlink(name)
		if !strings.HasPrefix(to, d.dir) {
			continue
		}
		var st syscall.Stat_t
		if syscall.Stat(name, &st) == nil && !seen[st.Ino] {
			seen[st.Ino] = true
			used += uint64(st.Size)
		}
	}
	return disk.Space{TotalBytes: int64(d.total), FreeBytes: int64(d.total - min(used, d.total)), FreeInodes: 1 << 20}, err
}

// TestWhatIsHeldIsNoReasonToDelete: retention under pressure does not delete messages that have not expired where that frees nothing, because
// somebody who acknowledges nothing holds the segments.
func TestWhatIsHeldIsNoReasonToDelete(t *testing.T) {
	for _, silent := range []bool{false, true} {
		o := fileOptions(t, 1<<20)
		o.FS, o.Spares = smallDisk{disk.OS(), o.CommitLogDir, 40 << 20}, 0
		o.Retention = store.Retention{WarningRatio: 100, CleanForciblyRatio: 50, MaxUsedRatio: 45, ReservedHours: 72, DeleteIntervalMs: 1, MaxSegmentsPerRound: 1}
		master := open(t, o)
		l := lead(t, master, LeaderOptions{Copies: 1, HousekeepingTime: time.Hour})
		if silent {
			p := dial(t, l)
			_ = p.conn.SetDeadline(time.Time{}) // it holds them to the end, however long that takes
			p.report(0)
			go discard(p)
		}
		var end int64
		for i := range 14 { // some 22 MiB in a log of 40: a little more than the half
			end = put(t, master, i*1000, 1000)
			arrive(t, master, end)
			if silent {
				eventually(t, "sent", func() bool { s := l.Slaves(); return len(s) == 1 && s[0].SentOffset >= end })
			}
		}
		eventually(t, "something is deleted", func() bool { // which waits for it to be durable
			_, err := master.CleanNow(t.Context())
			return err == nil && master.LogMin() > 0
		})
		if left := (master.LogMax() - master.LogMin()) >> 20; left < 10 {
			t.Errorf("of %d MiB, none of it expired, %d MiB are left with the disk at %.2f; somebody holds them: %v", end>>20, left, master.Fullness().Used, silent)
		}
	}
}

// TestWhoHoldsWhatIsDeletedIsLeft: somebody who takes the log and acknowledges nothing does not keep the space of what is deleted for
// longer than a slave may be silent, whatever he says meanwhile.
func TestWhoHoldsWhatIsDeletedIsLeft(t *testing.T) {
	o := fileOptions(t, 1<<20)
	master := open(t, o)
	l := lead(t, master, LeaderOptions{Copies: 1, HousekeepingTime: 300 * time.Millisecond, HeartbeatTime: 20 * time.Millisecond})
	p := dial(t, l)
	p.report(0)
	over := make(chan struct{})
	go func() { // it says that it is there, and no more
		defer close(over)
		for range time.Tick(10 * time.Millisecond) {
			if _, err := p.conn.Write(make([]byte, reportBytes)); err != nil {
				return
			}
		}
	}()
	go discard(p)
	master.SetRetention(store.Retention{CommitLogMaxBytes: 3 << 20, WarningRatio: 100, DeleteIntervalMs: 1})
	for i := range 6 {
		end := put(t, master, i*1000, 1000)
		arrive(t, master, end)
		eventually(t, "sent", func() bool { s := l.Slaves(); return len(s) == 0 || s[0].SentOffset >= end })
	}
	eventually(t, "what was sent first is deleted", func() bool { // which waits for it to be durable
		_, err := master.CleanNow(t.Context())
		return err == nil && master.LogMin() >= 2<<20
	})
	eventually(t, "left", func() bool { return len(l.Slaves()) == 0 })
	<-over
	eventually(t, "freed", func() bool {
		list, _ := os.ReadDir("/proc/self/fd")
		for _, e := range list {
			to, _ := os.Readlink("/proc/self/fd/" + e.Name())
			if strings.HasPrefix(to, o.CommitLogDir) && strings.HasSuffix(to, "(deleted)") {
				return false
			}
		}
		return true
	})
}
