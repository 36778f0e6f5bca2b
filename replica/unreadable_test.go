package replica

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringmq/store/disk"
)

// TestUnreadableMaster: what the master's disk cannot read goes to a slave as damage, and all else as it is; from a slave that has it the
// master has it back.
func TestUnreadableMaster(t *testing.T) {
	d := &disk.BadPages{FS: disk.NewMemory()}
	o := options(d, true)
	o.TailBytes = 64 << 10 // what is lost is in no memory
	master := open(t, o)
	l := lead(t, master, LeaderOptions{Copies: 1})
	early := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 100)
	f := follow(t, early, l, FollowerOptions{})
	arrive(t, early, end)
	arrive(t, master, end)
	f.Close()
	all := content(t, master, 0)
	const lost = 8 << 10
	if len(all) < 100<<10 {
		t.Fatal("no test:", len(all))
	}
	d.Lose(fmt.Sprintf("/store/commitlog/%020d", 0), lost)

	late := open(t, options(disk.NewMemory(), true))
	follow(t, late, l, FollowerOptions{})
	arrive(t, late, end)
	want := bytes.Clone(all)
	clear(want[lost : lost+4096])
	if got := content(t, late, 0); !bytes.Equal(got, want) {
		t.Error("the slave has something else than all that can be read")
	}
	eventually(t, "the slave knows", func() bool { return len(late.Gaps()) > 0 }) // it asks again in a while
	eventually(t, "the master knows", func() bool { return len(master.Gaps()) > 0 })
	follow(t, early, l, FollowerOptions{})
	eventually(t, "healed", func() bool { return len(master.Gaps()) == 0 })
	if got := content(t, master, 0); !bytes.Equal(got, all) || d.Lost() > 0 {
		t.Error("the master's log is not what it was")
	}
}

// TestSendfileOverUnreadable: where the kernel comes upon a place that it cannot read while it sends the file, the rest of the piece goes by
// way of memory.
func TestSendfileOverUnreadable(t *testing.T) {
	calls := 0
	failing := func(out, in int, at *int64, n int) (int, error) {
		if calls++; calls%2 == 0 {
			return -1, syscall.EIO
		}
		return unix.Sendfile(out, in, at, min(n, 10_000))
	}
	master := open(t, fileOptions(t, 1<<20))
	end := put(t, master, 0, 1200)
	arrive(t, master, end)
	l := lead(t, master, LeaderOptions{Copies: 1, sendfile: failing})
	slave := open(t, fileOptions(t, 1<<20))
	f := follow(t, slave, l, FollowerOptions{})
	arrive(t, slave, end)
	same(t, master, slave, 0)
	f.Close()
	l.Close() // the sender has ended
	if calls < 4 {
		t.Error("no test:", calls)
	}
}
