package broker

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/replica"
	"ringmq/store"
	"ringmq/store/disk"
)

const unwaited = "WAIT\x01false\x02"

// TestNothingIsAcknowledgedUnwritten: a send that need not wait for the disk is answered when a kill takes nothing of it back.
func TestNothingIsAcknowledgedUnwritten(t *testing.T) {
	t.Parallel()
	for _, flush := range []string{"SYNC_FLUSH", "ASYNC_FLUSH"} {
		t.Run(flush, func(t *testing.T) {
			f := disk.NewFaulty()
			r := &rig{t: t, root: t.TempDir()}
			r.startRoutes("127.0.0.1", 0)
			r.startWith(Options{Loops: 1, alterStore: func(o *store.Options) { o.FS = f }}, func(*Broker) {}, "flushDiskType="+flush, "syncFlushTimeout=3600000")
			c := r.dial()
			want(t, c.call(sendTo("T", 0, unwaited, "first")), 0, "")
			reached, release := stall(f)
			t.Cleanup(release)
			answer := c.start(sendTo("T", 0, unwaited, "second"))
			<-reached
			r.onLoop(func() {}) // whatever the loop had to do for it is done
			select {
			case a := <-answer:
				t.Fatal("acknowledged by a disk that is stalled: ", a.Code)
			case <-time.After(20 * time.Millisecond):
			}
			r.parkedNow(1)
			release()
			a := await(t, answer)
			if want(t, a, 0, ""); a.Text("queueOffset") != "1" {
				t.Error(names(a))
			}
		})
	}
}

// TestUnwaitedSendsPassThoseThatWait for their copies, on the same connection.
func TestUnwaitedSendsPassThoseThatWait(t *testing.T) {
	t.Parallel()
	r, f := newLedRig(t, "brokerRole=SYNC_MASTER", "slaveTimeout=600000")
	c := r.dial()
	waits := c.start(sendTo("T", 0, "", "copied"))
	r.parkedNow(1)
	want(t, c.call(sendTo("T", 0, unwaited, "not copied")), 0, "")
	select {
	case a := <-waits:
		t.Fatal("answered without a copy: ", a.Code)
	default:
	}
	f.agree(replica.Agreement{Enough: true, InStep: 2, Offset: r.broker.store.LogMax()})
	want(t, await(t, waits), 0, "")
}

// TestUnwaitedSendsHearOfTheDisk: what is not written in time, or never, is not acknowledged.
func TestUnwaitedSendsHearOfTheDisk(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	var stuck atomic.Bool
	var ahead atomic.Int64
	var broken atomic.Pointer[error]
	r.startAltered(func(b *Broker) {
		loaded, up := b.written, b.uptime
		b.uptime = func() time.Duration { return up() + time.Duration(ahead.Load()) }
		b.written = func() int64 {
			if stuck.Load() {
				return 0
			}
			return loaded()
		}
		b.failed = func() error {
			if err := broken.Load(); err != nil {
				return *err
			}
			return nil
		}
	}, "syncFlushTimeout=3600000")
	c := r.dial()
	want(t, c.call(sendTo("T", 0, unwaited, "written")), 0, "")
	stuck.Store(true)
	waits := c.start(sendTo("T", 0, unwaited, "late"))
	r.parkedNow(1)
	ahead.Store(int64(2 * time.Hour))
	r.broker.wakeParked()
	want(t, await(t, waits), remoting.RespFlushDiskTimeout, "")
	waits = c.start(sendTo("T", 0, unwaited, "lost"))
	r.parkedNow(1)
	err := errors.New("input/output error")
	broken.Store(&err)
	r.broker.wakePassed(0, err)
	want(t, await(t, waits), remoting.RespSystemError, "store: input/output error")
	broken.Store(nil)
	stuck.Store(false)
}
